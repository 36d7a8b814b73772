//! Why there is no result.

use std::time::Duration;

use portcullis_client::TransportError;
use portcullis_oauth::InvalidUrl;
use portcullis_oauth::secret::InvalidBearerToken;

use crate::model;

/// Why a connection does not stand, or a request has no result. It never repeats a token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL cannot be connected to, for a reason that its text shows.
    #[error("the server's URL is not usable")]
    Url(#[from] InvalidUrl),
    /// The token is none that a request could carry.
    #[error("the token is not usable")]
    Token(#[from] InvalidBearerToken),
    /// The arguments are no JSON object.
    #[error("the arguments are no JSON object")]
    Arguments,
    /// HTTP gave something else than MCP: no access, no server, no JSON.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server speaks none of the revisions that this client speaks.
    #[error("the server speaks no revision of MCP that this client speaks")]
    NoCommonRevision {
        /// What the server speaks, as it says.
        server: Vec<String>,
    },
    /// The server answered with an error of JSON-RPC.
    #[error("the server answers with an error: {} ({})", .0.message, .0.code.0)]
    Server(model::ErrorData),
    /// The server was silent for too long.
    #[error("the server did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The pages of a list came, and took too long together.
    #[error("the server's list did not end within {} s", .0.as_secs_f32())]
    ListTimeout(Duration),
    /// The call was stopped.
    #[error("the call was cancelled")]
    Cancelled,
    /// The server asks for input from its user, which this client does not give.
    #[error("the server asks its user for input, which this client cannot give")]
    NeedsInput,
    /// A list that does not end: 10 000 items, 1000 pages, or a page that leads to itself.
    #[error("the server's list does not end")]
    TooMuch,
    /// An answer to another question than the one that was asked.
    #[error("the server's answer does not fit the request")]
    Unexpected,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
}

impl ClientError {
    /// What HTTP said, if that is why.
    pub fn transport(&self) -> Option<&TransportError> {
        match self {
            Self::Transport(error) => Some(error),
            _ => None,
        }
    }
}
