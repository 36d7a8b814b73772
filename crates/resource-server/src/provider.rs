//! [`Auth`]: everything that protects one MCP endpoint, in the one order.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use http::Extensions;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::metadata::ProtectedResourceMetadata;
use portcullis_oauth::{BaseUrl, ResourceUrl, ScopeHierarchy, ScopeSet, SharedClock};
use tower::{Layer as _, Service, ServiceExt as _};

use crate::layer::{OnVerified, Policy};
use crate::mcp::access::{AccessPolicy, AllowAll, TokenHolders};
use crate::mcp::entrance::Entrance;
use crate::mcp::guard::Guard;
use crate::mcp::service::{Endpoint, McpService};
use crate::mcp::session::{SessionLimits, Sessions};
use crate::mcp::streams::Streams;
use crate::remote::parse_issuer;
use crate::{
    AccessToken, AuthLayer, ConfigError, GrantStatus, SharedVerifier, TokenVerifier, metadata,
};

/// How an MCP endpoint is protected: who verifies, for which resource, what clients are told, and
/// which routes come with it.
///
/// Providers turn into one by [`IntoAuth`]; a framework or a gateway mounts it by
/// [`Auth::protect`]. There is no other way in.
///
/// ```
/// # use portcullis_resource_server::{Auth, TokenVerifier, ConfigError};
/// # use portcullis_oauth::BaseUrl;
/// # fn mount(
/// #     verifier: impl TokenVerifier,
/// #     mcp: axum::Router,
/// # ) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// let auth = Auth::new(verifier)
///     .base_url(BaseUrl::parse("https://mcp.example.com")?)
///     .authorization_server("https://auth.example.com");
/// let app = auth.protect("/mcp", mcp)?;
/// # Ok(app)
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Auth {
    gate: Option<Gate>,
    base_url: Option<BaseUrl>,
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
    access: Option<Arc<dyn AccessPolicy>>,
    routes: Router,
    session_limits: SessionLimits,
    clock: SharedClock,
}

/// What holds where tokens are asked for.
#[derive(Clone)]
struct Gate {
    verifier: SharedVerifier,
    authorization_servers: Vec<String>,
    required_scopes: ScopeSet,
    scopes_supported: Option<ScopeSet>,
    challenge_scopes: Option<ScopeSet>,
    hierarchy: ScopeHierarchy,
    resource_name: Option<String>,
    resource_documentation: Option<String>,
    anonymous: bool,
    grant_status: Option<Arc<dyn GrantStatus>>,
    on_verified: Option<OnVerified>,
}

/// What can protect a server: [`Auth`] itself, a provider, or a verifier alone.
pub trait IntoAuth {
    /// Turns into the one form that is mounted.
    ///
    /// # Errors
    /// [`ConfigError`] for whatever a provider could not say when it was built.
    fn into_auth(self) -> Result<Auth, ConfigError>;
}

/// A verifier alone: tokens are asked for, and clients are told nothing of where to get one. Enough
/// where they have them already.
impl<V: TokenVerifier> IntoAuth for V {
    fn into_auth(self) -> Result<Auth, ConfigError> {
        Ok(Auth::new(self))
    }
}

impl IntoAuth for Auth {
    fn into_auth(self) -> Result<Auth, ConfigError> {
        Ok(self)
    }
}

impl Auth {
    /// Tokens are verified by `verifier`. The public URL comes by [`base_url`](Self::base_url) or
    /// from the server that mounts this.
    pub fn new(verifier: impl TokenVerifier) -> Self {
        let verifier = SharedVerifier::new(verifier);
        let required_scopes = verifier.required_scopes();
        Self::with_gate(Some(Gate {
            verifier,
            authorization_servers: Vec::new(),
            required_scopes,
            scopes_supported: None,
            challenge_scopes: None,
            hierarchy: ScopeHierarchy::new(),
            resource_name: None,
            resource_documentation: None,
            anonymous: false,
            grant_status: None,
            on_verified: None,
        }))
    }

    /// No tokens are asked for. Everything else stands: the guard against foreign hosts and
    /// pages, sessions, limits, well-formed messages.
    ///
    /// What breaks: whoever reaches the port uses the server. Who is hurt: everybody whose data
    /// it serves. When it is right: on a loopback address, for one user.
    pub fn dangerously_open() -> Self {
        Self::with_gate(None)
    }

    fn with_gate(gate: Option<Gate>) -> Self {
        Self {
            gate,
            base_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            access: None,
            routes: Router::new(),
            session_limits: SessionLimits::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Puts a verifier in the place of the one that this was made with.
    pub(crate) fn verified_by(self, verifier: SharedVerifier) -> Self {
        self.change(|gate| {
            gate.required_scopes.extend(verifier.required_scopes());
            gate.verifier = verifier;
        })
    }

    /// The public URL of the server, from which the resource and every address in metadata and
    /// challenges derive. Headers of a request never do.
    pub fn base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// The public URL, where nobody has said one yet.
    pub fn base_url_or(mut self, base_url: BaseUrl) -> Self {
        self.base_url.get_or_insert(base_url);
        self
    }

    /// Whether tokens are asked for.
    pub fn is_protected(&self) -> bool {
        self.gate.is_some()
    }

    /// Whether requests without a token reach the access policy. See
    /// [`anonymous_per_component`](Self::anonymous_per_component).
    pub fn is_anonymous_per_component(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.anonymous)
    }

    /// The public URL, where it is known.
    pub fn public_url(&self) -> Option<&BaseUrl> {
        self.base_url.as_ref()
    }

    /// Who verifies, where tokens are asked for.
    pub fn verifier(&self) -> Option<&SharedVerifier> {
        self.gate.as_ref().map(|gate| &gate.verifier)
    }

    /// An issuer whose tokens are accepted, for the metadata that leads clients there (RFC 9728
    /// section 2), exactly as its own metadata writes it. The first one is what most clients use.
    /// Without one, no metadata is served.
    pub fn authorization_server(self, issuer: impl Into<String>) -> Self {
        self.change(|gate| gate.authorization_servers.push(issuer.into()))
    }

    /// Scopes that every request needs, beside those that the verifier requires.
    pub fn required_scopes(self, scopes: ScopeSet) -> Self {
        self.change(|gate| gate.required_scopes.extend(scopes))
    }

    /// The scopes that metadata lists; the required ones unless set.
    pub fn scopes_supported(self, scopes: ScopeSet) -> Self {
        self.change(|gate| gate.scopes_supported = Some(scopes))
    }

    /// The scopes that a 401 asks for; the required ones unless set.
    pub fn challenge_scopes(self, scopes: ScopeSet) -> Self {
        self.change(|gate| gate.challenge_scopes = Some(scopes))
    }

    /// Which scopes stand for others. What was said before stays.
    pub fn scope_hierarchy(self, hierarchy: ScopeHierarchy) -> Self {
        self.change(|gate| gate.hierarchy = std::mem::take(&mut gate.hierarchy).and(hierarchy))
    }

    /// A name of the resource for users.
    pub fn resource_name(self, name: impl Into<String>) -> Self {
        self.change(|gate| gate.resource_name = Some(name.into()))
    }

    /// The URL of a page about the resource for developers: `https`, or `http` on loopback.
    pub fn resource_documentation(self, url: impl Into<String>) -> Self {
        self.change(|gate| gate.resource_documentation = Some(url.into()))
    }

    /// Lets requests without a token through to the access policy, which then decides for each
    /// operation. A token that is not valid is refused all the same, and without a
    /// [policy](Self::access_policy) every request needs one.
    pub fn anonymous_per_component(self) -> Self {
        self.change(|gate| gate.anonymous = true)
    }

    /// Asks on every request whether the grant behind a token still stands.
    pub fn grant_status(self, status: impl GrantStatus) -> Self {
        self.change(|gate| gate.grant_status = Some(Arc::new(status)))
    }

    /// Adds to a request's extensions after its token was verified.
    pub fn on_verified(
        self,
        hook: impl Fn(&AccessToken, &mut Extensions) + Send + Sync + 'static,
    ) -> Self {
        self.change(|gate| gate.on_verified = Some(Arc::new(hook)))
    }

    /// Decides each operation. Without it, whoever has a valid token may do everything.
    pub fn access_policy(mut self, policy: Arc<dyn AccessPolicy>) -> Self {
        self.access = Some(policy);
        self
    }

    /// Public routes that come with the provider. They are never behind the token.
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// One more host name under which the server may be called.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.allowed_hosts.push(host.into());
        self
    }

    /// One more origin whose pages may call the server.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.allowed_origins.push(origin.into());
        self
    }

    /// How many sessions there may be, and how many streams.
    pub fn session_limits(mut self, limits: SessionLimits) -> Self {
        self.session_limits = limits;
        self
    }

    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    pub(crate) fn shared_clock(&self) -> SharedClock {
        Arc::clone(&self.clock)
    }

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
        let inner = service.map_response(axum::response::IntoResponse::into_response);
        let sessions = Sessions::new(Arc::clone(&self.clock), self.session_limits);
        let streams = Streams::new(self.session_limits.streams_per_principal);

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
                streams: streams.clone(),
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
        let mut guard = Guard::new(base);
        for host in &self.allowed_hosts {
            guard = guard.allow_host(host)?;
        }
        for origin in &self.allowed_origins {
            guard = guard.allow_origin(origin)?;
        }
        Ok(guard)
    }

    /// A setting that only matters where tokens are asked for.
    fn change(mut self, change: impl FnOnce(&mut Gate)) -> Self {
        if let Some(gate) = &mut self.gate {
            change(gate);
        }
        self
    }
}

impl Gate {
    fn has_metadata(&self) -> bool {
        !self.authorization_servers.is_empty()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("verifier", &self.verifier())
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
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
