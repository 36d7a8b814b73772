//! Mistakes that a crate below found, by the names of keys.

use portcullis_resource_server::{ConfigError, ConfigErrors};

use super::auth::{sentence, server_key};
use crate::report::{Failure, Problem};

/// A mistake that a crate below found.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn problem(error: ConfigError) -> Failure {
    said(&error).into()
}

/// All that it found.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn problems(errors: ConfigErrors) -> Failure {
    Failure(errors.iter().map(said).collect())
}

/// The same, to be placed.
pub(super) fn said(error: &ConfigError) -> Problem {
    let problem = if error.field().contains(' ') {
        Problem::new(error.to_string())
    } else {
        let key = server_key(error.field());
        Problem::new(sentence(key, error.fault())).about(key)
    };
    problem.maybe_hint(error.hint())
}
