//! Mounting: the order of everything that stands in front of one endpoint.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use portcullis_oauth::metadata::ProtectedResourceMetadata;
use portcullis_oauth::{BaseUrl, ResourceUrl};
use tower::{Layer as _, Service, ServiceExt as _};

use super::{Auth, Gate};
use crate::layer::Policy;
use crate::mcp::access::{AccessPolicy, AllowAll, TokenHolders};
use crate::mcp::entrance::Entrance;
use crate::mcp::guard::Guard;
use crate::mcp::room::Room;
use crate::mcp::service::{Endpoint, McpService};
use crate::mcp::session::Sessions;
use crate::remote::parse_issuer;
use crate::{AuthLayer, ConfigError, events, metadata};

impl Auth {
    /// Mounts `service` at `path`, behind all of this.
    ///
    /// The order is: host and origin, CORS preflight, token, session, body, decision. `path` and
    /// `path/` both answer, without a redirect, which would lose the token. The answer holds the
    /// metadata routes and the provider's own: a fallback that is added later does not see their
    /// requests, and a router that has one of these routes too cannot be merged (it panics).
    ///
    /// # Errors
    /// [`ConfigError`] when no base URL is known or a setting is not usable.
    pub fn protect<S>(&self, path: &str, service: S) -> Result<Router, ConfigError>
    where
        S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send,
    {
        let base = self.known_base()?;
        check_path(path)?;
        let resource = resource_at(base, path)?;
        let guard = Arc::new(self.guard(base)?);
        if self.gate.is_none() && !base.is_loopback() {
            events::dangerous(
                "auth",
                "allow_anonymous",
                "no tokens are asked for: everybody who reaches this server may use it",
            );
        }
        let inner = service.map_response(axum::response::IntoResponse::into_response);
        let sessions = Sessions::new(Arc::clone(&self.clock), self.session_limits);
        let room = Room::new(self.session_limits);

        let mut router = Router::new();
        for spelling in metadata::spellings(&resource)? {
            let layer = self
                .gate
                .as_ref()
                .map(|gate| self.layer(gate, base, &resource, &spelling));
            let endpoint = Arc::new(Endpoint {
                access: self.access(),
                sessions: sessions.clone(),
                policy: layer.as_ref().map(|layer| Arc::clone(layer.policy())),
                room: room.clone(),
                journal: self.journal.clone(),
            });
            let service = McpService::new(inner.clone(), endpoint);
            let ours = if path == "/" || spelling.as_str().ends_with('/') == path.ends_with('/') {
                path.to_owned()
            } else {
                other_spelling(path)
            };
            router = match layer {
                Some(layer) => {
                    let service = layer.layer(service);
                    router.route_service(&ours, Entrance::new(service, Arc::clone(&guard)))
                }
                None => router.route_service(&ours, Entrance::new(service, Arc::clone(&guard))),
            };
        }
        Ok(router
            .merge(self.metadata(&resource)?)
            .merge(self.routes.clone()))
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

    /// Lets only requests for a host of ours reach routes of one's own beside MCP. Which pages may
    /// call them is theirs to say.
    ///
    /// # Errors
    /// [`ConfigError`] when no base URL is known or a setting is not usable.
    pub fn guard_routes(&self, routes: Router) -> Result<Router, ConfigError> {
        let guard = self.guard(self.known_base()?)?;
        // SECURITY: a rebound name reaches every route, not MCP's alone;
        // sec_rs_10_routes_beside_mcp_have_the_same_hosts
        let check = move |request: Request, next: Next| {
            let verdict = guard.check_host(&request);
            async move {
                match verdict {
                    Ok(()) => next.run(request).await,
                    Err(stray) => stray.into_response(),
                }
            }
        };
        Ok(routes.layer(middleware::from_fn(check)))
    }

    fn layer(
        &self,
        gate: &Gate,
        base: &BaseUrl,
        resource: &ResourceUrl,
        spelling: &ResourceUrl,
    ) -> AuthLayer {
        let mut policy = Policy::new(gate.verifier.clone(), resource.clone());
        policy.required = gate.required_scopes.clone();
        policy.challenge_scopes.clone_from(&gate.challenge_scopes);
        policy.hierarchy = gate.hierarchy.clone();
        policy.grant_status.clone_from(&gate.grant_status);
        policy.on_verified.clone_from(&gate.on_verified);
        // SECURITY: a stream and an answer name no operation, so without a policy nobody would ever
        // be asked about them; sec_rs_02_anonymous_needs_a_policy
        policy.optional = gate.anonymous && self.access.is_some();
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

    fn metadata(&self, resource: &ResourceUrl) -> Result<Router, ConfigError> {
        let Some(gate) = self.gate.as_ref().filter(|gate| gate.has_metadata()) else {
            return Ok(Router::new());
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
        metadata::routes(resource, &document)
    }

    fn access(&self) -> Arc<dyn AccessPolicy> {
        match (&self.access, &self.gate) {
            (Some(policy), _) => Arc::clone(policy),
            (None, Some(_)) => Arc::new(TokenHolders),
            (None, None) => Arc::new(AllowAll),
        }
    }

    fn known_base(&self) -> Result<&BaseUrl, ConfigError> {
        self.base_url.as_ref().ok_or_else(|| {
            ConfigError::new("base_url", "is not set")
                .with_hint("give the public URL of this server, as its users will paste it")
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

fn resource_at(base: &BaseUrl, path: &str) -> Result<ResourceUrl, ConfigError> {
    base.resource(path)
        .map_err(|error| ConfigError::new("path", error.to_string()))
}

fn check_path(path: &str) -> Result<(), ConfigError> {
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

fn other_spelling(path: &str) -> String {
    match path.strip_suffix('/') {
        Some(bare) => bare.to_owned(),
        None => format!("{path}/"),
    }
}
