//! What a server answered instead of MCP.

use std::error::Error as StdError;
use std::io;

use http::StatusCode;
use portcullis_fetch::FetchError;
use portcullis_oauth::ScopeSet;
use portcullis_oauth::challenge::Challenge;
use portcullis_oauth::json::JsonError;

/// Why one exchange over HTTP gave no MCP message. It repeats no body and no token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// 401: the token is missing, expired, revoked or for somebody else.
    #[error("the server {}", if *.had_token { "refuses the token" } else { "asks for a token" })]
    Unauthorized {
        /// The `Bearer` challenge, if there was a readable one (RFC 6750 section 3).
        challenge: Option<Box<Challenge>>,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// 403 with a challenge for more scopes (RFC 6750 section 3.1).
    #[error("the token lacks a scope")]
    InsufficientScope {
        /// The challenge, whose `scope` says what to ask for.
        challenge: Box<Challenge>,
    },
    /// 403 without such a challenge.
    #[error("the server forbids it")]
    Forbidden,
    /// 404 in a session, and no new one could be opened.
    #[error("the session has ended")]
    SessionEnded,
    /// A redirect. None is followed: it could take the credentials elsewhere.
    #[error("the server redirects, which is not followed")]
    Redirected {
        /// Where to, as the server wrote it; untrusted.
        location: Option<String>,
    },
    /// Another status that is no success, and no JSON-RPC error in the body.
    #[error("the server answered with status {}", .0.as_u16())]
    Status(StatusCode),
    /// An answer of another kind than JSON or a stream of events.
    #[error("the server's answer is no MCP")]
    NotMcp {
        /// Its content type, as the server wrote it; untrusted.
        content_type: Option<String>,
    },
    /// JSON that breaks a rule.
    #[error("the server's answer is not the JSON it should be")]
    Malformed(#[from] JsonError),
    /// JSON that is no JSON-RPC message, or none that answers.
    #[error("the server's answer is no message of JSON-RPC")]
    NoMessage,
    /// A message beyond its bound.
    #[error("the server's answer is longer than {limit} bytes")]
    TooLarge {
        /// The bound in bytes.
        limit: usize,
    },
    /// The connection ended within an answer.
    #[error("the server's answer broke off")]
    Interrupted,
    /// There is no answer at all.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Why there is no connection, as far as a user can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectFault {
    /// Nobody listens there.
    Refused,
    /// The name is unknown.
    Unresolved,
    /// No TLS, or a certificate that is not trusted.
    Tls,
    /// Too slow.
    Timeout,
    /// Anything else.
    Other,
}

impl TransportError {
    /// The challenge that came with the refusal.
    pub fn challenge(&self) -> Option<&Challenge> {
        match self {
            Self::Unauthorized { challenge, .. } => challenge.as_deref(),
            Self::InsufficientScope { challenge } => Some(challenge),
            _ => None,
        }
    }

    /// The scopes that the server asks for; none where it names none.
    pub fn required_scopes(&self) -> ScopeSet {
        self.challenge().map(Challenge::scopes).unwrap_or_default()
    }

    /// What kept the connection from being made; `None` where there was one.
    pub fn connect_fault(&self) -> Option<ConnectFault> {
        match self {
            Self::Fetch(FetchError::Unresolved) => Some(ConnectFault::Unresolved),
            Self::Fetch(FetchError::Timeout) => Some(ConnectFault::Timeout),
            Self::Fetch(FetchError::Connect(error)) => Some(connect_fault(error)),
            Self::Fetch(_) => Some(ConnectFault::Other),
            _ => None,
        }
    }
}

fn connect_fault(error: &(dyn StdError + 'static)) -> ConnectFault {
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let Some(error) = error.downcast_ref::<io::Error>() else {
            continue;
        };
        match error.kind() {
            io::ErrorKind::ConnectionRefused => return ConnectFault::Refused,
            io::ErrorKind::TimedOut => return ConnectFault::Timeout,
            // So TLS says that what it read is none, or a certificate is not trusted.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => return ConnectFault::Tls,
            // The source of an IO error is that of the error inside it, which would be passed by.
            _ => {
                let inner = error.get_ref();
                next = inner
                    .map(|inner| inner as &(dyn StdError + 'static))
                    .or(next);
            }
        }
    }
    ConnectFault::Other
}
