//! What is at the other end of the lines: a program that is started, or a server that is called.

use std::fmt;
use std::io;

use portcullis_resource_server::{AccessToken, ConfigError};

use super::command::Resolved;
use super::limits::Isolation;
use super::process::Start;
use super::template::Unfit;
use crate::http_sse::Dial;

/// How processes, or connections, of one upstream are made.
#[derive(Debug)]
pub(super) enum Source {
    Program(Resolved),
    Server(Box<Dial>),
}

/// What is personal about a process or connection. It belongs to that: a token that says something
/// else gets another one.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Values(Vec<String>);

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values")
    }
}

impl Source {
    /// Refuses to tell a server that everybody shares who its caller is.
    pub(super) fn check(&self, isolation: Isolation) -> Result<(), ConfigError> {
        if isolation != Isolation::Shared {
            return Ok(());
        }
        let (field, fault, hint) = match self {
            Self::Program(command) if command.is_personal() => (
                "command",
                "has a placeholder for the caller, and one process for all callers",
                "take the placeholder out, or isolate by session or user",
            ),
            Self::Server(dial) if dial.is_personal() => (
                "identity",
                "tells who calls, and one connection serves all callers",
                "tell nothing, or isolate by session or user",
            ),
            _ => return Ok(()),
        };
        Err(ConfigError::new(field, fault).with_hint(hint))
    }

    /// What is personal for one caller.
    pub(super) fn values(&self, token: Option<&AccessToken>) -> Result<Values, Unfit> {
        let values = match self {
            Self::Program(command) => command.values(token)?,
            Self::Server(dial) => dial.values(token),
        };
        Ok(Values(values))
    }

    /// What is started for one caller.
    pub(super) fn start(&self, values: &Values) -> Start {
        match self {
            Self::Program(command) => Start::Program(Box::new(command.command(&values.0))),
            Self::Server(dial) => Start::Connection(Box::new(dial.connection(&values.0))),
        }
    }

    /// Says that it cannot be started, and what to look at.
    pub(super) fn report(&self, upstream: &str, error: &io::Error) {
        let Self::Program(command) = self else {
            return tracing::error!(target: "portcullis::upstream", upstream, %error,
                "no connection can be made");
        };
        let program = command.program().display();
        let hint = match error.kind() {
            io::ErrorKind::NotFound => {
                Some("is it installed, and on the `PATH` of the gateway? is the directory there?")
            }
            io::ErrorKind::PermissionDenied => Some("may the gateway's user run it?"),
            _ => None,
        };
        tracing::error!(target: "portcullis::upstream", upstream, %program, %error, hint,
            "the process cannot be started");
    }
}
