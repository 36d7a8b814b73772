//! Whether the grant behind a token stands, asked on every request.

use futures_util::future::BoxFuture;
use portcullis_oauth::ScopeSet;
use portcullis_resource_server::{AccessToken, GrantStatus, Unavailable};
use portcullis_store::StoreError;

use super::GrantId;
use super::ledger::Ledger;
use super::record::GrantRecord;

/// An access token is worth something while its grant stands.
impl GrantStatus for Ledger {
    fn known(&self, token: &AccessToken) -> Option<bool> {
        let Some(id) = GrantId::of_token(token) else {
            // SECURITY: a token that names no grant is none of ours, whoever signed it (RFC 7009
            // section 2.1); sec_jwt_37_a_token_without_a_grant_is_worth_nothing
            return Some(false);
        };
        if self.is_strict {
            return None;
        }
        let foreign = self.records.foreign_changes();
        let stands = self.live.stands(id, token, foreign, self.now());
        stands.then_some(true)
    }

    fn ask<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        Box::pin(async move {
            let Some(id) = GrantId::of_token(token) else {
                return Ok(false);
            };
            let since = self.live.moment(id, self.records.foreign_changes());
            let found = self.find(id).await.map_err(unreadable)?;
            let Some(grant) = found else {
                return Ok(false);
            };
            let stands = self.is_of_now(&grant).await?;
            Ok(stands && self.live.keep(&grant, token, since))
        })
    }
}

impl Ledger {
    /// Whether a grant is one that could be made today: by its client, and by where its user comes from.
    async fn is_of_now(&self, grant: &GrantRecord) -> Result<bool, Unavailable> {
        // SECURITY: whoever takes a client out of the configuration ends what it has, at the next
        // reload or start (RFC 7009 section 2.1); sec_rv_02_a_client_that_is_taken_out_loses_its_tokens
        if grant.is_configured && !self.is_configured(&grant.client) {
            return Ok(false);
        }
        match (&self.broker, &grant.owner) {
            (_, None) => Ok(true),
            // SECURITY: the same name is another user where users come from elsewhere now (CWE-287), and
            // whoever is taken off the list is out; sec_px_09_what_began_under_another_provider_ends
            (None, Some(_)) => Ok(!grant.is_proxied),
            (Some(broker), Some(owner)) => {
                if grant.is_minted {
                    return Ok(grant.is_proxied && broker.is_of_now(owner));
                }
                let kept = broker.find(grant.id).await.map_err(unreadable)?;
                Ok(kept.is_some_and(|kept| broker.holder(owner, kept).is_some()))
            }
        }
    }

    /// What the user of a token can be granted, as it was when the grant was last used; nothing where
    /// that has no bound, or is not at hand.
    pub(crate) fn reach(&self, token: &AccessToken) -> Option<ScopeSet> {
        self.live.reach(GrantId::of_token(token)?)
    }
}

fn unreadable(error: StoreError) -> Unavailable {
    Unavailable::new("the store of grants cannot be read").caused_by(error)
}
