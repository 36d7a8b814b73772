//! The fake provider, seen through the real client.

#[cfg(test)]
mod idp;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod store;
#[cfg(test)]
mod token;
#[cfg(test)]
mod upstream;
