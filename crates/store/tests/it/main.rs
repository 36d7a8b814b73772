//! The store from outside.

#[cfg(test)]
mod records;
#[cfg(test)]
mod sample;
