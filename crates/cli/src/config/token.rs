//! The access token that a client shows: a flag, a file, or the environment.

use std::io::Read as _;
use std::path::Path;

use portcullis_oauth::SecretString;

use super::environment::Environment;
use super::file::read_text_or_pipe;
use super::secret_file;
use crate::report::{Failure, Problem, Report};

pub(super) const TOKEN: &str = "PORTCULLIS_TOKEN";
pub(super) const TOKEN_FILE: &str = "PORTCULLIS_TOKEN_FILE";

/// No token is longer, in bytes; nobody would take one.
const MAX: u64 = 64 * 1024;

/// The token by the flags `--token` and `--token-file`, else by the environment; `None` where
/// nobody gives one.
pub(crate) fn token(
    flag: Option<&SecretString>,
    file: Option<&Path>,
    report: Report,
) -> Result<Option<SecretString>, Failure> {
    match (flag, file) {
        (Some(dash), _) if dash.expose() == "-" => from_stdin().map(Some),
        (Some(token), _) => Ok(Some(trimmed(token.expose()))),
        (None, Some(file)) => from_file(file, report).map(Some),
        (None, None) => from_environment(report),
    }
    .and_then(|token| match token {
        Some(token) if token.is_empty() => {
            Err(Problem::new("there is no token in what was given").into())
        }
        token => Ok(token),
    })
}

fn from_environment(report: Report) -> Result<Option<SecretString>, Failure> {
    let (environment, problems) = Environment::from_process();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    match (environment.find(TOKEN), environment.find(TOKEN_FILE)) {
        (Some(_), Some(_)) => {
            let problem = Problem::new(format!("`{TOKEN}` and `{TOKEN_FILE}` are both set"));
            Err(problem.hint("take one of them away").into())
        }
        (Some((token, _)), None) => Ok(Some(trimmed(token))),
        (None, Some((file, _))) => from_file(Path::new(file.trim()), report).map(Some),
        (None, None) => Ok(None),
    }
}

fn from_file(file: &Path, report: Report) -> Result<SecretString, Failure> {
    let text = SecretString::from(read_text_or_pipe(file)?);
    if let Some(warning) = secret_file::warning(file) {
        report.warning(&warning);
    }
    Ok(trimmed(text.expose()))
}

fn from_stdin() -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX).read_to_string(&mut text);
    read.map_err(|error| Problem::new("stdin cannot be read").because(error))?;
    Ok(trimmed(&text))
}

/// `Bearer ` in front of a token is no part of it.
fn trimmed(text: &str) -> SecretString {
    let text = text.trim();
    text.strip_prefix("Bearer ").unwrap_or(text).trim().into()
}
