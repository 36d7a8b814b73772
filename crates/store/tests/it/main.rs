//! The store from outside.

#[cfg(test)]
#[cfg(all(feature = "sqlite", unix))]
mod disk;
#[cfg(test)]
mod records;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod sealing;
