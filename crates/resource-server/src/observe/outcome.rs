//! What became of a request, in one word.

use portcullis_oauth::ScopeSet;

use crate::layer::{Denial, DenialKind};

/// What became of a request. The [words](Self::word) are stable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It went to the server, which answered.
    Allowed,
    /// There was no token, or one that is not valid here: 401, or a challenge inside the answer.
    Unauthenticated {
        /// Why: `missing_token`, `expired`, `wrong_audience`, ..
        reason: &'static str,
    },
    /// The token does not reach this far: 403, or a challenge inside the answer.
    InsufficientScope {
        /// The scopes that it lacks; none where nobody would grant them.
        missing: ScopeSet,
    },
    /// For this caller there is no such thing: it is hidden, or there is none.
    Hidden,
    /// A request for another host, or from a page that may not ask: 400, 403 or 421.
    Stray {
        /// Why: `ambiguous_host`, `foreign_host`, `foreign_origin`.
        reason: &'static str,
    },
    /// It cannot be read, or not in one way: 4xx.
    BadRequest {
        /// Why: `malformed`, `too_large`, `several_tokens`, ..
        reason: &'static str,
    },
    /// It names a session of somebody else, or none that there is: 404.
    UnknownSession,
    /// The caller has, or all have, as much open as they may: 429 or 503.
    NoRoom,
    /// Nobody can tell whether the token is valid: 503.
    Unavailable,
    /// A failure of our own: 500, or a connection that ends.
    Failed {
        /// Where: `policy_panicked`, `panicked`, ..
        reason: &'static str,
    },
    /// It went to the server behind, which did not answer as it should: 502, 503 or 504. It may have
    /// done what it was asked for.
    UpstreamFailed,
    /// It could not be accounted for: 503.
    Unrecorded,
    /// Its client left before anything was decided.
    Abandoned,
}

impl Outcome {
    /// A stable word for logs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::Hidden => "hidden",
            Self::Stray { .. } => "stray",
            Self::BadRequest { .. } => "bad_request",
            Self::UnknownSession => "unknown_session",
            Self::NoRoom => "no_room",
            Self::Unavailable => "unavailable",
            Self::Failed { .. } => "failed",
            Self::UpstreamFailed => "upstream_failed",
            Self::Unrecorded => "unrecorded",
            Self::Abandoned => "abandoned",
        }
    }

    /// A stable word for why, where the outcome alone does not say it.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unauthenticated { reason }
            | Self::Stray { reason }
            | Self::BadRequest { reason }
            | Self::Failed { reason } => Some(reason),
            _ => None,
        }
    }

    pub(super) fn of_denial(denial: &Denial) -> Self {
        let reason = denial.reason();
        match denial.kind() {
            DenialKind::MissingToken | DenialKind::InvalidToken => Self::Unauthenticated { reason },
            DenialKind::InvalidRequest => Self::BadRequest { reason },
            DenialKind::InsufficientScope => Self::InsufficientScope {
                missing: denial.missing_scopes(),
            },
            DenialKind::Unavailable => Self::Unavailable,
            DenialKind::Internal => Self::Failed { reason },
        }
    }

    /// What a refusal before dispatch means, by its status.
    pub(super) const fn of_refusal(status: http::StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::UnknownSession,
            405 => Self::BadRequest {
                reason: "method_not_allowed",
            },
            408 => Self::BadRequest { reason: "too_slow" },
            413 => Self::BadRequest {
                reason: "too_large",
            },
            415 => Self::BadRequest {
                reason: "unsupported_media",
            },
            429 | 503 => Self::NoRoom,
            500.. => Self::Failed {
                reason: "policy_panicked",
            },
            _ => Self::BadRequest {
                reason: "malformed",
            },
        }
    }
}
