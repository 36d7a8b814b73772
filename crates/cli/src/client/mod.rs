//! This program as a client: one server, as the command line names it.

mod failure;

use std::time::Duration;

use portcullis::Client;
use portcullis::client::{ClientError, Connect};
use portcullis_oauth::SecretString;

use crate::args::ConnectArgs;
use crate::config;
use crate::report::{Failure, Problem, Report};

/// A server, and what is shown to it.
#[derive(Debug)]
pub(crate) struct Target {
    url: String,
    token: Option<SecretString>,
    timeout: Option<Duration>,
}

impl ConnectArgs {
    /// The server that the arguments and the environment name.
    pub(crate) fn target(&self, report: Report) -> Result<Target, Failure> {
        let timeout = match &self.timeout {
            None => None,
            Some(text) => Some(length(text)?),
        };
        Ok(Target {
            url: self.url.clone(),
            token: config::token::token(self.token.as_ref(), self.token_file.as_deref(), report)?,
            timeout,
        })
    }

    /// Whether the token is to be read from stdin.
    pub(crate) fn takes_stdin(&self) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| token.expose() == "-")
    }
}

fn length(text: &str) -> Result<Duration, Failure> {
    let length = config::duration(text.trim()).filter(|length| !length.is_zero());
    let problem = || Problem::new(format!("`--timeout`: `{text}` is no length of time"));
    Ok(length.ok_or_else(|| problem().hint("write a number and a unit, as in `30s` or `5m`"))?)
}

impl Target {
    /// The settings of a connection, with the token.
    pub(crate) fn connect(&self) -> Connect {
        match &self.token {
            Some(token) => self.as_a_stranger().bearer(token.clone()),
            None => self.as_a_stranger(),
        }
    }

    /// The settings of a connection without the token.
    pub(crate) fn as_a_stranger(&self) -> Connect {
        let connect = Client::connect(&self.url);
        match self.timeout {
            Some(timeout) => connect.timeout(timeout),
            None => connect,
        }
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The URL as it was written.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL without what may be a secret in it.
    pub(crate) fn shown(&self) -> String {
        failure::shown(&self.url)
    }

    /// What a user reads of a failure.
    pub(crate) fn failure(&self, error: &ClientError) -> Failure {
        failure::problem(self, error).into()
    }
}
