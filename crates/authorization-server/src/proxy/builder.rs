//! The settings of an [`OAuthProxy`], and what is wrong with them.

use std::fmt;
use std::time::Duration;

use portcullis_fetch::Fetcher;
use portcullis_oauth::{ClientId, ScopeSet, SecretString, SharedClock, SharedEntropy};
use portcullis_resource_server::{ConfigError, ConfigErrors};
use portcullis_store::StoreHandle;

use super::broker::BrokerSettings;
use super::danger::{DangerousOAuthProxyBuilder, check_passing};
use super::journey::LONGEST_TRANSACTION;
use super::{AllowList, ClaimsPassthrough, OAuthProxy, PassThrough};
use crate::endpoint::path::{self, CALLBACK};
use crate::faults::Faults;
use crate::keyring::SigningSecret;
use crate::provider::{OAuthProviderBuilder, UpstreamPlan};
use crate::upstream::{Upstream, UpstreamAuthentication, UpstreamClient, UpstreamParts};

/// The longest life of a code.
const LONGEST_CODE: Duration = Duration::from_secs(600);

/// Settings of an [`OAuthProxy`]. Mistakes are told by [`build`](Self::build).
#[must_use]
pub struct OAuthProxyBuilder {
    upstream: Upstream,
    server: OAuthProviderBuilder,
    client_id: Option<String>,
    authentication: Option<UpstreamAuthentication>,
    redirect_path: String,
    scopes: Option<ScopeSet>,
    own_scopes: ScopeSet,
    default_scopes: Option<ScopeSet>,
    passthrough: ClaimsPassthrough,
    allow: Option<AllowList>,
    transaction: Duration,
    pub(super) skips_consent: bool,
    pub(super) passes_through: Option<PassThrough>,
    fetcher: Option<Fetcher>,
}

impl OAuthProxyBuilder {
    pub(super) fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            server: OAuthProviderBuilder::new(),
            client_id: None,
            authentication: None,
            redirect_path: CALLBACK.to_owned(),
            scopes: None,
            own_scopes: ScopeSet::new(),
            default_scopes: None,
            passthrough: ClaimsPassthrough::new(),
            allow: None,
            transaction: Duration::from_secs(600),
            skips_consent: false,
            passes_through: None,
            fetcher: None,
        }
    }

    /// The public URL of this server, without the path of MCP: `https://mcp.example.com`. Register
    /// this URL with [`/oauth/callback`](Self::redirect_path) after it as the redirect URI at the
    /// provider. `http` is for loopback addresses alone.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.base_url(url);
        self
    }

    /// Who issues our tokens, byte for byte, where that is not the [base URL](Self::base_url). See
    /// [`OAuthProviderBuilder::issuer_url`].
    pub fn issuer_url(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.issuer_url(url);
        self
    }

    /// Under which name this server is registered at the provider, and its secret there.
    pub fn client(mut self, id: impl Into<String>, secret: SecretString) -> Self {
        self.client_id = Some(id.into());
        self.authentication = Some(UpstreamAuthentication::Secret(secret));
        self
    }

    /// Under which name this server is registered at the provider, and how it proves there that it is
    /// itself (RFC 6749 section 2.3, RFC 7523).
    pub fn client_with(
        mut self,
        id: impl Into<String>,
        authentication: UpstreamAuthentication,
    ) -> Self {
        self.client_id = Some(id.into());
        self.authentication = Some(authentication);
        self
    }

    /// Changes what is known of the provider: more parameters, other endpoints, another time-out.
    ///
    /// ```
    /// use portcullis_authorization_server::OAuthProxy;
    /// use portcullis_authorization_server::Upstream;
    ///
    /// let proxy = OAuthProxy::builder(Upstream::oidc("https://idp.example.com"))
    ///     .upstream(|provider| provider.authorize_param("audience", "https://api.example.com"));
    /// # let _ = proxy;
    /// ```
    pub fn upstream(mut self, change: impl FnOnce(Upstream) -> Upstream) -> Self {
        self.upstream = change(self.upstream);
        self
    }

    /// What is asked of the provider for a client that names no scope, and all that a client may ask
    /// for. Default: the provider's own list.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Scopes of this server's own, which the provider does not know: they are granted by the user's
    /// consent alone, and never sent to the provider. Default: none.
    pub fn own_scopes(mut self, scopes: ScopeSet) -> Self {
        self.own_scopes = scopes;
        self
    }

    /// What a client gets that asks for no scope. Default: all [`scopes`](Self::scopes).
    pub fn default_scopes(mut self, scopes: ScopeSet) -> Self {
        self.default_scopes = Some(scopes);
        self
    }

    /// Scopes without which a token opens nothing.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.server = self.server.required_scopes(scopes);
        self
    }

    /// The path where users come back from the provider; `/oauth/callback` unless set.
    pub fn redirect_path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.redirect_path = if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        };
        self
    }

    /// Which claims of the provider's tokens go into ours. Default: those that the rules of
    /// [`ClaimsPassthrough`] let through.
    pub fn claims_passthrough(mut self, claims: ClaimsPassthrough) -> Self {
        self.passthrough = claims;
        self
    }

    /// Which users may come, of all that the provider lets in. Default: all of them, with a warning
    /// at every start where anybody can have an account at the provider.
    pub fn allow(mut self, users: AllowList) -> Self {
        self.allow = Some(users);
        self
    }

    /// Where the state is kept: [`DiskStore`](portcullis_store), or a store of your own with its
    /// keys. Default: memory, and a warning at every start.
    pub fn store(mut self, store: impl Into<StoreHandle>) -> Self {
        self.server = self.server.store(store);
        self
    }

    /// Signs with a key that is derived from this secret of at least 32 bytes, the same on every
    /// replica, instead of one that is kept in the store. Each call adds one: the first one signs,
    /// all of them verify.
    pub fn jwt_signing_key(mut self, secret: impl Into<SigningSecret>) -> Self {
        self.server = self.server.jwt_signing_key(secret);
        self
    }

    /// Where codes for clients that are not configured may go: patterns, of which one has to match.
    /// Default: this machine, the addresses of well-known clients, and the origin of a client's own
    /// metadata document. No pattern: nowhere.
    pub fn redirect_uris<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.server = self.server.redirect_uris(patterns);
        self
    }

    /// How long a login at the provider may take, from the user's approval on; 10 minutes unless set,
    /// and at most an hour.
    pub fn transaction_lifetime(mut self, life: Duration) -> Self {
        self.transaction = life;
        self
    }

    /// How long a code of ours lives; 5 minutes unless set, and at most 10.
    pub fn authorization_code_lifetime(mut self, life: Duration) -> Self {
        self.server = self.server.authorization_code_lifetime(life);
        self
    }

    /// How long an access token of ours lives; one hour unless set, and at most a day. It ends sooner
    /// where the provider's ends for good.
    pub fn access_token_lifetime(mut self, life: Duration) -> Self {
        self.server = self.server.access_token_lifetime(life);
        self
    }

    /// How long a refresh token of ours lives that is not used; 30 days unless set.
    pub fn refresh_token_lifetime(mut self, life: Duration) -> Self {
        self.server = self.server.refresh_token_idle(life);
        self
    }

    /// Changes all else that an authorization server of ours has: pages, clients, limits, keys.
    ///
    /// ```
    /// use portcullis_authorization_server::OAuthProxy;
    /// use portcullis_authorization_server::ui::Theme;
    /// use portcullis_authorization_server::Upstream;
    ///
    /// let proxy = OAuthProxy::builder(Upstream::oidc("https://idp.example.com"))
    ///     .server(|server| server.theme(Theme::new().accent("#0b6e4f")).strict_revocation(true));
    /// # let _ = proxy;
    /// ```
    pub fn server(
        mut self,
        change: impl FnOnce(OAuthProviderBuilder) -> OAuthProviderBuilder,
    ) -> Self {
        self.server = change(self.server);
        self
    }

    /// The way to the provider, in the place of our own. For tests.
    pub fn upstream_fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.server = self.server.clock(clock);
        self
    }

    /// The randomness; the system's unless set.
    pub fn entropy(mut self, entropy: SharedEntropy) -> Self {
        self.server = self.server.entropy(entropy);
        self
    }

    /// The provider, as it is now.
    pub fn provider(&self) -> &Upstream {
        &self.upstream
    }

    /// What has to be registered at the provider: the public URL with the
    /// [path](Self::redirect_path) where users come back.
    pub fn redirect_uri(&self) -> String {
        self.server.public_url(&self.redirect_path)
    }

    /// All scopes that a client can be granted.
    pub fn known_scopes(&self) -> ScopeSet {
        let scopes = self.scopes.as_ref();
        let scopes = scopes.unwrap_or_else(|| self.upstream.default_scopes());
        scopes.union(&self.own_scopes)
    }

    /// Settings that open a hole.
    pub fn dangerous(self) -> DangerousOAuthProxyBuilder {
        DangerousOAuthProxyBuilder::new(self)
    }

    /// Checks the settings. Nothing is opened, made or fetched before the server starts.
    ///
    /// # Errors
    /// [`ConfigErrors`] for all mistakes.
    pub fn build(self) -> Result<OAuthProxy, ConfigErrors> {
        let mut faults = Faults::default();
        let code = self.server.lifetimes().code;
        check_lifetimes(self.transaction, code, &mut faults);
        faults.note(self.passthrough.check());
        faults.note(check_path(&self.redirect_path));
        let client_id = faults.note(self.client_id());
        let redirect_uri = self.server.public_url(&self.redirect_path);
        let (clock, entropy) = self.server.sources();
        let is_open = self.allow.is_none();
        let allow = self.allow.unwrap_or_default();
        for fault in allow.faults() {
            faults.add(fault);
        }
        // The rest is checked under another name.
        let named = client_id.or_else(|| ClientId::parse("unnamed").ok());
        let client = named.map(|client_id| {
            UpstreamClient::new(UpstreamParts {
                upstream: self.upstream,
                client_id,
                authentication: self.authentication.unwrap_or(UpstreamAuthentication::None),
                redirect_uri,
                wants: allow.wants(),
                scopes: self.scopes,
                fetcher: self.fetcher,
                clock,
                entropy,
            })
        });
        let client = client.and_then(|client| match client {
            Ok(client) => Some(client),
            Err(errors) => {
                for error in errors {
                    faults.add(error);
                }
                None
            }
        });
        if let Some(how) = &self.passes_through {
            check_passing(how, &self.server, client.as_ref(), &mut faults);
        }
        let upstream_scopes = client.as_ref().map(|client| client.scopes().clone());
        let upstream_scopes = upstream_scopes.unwrap_or_default();
        check_own_scopes(&self.own_scopes, &upstream_scopes, &mut faults);
        let settings = BrokerSettings {
            passthrough: self.passthrough,
            is_open,
            allow,
            transaction: self.transaction,
            code,
            skips_consent: self.skips_consent,
            passes_through: self.passes_through,
            own_scopes: self.own_scopes,
            upstream_scopes,
        };
        let default = self.default_scopes;
        let default = default.unwrap_or_else(|| settings.upstream_scopes.clone());
        let all = settings.upstream_scopes.union(&settings.own_scopes);
        let server = self.server.scopes(all).default_scopes(default);
        let server = match client {
            Some(client) => server.users_of(UpstreamPlan {
                client,
                settings,
                callback: self.redirect_path,
            }),
            None => server,
        };
        let built = faults.note(server.build());
        Ok(OAuthProxy::of(faults.check(built)?))
    }

    fn client_id(&self) -> Result<ClientId, ConfigError> {
        let hint = "register this server at the provider and pass `.client(id, secret)`";
        let fault = |what: String| ConfigError::new("client_id", what).with_hint(hint);
        let id = self.client_id.as_deref();
        let id = id.ok_or_else(|| fault("is not set".to_owned()))?;
        ClientId::parse(id).map_err(|error| fault(error.to_string()))
    }
}

/// A path of its own.
fn check_lifetimes(transaction: Duration, code: Duration, faults: &mut Faults) {
    let second = Duration::from_secs(1);
    if transaction > LONGEST_TRANSACTION || transaction < second {
        let fault = "is not between a second and an hour";
        faults.add(ConfigError::new("transaction_lifetime", fault));
    }
    if code > LONGEST_CODE || code < second {
        let fault = "is not between a second and ten minutes";
        faults.add(ConfigError::new("authorization_code_lifetime", fault));
    }
}

fn check_own_scopes(own: &ScopeSet, of_provider: &ScopeSet, faults: &mut Faults) {
    let both = own.intersection(of_provider);
    if !both.is_empty() {
        // SECURITY: a user's consent alone would grant what the provider has to (RFC 6749 section
        // 3.3); sec_px_06_a_scope_of_the_provider_is_none_of_ours
        let fault = format!("`{both}` is among the scopes of the provider, which decides on it");
        let hint = "name it in one of the two lists";
        faults.add(ConfigError::new("own_scopes", fault).with_hint(hint));
    }
}

fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let is_clean = path.bytes().all(is_plain) && !path.contains("//") && !path.contains("/.");
    let fault = if !is_clean || path.len() < 2 || path.ends_with('/') {
        "is no plain path, as `/oauth/callback` is"
    } else if path::ALL.contains(&path) || path.starts_with("/.well-known") {
        "is taken by another endpoint of this server"
    } else {
        return Ok(());
    };
    Err(ConfigError::new("redirect_path", fault))
}

impl fmt::Debug for OAuthProxyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthProxyBuilder")
            .field("upstream", &self.upstream)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
