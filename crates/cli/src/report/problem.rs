//! What went wrong, as its user should read it.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What: the thing first, then the fault.
    pub(crate) what: String,
    /// The key of the configuration that it is about, as in `upstream.0.name`. It is not shown.
    pub(crate) key: Option<String>,
    /// Where it was written.
    pub(crate) at: Option<String>,
    /// What led to it, the nearest first.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            key: None,
            at: None,
            causes: Vec::new(),
            hint: None,
        }
    }

    /// The key of the configuration that it is about.
    pub(crate) fn about(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(crate) fn at(mut self, place: Option<impl fmt::Display>) -> Self {
        self.at = place.map(|place| place.to_string());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }

    /// The line and column where it was written; zero where that is no file.
    pub(crate) fn line(&self) -> (usize, usize) {
        let mut parts = self.at.iter().flat_map(|at| at.rsplitn(3, ':'));
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        match (number(), number()) {
            (Some(column), Some(line)) => (line, column),
            _ => (0, 0),
        }
    }

    pub(crate) fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }
}

/// What its user can mend: exit code 1. Any other error is a surprise: exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) Vec<Problem>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}
