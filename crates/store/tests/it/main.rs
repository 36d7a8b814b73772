//! The store from outside.

#[cfg(test)]
#[cfg(all(feature = "sqlite", unix))]
mod children;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod corpus;
#[cfg(test)]
#[cfg(all(feature = "sqlite", unix))]
mod crash;
#[cfg(test)]
#[cfg(all(feature = "sqlite", unix))]
mod disk;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod readable;
#[cfg(test)]
mod records;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod sealing;
