//! All mistakes of a configuration, not the first one.

use portcullis_resource_server::{ConfigError, ConfigErrors};

/// Gathers mistakes while the rest is still looked at.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<ConfigError>);

impl Faults {
    /// What there is, if nothing is wrong with it.
    pub(crate) fn note<T>(&mut self, outcome: Result<T, impl Into<ConfigErrors>>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(errors) => {
                self.0.extend(errors.into());
                None
            }
        }
    }

    /// One more.
    pub(crate) fn add(&mut self, error: ConfigError) {
        self.0.push(error);
    }

    /// What was made, when there is no mistake.
    ///
    /// # Errors
    /// All that were noted.
    pub(crate) fn check<T>(self, made: Option<T>) -> Result<T, ConfigErrors> {
        ConfigErrors::check(self.0)?;
        // Nothing is missing without a mistake.
        made.ok_or_else(|| ConfigError::new("settings", "cannot be used").into())
    }
}
