//! Mistakes that a crate below found, by the names of keys.

use portcullis_resource_server::{ConfigError, ConfigErrors};

use super::auth::{sentence, server_key};
use crate::report::{Failure, Problem};

/// What is about other keys than the mistakes that are known: each is told once.
pub(super) fn news(known: &[Problem], found: impl Iterator<Item = Problem>) -> Vec<Problem> {
    let key = |problem: &Problem| {
        let key = problem.key.as_deref();
        key.map(|key| key.trim_end_matches("_file").to_owned())
    };
    let known: Vec<String> = known.iter().filter_map(key).collect();
    // A mistake in a list's item is one in the list.
    let covers = |known: &String, key: &str| {
        let rest = known.strip_prefix(key);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let is_news = |problem: &Problem| {
        key(problem).is_none_or(|key| !known.iter().any(|known| covers(known, &key)))
    };
    found.filter(is_news).collect()
}

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
