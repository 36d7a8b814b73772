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

    /// The setting: `audience`, the name of an environment variable, or a phrase such as
    /// "tool `greet`".
    pub fn field(&self) -> &str {
        &self.field
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
