//! What a program does with its own server, beside serving.
//!
//! Each of these starts the server where it has not started: the store is opened, and keys are loaded or
//! made.

use std::sync::Arc;

use portcullis_oauth::{BearerToken, Subject};
use portcullis_resource_server::StartError;
use portcullis_store::{Records, StoreError};

use super::OAuthProvider;
use super::plan::UsersPlan;
use crate::client::Registrations;
use crate::family;
use crate::grant::Grants;
use crate::keyring::Keyring;
use crate::mint::{Mint, MintError};
use crate::users::Accounts;

/// Why a server did not do what its own program asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// It does not start. The next call tries again.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store has no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OAuthProvider {
    /// The keys that sign its tokens, to sign other statements with, or to exchange them.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn keyring(&self) -> Result<Keyring, StartError> {
        Ok(self.core.context().await?.keyring.clone())
    }

    /// The accounts of the store, unless there are users of
    /// [your own](super::OAuthProviderBuilder::users).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn accounts(&self) -> Result<Option<Accounts>, StartError> {
        Ok(self.core.context().await?.accounts.clone())
    }

    /// What users granted to clients. What is revoked here ends on the next request.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn grants(&self) -> Result<Grants, OperationError> {
        Ok(Grants::new(self.beside().await?))
    }

    /// The clients that registered themselves. What is revoked here ends on the next request.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn registrations(&self) -> Result<Registrations, OperationError> {
        Ok(Registrations::new(self.beside().await?))
    }

    /// Ends all that a user has: sessions, what is under way, and grants, with all of their tokens. For
    /// users of [your own](super::OAuthProviderBuilder::users): call it after one is gone, has another
    /// password or fewer rights. Without it, that is felt at the next refresh alone.
    ///
    /// # Errors
    /// [`OperationError`]. Where the store failed, nobody knows whether it happened: call it again.
    pub async fn end_user(&self, subject: &Subject) -> Result<(), OperationError> {
        let context = self.core.context().await?;
        let family = family::of_user(subject.as_str());
        let ended = context.records.delete_family(&family).await;
        // SECURITY: where nobody knows whether it happened, nothing in memory outlives it (RFC 9700
        // section 4.14.2); sec_rt_11_a_program_ends_what_its_user_has
        context.ledger.user_ended(subject);
        Ok(ended?)
    }

    /// Finds the identity provider, where users come from one, so that the first of them does not wait for
    /// it. If it cannot be found now, the log says why, and whoever comes is another attempt.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn warm_identity_provider(&self) -> Result<(), StartError> {
        if let Some(broker) = self.core.context().await?.identity.broker() {
            broker.warm().await;
        }
        Ok(())
    }

    /// Makes a token without a login, to try things out.
    ///
    /// # Errors
    /// [`MintError`]
    pub async fn mint(&self, mint: &Mint) -> Result<BearerToken, MintError> {
        let context = self.core.context().await?;
        let mint = mint.clone().at(self);
        mint.token(self.issuer(), &context.keyring, &context.records)
            .await
    }

    /// The identity provider that its users come from, as grants name it.
    pub(crate) fn identity_provider(&self) -> Option<u64> {
        match &self.core.plan.users {
            UsersPlan::Upstream(plan) => Some(plan.client.fingerprint()),
            _ => None,
        }
    }

    /// The store, as somebody else opens it: this server hears of what is changed there.
    async fn beside(&self) -> Result<Records, OperationError> {
        // It makes the keys of a store that is new.
        self.core.context().await?;
        let plan = &self.core.plan;
        let (clock, entropy) = (Arc::clone(&plan.clock), Arc::clone(&plan.entropy));
        Ok(plan.store.clone().open(clock, entropy).await?)
    }
}
