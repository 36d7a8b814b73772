//! Access tokens for a grant.

use std::time::Duration;

use portcullis_oauth::json::Map;
use portcullis_oauth::{BearerToken, ClientId, ResourceUrl, ScopeSet, Subject, Timestamp};

use crate::context::Context;
use crate::endpoint::failure::Failure;
use crate::event::EventKind;
use crate::grant::record::{GrantRecord, Owner};
use crate::grant::scope::of_access_token;
use crate::issuer::AccessTokenClaims;
use crate::users::User;

/// An access token, and when it ends.
pub(crate) struct Minted {
    pub(crate) token: BearerToken,
    pub(crate) expires_at: Timestamp,
}

impl Context {
    /// Signs an access token for a grant. It is worth nothing before the grant is stored, and so it
    /// is made before: nothing is stored without its token.
    pub(crate) async fn mint(
        &self,
        grant: &GrantRecord,
        scope: &ScopeSet,
        user: Option<&User>,
    ) -> Result<Minted, Failure> {
        let now = self.ledger.now();
        let life = now.saturating_add(self.settings.lifetimes.access);
        let expires_at = life.min(grant.ends_at);
        let none = Map::new();
        let claims = AccessTokenClaims {
            issuer: &self.settings.issuer,
            subject: grant.subject(),
            client_id: &grant.client,
            audience: &grant.resource,
            scope: &of_access_token(scope),
            token_id: &grant.id.token_id(&*self.entropy)?,
            authenticated_at: grant.owner.as_ref().map(|owner| owner.authenticated_at),
            issued_at: now,
            expires_at,
            extra: user.map_or(&none, |user| &user.claims),
        };
        Ok(Minted {
            token: self.keyring.sign_access_token(&claims).await?,
            expires_at,
        })
    }

    /// An access token that nobody consented to, with a grant behind it.
    pub(crate) async fn mint_for(
        &self,
        subject: &Subject,
        scope: &ScopeSet,
        resource: &ResourceUrl,
        lifetime: Duration,
    ) -> Result<BearerToken, Failure> {
        let now = self.ledger.now();
        let ends_at = now.saturating_add(lifetime);
        let client = ClientId::parse(OPERATOR).map_err(|_| Failure::Internal("the client's id"))?;
        let user = self.users.find(subject).await?;
        let grant = GrantRecord {
            id: self.ledger.fresh_id()?,
            client,
            owner: Some(Owner {
                subject: subject.clone(),
                generation: user.as_ref().map_or(0, |user| user.generation),
                authenticated_at: now,
            }),
            scope: scope.clone(),
            resource: resource.clone(),
            reach: user.as_ref().and_then(|user| user.scopes.clone()),
            granted_at: now,
            last_used: now,
            ends_at,
            expires_at: ends_at,
            refresh: None,
        };
        let minted = self.mint(&grant, scope, user.as_ref()).await?;
        let room = self.events.reserve()?;
        if !self.ledger.open(&grant).await? {
            return Err(Failure::Contended);
        }
        room.note(grant.event(EventKind::GrantMade).because("minted"));
        Ok(minted.token)
    }
}

/// The client of tokens that an operator mints.
const OPERATOR: &str = "portcullis";
