//! Access tokens for a grant.

use portcullis_oauth::json::Map;
use portcullis_oauth::{BearerToken, ScopeSet, Timestamp};

use crate::context::Context;
use crate::endpoint::failure::Failure;
use crate::grant::record::GrantRecord;
use crate::grant::scope::of_access_token;
use crate::identity::Holder;
use crate::issuer::AccessTokenClaims;

/// An access token, and when it ends.
pub(crate) struct Minted {
    pub(crate) token: BearerToken,
    pub(crate) expires_at: Timestamp,
}

impl Context {
    /// Signs an access token for a grant, or hands the identity provider's out. It is worth nothing before the grant is stored, and so it
    /// is made before: nothing is stored without its token.
    pub(crate) async fn mint(
        &self,
        grant: &GrantRecord,
        scope: &ScopeSet,
        holder: Option<&Holder>,
    ) -> Result<Minted, Failure> {
        let now = self.ledger.now();
        let life = now.saturating_add(self.settings.lifetimes.access);
        // SECURITY: no token outlives the last day of its grant (RFC 9700 section 4.14.2);
        // sec_rt_10_a_grant_ends_however_often_it_is_refreshed
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
            extra: holder.map_or(&none, |holder| &holder.user.claims),
        };
        if let Some(broker) = self.identity.broker()
            && let Some(login) = holder.and_then(|holder| holder.login.as_ref())
            && let Some((token, expires_at)) = broker
                .hand_out(&claims, (&login.subject, &login.tokens))
                .await?
        {
            return Ok(Minted { token, expires_at });
        }
        Ok(Minted {
            token: self.keyring.sign_access_token(&claims).await?,
            expires_at,
        })
    }
}
