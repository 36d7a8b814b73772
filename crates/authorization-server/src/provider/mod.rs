//! The authorization server as a whole: what is configured, what it is made of, how it is mounted.

mod settings;

pub(crate) use self::settings::{Lifetimes, Settings};
