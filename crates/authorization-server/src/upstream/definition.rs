//! A provider as data.

use std::time::Duration;

use portcullis_oauth::{Scope, ScopeSet, scopes};
use portcullis_resource_server::ConfigError;

use super::exchange::TokenExchange;
use super::revocation::Revocation;
use super::user::{Organisations, TokenCheck, UserInfo};

/// An identity provider: where its endpoints are, and what is peculiar about it.
///
/// A preset is one of these. [`oauth2`](Self::oauth2) takes two endpoints, [`oidc`](Self::oidc) finds
/// all there is from the issuer's metadata. In every URL and in
/// [`scope_prefix`](Self::scope_prefix) `{client_id}` stands for the id of this server at the provider.
///
/// ```
/// use portcullis_authorization_server::Upstream;
/// use portcullis_oauth::scopes;
///
/// let okta = Upstream::oidc("https://dev-1.okta.com/oauth2/default")
///     .name("Okta")
///     .scopes(scopes!["profile", "email"])
///     .always_scopes(scopes!["openid", "offline_access"]);
///
/// let forge = Upstream::oauth2(
///     "https://forge.example/login/oauth/authorize",
///     "https://forge.example/login/oauth/access_token",
/// )
/// .userinfo_endpoint("https://api.forge.example/user")
/// .subject("id")
/// .scope_separator(',');
/// # let _ = (okta, forge);
/// ```
///
/// A claim is named by its name, or by a pointer to where it is inside of others: `/user/id` (RFC
/// 6901), in which `*` stands for every element of an array.
#[derive(Clone, Debug)]
#[must_use]
pub struct Upstream {
    pub(super) place: Place,
    pub(super) name: Option<String>,
    pub(super) issuers: Vec<String>,
    pub(super) sends_issuer: bool,
    pub(super) jwks_uri: Option<String>,
    pub(super) userinfo: Option<UserInfo>,
    pub(super) revocation: Revocation,
    pub(super) token_exchange: Option<TokenExchange>,
    pub(super) scopes: ScopeSet,
    pub(super) always_scopes: ScopeSet,
    pub(super) identity_scopes: ScopeSet,
    pub(super) scope_separator: char,
    pub(super) scope_aliases: Vec<(String, String)>,
    pub(super) scope_prefix: Option<(String, ScopeSet)>,
    pub(super) authorize_params: Vec<(String, String)>,
    pub(super) token_params: Vec<(String, String)>,
    pub(super) login_prompt: String,
    pub(super) pkce: bool,
    pub(super) resource: Option<String>,
    pub(super) dialect: Dialect,
    pub(super) assertion_for_token_endpoint: Option<bool>,
    pub(super) subject: String,
    pub(super) display: Vec<String>,
    pub(super) claim_aliases: Vec<(String, String)>,
    pub(super) domain_claim: Option<String>,
    pub(super) organisations: Vec<Organisations>,
    pub(super) verified_emails: Option<String>,
    pub(super) token_check: Option<TokenCheck>,
    pub(super) timeout: Duration,
    pub(super) multi_tenant: bool,
    pub(super) faults: Vec<ConfigError>,
}

/// Where the endpoints are known from.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Endpoints {
        authorization: String,
        token: String,
    },
    /// The issuer, or the URL of its configuration.
    Discovered(String),
}

/// How it speaks at its token endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dialect {
    /// Whether a plain secret goes into the body.
    pub(super) secret_in_body: bool,
    /// Whether an answer without `token_type` has a bearer token.
    pub(super) bearer_unless_said: bool,
    /// Whether a refresh repeats the scopes.
    pub(super) scope_at_refresh: bool,
}

impl Upstream {
    /// A provider with these two endpoints (RFC 6749 section 3), which need not know OpenID Connect.
    pub fn oauth2(
        authorization_endpoint: impl Into<String>,
        token_endpoint: impl Into<String>,
    ) -> Self {
        Self::at(Place::Endpoints {
            authorization: authorization_endpoint.into(),
            token: token_endpoint.into(),
        })
    }

    /// An OpenID provider: its issuer, or the URL of its `/.well-known/openid-configuration`. The
    /// document is fetched when it is needed, and has to name that issuer byte for byte.
    pub fn oidc(issuer_or_config_url: impl Into<String>) -> Self {
        Self::at(Place::Discovered(issuer_or_config_url.into()))
            .scopes(scopes!["openid"])
            .always_scopes(scopes!["openid"])
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            name: None,
            issuers: Vec::new(),
            sends_issuer: false,
            jwks_uri: None,
            userinfo: None,
            revocation: Revocation::default(),
            token_exchange: None,
            scopes: ScopeSet::new(),
            always_scopes: ScopeSet::new(),
            identity_scopes: scopes!["openid", "profile", "email", "groups", "roles"],
            scope_separator: ' ',
            scope_aliases: Vec::new(),
            scope_prefix: None,
            authorize_params: Vec::new(),
            token_params: Vec::new(),
            login_prompt: "login".to_owned(),
            pkce: true,
            resource: None,
            dialect: Dialect::default(),
            assertion_for_token_endpoint: None,
            subject: "sub".to_owned(),
            display: ["name", "preferred_username", "email"]
                .map(str::to_owned)
                .into(),
            claim_aliases: Vec::new(),
            domain_claim: None,
            organisations: Vec::new(),
            verified_emails: None,
            token_check: None,
            timeout: Duration::from_secs(10),
            multi_tenant: false,
            faults: Vec::new(),
        }
    }

    /// What pages call it. Default: the host of its issuer or authorization endpoint.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Who it says that it is: `iss` of ID tokens and of authorization responses (RFC 9207). Each call
    /// adds a spelling; the first one names the accounts. `{tenantid}` stands for the claim `tid`,
    /// which has to be a GUID then.
    ///
    /// Default: what discovery was asked for; the origin of the authorization endpoint names the
    /// accounts of a provider that says nothing.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Says that its authorization responses carry `iss` (RFC 9207): one without it is refused, as one
    /// of another issuer is anyway. It takes an [`issuer`](Self::issuer). Default: what its metadata
    /// says.
    pub fn sends_issuer(mut self, sends: bool) -> Self {
        self.sends_issuer = sends;
        self
    }

    /// Where the keys of its ID tokens are.
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.jwks_uri = Some(url.into());
        self
    }

    /// The scopes to ask for where a client names none, and the most that one may ask for. Default:
    /// `openid` for an OpenID provider, none for another.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// Scopes that are sent whatever a client asks for, such as `openid` and `offline_access`. They are
    /// in no token of ours, unless they are among the [`scopes`](Self::scopes) too.
    pub fn always_scopes(mut self, scopes: ScopeSet) -> Self {
        self.always_scopes = scopes;
        self
    }

    /// Scopes that bring what is known of a user: those of them that are among the
    /// [`scopes`](Self::scopes) are sent whatever a client asks for, or an allow-list and rules by role
    /// would find nothing. Default: `openid`, `profile`, `email`, `groups` and `roles`.
    pub fn identity_scopes(mut self, scopes: ScopeSet) -> Self {
        self.identity_scopes = scopes;
        self
    }

    /// What stands between scopes in a request. Default: a space. Answers may have spaces and commas.
    pub fn scope_separator(mut self, separator: char) -> Self {
        self.scope_separator = separator;
        self
    }

    /// Our spelling of a scope, and the provider's.
    pub fn scope_alias(mut self, ours: impl Into<String>, theirs: impl Into<String>) -> Self {
        self.scope_aliases.push((ours.into(), theirs.into()));
        self
    }

    /// What stands before each of its scopes and not before ours, but for these and for those that have
    /// a `/` of their own.
    pub fn scope_prefix(mut self, prefix: impl Into<String>, except: ScopeSet) -> Self {
        self.scope_prefix = Some((prefix.into(), except));
        self
    }

    /// Another prefix of scopes, in the place of the provider's usual one: the Application ID URI at
    /// Microsoft, as in `api://notes.example.com`.
    pub fn identifier_uri(mut self, uri: &str) -> Self {
        let (_, except) = self.scope_prefix.take().unwrap_or_default();
        self.scope_prefix = Some((format!("{}/", uri.trim_end_matches('/')), except));
        self
    }

    /// More scopes that are [always](Self::always_scopes) sent, as they are: those of other APIs, as
    /// `User.Read`.
    pub fn additional_scopes(mut self, scopes: ScopeSet) -> Self {
        if let Some((_, except)) = &mut self.scope_prefix {
            except.extend(scopes.clone());
        }
        self.always_scopes.extend(scopes);
        self
    }

    /// Whether a refresh repeats the scopes. Default: no (RFC 6749 section 6).
    pub fn scope_at_refresh(mut self, repeat: bool) -> Self {
        self.dialect.scope_at_refresh = repeat;
        self
    }

    /// One more parameter of the authorization request. Those of the protocol are not to be set.
    pub fn authorize_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.authorize_params.push((name.into(), value.into()));
        self
    }

    /// One more parameter of every request for a user's tokens; tokens of other APIs are asked for without
    /// it. Those of the protocol are not to be set.
    pub fn token_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.token_params.push((name.into(), value.into()));
        self
    }

    /// The value of `prompt` that makes it ask who the user is. Default: `login`.
    pub fn login_prompt(mut self, prompt: impl Into<String>) -> Self {
        self.login_prompt = prompt.into();
        self
    }

    /// Whether it is sent a PKCE challenge of ours (RFC 7636). Default: yes.
    pub fn pkce(mut self, pkce: bool) -> Self {
        self.pkce = pkce;
        self
    }

    /// The resource for which tokens are asked (RFC 8707). Default: none is named, for many refuse it.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Whether it wants a plain secret in the body (`client_secret_post`). Default: no.
    pub fn secret_in_body(mut self, in_body: bool) -> Self {
        self.dialect.secret_in_body = in_body;
        self
    }

    /// Whether an answer without `token_type` is one with a bearer token. Default: no.
    pub fn bearer_unless_said(mut self, bearer: bool) -> Self {
        self.dialect.bearer_unless_said = bearer;
        self
    }

    /// Whether assertions (`private_key_jwt`) are made out to the token endpoint, or to the issuer.
    /// Default: to the issuer where discovery finds one, else to the token endpoint.
    pub fn assertion_for_token_endpoint(mut self, token_endpoint: bool) -> Self {
        self.assertion_for_token_endpoint = Some(token_endpoint);
        self
    }

    /// How long an answer may take. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether anybody in the world may have an account there, so that signing in says nothing of who
    /// may come in.
    pub fn multi_tenant(mut self, multi_tenant: bool) -> Self {
        self.multi_tenant = multi_tenant;
        self
    }

    /// Whether anybody in the world may have an account there.
    pub fn is_multi_tenant(&self) -> bool {
        self.multi_tenant
    }

    /// What pages call it: its name, or else its host.
    pub fn display_name(&self) -> String {
        let place = match &self.place {
            Place::Discovered(url) => url,
            Place::Endpoints { authorization, .. } => authorization,
        };
        let host = || {
            let host = place
                .split_once("://")
                .map_or(place.as_str(), |(_, rest)| rest);
            host.split('/').next().unwrap_or_default().to_owned()
        };
        self.name.clone().unwrap_or_else(host)
    }

    /// The scopes to ask for where a client names none.
    pub(crate) fn default_scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// A mistake that a preset found in its arguments. It comes out where the server is built.
    pub(crate) fn refuse(mut self, fault: ConfigError) -> Self {
        self.faults.push(fault);
        self
    }

    /// Whether ID tokens come from it, so that `openid` and a nonce are sent.
    pub(super) fn speaks_oidc(&self) -> bool {
        let asks = |scopes: &ScopeSet| {
            scopes
                .iter()
                .any(|scope: &Scope| scope.as_str() == "openid")
        };
        matches!(self.place, Place::Discovered(_))
            || self.jwks_uri.is_some()
            || asks(&self.scopes)
            || asks(&self.always_scopes)
    }
}
