//! The settings of an [`OAuthProvider`].

mod build;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indexmap::IndexMap;
use portcullis_fetch::Fetcher;
use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::{Scope, ScopeHierarchy, ScopeSet, SharedClock, SharedEntropy};
use portcullis_store::StoreHandle;

use super::plan::UpstreamPlan;
use super::{Introspection, Lifetimes, OAuthProvider};
use crate::client::{
    ClientRegistry, ConfiguredClient, DocumentPolicy, RegistrationPolicy, SharedRegistry,
};
use crate::keyring::{KeyAlgorithm, KeyringSettings, SigningSecret};
use crate::limits::{Counts, RateLimits};
use crate::session::SessionLifetimes;
use crate::ui::Theme;
use crate::users::accounts::PasswordPolicy;
use crate::users::{Authenticate, SharedUsers};

/// Settings of an [`OAuthProvider`]. Mistakes are told by [`build`](Self::build).
#[must_use]
pub struct OAuthProviderBuilder {
    base_url: Option<String>,
    issuer_url: Option<String>,
    users: Option<SharedUsers>,
    upstream: Option<UpstreamPlan>,
    passwords: PasswordPolicy,
    store: Option<StoreHandle>,
    scopes: Option<ScopeSet>,
    default_scopes: Option<ScopeSet>,
    required_scopes: ScopeSet,
    hierarchy: ScopeHierarchy,
    scope_texts: IndexMap<Scope, String>,
    texts_fault: Option<String>,
    lifetimes: Lifetimes,
    clients: Vec<ConfiguredClient>,
    registry: Option<SharedRegistry>,
    registration: RegistrationPolicy,
    documents: DocumentPolicy,
    redirect_uris: Option<Vec<String>>,
    theme: Theme,
    keys: KeyringSettings,
    secrets: Vec<SigningSecret>,
    introspection: Introspection,
    rate_limits: RateLimits,
    counts: Arc<OnceLock<Arc<Counts>>>,
    sessions: SessionLifetimes,
    is_strict: bool,
    fetcher: Option<Fetcher>,
    clock: SharedClock,
    entropy: SharedEntropy,
}

impl OAuthProviderBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base_url: None,
            issuer_url: None,
            users: None,
            upstream: None,
            passwords: PasswordPolicy::default(),
            store: None,
            scopes: None,
            default_scopes: None,
            required_scopes: ScopeSet::new(),
            hierarchy: ScopeHierarchy::new(),
            scope_texts: IndexMap::new(),
            texts_fault: None,
            lifetimes: Lifetimes::default(),
            clients: Vec::new(),
            registry: None,
            registration: RegistrationPolicy::new(),
            documents: DocumentPolicy::new(),
            redirect_uris: None,
            theme: Theme::new(),
            keys: KeyringSettings::new(),
            secrets: Vec::new(),
            introspection: Introspection::nobody(),
            rate_limits: RateLimits::default(),
            counts: Arc::default(),
            sessions: SessionLifetimes::default(),
            is_strict: false,
            fetcher: None,
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy::new()),
        }
    }

    /// The public URL of this server, without the path of MCP: `https://mcp.example.com`. It is the
    /// issuer too, byte for byte, unless [another](Self::issuer_url) is named. `http` is for loopback
    /// addresses alone.
    ///
    /// One with a path, as `https://example.com/tools`, is for a server behind a proxy that takes the
    /// path away (nginx: `location /tools/ { proxy_pass http://127.0.0.1:8000/; }`), or one that is
    /// nested in a router. What is well-known stays at the root of its host, where the proxy has to let
    /// it through as it is: `/.well-known/oauth-authorization-server/tools`,
    /// `/.well-known/openid-configuration/tools` and `/.well-known/oauth-protected-resource/tools/mcp`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Who issues the tokens, byte for byte, where that is not the [base URL](Self::base_url): one name
    /// for the server while it is served below a path of it, as `https://example.com` for
    /// `https://example.com/tools`. Its metadata is then at the well-known places of the issuer too (RFC
    /// 8414 section 3.1), and a request for them has to reach this server. Tokens, authorization
    /// responses (RFC 9207) and the resource's metadata (RFC 9728) name it. Tokens of one name are none
    /// under another.
    pub fn issuer_url(mut self, url: impl Into<String>) -> Self {
        self.issuer_url = Some(url.into());
        self
    }

    /// Your users. Default: the [accounts](crate::Accounts) of the store.
    pub fn users(mut self, users: impl Authenticate) -> Self {
        self.users = Some(SharedUsers::new(users));
        self
    }

    /// What passwords the built-in accounts take.
    pub fn passwords(mut self, policy: PasswordPolicy) -> Self {
        self.passwords = policy;
        self
    }

    /// Where the state is kept: [`DiskStore`](portcullis_store), or a store of your own with its
    /// keys. Default: memory, and a warning at every start.
    pub fn store(mut self, store: impl Into<StoreHandle>) -> Self {
        self.store = Some(store.into());
        self
    }

    /// All scopes that can be granted. Default: those that the tools of the mounted servers need, as
    /// far as they are known.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// What a client gets that asks for no scope, or for none that there is. Default: those that every
    /// request to its resource needs, which are the [required](Self::required_scopes) ones and those of
    /// the [`Auth`](portcullis_resource_server::Auth::required_scopes) that was mounted; without any, all
    /// that its user can be granted, but for scopes that [imply](Self::scope_implies) others. The user
    /// sees it before. A 401 asks for them, so that clients which go by it begin with these and come back for more.
    pub fn default_scopes(mut self, scopes: ScopeSet) -> Self {
        self.default_scopes = Some(scopes);
        self
    }

    /// Scopes without which a token opens nothing.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes.extend(scopes);
        self
    }

    /// Whoever has `scope` also has `implied`.
    pub fn scope_implies(mut self, scope: Scope, implied: ScopeSet) -> Self {
        self.hierarchy = self.hierarchy.implies(scope, implied);
        self
    }

    /// What pages say of a scope: `"notes:read", "Read your notes"`.
    pub fn scope_text(mut self, scope: &str, text: impl Into<String>) -> Self {
        if let Ok(scope) = Scope::parse(scope) {
            self.scope_texts.insert(scope, text.into());
        } else {
            let fault = || format!("`{scope}` is not a scope");
            self.texts_fault.get_or_insert_with(fault);
        }
        self
    }

    /// A client that is known from the start. Each call adds one.
    pub fn client(mut self, client: ConfiguredClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Clients of your own, asked before all others.
    pub fn registry(mut self, registry: impl ClientRegistry) -> Self {
        self.registry = Some(SharedRegistry::new(registry));
        self
    }

    /// Whether strangers may register clients (RFC 7591). Default: yes, within bounds.
    pub fn registration(mut self, policy: RegistrationPolicy) -> Self {
        self.registration = policy;
        self
    }

    /// Whether a client's id may be the URL of its metadata. Default: yes, within bounds.
    pub fn documents(mut self, policy: DocumentPolicy) -> Self {
        self.documents = policy;
        self
    }

    /// Where codes for clients that are not configured may go: patterns, of which one has to match.
    /// Default: this machine, the addresses of well-known clients, and the origin of a client's own
    /// metadata document. No pattern: nowhere.
    pub fn redirect_uris<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.redirect_uris = Some(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// What pages look like.
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = theme;
        self
    }

    /// Signs with a key that is derived from this secret of at least 32 bytes, the same on every
    /// replica, instead of one that is kept in the store. Each call adds one: the first one signs,
    /// all of them verify.
    pub fn jwt_signing_key(mut self, secret: impl Into<SigningSecret>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// What keys are made for. Default: ES256.
    pub fn key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.keys = self.keys.algorithm(algorithm);
        self
    }

    /// How long a key signs before another one takes its place; `None`: until somebody says so.
    /// Default: 90 days.
    pub fn rotate_keys_every(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.keys = self.keys.rotate_every(age);
        self
    }

    /// How long a code lives that is not redeemed; 5 minutes unless set, and at most 10.
    pub fn authorization_code_lifetime(mut self, life: Duration) -> Self {
        self.lifetimes.code = life;
        self
    }

    /// How long an access token lives; one hour unless set, and at most a day.
    pub fn access_token_lifetime(mut self, life: Duration) -> Self {
        self.lifetimes.access = life;
        self
    }

    /// How long a grant lives, however often it is refreshed; 90 days unless set. One that is not
    /// refreshed ends after 30 days, or sooner.
    pub fn refresh_token_lifetime(mut self, life: Duration) -> Self {
        self.lifetimes.refresh_absolute = life;
        self
    }

    /// How long a refresh token lives that is not used; 30 days unless set.
    pub fn refresh_token_idle(mut self, life: Duration) -> Self {
        self.lifetimes.refresh_idle = life;
        self
    }

    /// How long a browser stays logged in that its user does not use; 12 hours unless set.
    pub fn session_idle(mut self, life: Duration) -> Self {
        self.sessions.idle = life;
        self
    }

    /// How long a browser stays logged in at most; 7 days unless set. One that is not used is logged
    /// out sooner.
    pub fn session_lifetime(mut self, life: Duration) -> Self {
        self.sessions.absolute = life;
        self
    }

    /// Which resource servers may ask about tokens. Default: none.
    pub fn introspection(mut self, who: Introspection) -> Self {
        self.introspection = who;
        self
    }

    /// How much strangers may ask for.
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.rate_limits = limits;
        self
    }

    /// Reads the store on every request, instead of trusting for a moment what was read before.
    /// Default: no. In this process, and in others on the same file, a revocation is felt on the next
    /// request all the same.
    pub fn strict_revocation(mut self, on: bool) -> Self {
        self.is_strict = on;
        self
    }

    /// Takes the place of another server in this process, on a clone of the same
    /// [`StoreHandle`]: failed logins and requests stay counted, so that nobody gets more attempts
    /// by a change of settings. All else that lasts is in the store.
    pub fn succeeds(mut self, before: &OAuthProvider) -> Self {
        self.counts = before.counts();
        self
    }

    /// The way to clients' documents and keys, in the place of the guarded one. For tests.
    pub fn fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// The randomness; the system's unless set.
    pub fn entropy(mut self, entropy: SharedEntropy) -> Self {
        self.entropy = entropy;
        self
    }

    /// Users come from an identity provider.
    pub(crate) fn users_of(mut self, upstream: UpstreamPlan) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// A path below the public URL, which may be wrong: then there is a mistake to be told.
    pub(crate) fn public_url(&self, path: &str) -> String {
        let base = self.base_url.as_deref().unwrap_or_default();
        format!("{}{path}", base.trim_end_matches('/'))
    }

    /// Whether anybody may ask about tokens.
    pub(crate) fn offers_introspection(&self) -> bool {
        self.introspection.is_offered()
    }

    pub(crate) fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// What everything goes by.
    pub(crate) fn sources(&self) -> (SharedClock, SharedEntropy) {
        (Arc::clone(&self.clock), Arc::clone(&self.entropy))
    }
}

impl fmt::Debug for OAuthProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthProviderBuilder")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
