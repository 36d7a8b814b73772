//! What is stored of a grant, of a code, and of an answer that may be asked for again.

use std::borrow::Cow;

use portcullis_oauth::{ClientId, CodeChallenge, ResourceUrl, ScopeSet, Subject, Timestamp};
use portcullis_store::{Collection, Family, Record};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::GrantId;
use crate::family;
use crate::serial::{Digest, bytes, seconds};

/// The grants of a user, with whatever else belongs to the user.
pub(crate) fn family_of_user(subject: &Subject) -> Family {
    family::of_user(subject.as_str())
}

/// The grants of a client, with whatever else belongs to the client.
pub(crate) fn family_of_client(client: &ClientId) -> Family {
    Family::new("client", client.as_str().to_owned())
}

/// The grants that a user gave to a client. No subject has a line break in it.
pub(crate) fn family_of_both(subject: &Subject, client: &ClientId) -> Family {
    Family::new("user and client", format!("{subject}\n{client}"))
}

/// All that a grant of a user to a client belongs to.
pub(crate) fn families(subject: &Subject, client: &ClientId) -> Vec<Family> {
    vec![
        family_of_client(client),
        family_of_user(subject),
        family_of_both(subject, client),
    ]
}

/// A grant. Without it, none of its tokens is worth anything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GrantRecord {
    pub(crate) id: GrantId,
    pub(crate) client: ClientId,
    /// Whether the client was one of the configuration, without which it is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_configured: bool,
    /// Whether its user came from an identity provider: what that said is kept under the same id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_proxied: bool,
    /// Whether it was [made](crate::Mint) without a login, so that nobody said anything of its user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_minted: bool,
    /// Who granted it; nobody where the client acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
    /// All that was granted.
    pub(crate) scope: ScopeSet,
    pub(crate) resource: ResourceUrl,
    /// All that the user could be granted when tokens were made last; nothing if there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reach: Option<ScopeSet>,
    #[serde(with = "seconds")]
    pub(crate) granted_at: Timestamp,
    /// When tokens were made last.
    #[serde(with = "seconds")]
    pub(crate) last_used: Timestamp,
    /// No token of it lives longer.
    #[serde(with = "seconds")]
    pub(crate) ends_at: Timestamp,
    /// When the last of its tokens ends that there are now.
    #[serde(with = "seconds")]
    pub(crate) expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh: Option<Refreshing>,
}

/// The user who granted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) subject: Subject,
    /// The user's generation then; another one ends the grant.
    pub(crate) generation: u64,
    #[serde(with = "seconds")]
    pub(crate) authenticated_at: Timestamp,
}

/// The refresh tokens of a grant: the one that is good now, and the one that it replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refreshing {
    pub(crate) generation: u32,
    pub(crate) current: Digest,
    #[serde(with = "seconds")]
    pub(crate) idle_until: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Previous>,
}

/// A refresh token that was replaced, and whose successor was not used yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Previous {
    pub(crate) digest: Digest,
    #[serde(with = "seconds")]
    pub(crate) replaced_at: Timestamp,
}

impl Serialize for GrantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(self.as_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for GrantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes::deserialize(deserializer).map(Self)
    }
}

impl GrantRecord {
    /// What `sub` of its tokens says.
    pub(crate) fn subject(&self) -> &str {
        match &self.owner {
            Some(owner) => owner.subject.as_str(),
            None => self.client.as_str(),
        }
    }
}

impl Record for GrantRecord {
    const COLLECTION: Collection = Collection::new("grant");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.id.as_bytes())
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }

    fn families(&self) -> Vec<Family> {
        match &self.owner {
            Some(owner) => families(&owner.subject, &self.client),
            None => vec![family_of_client(&self.client)],
        }
    }
}

/// What became of an interaction with a user, under the interaction's id. There is at most one of
/// it, so there is at most one decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CodeRecord {
    #[serde(with = "bytes")]
    pub(crate) interaction: [u8; 16],
    #[serde(with = "seconds")]
    pub(crate) expires_at: Timestamp,
    pub(crate) state: CodeState,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CodeState {
    /// The user said no.
    Denied,
    /// There is a code.
    Issued(Box<Issued>),
    /// There was one, and too many have tried it.
    Burned,
    /// It was redeemed.
    Used(Used),
}

/// A code that waits for its client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) digest: Digest,
    #[serde(with = "seconds")]
    pub(crate) until: Timestamp,
    /// How often its proof was wrong.
    pub(crate) wrong: u8,
    pub(crate) client: ClientId,
    /// Byte for byte as the client wrote it.
    pub(crate) redirect_uri: String,
    pub(crate) code_challenge: CodeChallenge,
    pub(crate) scope: ScopeSet,
    pub(crate) resource: ResourceUrl,
    pub(crate) owner: Owner,
    /// Whether a refresh token comes with it.
    pub(crate) refresh: bool,
    /// Under which id an identity provider's word on the user is kept; its grant gets that id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<GrantId>,
}

/// A code that was redeemed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) digest: Digest,
    pub(crate) client: ClientId,
    pub(crate) grant: GrantId,
}

impl Record for CodeRecord {
    const COLLECTION: Collection = Collection::new("code");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.interaction)
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }

    fn families(&self) -> Vec<Family> {
        match &self.state {
            // SECURITY: whoever ends all that a user or a client has ends its codes too, so that none of
            // them becomes a grant just afterwards (RFC 7009 section 2.1);
            // sec_rv_02_a_client_that_is_revoked_meanwhile_keeps_no_grant,
            // sec_rt_11_a_user_who_is_disabled_meanwhile_keeps_no_grant
            CodeState::Issued(code) => vec![
                family_of_user(&code.owner.subject),
                family_of_client(&code.client),
            ],
            CodeState::Denied | CodeState::Burned | CodeState::Used(_) => Vec::new(),
        }
    }
}

/// What a refresh token was answered with, for the same client to ask once more. It is sealed under
/// a key that is made of that token, and stored under the token's digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AnswerRecord {
    pub(crate) digest: Digest,
    pub(crate) grant: GrantId,
    #[serde(with = "seconds")]
    pub(crate) expires_at: Timestamp,
    /// Base64url.
    pub(crate) sealed: String,
}

impl Record for AnswerRecord {
    const COLLECTION: Collection = Collection::new("answer");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.digest.as_bytes())
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}
