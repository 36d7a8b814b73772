//! [`Auth`]: everything that protects one MCP endpoint, in the one order.

mod gate;
mod hooks;
mod kept;
mod mount;
mod site;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::MethodRouter;
use http::Extensions;
use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::{BaseUrl, ScopeHierarchy, ScopeSet, SharedClock, SharedEntropy};

use self::gate::Gate;
use self::hooks::{Hooks, OwnRoute};
pub use self::hooks::{MountedResource, StartError};
pub use self::kept::KeptSessions;
use crate::events::Journal;
use crate::mcp::ChallengeStyle;
use crate::mcp::access::{AccessPolicy, Both};
use crate::mcp::session::SessionLimits;
use crate::observe::Observer;
use crate::{AccessToken, ConfigError, GrantStatus, SharedVerifier, TokenVerifier};

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
    routes: Vec<OwnRoute>,
    hooks: Hooks,
    several: bool,
    hands_on_message: bool,
    session_limits: SessionLimits,
    kept: Option<KeptSessions>,
    clock: SharedClock,
    journal: Journal,
    entropy: SharedEntropy,
    endpoint_name: Option<Arc<str>>,
    observers: Vec<Arc<dyn Observer>>,
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
        Self::with_gate(Some(Gate::new(SharedVerifier::new(verifier))))
    }

    /// What asks for no tokens.
    pub fn dangerous() -> DangerousAuth {
        DangerousAuth(())
    }

    fn with_gate(gate: Option<Gate>) -> Self {
        Self {
            gate,
            base_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            access: None,
            routes: Vec::new(),
            hooks: Hooks::default(),
            several: false,
            hands_on_message: false,
            session_limits: SessionLimits::default(),
            kept: None,
            clock: Arc::new(SystemClock::new()),
            journal: Journal::default(),
            entropy: Arc::new(SystemEntropy::new()),
            endpoint_name: None,
            observers: Vec::new(),
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

    /// The issuers that metadata leads clients to, the first one first.
    pub fn authorization_servers(&self) -> &[String] {
        let gate = self.gate.as_ref();
        gate.map_or(&[], |gate| &gate.authorization_servers)
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

    /// Scopes that every request needs, beside those that the verifier requires. Each call adds to
    /// them.
    pub fn required_scopes(self, scopes: ScopeSet) -> Self {
        self.change(|gate| gate.required_scopes.extend(scopes))
    }

    /// The scopes that metadata lists; the required ones unless set.
    pub fn scopes_supported(self, scopes: ScopeSet) -> Self {
        self.change(|gate| gate.scopes_supported = Some(scopes))
    }

    /// Says that [`scopes_supported`](Self::scopes_supported) are all there are: nobody is asked to
    /// get another one. What needs another scope is denied to whoever does not hold it, as if it
    /// did not exist, and not challenged.
    pub fn only_supported_scopes(self) -> Self {
        self.change(|gate| gate.only_supported = true)
    }

    /// Which scopes the principal of a token can get, beside those that it holds: by a role in the
    /// token, for example. What needs more is denied to it, as if it did not exist, and not
    /// challenged. The rule runs only where a scope is missing; one that panics grants nothing. Each
    /// call adds a rule, and what can be had is what all of them say.
    ///
    /// ```
    /// # use portcullis_oauth::{ScopeSet, scopes};
    /// # use portcullis_resource_server::{AccessToken, Auth, TokenVerifier};
    /// # fn auth(verifier: impl TokenVerifier) -> Auth {
    /// Auth::new(verifier).grantable(|user: &AccessToken| {
    ///     match user.claim::<&str>("role") {
    ///         Some("admin") => scopes!["notes:read", "notes:write", "admin"],
    ///         _ => scopes!["notes:read", "notes:write"],
    ///     }
    /// })
    /// # }
    /// ```
    pub fn grantable(
        self,
        rule: impl Fn(&AccessToken) -> ScopeSet + Send + Sync + 'static,
    ) -> Self {
        self.change(|gate| gate.grantable.push(Arc::new(rule)))
    }

    /// The scopes that a 401 asks for, beside the required ones; those alone unless set.
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

    /// How clients are told that a tool needs a token, or more scopes: as each understands it, unless
    /// set.
    pub fn challenge_style(self, style: ChallengeStyle) -> Self {
        self.change(|gate| gate.challenge_style = style)
    }

    /// Asks on every request whether the grant behind a token still stands. Each call adds one who is
    /// asked, beside those that a provider brings, and a grant stands while all of them say so.
    pub fn grant_status(self, status: impl GrantStatus) -> Self {
        self.change(|gate| gate.grant_status.add(status))
    }

    /// How long the verification of one token may take, whoever is asked; 10 seconds unless set.
    /// Then the answer is 503.
    pub fn verify_within(self, limit: Duration) -> Self {
        self.change(|gate| gate.verify_within = Some(limit))
    }

    /// Adds to a request's extensions after its token was verified. Each call adds a hook; they run
    /// in this order.
    pub fn on_verified(
        self,
        hook: impl Fn(&AccessToken, &mut Extensions) + Send + Sync + 'static,
    ) -> Self {
        self.change(|gate| gate.on_verified.push(Arc::new(hook)))
    }

    /// Decides each operation. Without it, whoever has a valid token may do everything. Each call
    /// adds a policy, and what is done is what all of them allow; a framework and a gateway add theirs.
    pub fn access_policy(mut self, policy: Arc<dyn AccessPolicy>) -> Self {
        self.access = Some(match self.access.take() {
            None => policy,
            Some(before) => Arc::new(Both(before, policy)),
        });
        self
    }

    /// A public route that comes with the provider. It is never behind the token. `path` is
    /// axum's: `/files/{id}`.
    pub fn route(mut self, path: impl Into<String>, route: MethodRouter) -> Self {
        self.routes.push(OwnRoute {
            path: path.into(),
            route,
            is_guarded: false,
        });
        self
    }

    /// Says that this resource is one of several on its origin.
    ///
    /// [`protect`](Self::protect) then serves no metadata at the root, where only one resource
    /// could be described, and leaves out the provider's own routes: mount
    /// [`shared_routes`](Self::shared_routes) once beside all of them.
    pub fn one_of_several(mut self) -> Self {
        self.several = true;
        self
    }

    /// Puts a [`PeekedMessage`](crate::mcp::PeekedMessage) into the extensions of each request with a
    /// body that reaches the server behind: what was decided on, for one that would read it again.
    pub fn hand_on_message(mut self) -> Self {
        self.hands_on_message = true;
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

    /// How many sessions there may be, and how much one user takes up: streams, large bodies.
    pub fn session_limits(mut self, limits: SessionLimits) -> Self {
        self.session_limits = limits;
        self
    }

    /// Keeps the sessions of the endpoint that was mounted with `kept` before, and leaves its own to
    /// the one that will be. The limits are those of the first one.
    pub fn keep_sessions(mut self, kept: &KeptSessions) -> Self {
        self.kept = Some(kept.clone());
        self
    }

    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.journal = Journal::new(Arc::clone(&clock));
        self.clock = clock;
        self
    }

    /// The randomness that session ids are made of; the system's unless set.
    pub fn entropy(mut self, entropy: SharedEntropy) -> Self {
        self.entropy = entropy;
        self
    }

    /// Tells `observer` of each request and of the sessions. Each call adds one. What happens at an
    /// authorization server is told to the observers of everything that is mounted with it, once to
    /// each: mount clones of one [`Auth`] where several servers have the same observer.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// A name of the endpoint for observers; its path unless set.
    pub fn endpoint_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.endpoint_name = Some(name.into());
        self
    }

    pub(crate) fn shared_clock(&self) -> SharedClock {
        Arc::clone(&self.clock)
    }

    /// A setting that only matters where tokens are asked for.
    fn change(mut self, change: impl FnOnce(&mut Gate)) -> Self {
        if let Some(gate) = &mut self.gate {
            change(gate);
        }
        self
    }
}

/// An [`Auth`] with a hole. Where others can reach it, each is logged at every start.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct DangerousAuth(());

impl DangerousAuth {
    /// No tokens are asked for. Everything else stands: the guard against foreign hosts and
    /// pages, sessions, limits, well-formed messages.
    ///
    /// What breaks: whoever reaches the port uses the server. Who is hurt: everybody whose data
    /// it serves. When it is right: on a loopback address, for one user.
    pub fn allow_anonymous(self) -> Auth {
        Auth::with_gate(None)
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
