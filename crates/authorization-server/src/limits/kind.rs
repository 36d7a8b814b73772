//! What is counted, and how much of it is allowed.

use std::time::Duration;

use super::table::Rate;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// A request of a browser that has no session.
    Authorize,
    /// A browser that is sent to the identity provider.
    Depart,
    /// A posted login form, whatever becomes of it.
    Login,
    /// A registration (RFC 7591).
    Register,
    /// A client id metadata document that has to be fetched.
    Document,
    /// A code, a token or a proof that never came from us, at a back channel.
    TokenFailure,
    /// A request at the introspection endpoint.
    Introspect,
    /// A token that its client gives back.
    Revoke,
    /// What a user says on the consent page, yes or no. Counted for the user, wherever from.
    Decision,
    /// A token that a client gets for itself. Counted for the client, wherever from.
    OwnToken,
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

impl Limit {
    pub(super) const ALL: [Self; 10] = [
        Self::Authorize,
        Self::Depart,
        Self::Login,
        Self::Register,
        Self::Document,
        Self::TokenFailure,
        Self::Introspect,
        Self::Decision,
        Self::OwnToken,
        Self::Revoke,
    ];

    /// For one source.
    pub(super) const fn rate(self) -> Rate {
        match self {
            Self::Authorize | Self::Depart => Rate::new(100, Duration::from_millis(200)),
            Self::Login => Rate::new(30, Duration::from_secs(2)),
            Self::Register => Rate::new(20, Duration::from_secs(30)),
            Self::Document => Rate::new(20, Duration::from_secs(10)),
            Self::TokenFailure => Rate::new(60, SECOND),
            Self::Introspect => Rate::new(1000, Duration::from_millis(5)),
            Self::Decision => Rate::new(100, SECOND),
            Self::OwnToken => Rate::new(1000, Duration::from_millis(200)),
            Self::Revoke => Rate::new(200, Duration::from_millis(100)),
        }
    }

    /// For all of them together, where each costs us something that lasts.
    pub(super) const fn rate_of_all(self) -> Option<Rate> {
        match self {
            Self::Register | Self::Document => Some(Rate::new(300, Duration::from_millis(500))),
            // Those of ten minutes are 32 000.
            Self::Depart => Some(Rate::new(2000, Duration::from_millis(20))),
            _ => None,
        }
    }
}
