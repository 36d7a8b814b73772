//! A proxy by what the environment says: the provider's name, and its settings.

use portcullis_oauth::crypto::base64url;
use portcullis_resource_server::env::{self, AuthEnv, Provider, ProxyProvider, ProxySettings};
use portcullis_resource_server::{Auth, ConfigError, ConfigErrors, IntoAuth as _};

use super::{OAuthProxy, OAuthProxyBuilder};
use crate::upstream::{ClientKey, Upstream, UpstreamAuthentication};
use crate::{
    Auth0Proxy, AzureB2cProvider, AzureProvider, ClerkProvider, CognitoProvider, DiscordProvider,
    GitHubProvider, GitLabProvider, GoogleProvider, HuggingFaceProvider, KeycloakProxy,
    LinearProvider, OciProvider, OktaProvider, SlackProvider, WorkOSProvider,
};

/// What protects a server by what the environment says; `None` where it says nothing. It knows the
/// providers behind the [proxy](OAuthProxy), and all others that
/// [`auth_from_env`](portcullis_resource_server::auth_from_env) knows.
///
/// What a proxy keeps is in memory here, and ends with the process: [`OAuthProxyBuilder::from_env`] is
/// for one that has a store.
///
/// ```
/// use portcullis_authorization_server::auth_from_env;
/// use portcullis_resource_server::AuthEnv;
///
/// let env = AuthEnv::from_pairs([
///     ("FASTMCP_SERVER_AUTH", "fastmcp.server.auth.providers.github.GitHubProvider"),
///     ("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_ID", "Iv1.0123456789abcdef"),
///     ("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_SECRET", "kN3v8Qz1mWx7TtLr5yBc0dFg"),
///     ("FASTMCP_SERVER_AUTH_GITHUB_BASE_URL", "https://mcp.example.com"),
/// ]);
/// assert!(auth_from_env(&env)?.is_some());
/// # Ok::<(), portcullis_resource_server::ConfigErrors>(())
/// ```
///
/// # Errors
/// [`ConfigErrors`] for a provider that is not known, for settings without a provider, for names that
/// are misspelt, and for every variable that is missing or wrong. A server must not start then.
pub fn auth_from_env(env: &AuthEnv) -> Result<Option<Auth>, ConfigErrors> {
    let Some(Provider::Proxy(provider)) = Provider::selected(env)? else {
        return env::auth_from_env(env);
    };
    let settings = provider.settings_from(env)?;
    let proxy = OAuthProxyBuilder::from_settings(&settings)?.build();
    let proxy = proxy.map_err(|errors| settings.renamed_all(errors))?;
    Ok(Some(proxy.into_auth()?))
}

impl OAuthProxyBuilder {
    /// A proxy to that provider, as the environment describes it.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn from_env(provider: ProxyProvider, env: &AuthEnv) -> Result<Self, ConfigErrors> {
        Self::from_settings(&provider.settings_from(env)?)
    }

    /// A proxy with these settings.
    ///
    /// # Errors
    /// [`ConfigErrors`] for settings that do not go together.
    pub fn from_settings(settings: &ProxySettings) -> Result<Self, ConfigErrors> {
        let (builder, faults) = Self::draft(settings);
        ConfigErrors::check(faults).map(|()| builder)
    }

    /// The same for who looks for more mistakes before telling these: a proxy that is not to be served
    /// where there are any, and what [`build`](Self::build) says of it.
    pub fn draft(settings: &ProxySettings) -> (Self, Vec<ConfigError>) {
        let mut faults = Vec::new();
        let upstream = upstream(settings).unwrap_or_else(|fault| {
            faults.push(fault);
            Upstream::oidc("https://upstream.invalid")
        });
        let authentication = authentication(settings).unwrap_or_else(|fault| {
            faults.push(fault);
            UpstreamAuthentication::None
        });
        let faults = faults.into_iter().map(|fault| settings.renamed(fault));
        let faults = faults.collect();
        let id = settings.text("CLIENT_ID").unwrap_or_default();
        let mut builder = OAuthProxy::builder(tuned(upstream, settings))
            .client_with(id, authentication)
            .base_url(settings.text("BASE_URL").unwrap_or_default());
        if let Some(url) = settings.text("ISSUER_URL") {
            builder = builder.issuer_url(url);
        }
        if let Some(scopes) = settings.scopes("OWN_SCOPES") {
            builder = builder.own_scopes(scopes.clone());
        }
        let required = settings
            .scopes("REQUIRED_SCOPES")
            .cloned()
            .unwrap_or_default();
        if let Some(scopes) = settings.scopes("SCOPES") {
            builder = builder.scopes(scopes.clone());
        } else if !required.is_subset(&builder.known_scopes()) {
            // Nobody could come in who is not asked for them.
            let more = required.difference(&builder.known_scopes());
            let scopes = builder.provider().default_scopes().union(&more);
            builder = builder.scopes(scopes);
        }
        if !required.is_empty() {
            builder = builder.required_scopes(required);
        }
        if let Some(path) = settings.text("REDIRECT_PATH") {
            builder = builder.redirect_path(path);
        }
        if let Some(patterns) = settings.list("ALLOWED_CLIENT_REDIRECT_URIS") {
            builder = builder.redirect_uris(patterns.iter().cloned());
        }
        if let Some(secret) = settings.secret("JWT_SIGNING_KEY") {
            builder = builder.jwt_signing_key(secret.clone());
        }
        if settings.flag("DANGER_SKIP_CONSENT") == Some(true) {
            builder = builder.dangerous().skip_consent();
        }
        if settings.flag("DANGER_PASS_UPSTREAM_TOKENS_THROUGH") == Some(true) {
            builder = builder.dangerous().pass_upstream_tokens_through_and_ask();
        }
        (builder, faults)
    }
}

/// The provider, as data.
fn upstream(settings: &ProxySettings) -> Result<Upstream, ConfigError> {
    let text = |name| settings.text(name).unwrap_or_default();
    Ok(match settings.provider() {
        ProxyProvider::Google => GoogleProvider::upstream(),
        ProxyProvider::GitHub => match settings.text("URL") {
            Some(url) => GitHubProvider::upstream_at(url),
            None => GitHubProvider::upstream(),
        },
        ProxyProvider::Azure => azure(settings),
        ProxyProvider::AzureB2c => {
            let (name, id) = (text("TENANT_NAME"), text("TENANT_ID"));
            AzureB2cProvider::upstream(name, id, text("POLICY_NAME"))
        }
        ProxyProvider::Auth0 => Auth0Proxy::upstream(text("CONFIG_URL"), text("AUDIENCE")),
        ProxyProvider::Keycloak => KeycloakProxy::upstream(text("REALM_URL")),
        ProxyProvider::Okta => OktaProvider::upstream(text("CONFIG_URL")),
        ProxyProvider::WorkOs => WorkOSProvider::upstream(text("AUTHKIT_DOMAIN")),
        ProxyProvider::Cognito => cognito(settings)?,
        ProxyProvider::Clerk => ClerkProvider::upstream(text("DOMAIN")),
        ProxyProvider::GitLab => match settings.text("URL") {
            Some(url) => GitLabProvider::upstream_at(url),
            None => GitLabProvider::upstream(),
        },
        ProxyProvider::Discord => DiscordProvider::upstream(),
        ProxyProvider::Slack => SlackProvider::upstream(),
        ProxyProvider::Linear => LinearProvider::upstream(),
        ProxyProvider::HuggingFace => HuggingFaceProvider::upstream(),
        ProxyProvider::Oci => OciProvider::upstream(text("CONFIG_URL")),
        ProxyProvider::Oidc => {
            let issuer = text("ISSUER");
            Upstream::oidc(issuer).multi_tenant(is_public(issuer))
        }
        ProxyProvider::OAuth => oauth(settings),
        _ => return Err(ConfigError::new("provider", "is not known to the proxy")),
    })
}

fn azure(settings: &ProxySettings) -> Upstream {
    let tenant = settings.text("TENANT_ID").unwrap_or_default();
    let mut upstream = match settings.text("BASE_AUTHORITY") {
        Some(authority) => AzureProvider::upstream_at(authority, tenant),
        None => AzureProvider::upstream(tenant),
    };
    if let Some(uri) = settings.text("IDENTIFIER_URI") {
        upstream = upstream.identifier_uri(uri);
    }
    if let Some(scopes) = settings.scopes("ADDITIONAL_AUTHORIZE_SCOPES") {
        upstream = upstream.additional_scopes(scopes.clone());
    }
    upstream
}

fn cognito(settings: &ProxySettings) -> Result<Upstream, ConfigError> {
    let pool = settings.text("USER_POOL_ID").unwrap_or_default();
    let region = settings.text("AWS_REGION");
    if region.is_some_and(|region| !pool.starts_with(&format!("{region}_"))) {
        let fault = "is not the region that the id of the user pool begins with";
        return Err(ConfigError::new("AWS_REGION", fault));
    }
    Ok(CognitoProvider::upstream(pool))
}

fn oauth(settings: &ProxySettings) -> Upstream {
    let text = |name| settings.text(name).unwrap_or_default();
    let login = text("AUTHORIZATION_ENDPOINT");
    let mut upstream =
        Upstream::oauth2(login, text("TOKEN_ENDPOINT")).multi_tenant(is_public(login));
    if let Some(issuer) = settings.text("ISSUER") {
        upstream = upstream.issuer(issuer);
    }
    if let Some(url) = settings.text("JWKS_URI") {
        upstream = upstream.jwks_uri(url);
    }
    upstream
}

/// Where everybody in the world can have an account, whatever the provider is called here.
fn is_public(url: &str) -> bool {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let place = place.to_ascii_lowercase();
    let (host, path) = place.split_once('/').unwrap_or((&place, ""));
    let tenant = path.split('/').next().unwrap_or_default();
    match host {
        "accounts.google.com"
        | "github.com"
        | "gitlab.com"
        | "discord.com"
        | "slack.com"
        | "linear.app"
        | "huggingface.co" => true,
        "login.microsoftonline.com" => ["common", "organizations", "consumers"].contains(&tenant),
        _ => false,
    }
}

/// What the operator says of it beside.
fn tuned(mut upstream: Upstream, settings: &ProxySettings) -> Upstream {
    if let Some(name) = settings.text("NAME") {
        upstream = upstream.name(name);
    }
    if let Some(claim) = settings.text("SUBJECT") {
        upstream = upstream.subject(claim);
    }
    if let Some(url) = settings.text("USERINFO_ENDPOINT") {
        upstream = upstream.userinfo_endpoint(url);
    }
    if let Some(url) = settings.text("REVOCATION_ENDPOINT") {
        upstream = upstream.revocation_endpoint(url);
    }
    // Auth0's is in its preset.
    let audience = settings.text("AUDIENCE");
    if let Some(audience) = audience.filter(|_| settings.provider() != ProxyProvider::Auth0) {
        upstream = upstream
            .authorize_param("audience", audience)
            .token_param("audience", audience);
    }
    for (name, value) in settings.params("EXTRA_AUTHORIZE_PARAMS") {
        upstream = upstream.authorize_param(name, value);
    }
    for (name, value) in settings.params("EXTRA_TOKEN_PARAMS") {
        upstream = upstream.token_param(name, value);
    }
    if let Some(is_on) = settings.flag("PKCE") {
        upstream = upstream.pkce(is_on);
    }
    if let Some(timeout) = settings.seconds("TIMEOUT_SECONDS") {
        upstream = upstream.timeout(timeout);
    }
    upstream
}

/// How this server proves at the provider who it is.
fn authentication(settings: &ProxySettings) -> Result<UpstreamAuthentication, ConfigError> {
    const METHOD: &str = "TOKEN_ENDPOINT_AUTH_METHOD";
    const KNOWN: [&str; 4] = [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    ];
    if settings
        .text(METHOD)
        .is_some_and(|method| !KNOWN.contains(&method))
    {
        let hint = format!("known are `{}`", KNOWN.join("`, `"));
        return Err(ConfigError::new(METHOD, "is no method that is known").with_hint(hint));
    }
    let secret = settings.secret("CLIENT_SECRET").cloned();
    let key = settings.secret("CLIENT_KEY");
    let (fault, hint) = match (settings.text(METHOD), secret, key) {
        (Some("none"), None, None) => return Ok(UpstreamAuthentication::None),
        (None | Some("private_key_jwt"), None, Some(pem)) => {
            let pem = pem.expose().trim().replace("\\n", "\n");
            let mut key = ClientKey::from_pem(&pem.into())?;
            if let Some(id) = settings.text("CLIENT_KEY_ID") {
                key = key.kid(id);
            }
            if let Some(text) = settings.text(THUMBPRINT) {
                key = key.certificate_thumbprint(thumbprint(text)?);
            }
            return Ok(UpstreamAuthentication::PrivateKeyJwt(key));
        }
        (method, Some(secret), None) => match method {
            None => return Ok(UpstreamAuthentication::Secret(secret)),
            Some("client_secret_basic") => return Ok(UpstreamAuthentication::Basic(secret)),
            Some("client_secret_post") => return Ok(UpstreamAuthentication::Post(secret)),
            Some("none") => ("is `none`, and there is a secret", "take one of them away"),
            Some(_) => (
                "is for a private key, and there is a secret",
                "take one of them away",
            ),
        },
        (_, Some(_), Some(_)) => {
            let fault = "is set, and a secret too";
            return Err(ConfigError::new("CLIENT_KEY", fault).with_hint("take one of them away"));
        }
        (Some("private_key_jwt"), None, None) => {
            let fault = "is not set, and `private_key_jwt` needs it";
            return Err(ConfigError::new("CLIENT_KEY", fault));
        }
        (None, None, None) => return Err(ConfigError::new("CLIENT_SECRET", "is not set")),
        _ => (
            "does not go with the key or secret that is set",
            "leave it out: what is set says how",
        ),
    };
    Err(ConfigError::new(METHOD, fault).with_hint(hint))
}

const THUMBPRINT: &str = "CLIENT_CERTIFICATE_THUMBPRINT";

/// A SHA-256 thumbprint as base64url, in which it is sent, or as hexadecimal digits.
fn thumbprint(text: &str) -> Result<String, ConfigError> {
    const LENGTH: usize = 32;
    let digits: String = text.chars().filter(|one| *one != ':').collect();
    let bytes = match hex(&digits) {
        Some(bytes) => Some(bytes),
        None => base64url::decode_strict(text).ok(),
    };
    match bytes {
        Some(bytes) if bytes.len() == LENGTH => Ok(base64url::encode(bytes)),
        _ => {
            let hint = "it is what `openssl x509 -in FILE -noout -fingerprint -sha256` prints behind \
                        the `=`";
            let fault = "is no SHA-256 thumbprint of a certificate";
            Err(ConfigError::new(THUMBPRINT, fault).with_hint(hint))
        }
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits?;
    let pairs = pairs.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}

/// `XProvider::from_env`.
macro_rules! from_env {
    ($($type:ident => $provider:ident),* $(,)?) => {$(
        impl $type {
            /// A proxy to this provider, as the environment describes it.
            ///
            /// # Errors
            /// [`ConfigErrors`] names every variable that is missing or wrong.
            pub fn from_env(env: &AuthEnv) -> Result<OAuthProxyBuilder, ConfigErrors> {
                OAuthProxyBuilder::from_env(ProxyProvider::$provider, env)
            }
        }
    )*};
}

from_env! {
    GoogleProvider => Google,
    GitHubProvider => GitHub,
    AzureProvider => Azure,
    AzureB2cProvider => AzureB2c,
    Auth0Proxy => Auth0,
    KeycloakProxy => Keycloak,
    OktaProvider => Okta,
    WorkOSProvider => WorkOs,
    CognitoProvider => Cognito,
    ClerkProvider => Clerk,
    GitLabProvider => GitLab,
    DiscordProvider => Discord,
    SlackProvider => Slack,
    LinearProvider => Linear,
    HuggingFaceProvider => HuggingFace,
    OciProvider => Oci,
}

#[cfg(test)]
mod tests;
