//! Signing in: rmcp's authorization code flow, and a program in front of its browser.

use anyhow::{Context as _, bail};
use rmcp::transport::auth::{AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState};
use tokio::process::Command;

const REDIRECT: &str = "http://127.0.0.1:9877/callback";

/// Who signs in, by which program.
#[derive(Debug)]
pub(crate) struct Person<'a> {
    pub(crate) user: &'a str,
    pub(crate) browser: &'a [String],
}

impl Person<'_> {
    /// The whole way from a challenge to a client with tokens. Notes the scope asked for.
    pub(crate) async fn sign_in(
        &self,
        url: &str,
        challenge: &str,
        asked: &mut Vec<String>,
    ) -> anyhow::Result<AuthClient<reqwest::Client>> {
        let mut state = OAuthState::new(url, None).await?;
        let request = AuthorizationRequest::new(REDIRECT)
            .with_client_name("rmcp")
            .with_initial_scope_selection()
            .with_challenge(challenge);
        state.start_authorization(request).await?;
        let page = state.get_authorization_url().await?;
        let callback = self.browse(&page, asked).await?;
        state.handle_callback_url(&callback).await?;
        let manager = state.into_authorization_manager();
        let manager = manager.context("rmcp is not authorized after all")?;
        Ok(AuthClient::new(reqwest::Client::default(), manager))
    }

    /// Asks for more than the token has.
    pub(crate) async fn step_up(
        &self,
        client: &AuthClient<reqwest::Client>,
        scope: &str,
        asked: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let manager = client.auth_manager.lock().await;
        let page = manager.request_scope_upgrade(scope).await?;
        let callback = self.browse(&page, asked).await?;
        let callback = AuthorizationCallback::from_redirect_url(&callback)?;
        let issuer = callback.issuer.as_deref();
        manager
            .exchange_code_for_token_with_issuer(&callback.code, &callback.csrf_token, issuer)
            .await?;
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "what rmcp wrote is read as rmcp reads it"
    )]
    async fn browse(&self, page: &str, asked: &mut Vec<String>) -> anyhow::Result<String> {
        let page = reqwest::Url::parse(page)?;
        let scope = page.query_pairs().find(|(name, _)| name == "scope");
        asked.push(scope.map_or_else(String::new, |(_, scope)| scope.into_owned()));
        let Some((program, arguments)) = self.browser.split_first() else {
            bail!("no browser is named");
        };
        let walk = Command::new(program)
            .args(arguments)
            .arg(page.as_str())
            .arg(self.user)
            .output()
            .await?;
        if !walk.status.success() {
            bail!("the browser: {}", String::from_utf8_lossy(&walk.stderr));
        }
        Ok(String::from_utf8(walk.stdout)?.trim().to_owned())
    }
}
