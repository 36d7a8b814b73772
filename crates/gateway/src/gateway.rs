//! All upstreams behind one auth.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use portcullis_resource_server::{Auth, ConfigError, IntoAuth};

use crate::upstream::Upstream;

/// Servers that others wrote, behind one auth.
///
/// ```
/// use portcullis_gateway::{Gateway, Upstream};
/// use portcullis_oauth::{BaseUrl, EndpointUrl};
/// use portcullis_resource_server::{Auth, TokenVerifier};
///
/// # fn gateway(verifier: impl TokenVerifier) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// let auth = Auth::new(verifier)
///     .base_url(BaseUrl::parse("https://mcp.example.com")?)
///     .authorization_server("https://auth.example.com");
/// let files = EndpointUrl::parse("http://127.0.0.1:3001/mcp")?;
/// let app = Gateway::new(auth)?
///     .upstream(Upstream::http("files", files))
///     .router()?;
/// # Ok(app)
/// # }
/// ```
///
/// Each upstream is a resource of its own: with its path, its audience, its scopes, its metadata
/// and its sessions.
#[derive(Debug, Clone)]
#[must_use]
pub struct Gateway {
    auth: Auth,
    upstreams: Vec<Upstream>,
}

impl Gateway {
    /// A gateway behind `auth`, with nothing behind it yet.
    ///
    /// # Errors
    /// [`ConfigError`] of the provider.
    pub fn new(auth: impl IntoAuth) -> Result<Self, ConfigError> {
        Ok(Self {
            auth: auth.into_auth()?,
            upstreams: Vec::new(),
        })
    }

    /// Puts one more server behind it.
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstreams.push(upstream);
        self
    }

    /// The routes of all upstreams with their metadata, for a listener.
    ///
    /// # Errors
    /// [`ConfigError`] when there is no upstream, when two share a name or a path, and when a
    /// setting of one is not usable.
    pub fn router(&self) -> Result<Router, ConfigError> {
        if self.upstreams.is_empty() {
            return Err(ConfigError::new("upstream", "there is none")
                .with_hint("say where the server is, by its URL or the command that starts it"));
        }
        let (mut names, mut paths) = (HashSet::new(), HashSet::new());
        let mut auth = self.auth.clone();
        let mut router = Router::new();
        if self.upstreams.len() > 1 {
            auth = auth.one_of_several();
            router = auth.shared_routes()?;
        }
        for upstream in &self.upstreams {
            let fault =
                |what: String| ConfigError::new(format!("upstream `{}`", upstream.name), what);
            if !names.insert(&*upstream.name) {
                return Err(fault("another upstream has this name".to_owned()));
            }
            // SECURITY: two servers at one path would share a resource, and a token for one would
            // be good for the other; sec_mt_05_mistakes_are_found_before_the_start
            if !paths.insert(upstream.path.trim_end_matches('/').to_ascii_lowercase()) {
                return Err(fault(format!(
                    "another upstream has the path `{}`",
                    upstream.path
                )));
            }
            if !self.auth.is_protected() && !upstream.rules.is_empty() {
                return Err(
                    fault("has rules, and nobody says who is calling".to_owned())
                        .with_hint("configure an auth mode, or take the rules away"),
                );
            }
            router = router.merge(mount(auth.clone(), upstream)?);
        }
        Ok(router)
    }
}

fn mount(auth: Auth, upstream: &Upstream) -> Result<Router, ConfigError> {
    let is_protected = auth.is_protected();
    let mut auth = auth.required_scopes(upstream.required_scopes.clone());
    if let Some(name) = &upstream.resource_name {
        auth = auth.resource_name(name.clone());
    }
    if is_protected {
        let rules = Arc::clone(&upstream.rules);
        auth = auth.access_policy(rules);
    }
    auth.protect(&upstream.path, upstream.transport()?)
}
