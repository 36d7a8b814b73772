//! What can go wrong, split by who has to act.
//!
//! * [`Error`]: the program cannot start or keep serving. Its `Debug` form, which `main` prints,
//!   is made for people: the message, its causes and a hint.
//! * [`ConfigError`]: a definition or a setting that cannot work, found before the first request.
//! * [`ToolError`]: one call failed. Its message is shown to the model, its source only logged.

use std::{borrow::Cow, fmt, io};

use portcullis_oauth::scope::ScopeSet;
pub use portcullis_resource_server::ConfigError;
use portcullis_resource_server::UpstreamTokenError;

use crate::{context::PendingInputs, model};

/// The result of starting or running a server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server cannot start, or stopped.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Definitions that cannot work; all of them at once.
    #[error("{}", list(.0))]
    Config(Vec<ConfigError>),
    /// The address cannot be bound.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address as given.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Tls(#[from] crate::listener::TlsError),
    /// Everybody who reaches this address could call every tool.
    #[error("`{address}` can be reached from other machines, and the server has no auth")]
    OpenToTheNetwork {
        /// The address as given.
        address: String,
    },
    /// Everybody whom a router is served to could call every tool.
    #[error("a router without auth can be served to everybody")]
    OpenRouter,
    /// Asked to stop a second time, while calls were still running: they did not finish.
    #[error("stopped by a second signal, before every call had finished")]
    Interrupted {
        /// The second signal.
        signal: Signal,
    },
    /// The transport failed while serving, or a file that the program reads.
    #[error("input or output failed")]
    Io(#[from] io::Error),
    /// The peer on stdin and stdout ended the handshake, or broke it.
    #[error("the MCP handshake failed")]
    Handshake(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The variables about authentication cannot work.
    #[error(transparent)]
    AuthEnv(portcullis_resource_server::ConfigErrors),
    /// What issues tokens cannot start: its store, its keys.
    #[error(transparent)]
    Start(#[from] portcullis_resource_server::StartError),
    /// Where an authorization server keeps its state cannot be opened.
    #[cfg(feature = "authorization-server")]
    #[error(transparent)]
    Store(#[from] portcullis_store::StoreError),
    /// A URL or an identifier that the program gives cannot work.
    #[error("{fault}")]
    Value {
        /// What is wrong with it.
        fault: String,
    },
    /// An environment variable the program asks for is missing.
    #[error("the environment lacks a variable this program reads")]
    Env(#[from] std::env::VarError),
}

/// What asked a server to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, as supervisors send it.
    Terminate,
}

impl Signal {
    /// The exit status that shells give a process which this signal ended: 130 or 143. A program
    /// that wants it maps [`Error::Interrupted`] to it in `main`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl Error {
    /// What the reader can do next, if there is one obvious thing.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Config(errors) => errors.iter().find_map(ConfigError::hint),
            Self::OpenToTheNetwork { .. } => Some(
                "add `.auth(..)`, listen on `127.0.0.1`, or say `.dangerous().allow_anonymous()`",
            ),
            #[cfg(feature = "http")]
            Self::Tls(error) => error.hint(),
            Self::Start(error) => error.hint(),
            #[cfg(feature = "authorization-server")]
            Self::Store(error) => error.hint(),
            Self::OpenRouter => Some(
                "add `.auth(..)`, say `.base_url(\"http://localhost:8000\")` to serve this machine \
                 alone, or `.dangerous().allow_anonymous()`",
            ),
            Self::Env(_) => Some(
                "`env::var` does not say which one; say it in the program: \
                 `env::var(NAME).map_err(|_| ConfigError::new(NAME, \"is not set\"))`",
            ),
            Self::Listen { source, .. } => Some(match source.kind() {
                io::ErrorKind::AddrInUse => "is another program using this port?",
                io::ErrorKind::PermissionDenied => "take a port above 1023",
                io::ErrorKind::AddrNotAvailable => "this machine has no such address",
                _ => "write an address and a port, as in `127.0.0.1:8000`",
            }),
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl From<portcullis_resource_server::ConfigErrors> for Error {
    fn from(errors: portcullis_resource_server::ConfigErrors) -> Self {
        Self::Config(errors.into_iter().collect())
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(vec![error])
    }
}

macro_rules! value {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Value { fault: error.to_string() }
            }
        }
    )*};
}

value!(
    portcullis_oauth::InvalidUrl,
    portcullis_oauth::InvalidId,
    portcullis_oauth::InvalidScope
);

fn list(errors: &[ConfigError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Why one call failed.
///
/// The message is part of the answer: the model reads it, so write it for the model. The source
/// is logged and goes no further. `?` works on every error type; its text is then kept for the
/// log, and the model reads only that the tool failed:
///
/// ```
/// use portcullis::ToolError;
///
/// async fn read(path: String) -> Result<String, ToolError> {
///     if path.contains("..") {
///         return Err(ToolError::new("a path must not contain `..`")); // shown
///     }
///     Ok(std::fs::read_to_string(path)?) // logged, not shown
/// }
/// ```
///
/// An [`UpstreamTokenError`] is worded already: the model reads that its user has to sign in again, or
/// that the identity provider is out of reach, and a client is challenged where that helps.
///
/// Like `anyhow::Error`, this type is not itself a [`std::error::Error`]; that is what lets `?`
/// convert every other one.
pub struct ToolError(Box<Inner>);

struct Inner {
    message: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    kind: Kind,
}

/// How the dispatcher answers.
#[derive(Debug)]
pub(crate) enum Kind {
    /// As a result with `isError`.
    Failed,
    /// As a JSON-RPC error.
    Protocol(model::ErrorData),
    /// With another round: the client is asked for input first.
    Inputs(PendingInputs),
    /// As a challenge for more scopes.
    Scopes(ScopeSet),
    /// As the challenge of a token that is not valid any more.
    SignIn,
}

impl ToolError {
    /// A failure whose message the model reads.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_kind(message, Kind::Failed)
    }

    /// A JSON-RPC error instead of a result. Most clients hide its text from the model: use
    /// [`ToolError::new`] for what the model can act on.
    pub fn protocol(error: model::ErrorData) -> Self {
        Self::with_kind(error.message.clone(), Kind::Protocol(error))
    }

    /// Adds what caused the failure, for the log.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The text that the model reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn with_kind(message: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Self(Box::new(Inner {
            message: message.into(),
            source: None,
            kind,
        }))
    }

    /// Without the identity provider's token.
    fn of_upstream(error: UpstreamTokenError) -> Self {
        let failed = match &error {
            UpstreamTokenError::Ended => Self::with_kind(SIGNED_OUT, Kind::SignIn),
            UpstreamTokenError::Unavailable(_) => {
                Self::new("the identity provider cannot be reached now, try again later")
            }
            UpstreamTokenError::InteractionRequired(_) => Self::new(MORE_OF_THE_USER),
            _ => Self::new(FAILED),
        };
        failed.source(error)
    }

    pub(crate) fn into_parts(self) -> (Cow<'static, str>, Kind) {
        (self.0.message, self.0.kind)
    }

    pub(crate) fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolError")
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for ToolError {
    fn from(error: E) -> Self {
        let error: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
        match error.downcast::<UpstreamTokenError>() {
            Ok(error) => Self::of_upstream(*error),
            Err(error) => Self::new(FAILED).source(error),
        }
    }
}

/// What the model reads where its user has to sign in again.
pub(crate) const SIGNED_OUT: &str =
    "the sign-in at the identity provider has ended: sign in again to use this";

/// What the model reads where the identity provider wants something of its user.
const MORE_OF_THE_USER: &str = "the identity provider asks the user for more before this can be done, \
                                such as consent or a second factor";

/// What the model reads of a failure that nobody worded for it.
pub(crate) const FAILED: &str = "the tool failed";
