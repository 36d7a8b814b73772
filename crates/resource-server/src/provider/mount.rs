//! Mounting: the order of everything that stands in front of one endpoint.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN};
use portcullis_oauth::metadata::ProtectedResourceMetadata;
use portcullis_oauth::{BaseUrl, ResourceUrl};
use tower::{Service, ServiceExt as _};

use super::site::{Site, places};
use super::{Auth, Gate};
use crate::layer::Policy;
use crate::mcp::access::{AccessPolicy, AllowAll, TokenHolders};
use crate::mcp::cors;
use crate::mcp::guard::Guard;
use crate::mcp::legacy_sse::LegacySse;
use crate::mcp::opening;
use crate::mcp::room::Room;
use crate::mcp::service::Transport;
use crate::mcp::session::Sessions;
use crate::observe::Observation;
use crate::remote::parse_issuer;
use crate::{AuthLayer, ConfigError, Routes, events, metadata};

impl Auth {
    /// Mounts `service` at `path`, behind all of this.
    ///
    /// The order is: host and origin, CORS preflight, token, session, body, decision. `path` and
    /// `path/` both answer, without a redirect, which would lose the token. The answer holds the
    /// metadata routes and the provider's own: a fallback that is added later does not see their
    /// requests, and a router that has one of these routes too cannot be merged (it panics).
    ///
    /// Bounds on connections and on the time for a request's head are the listener's.
    /// `axum::serve` has none, so whoever can connect can hold its sockets: serve this by the
    /// listener of the facade, or behind a proxy that has them.
    ///
    /// # Errors
    /// [`ConfigError`] when no base URL is known, a setting is not usable, or two routes cannot
    /// stand together.
    pub fn protect<S>(&self, path: &str, service: S) -> Result<Router, ConfigError>
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send,
    {
        Ok(self.mount(path, service, None)?.into_router())
    }

    /// [`protect`](Self::protect), as routes to which others can be added without a panic.
    ///
    /// # Errors
    /// See [`protect`](Self::protect).
    pub fn protected_routes<S>(&self, path: &str, service: S) -> Result<Routes, ConfigError>
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send,
    {
        self.mount(path, service, None)
    }

    /// [`protect`](Self::protect), and the HTTP+SSE transport of revision 2024-11-05 beside it.
    ///
    /// Its stream is a resource of its own, `{base_url}/sse`, with its own metadata: a client gets
    /// tokens for the URL that its user gave it. Sessions and streams of both transports count
    /// together.
    ///
    /// # Errors
    /// See [`protect`](Self::protect).
    pub fn protect_with_legacy_sse<S>(
        &self,
        path: &str,
        service: S,
        legacy: LegacySse,
    ) -> Result<Router, ConfigError>
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send,
    {
        let routes = self.protected_routes_with_legacy_sse(path, service, legacy)?;
        Ok(routes.into_router())
    }

    /// [`protect_with_legacy_sse`](Self::protect_with_legacy_sse), as routes that can be merged with
    /// others.
    ///
    /// # Errors
    /// See [`protect`](Self::protect).
    pub fn protected_routes_with_legacy_sse<S>(
        &self,
        path: &str,
        service: S,
        legacy: LegacySse,
    ) -> Result<Routes, ConfigError>
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send,
    {
        self.mount(path, service, Some(legacy))
    }

    fn mount<S>(
        &self,
        path: &str,
        service: S,
        legacy: Option<LegacySse>,
    ) -> Result<Routes, ConfigError>
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send,
    {
        let base = self.known_base()?;
        check_path(path)?;
        self.gate.as_ref().map_or(Ok(()), Gate::check)?;
        let resource = resource_at(base, path)?;
        if repeats_path(base, path) {
            tracing::warn!(
                base_url = base.as_str(),
                resource = resource.as_str(),
                "the base URL ends with the path of MCP, which is added to it: \
                 give the base URL without"
            );
        }
        if self.gate.is_none() && !base.is_loopback() {
            events::dangerous(
                "auth",
                "allow_anonymous",
                "no tokens are asked for: everybody who reaches this server may use it",
            );
        }
        let inner = service.map_response(axum::response::IntoResponse::into_response);
        let on_end = opening::closing(inner.clone(), path, &resource, self.journal.clone());
        let clock = Arc::clone(&self.clock);
        let observation = self.observation(path, &resource);
        let fresh = || {
            let limits = self.session_limits;
            let sessions = Sessions::watched(clock, limits, Some(on_end));
            (sessions.observed(observation.clone()), Room::new(limits))
        };
        let (sessions, room) = match &self.kept {
            Some(kept) => kept.get_or(fresh),
            None => fresh(),
        };
        let mut site = Site {
            auth: self,
            base,
            guard: Arc::new(self.guard(base)?),
            room,
            sessions,
            observation,
            routes: Routes::new(),
        };
        for (ours, spelling) in places(path, &resource)? {
            let place = (ours.as_str(), &resource, &spelling);
            site.endpoint(place, Transport::Streamable, inner.clone())?;
        }
        // SECURITY: a document at the root would speak for the other resources too (RFC 9728 section
        // 3.1); sec_mt_08_several_resources_have_no_root_metadata
        site.metadata(&resource, !self.several)?;
        if let Some(legacy) = legacy {
            site.legacy_sse(&legacy)?;
            self.tell_mounted(resource_at(base, &legacy.stream)?, false);
        }
        if !self.several {
            for own in &self.routes {
                site.routes.add(&own.path, own.behind(&site.guard))?;
            }
        }
        self.tell_mounted(resource, true);
        Ok(site.routes)
    }

    /// The public routes that come with the provider, once for all resources.
    ///
    /// # Errors
    /// [`ConfigError`] when two of them cannot stand together, and when no base URL is known.
    pub fn shared_routes(&self) -> Result<Routes, ConfigError> {
        let guard = Arc::new(self.guard(self.known_base()?)?);
        let mut routes = Routes::new();
        for own in &self.routes {
            routes.add(&own.path, own.behind(&guard))?;
        }
        Ok(routes)
    }

    /// The layer that asks for a token of the resource at `path`, for routes of one's own beside
    /// MCP. `None` where no tokens are asked for.
    ///
    /// # Errors
    /// [`ConfigError`] when no base URL is known or the path is not usable.
    pub fn layer_for(&self, path: &str) -> Result<Option<AuthLayer>, ConfigError> {
        let Some(gate) = &self.gate else {
            return Ok(None);
        };
        let base = self.known_base()?;
        check_path(path)?;
        let resource = resource_at(base, path)?;
        // SECURITY: only the MCP endpoint has a policy that decides about callers without a token;
        // sec_rs_01_routes_beside_mcp_always_need_a_token
        let gate = Gate {
            anonymous: false,
            ..gate.clone()
        };
        Ok(Some(self.layer(&gate, base, &resource, &resource)))
    }

    /// Guards routes of one's own beside MCP: only requests for a host of ours reach them, and a
    /// page of another origin may only look (`GET`, `HEAD`, `OPTIONS`) unless it is one of the
    /// [allowed origins](Self::allow_origin). Those may also read the answers: CORS headers are
    /// added where a route sets none itself, and preflights are answered for them.
    ///
    /// # Errors
    /// [`ConfigError`] when no base URL is known or a setting is not usable.
    pub fn guard_routes(&self, routes: Router) -> Result<Router, ConfigError> {
        let guard = Arc::new(self.guard(self.known_base()?)?);
        let check =
            move |request: Request, next: Next| beside_mcp(Arc::clone(&guard), request, next);
        Ok(routes.layer(middleware::from_fn(check)))
    }

    pub(super) fn layer(
        &self,
        gate: &Gate,
        base: &BaseUrl,
        resource: &ResourceUrl,
        spelling: &ResourceUrl,
    ) -> AuthLayer {
        let mut policy = Policy::new(gate.verifier.clone(), resource.clone());
        policy.required = gate.required_scopes.clone();
        let challenged = gate.challenge_scopes.as_ref();
        policy.challenge_scopes = challenged.map(|scopes| scopes.union(&gate.required_scopes));
        policy.hierarchy = gate.hierarchy.clone();
        policy.grant_status.clone_from(&gate.grant_status);
        policy.on_verified.clone_from(&gate.on_verified);
        // SECURITY: a stream and an answer name no operation, so without a policy nobody would ever
        // be asked about them; sec_rs_02_anonymous_needs_a_policy
        policy.optional = gate.anonymous && self.access.is_some();
        policy.grantable = gate.grantable();
        policy.clock = Arc::clone(&self.clock);
        policy.journal = self.journal.clone();
        if let Some(limit) = gate.verify_within {
            policy.verify_within = limit;
        }
        if gate.has_metadata() {
            policy.resource_metadata = Some(metadata::url(base, spelling).into());
        }
        AuthLayer::from_policy(policy)
    }

    /// What clients are told about the resource, if there is somewhere to lead them.
    pub(super) fn document(
        &self,
        resource: &ResourceUrl,
    ) -> Result<Option<ProtectedResourceMetadata>, ConfigError> {
        let Some(gate) = self.gate.as_ref().filter(|gate| gate.has_metadata()) else {
            return Ok(None);
        };
        for server in &gate.authorization_servers {
            parse_issuer(server)?;
        }
        if let Some(page) = &gate.resource_documentation {
            metadata::check_page(page)?;
        }
        let mut document = ProtectedResourceMetadata::new(resource);
        document
            .authorization_servers
            .clone_from(&gate.authorization_servers);
        let scopes = gate
            .scopes_supported
            .as_ref()
            .unwrap_or(&gate.required_scopes);
        document.scopes_supported = scopes
            .iter()
            .map(|scope| scope.as_str().to_owned())
            .collect();
        document.resource_name.clone_from(&gate.resource_name);
        document
            .resource_documentation
            .clone_from(&gate.resource_documentation);
        Ok(Some(document))
    }

    pub(super) fn access(&self) -> Arc<dyn AccessPolicy> {
        match (&self.access, &self.gate) {
            (Some(policy), _) => Arc::clone(policy),
            (None, Some(_)) => Arc::new(TokenHolders),
            (None, None) => Arc::new(AllowAll),
        }
    }

    /// Who observes an endpoint, if anybody does.
    fn observation(&self, path: &str, resource: &ResourceUrl) -> Option<Arc<Observation>> {
        if self.observers.is_empty() {
            return None;
        }
        let named = self.endpoint_name.clone();
        Some(Arc::new(Observation {
            endpoint: named.unwrap_or_else(|| path.into()),
            resource: resource.as_str().into(),
            observers: self.observers.clone(),
            clock: Arc::clone(&self.clock),
        }))
    }

    fn known_base(&self) -> Result<&BaseUrl, ConfigError> {
        self.base_url.as_ref().ok_or_else(|| {
            ConfigError::new("base_url", "is not set").with_hint(
                "give the public URL of this server, as its users will paste it: \
                 `.base_url(\"https://mcp.example.com\")`",
            )
        })
    }

    fn guard(&self, base: &BaseUrl) -> Result<Guard, ConfigError> {
        let mut guard = Guard::new(base).journal(self.journal.clone());
        for host in &self.allowed_hosts {
            guard = guard.allow_host(host)?;
        }
        for origin in &self.allowed_origins {
            guard = guard.allow_origin(origin)?;
        }
        Ok(guard)
    }
}

/// The guard of routes beside MCP.
async fn beside_mcp(guard: Arc<Guard>, request: Request, next: Next) -> Response {
    // SECURITY: a rebound name reaches every route, not MCP's alone;
    // sec_rs_10_routes_beside_mcp_have_the_same_hosts
    if let Err(stray) = guard.check_host(&request) {
        return stray.into_response();
    }
    let origin = request.headers().get(ORIGIN).cloned();
    if !request.method().is_safe() {
        // SECURITY: a foreign page must not act here with its visitor's place in the network (MCP
        // Streamable HTTP, security warning); sec_rs_11_routes_beside_mcp_refuse_foreign_pages
        if let Err(stray) = guard.check(&request) {
            return stray.into_response();
        }
    }
    let Some(origin) = origin.filter(|origin| guard.allows_origin(origin)) else {
        return next.run(request).await;
    };
    let preflight = cors::is_preflight(&request).then(|| request.headers().clone());
    let mut response = next.run(request).await;
    if let Some(asked) = preflight
        && response.status() == StatusCode::METHOD_NOT_ALLOWED
    {
        return cors::preflight(&asked);
    }
    if !response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        cors::allow(Some(&origin), response.headers_mut());
    }
    response
}

pub(super) fn resource_at(base: &BaseUrl, path: &str) -> Result<ResourceUrl, ConfigError> {
    base.resource(path)
        .map_err(|error| ConfigError::new("path", error.to_string()))
}

/// Whether the path of MCP stands in the base URL already.
fn repeats_path(base: &BaseUrl, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    !path.is_empty() && base.as_str().trim_end_matches('/').ends_with(path)
}

pub(super) fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_plain = path.starts_with('/')
        && !path.contains("//")
        && path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b));
    if is_plain {
        Ok(())
    } else {
        Err(ConfigError::new("path", format!("`{path}` is not a path"))
            .with_hint("start with a slash and use letters, digits and `-._~`, as in `/mcp`"))
    }
}

pub(super) fn other_spelling(path: &str) -> String {
    match path.strip_suffix('/') {
        Some(bare) => bare.to_owned(),
        None => format!("{path}/"),
    }
}
