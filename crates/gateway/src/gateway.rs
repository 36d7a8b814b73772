//! All upstreams behind one auth.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use futures_util::future::join_all;
use portcullis_resource_server::{Auth, ConfigError, IntoAuth, Routes};

use crate::filter::{Filtered, Tasks};
use crate::stdio::{StdioTransport, StdioTransportBuilder};
use crate::upstream::{Place, Upstream, check_path};

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
/// let gateway = Gateway::new(auth)?
///     .upstream(Upstream::http("files", files))
///     .build()?;
/// let app = gateway.router();
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

    /// Puts everything together. Nothing is connected or started before the first request.
    ///
    /// # Errors
    /// [`ConfigError`] when there is no upstream, when two share a name or a path, when one stands
    /// where something else is, and when a setting of one is not usable.
    pub fn build(&self) -> Result<MountedGateway, ConfigError> {
        if self.upstreams.is_empty() {
            return Err(ConfigError::new("upstream", "there is none")
                .with_hint("say where the server is, by its URL or the command that starts it"));
        }
        let (mut names, mut paths) = (HashSet::new(), HashSet::new());
        let mut processes = Vec::new();
        let mut auth = self.auth.clone();
        let mut routes = Routes::new();
        if self.upstreams.len() > 1 {
            auth = auth.one_of_several();
            routes = auth.shared_routes()?;
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
            check_path(&upstream.path).map_err(|error| {
                let hint = error.hint().unwrap_or_default().to_owned();
                fault(format!("the path `{}` {}", upstream.path, error.fault())).with_hint(hint)
            })?;
            let mounted = mount(auth.clone(), upstream, &mut processes)?;
            routes
                .merge(mounted)
                .map_err(|error| fault(error.to_string()))?;
        }
        Ok(MountedGateway {
            router: routes.into_router(),
            processes,
        })
    }
}

/// A gateway that is ready to serve.
#[derive(Debug, Clone)]
pub struct MountedGateway {
    router: Router,
    processes: Vec<StdioTransport>,
}

impl MountedGateway {
    /// The routes of all upstreams with their metadata, for a listener.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Ends the processes of stdio upstreams and all that they started, and waits until they are
    /// gone. To be called once no listener serves the routes any more.
    pub async fn stop(&self) {
        join_all(self.processes.iter().map(StdioTransport::stop)).await;
    }
}

fn mount(
    auth: Auth,
    upstream: &Upstream,
    processes: &mut Vec<StdioTransport>,
) -> Result<Routes, ConfigError> {
    let is_protected = auth.is_protected();
    let mut auth = auth
        .endpoint_name(Arc::clone(&upstream.name))
        .required_scopes(upstream.required_scopes.clone())
        .hand_on_message();
    if let Some(name) = &upstream.resource_name {
        auth = auth.resource_name(name.clone());
    }
    if is_protected {
        let rules = Arc::clone(&upstream.rules);
        auth = auth.access_policy(rules);
    }
    let (path, name) = (&upstream.path, &upstream.name);
    let (rules, named) = (Arc::clone(&upstream.rules), Arc::clone(name));
    let tasks = is_protected.then(Tasks::default);
    match &upstream.place {
        Place::Http(server) => {
            let transport = server.transport(name)?;
            auth.protected_routes(path, Filtered::new(transport, rules, tasks, named))
        }
        Place::Stdio(server) => {
            let transport = StdioTransportBuilder::clone(server).build()?;
            processes.push(transport.clone());
            auth.protected_routes(path, Filtered::new(transport, rules, tasks, named))
        }
    }
}
