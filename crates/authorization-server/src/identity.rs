//! Whose users there are: those of a database that is asked here, or those of an identity provider.

use std::sync::Arc;

use portcullis_oauth::{Subject, Timestamp};
use portcullis_resource_server::Unavailable;
use portcullis_store::Stored;

use crate::endpoint::outage::Outage;
use crate::grant::GrantId;
use crate::grant::record::Owner;
use crate::proxy::{Broker, UpstreamRecord};
use crate::session::Session;
use crate::users::{SharedUsers, User};

/// Where users come from.
#[derive(Debug)]
pub(crate) enum Identity {
    /// They log in on a page of ours.
    Users(SharedUsers),
    /// They log in at an identity provider.
    Upstream(Arc<Broker>),
}

/// The user of a grant, as of now.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) user: User,
    /// What an identity provider gave, if the user came from one.
    pub(crate) login: Option<Stored<UpstreamRecord>>,
}

impl Identity {
    /// The identity provider, where users come from one.
    pub(crate) fn broker(&self) -> Option<&Arc<Broker>> {
        match self {
            Self::Users(_) => None,
            Self::Upstream(broker) => Some(broker),
        }
    }

    /// The user of a session, if the user may log in and the login still counts.
    pub(crate) async fn of_session(&self, session: &Session) -> Result<Option<User>, Unavailable> {
        match self {
            Self::Users(users) => users.of_session(session).await,
            Self::Upstream(broker) => Ok(broker.of_session(session)),
        }
    }

    /// Whether a subject is that of a user, as far as that is known here.
    pub(crate) async fn is_user(&self, subject: &Subject) -> Result<bool, Unavailable> {
        match self {
            Self::Users(users) => Ok(users.find(subject).await?.is_some()),
            Self::Upstream(_) => Ok(false),
        }
    }

    /// The user of a grant, or of a code; nobody where the user may not log in any more. `login` is
    /// where an identity provider's word is kept.
    pub(crate) async fn holder(
        &self,
        owner: &Owner,
        login: Option<GrantId>,
    ) -> Result<Option<Holder>, Outage> {
        match (self, login) {
            (Self::Users(users), None) => {
                let user = users.find(&owner.subject).await?;
                Ok(user.map(|user| Holder { user, login: None }))
            }
            (Self::Upstream(broker), Some(login)) => {
                let kept = broker.find(login).await?;
                Ok(kept.and_then(|kept| broker.holder(owner, kept)))
            }
            // SECURITY: what began with another kind of login is nobody's (CWE-287);
            // sec_px_09_what_began_under_another_provider_ends
            _ => Ok(None),
        }
    }

    /// Sees to it that an identity provider still stands by what it gave for a grant. No: it does not.
    pub(crate) async fn renew(&self, login: GrantId) -> Result<bool, Outage> {
        match self {
            Self::Users(_) => Ok(false),
            Self::Upstream(broker) => broker.confirm(login).await,
        }
    }
}

impl Holder {
    /// Whether there can be new tokens once the first ones have ended.
    pub(crate) fn lasts(&self) -> bool {
        self.login.as_ref().is_none_or(|login| login.lasts())
    }

    /// That time, or an earlier one where what the identity provider gave ends before and cannot be
    /// had anew.
    pub(crate) fn no_later(&self, than: Timestamp) -> Timestamp {
        match self.login.as_ref().and_then(|login| login.ends_for_good()) {
            Some(end) => end.min(than),
            None => than,
        }
    }
}
