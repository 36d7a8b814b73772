//! A mistake in what was configured.

use std::borrow::Cow;
use std::fmt;

/// A setting that cannot be used. It comes out of `build()` or at start, never on a request.
///
/// `Display` names the field and the fault; [`hint`](Self::hint) says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    field: Cow<'static, str>,
    fault: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
}

impl ConfigError {
    /// `field` has this `fault`. Neither may hold a secret.
    pub fn new(field: impl Into<Cow<'static, str>>, fault: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            fault: fault.into(),
            hint: None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same mistake, under the name by which its user knows the setting.
    pub(crate) fn renamed(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = field.into();
        self
    }

    /// The setting: `audience`, the name of an environment variable, or a phrase such as
    /// "tool `greet`".
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &str {
        &self.fault
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is a phrase (tool `greet`) has its own backticks.
        if self.field.contains(' ') {
            write!(f, "{}: {}", self.field, self.fault)
        } else {
            write!(f, "`{}`: {}", self.field, self.fault)
        }
    }
}

impl std::error::Error for ConfigError {}

/// Every mistake that was found, at least one.
///
/// `Display` writes one a line, each with its hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// All of them, or nothing when there are none.
    ///
    /// # Errors
    /// When there is a mistake.
    pub fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self(errors))
        }
    }

    /// These mistakes, and others before them.
    pub(crate) fn after(self, mut first: Vec<ConfigError>) -> Self {
        first.extend(self.0);
        Self(first)
    }

    pub(crate) fn map(self, change: impl FnMut(ConfigError) -> ConfigError) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }

    /// The mistakes, in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for ConfigErrors {
    type Item = ConfigError;
    type IntoIter = std::vec::IntoIter<ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
            if let Some(hint) = error.hint() {
                write!(f, " (hint: {hint})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
