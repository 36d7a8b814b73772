//! The fake provider, seen through the real client.

#[cfg(test)]
mod idp;
#[cfg(test)]
mod token;
