//! All upstreams behind one auth.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use futures_util::future::join_all;
use portcullis_resource_server::{Auth, ConfigError, IntoAuth, KeptSessions, Routes};

use crate::filter::{Filtered, Tasks};
use crate::http::HttpServer;
use crate::legacy_sse::{Behind, legacy_sse};
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
/// Each upstream is a resource of its own: with its path, its audience, its scopes, its metadata,
/// its sessions and its tasks. A task belongs to whoever made it, for as long as the gateway runs
/// and the user has made no hundred others since.
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
        self.build_after(&MountedGateway::default())
    }

    /// Puts everything together in the place of `before`. An upstream that is at the same place as
    /// before, by its name, its path, and its URL or command, goes on with its sessions and its
    /// processes; limits of sessions stay those of the first. All else is new: who is let in, the
    /// rules, what upstreams are told.
    ///
    /// Nothing of `before` is changed. Once the new routes are served, end what it leaves behind by
    /// [`stop_replaced`](MountedGateway::stop_replaced).
    ///
    /// # Errors
    /// See [`build`](Self::build).
    pub fn build_after(&self, before: &MountedGateway) -> Result<MountedGateway, ConfigError> {
        if self.upstreams.is_empty() {
            return Err(ConfigError::new("upstream", "there is none")
                .with_hint("say where the server is, by its URL or the command that starts it"));
        }
        let (mut names, mut paths) = (HashSet::new(), HashSet::new());
        let mut parts = Vec::new();
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
            let part = Part::of(upstream, before)?;
            let mounted = mount(auth.clone(), &part)?;
            routes
                .merge(mounted)
                .map_err(|error| fault(error.to_string()))?;
            parts.push(part);
        }
        Ok(MountedGateway {
            router: routes.into_router(),
            parts,
        })
    }
}

/// A gateway that is ready to serve.
#[derive(Debug, Clone, Default)]
pub struct MountedGateway {
    router: Router,
    parts: Vec<Part>,
}

/// An upstream, and what of it outlives its settings.
#[derive(Debug, Clone)]
struct Part {
    upstream: Upstream,
    sessions: KeptSessions,
    tasks: Tasks,
    server: Server,
}

/// The server behind.
#[derive(Debug, Clone)]
enum Server {
    Http(Box<HttpServer>),
    /// A process or a connection for each session or user.
    Lines(StdioTransport),
}

impl MountedGateway {
    /// The routes of all upstreams with their metadata, for a listener.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Ends the processes of stdio upstreams and all that they started, and waits until they are
    /// gone. To be called once no listener serves the routes any more.
    pub async fn stop(&self) {
        join_all(self.processes().map(StdioTransport::stop)).await;
    }

    /// Ends the processes that `after`, which was [built](Gateway::build_after) in the place of this,
    /// did not take over, and waits until they are gone. What still runs in them fails with 502.
    pub async fn stop_replaced(&self, after: &Self) {
        let replaced = self
            .processes()
            .filter(|own| !after.processes().any(|other| other.is_same(own)));
        join_all(replaced.map(StdioTransport::stop)).await;
    }

    fn processes(&self) -> impl Iterator<Item = &StdioTransport> {
        self.parts.iter().filter_map(|part| match &part.server {
            Server::Lines(transport) => Some(transport),
            Server::Http(_) => None,
        })
    }
}

impl Part {
    /// With what the upstream had before, or what it begins with.
    fn of(upstream: &Upstream, before: &MountedGateway) -> Result<Self, ConfigError> {
        let is_known = |part: &&Self| part.upstream.is_same_server(upstream);
        let known = before.parts.iter().find(is_known);
        let server = match (&upstream.place, known.map(|part| &part.server)) {
            (Place::Http(server), _) => Server::Http(server.clone()),
            (Place::Stdio(_) | Place::HttpSse(_), Some(Server::Lines(running))) => {
                Server::Lines(running.clone())
            }
            (Place::HttpSse(server), _) => Server::Lines(server.transport(&upstream.name)?),
            (Place::Stdio(server), _) => {
                Server::Lines(StdioTransportBuilder::clone(server).build()?)
            }
        };
        Ok(Self {
            upstream: upstream.clone(),
            sessions: known.map_or_else(KeptSessions::new, |part| part.sessions.clone()),
            tasks: known.map_or_else(Tasks::default, |part| part.tasks.clone()),
            server,
        })
    }
}

fn mount(auth: Auth, part: &Part) -> Result<Routes, ConfigError> {
    let upstream = &part.upstream;
    let is_protected = auth.is_protected();
    let mut auth = auth
        .endpoint_name(Arc::clone(&upstream.name))
        .required_scopes(upstream.required_scopes.clone())
        .keep_sessions(&part.sessions)
        .hand_on_message();
    if let Some(name) = &upstream.resource_name {
        auth = auth.resource_name(name.clone());
    }
    if is_protected {
        let rules = Arc::clone(&upstream.rules);
        auth = auth.access_policy(rules);
    }
    let (rules, name) = (Arc::clone(&upstream.rules), Arc::clone(&upstream.name));
    let tasks = is_protected.then(|| part.tasks.clone());
    match &part.server {
        Server::Http(server) => {
            let transport = server.transport(&name, auth.public_url())?;
            protect(
                &auth,
                upstream,
                Filtered::new(transport, rules, tasks, name),
            )
        }
        Server::Lines(transport) => {
            let transport = transport.clone();
            protect(
                &auth,
                upstream,
                Filtered::new(transport, rules, tasks, name),
            )
        }
    }
}

fn protect(auth: &Auth, upstream: &Upstream, server: impl Behind) -> Result<Routes, ConfigError> {
    match &upstream.legacy {
        None => auth.protected_routes(&upstream.path, server),
        Some(paths) => {
            check_path(&paths.stream)?;
            check_path(&paths.messages)?;
            let legacy = legacy_sse(server.clone(), paths);
            auth.protected_routes_with_legacy_sse(&upstream.path, server, legacy)
        }
    }
}
