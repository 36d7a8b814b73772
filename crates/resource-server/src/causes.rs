//! An error for a log.

use std::error::Error;
use std::fmt;

/// An error and what caused it, on one line. For logs: a peer learns none of it.
///
/// ```
/// use portcullis_resource_server::Causes;
///
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(Causes::of(&error).to_string(), "the disk is full");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Causes<'a>(&'a (dyn Error + 'static));

impl<'a> Causes<'a> {
    /// Those of `error`, itself first.
    pub fn of(error: &'a (dyn Error + 'static)) -> Self {
        Self(error)
    }
}

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
