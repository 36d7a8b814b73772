//! Grants, as an operator sees them.

use std::collections::HashMap;

use portcullis_oauth::{ClientId, ResourceUrl, ScopeSet, Subject, Timestamp};
use portcullis_store::{Cursor, Family, Records, StoreError};

use super::ending::remove;
use super::record::{
    CodeRecord, CodeState, GrantRecord, family_of_both, family_of_client, family_of_user,
};
use super::{EndReason, GrantId};
use crate::proxy::UpstreamRecord;

/// The grants of a store, for whoever operates it, from a process beside the server. A server that runs
/// on the same store feels what is revoked here on its next request.
#[derive(Clone, Debug)]
pub struct Grants {
    records: Records,
}

/// What somebody granted to a client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GrantInfo {
    /// Its id, which opens nothing.
    pub id: GrantId,
    /// Who granted it; nobody where the client acts for itself.
    pub subject: Option<Subject>,
    /// What an identity provider calls that user, for people. Two may have the same.
    pub user_name: Option<String>,
    /// The client.
    pub client: ClientId,
    /// What was granted.
    pub scope: ScopeSet,
    /// At which resource.
    pub resource: ResourceUrl,
    /// When.
    pub granted_at: Timestamp,
    /// When the client got tokens last.
    pub last_used: Timestamp,
    /// When it ends, unless it is used before.
    pub expires_at: Timestamp,
    /// Whether the client has a refresh token.
    pub refreshes: bool,
}

/// Whose grants to list.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum GrantFilter {
    /// All of them.
    #[default]
    All,
    /// Those of a user.
    User(Subject),
    /// Those to a client.
    Client(ClientId),
    /// Those of a user to a client.
    UserAndClient(Subject, ClientId),
}

/// Grants that are read at a time.
const PAGE: usize = 500;

impl Grants {
    /// Those in that store.
    pub const fn new(records: Records) -> Self {
        Self { records }
    }

    /// Grants that stand, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn list(&self, filter: &GrantFilter) -> Result<Vec<GrantInfo>, StoreError> {
        let family = filter.family();
        let (mut grants, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = self.page(family.as_ref(), after).await?;
            grants.extend(page.into_iter().map(GrantInfo::from));
            after = next;
            if after.is_none() {
                break;
            }
        }
        let names = self.names(family.as_ref()).await?;
        for grant in &mut grants {
            grant.user_name = names.get(&grant.id).cloned();
        }
        grants.sort_by_key(|grant| std::cmp::Reverse((grant.granted_at, grant.last_used)));
        Ok(grants)
    }

    /// The grant of that id, if it stands.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn find(&self, id: GrantId) -> Result<Option<GrantInfo>, StoreError> {
        let read = self.records.get::<GrantRecord>(id.as_bytes()).await?;
        Ok(read.map(|grant| grant.into_inner().into()))
    }

    /// What users of an identity provider are called, by the ids of their grants.
    async fn names(&self, family: Option<&Family>) -> Result<HashMap<GrantId, String>, StoreError> {
        let (mut names, mut after) = (HashMap::new(), None);
        loop {
            let page = match family {
                Some(family) => self.records.list_family(family, after, PAGE).await?,
                None => self.records.list::<UpstreamRecord>(after, PAGE).await?,
            };
            let kept = page.items.into_iter();
            let kept = kept.filter(|kept| !kept.name.is_empty());
            names.extend(kept.map(|kept| (kept.id, kept.name)));
            after = page.next;
            if after.is_none() {
                return Ok(names);
            }
        }
    }

    async fn page(
        &self,
        family: Option<&Family>,
        after: Option<Cursor>,
    ) -> Result<(Vec<GrantRecord>, Option<Cursor>), StoreError> {
        let page = match family {
            Some(family) => self.records.list_family(family, after, PAGE).await?,
            None => self.records.list(after, PAGE).await?,
        };
        Ok((page.items, page.next))
    }

    /// Ends a grant, and with it all of its tokens. Whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be ended.
    pub async fn revoke(&self, id: GrantId) -> Result<bool, StoreError> {
        let ended = remove(&self.records, id).await?;
        if let Some(ended) = &ended {
            tell(&ended.grant);
        }
        Ok(ended.is_some())
    }

    /// Ends all grants that a filter names, and whatever codes wait to become such. Says how many
    /// grants there were. Nobody is kept from granting anew.
    ///
    /// # Errors
    /// [`StoreError`] when not all can be ended; some may have been.
    pub async fn revoke_all(&self, filter: &GrantFilter) -> Result<usize, StoreError> {
        // SECURITY: a code that was issued before becomes no grant after the others have ended (RFC
        // 9700 section 4.14.2); sec_rt_11_codes_end_with_the_grants
        self.forget_codes(filter).await?;
        let family = filter.family();
        let (mut ended, mut after) = (0, None);
        loop {
            let (page, next) = self.page(family.as_ref(), after).await?;
            let mut batch = self.records.batch();
            for grant in &page {
                batch = batch.delete::<GrantRecord>(grant.id.as_bytes());
                if grant.is_proxied {
                    batch = batch.delete::<UpstreamRecord>(grant.id.as_bytes());
                }
            }
            let _ = batch.commit().await?;
            page.iter().for_each(tell);
            ended += page.len();
            after = next;
            if after.is_none() {
                return Ok(ended);
            }
        }
    }

    async fn forget_codes(&self, filter: &GrantFilter) -> Result<(), StoreError> {
        // No code is in the family of both.
        let family = match filter {
            GrantFilter::UserAndClient(subject, _) => Some(family_of_user(subject)),
            other => other.family(),
        };
        let mut after = None;
        loop {
            let page = match &family {
                Some(family) => self.records.list_family(family, after, PAGE).await?,
                None => self.records.list::<CodeRecord>(after, PAGE).await?,
            };
            let mut batch = self.records.batch();
            for code in page.items.iter().filter(|code| filter.names_code(code)) {
                batch = batch.delete::<CodeRecord>(&code.interaction);
            }
            let _ = batch.commit().await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl GrantFilter {
    /// What all that it names belongs to.
    fn family(&self) -> Option<Family> {
        match self {
            Self::All => None,
            Self::User(subject) => Some(family_of_user(subject)),
            Self::Client(client) => Some(family_of_client(client)),
            Self::UserAndClient(subject, client) => Some(family_of_both(subject, client)),
        }
    }

    /// Whether a code waits to become a grant that it names.
    fn names_code(&self, code: &CodeRecord) -> bool {
        let CodeState::Issued(code) = &code.state else {
            return false;
        };
        match self {
            Self::All => true,
            Self::User(subject) => code.owner.subject == *subject,
            Self::Client(client) => code.client == *client,
            Self::UserAndClient(subject, client) => {
                code.owner.subject == *subject && code.client == *client
            }
        }
    }
}

fn tell(grant: &GrantRecord) {
    tracing::info!(
        target: "portcullis::security",
        event = "grant_ended",
        reason = EndReason::RevokedByOperator.word(),
        client_id = grant.client.as_str(),
        subject = grant.subject(),
        grant = %grant.id,
        "a grant was ended",
    );
}

impl From<GrantRecord> for GrantInfo {
    fn from(grant: GrantRecord) -> Self {
        Self {
            id: grant.id,
            subject: grant.owner.map(|owner| owner.subject),
            user_name: None,
            client: grant.client,
            scope: grant.scope,
            resource: grant.resource,
            granted_at: grant.granted_at,
            last_used: grant.last_used,
            expires_at: grant.expires_at,
            refreshes: grant.refresh.is_some(),
        }
    }
}
