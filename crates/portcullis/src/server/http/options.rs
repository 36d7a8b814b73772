//! What follows from the settings of a server over HTTP.

use std::{fmt, time::Duration};

use portcullis_oauth::BaseUrl;
use portcullis_resource_server::{Auth, TokenVerifier as _, env::AuthEnv};

use super::{BASE_URL_HINT, HttpOptions, router::DEFAULT_PATH};
use crate::{Result, auth::auth_from_env, error::ConfigError, listener::Listener};

/// How long the start waits for what verifies tokens.
const WARM: Duration = Duration::from_secs(5);

impl HttpOptions {
    pub(crate) fn is_closed(&self) -> bool {
        self.auth.as_ref().is_some_and(Auth::is_protected)
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(DEFAULT_PATH)
    }

    /// Says at every start where clients reach this server, and what stands before it.
    pub(super) fn say_hello(&self, url: &str) {
        let Some(auth) = self.auth.as_ref().filter(|auth| auth.is_protected()) else {
            tracing::info!(url, auth = "none", "serving MCP, without asking who calls");
            return;
        };
        let servers = auth.authorization_servers().join(", ");
        let login = if servers.is_empty() { "none" } else { &servers };
        let auth = if self.is_auth_from_env {
            "from the environment"
        } else {
            "in code"
        };
        tracing::info!(url, auth, login, "serving MCP to those who have a token");
    }

    /// Auth from the environment, where none is given in code. It closes a server and never opens
    /// one: a value that is not understood ends the start.
    pub(super) fn close_by(&mut self, env: &AuthEnv) -> Result<()> {
        if self.auth.is_none() {
            self.auth = auth_from_env(env).map_err(crate::Error::AuthEnv)?;
            self.is_auth_from_env = true;
        }
        Ok(())
    }

    /// Fetches keys before the first request needs them. A server starts without them too.
    pub(super) async fn warm(&self) {
        let Some(verifier) = self.auth.as_ref().and_then(Auth::verifier) else {
            return;
        };
        match tokio::time::timeout(WARM, verifier.warm()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot verify tokens yet; trying again with each request");
            }
            Err(_) => tracing::error!("what verifies tokens is slow to answer; serving anyway"),
        }
    }

    /// What weakens a server is said at every start.
    pub(super) fn warn_if_open(&self) {
        if !self.is_closed() && (self.allow_anonymous || self.auth.is_some()) {
            tracing::warn!("everybody who reaches this server may use it: it has no auth");
        }
    }

    /// The public URL: what was said, or what follows from where we listen.
    pub(super) fn take_base_url(&mut self, listener: Option<&Listener>) -> Result<BaseUrl> {
        let of_auth = self.auth.as_ref().and_then(Auth::public_url).cloned();
        if let (Some(own), Some(other)) = (&self.base_url, &of_auth)
            && own.as_str() != other.as_str()
        {
            let fault = format!("is `{own}` for the server and `{other}` for its auth");
            return Err(ConfigError::new("base_url", fault)
                .with_hint("say it once, to the provider")
                .into());
        }
        let said = self.base_url.take().or(of_auth);
        if let Some(url) = said {
            return Ok(url);
        }
        let url = match listener.map(Listener::local_url) {
            Some(Some(url)) => url,
            None if !self.is_closed() => "http://localhost".to_owned(),
            _ => {
                let error = ConfigError::new("base_url", "is not set");
                let hint = if self.is_auth_from_env {
                    "`export PORTCULLIS_BASE_URL=https://mcp.example.com`, the URL of clients"
                } else {
                    BASE_URL_HINT
                };
                return Err(error.with_hint(hint).into());
            }
        };
        BaseUrl::parse(&url).map_err(|error| ConfigError::new("base_url", error.to_string()).into())
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("auth", &self.auth)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
