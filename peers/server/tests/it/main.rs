//! The server as a process of its own.
#![forbid(unsafe_code)]

#[cfg(test)]
mod logs;
#[cfg(test)]
mod process;
