//! The tokens of this server, at the servers that it protects.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use portcullis_oauth::{BearerToken, Issuer, ScopeSet};
use portcullis_resource_server::{
    AccessToken, DownstreamApi, GrantStatus, StartError, TokenVerifier, Unavailable, UpstreamToken,
    UpstreamTokenError, UpstreamTokens, VerifyContext, VerifyError,
};

use super::Core;

/// Takes the tokens of this server. The first one starts it, where nobody has.
#[derive(Clone)]
pub(super) struct OwnTokens {
    core: Arc<Core>,
    /// What an identity provider gave for their users, where these come from one.
    upstream: Option<Arc<dyn UpstreamTokens>>,
}

/// What an identity provider gave.
struct KeptTokens(Arc<Core>);

/// Whether the grant behind a token stands.
pub(super) struct OwnGrants(pub(super) Arc<Core>);

fn not_started(error: StartError) -> Unavailable {
    Unavailable::new("the authorization server has not started").caused_by(error)
}

impl OwnTokens {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        let has_upstream = core.plan.settings.callback.is_some();
        Self {
            core: Arc::clone(core),
            upstream: has_upstream.then(|| Arc::new(KeptTokens(Arc::clone(core))) as Arc<_>),
        }
    }

    fn with_upstream(&self, token: AccessToken) -> AccessToken {
        match &self.upstream {
            Some(upstream) => token.with_upstream_tokens(Arc::clone(upstream)),
            None => token,
        }
    }
}

impl TokenVerifier for OwnTokens {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        let context = self.core.context().await.map_err(not_started)?;
        let verified = context.verify(token, cx).await?;
        Ok(self.with_upstream(verified))
    }

    fn cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        let context = self.core.started()?;
        if context.passes_through() {
            return None;
        }
        let cached = context.verifier.cached(token, cx)?;
        Some(self.with_upstream(cached))
    }

    async fn warm(&self) -> Result<(), VerifyError> {
        self.core.context().await.map_err(not_started)?;
        Ok(())
    }

    fn issuers(&self) -> Vec<Issuer> {
        vec![self.core.plan.settings.issuer.clone()]
    }

    fn required_scopes(&self) -> ScopeSet {
        self.core.plan.settings.required_scopes.clone()
    }
}

impl UpstreamTokens for KeptTokens {
    fn load<'a>(
        &'a self,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<UpstreamToken, UpstreamTokenError>> {
        Box::pin(async move {
            let context = self.0.context().await.map_err(not_started)?;
            context.upstream_token(token).await
        })
    }

    fn on_behalf_of<'a>(
        &'a self,
        token: &'a AccessToken,
        api: &'a DownstreamApi,
    ) -> BoxFuture<'a, Result<UpstreamToken, UpstreamTokenError>> {
        Box::pin(async move {
            let context = self.0.context().await.map_err(not_started)?;
            context.on_behalf_of(token, api).await
        })
    }
}

impl GrantStatus for OwnGrants {
    fn known(&self, token: &AccessToken) -> Option<bool> {
        self.0.started()?.ledger.known(token)
    }

    fn ask<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        Box::pin(async move {
            let context = self.0.context().await.map_err(not_started)?;
            context.ledger.ask(token).await
        })
    }
}

impl Core {
    /// What the user of a token can be granted, beside what the token has.
    pub(super) fn reach(&self, token: &AccessToken) -> ScopeSet {
        let catalogue = self.resources.catalogue();
        let reach = self
            .started()
            .and_then(|context| context.ledger.reach(token));
        match reach {
            Some(reach) => catalogue
                .hierarchy
                .expand(&reach)
                .intersection(&catalogue.all),
            None => catalogue.all.clone(),
        }
    }
}
