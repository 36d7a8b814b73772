//! Why there is no answer.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::address::Verdict;
use crate::resolver::ResolveError;

/// Why a request got no answer, or none that may be used.
///
/// It is for logs: what a caller on the network learns must not depend on it, or a stranger could
/// ask us what answers where.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The settings make no client; only from `build()`.
    #[error("`{setting}` is not usable")]
    Setting {
        /// The builder's method.
        setting: &'static str,
        /// Why, where the client beneath can tell.
        source: Option<TransportError>,
    },
    /// A rule forbids the request, or the redirect that came back.
    #[error("the request is not allowed")]
    Refused(#[from] Refusal),
    /// The name has no address, or too many.
    #[error("the host name could not be resolved")]
    Unresolved,
    /// No connection, or no TLS: refused, unreachable, an unknown or foreign certificate.
    #[error("no connection to the server")]
    Connect(#[source] TransportError),
    /// The connection broke, or what came over it is no HTTP or cannot be decompressed.
    #[error("the server's answer could not be read")]
    Transport(#[source] TransportError),
    /// The whole took longer than it may.
    #[error("the server did not answer in time")]
    Timeout,
    /// The body, decompressed, is longer than it may be.
    #[error("the server's answer is longer than {limit} bytes")]
    TooLarge {
        /// The bound in bytes.
        limit: usize,
    },
    /// An answer with another status than the caller needs.
    #[error("the server answered with status {}", .0.as_u16())]
    Status(StatusCode),
}

/// The rule that a request broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `http`, and loopback is not allowed.
    #[error("`https` is required")]
    Insecure,
    /// A port other than 443 and those that were added.
    #[error("port {0} is not allowed")]
    Port(u16),
    /// An address, or one of a name's addresses, that this client may not reach.
    #[error("a {0} address is not allowed")]
    Address(Verdict),
    /// A redirect, and this client follows none, or no more.
    #[error("the server redirects, which is not followed")]
    Redirect,
    /// A place named by the server, in a redirect or otherwise, that is no acceptable URL or out of the
    /// origin of a trusted one.
    #[error("the server names a place that is not allowed")]
    RedirectTarget,
}

impl Refusal {
    /// A stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Insecure => "insecure_scheme",
            Self::Port(_) => "port",
            Self::Address(_) => "address",
            Self::Redirect => "redirect",
            Self::RedirectTarget => "redirect_target",
        }
    }
}

/// What went wrong below HTTP. It prints no URL and nothing of a body.
#[derive(Clone)]
pub struct TransportError(Arc<dyn std::error::Error + Send + Sync>);

impl TransportError {
    pub(crate) fn new(error: reqwest::Error) -> Self {
        // SECURITY: a URL may carry a secret in its query; sec_sf_09_an_error_shows_nothing_of_the_exchange
        Self(Arc::new(error.without_url()))
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl FetchError {
    /// Sorts a client's error by what happened.
    pub(crate) fn of(error: reqwest::Error) -> Self {
        match cause::<ResolveError>(&error) {
            Some(ResolveError::Refused(refusal)) => return Self::Refused(*refusal),
            Some(ResolveError::Failed) => return Self::Unresolved,
            None => {}
        }
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::Connect(TransportError::new(error))
        } else {
            Self::Transport(TransportError::new(error))
        }
    }

    /// The same for the client that streams, whose errors hold no URL.
    pub(crate) fn of_stream(error: hyper_util::client::legacy::Error) -> Self {
        match cause::<ResolveError>(&error) {
            Some(ResolveError::Refused(refusal)) => Self::Refused(*refusal),
            Some(ResolveError::Failed) => Self::Unresolved,
            None if error.is_connect() => Self::Connect(TransportError(Arc::new(error))),
            None => Self::Transport(TransportError(Arc::new(error))),
        }
    }
}

/// The error of type `E` in the chain of sources.
fn cause<E: std::error::Error + 'static>(error: &dyn std::error::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
