//! Which provider the environment names.

use portcullis_oauth::BaseUrl;

use super::nearest::nearest;
use super::proxy::ProxyProvider;
use super::{AuthEnv, FASTMCP, SELECTORS, Section, VERIFIER_BASE_URL, names, remote, verifiers};
use crate::presets::{
    Auth0Provider, AuthKitProvider, ClerkVerifier, CognitoVerifier, DescopeProvider, EntraVerifier,
    KeycloakProvider, PropelAuthProvider, ScalekitProvider, SupabaseProvider,
};
use crate::remote::parse_base_url;
use crate::{
    Auth, ConfigError, ConfigErrors, IntoAuth, IntrospectionVerifier, JwtVerifier,
    RemoteAuthProvider, TokenVerifier, presets,
};

/// A provider that the environment can name. There are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// [`JwtVerifier`]: `jwt`.
    Jwt,
    /// [`IntrospectionVerifier`]: `introspection`.
    Introspection,
    /// [`RemoteAuthProvider`]: `remote`.
    Remote,
    /// [`AuthKitProvider`](crate::AuthKitProvider): `authkit`.
    AuthKit,
    /// [`Auth0Provider`](crate::Auth0Provider): `auth0-remote`.
    Auth0,
    /// [`KeycloakProvider`](crate::KeycloakProvider): `keycloak-remote`.
    Keycloak,
    /// [`DescopeProvider`](crate::DescopeProvider): `descope`.
    Descope,
    /// [`ScalekitProvider`](crate::ScalekitProvider): `scalekit`.
    Scalekit,
    /// [`SupabaseProvider`](crate::SupabaseProvider): `supabase`.
    Supabase,
    /// [`PropelAuthProvider`](crate::PropelAuthProvider): `propelauth`.
    PropelAuth,
    /// [`ClerkVerifier`](crate::ClerkVerifier): `clerk-verifier`.
    Clerk,
    /// [`CognitoVerifier`](crate::CognitoVerifier): `cognito-verifier`.
    Cognito,
    /// [`EntraVerifier`](crate::EntraVerifier): `entra-verifier`.
    Entra,
    /// Users log in there by the OAuth proxy.
    Proxy(ProxyProvider),
}

/// What protects a server by what the environment says; `None` where it says nothing.
///
/// # Errors
/// [`ConfigErrors`] for a provider that is not known, for settings without a provider, for names
/// that are misspelt, and for every variable that is missing or wrong. A server must not start then.
pub fn auth_from_env(env: &AuthEnv) -> Result<Option<Auth>, ConfigErrors> {
    let Some(provider) = Provider::selected(env)? else {
        ConfigErrors::check(names::without_selector(env))?;
        return Ok(None);
    };
    provider.auth(env).map(Some)
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Jwt,
        Self::Introspection,
        Self::Remote,
        Self::AuthKit,
        Self::Auth0,
        Self::Keycloak,
        Self::Descope,
        Self::Scalekit,
        Self::Supabase,
        Self::PropelAuth,
        Self::Clerk,
        Self::Cognito,
        Self::Entra,
        Self::Proxy(ProxyProvider::Google),
        Self::Proxy(ProxyProvider::GitHub),
        Self::Proxy(ProxyProvider::Azure),
        Self::Proxy(ProxyProvider::AzureB2c),
        Self::Proxy(ProxyProvider::Auth0),
        Self::Proxy(ProxyProvider::Keycloak),
        Self::Proxy(ProxyProvider::Okta),
        Self::Proxy(ProxyProvider::WorkOs),
        Self::Proxy(ProxyProvider::Cognito),
        Self::Proxy(ProxyProvider::Clerk),
        Self::Proxy(ProxyProvider::GitLab),
        Self::Proxy(ProxyProvider::Discord),
        Self::Proxy(ProxyProvider::Slack),
        Self::Proxy(ProxyProvider::Linear),
        Self::Proxy(ProxyProvider::HuggingFace),
        Self::Proxy(ProxyProvider::Oci),
        Self::Proxy(ProxyProvider::Oidc),
        Self::Proxy(ProxyProvider::OAuth),
    ];

    /// The provider that the environment names; `None` where it names none.
    ///
    /// # Errors
    /// [`ConfigErrors`] when the name is empty or not known, or two names disagree.
    pub fn selected(env: &AuthEnv) -> Result<Option<Self>, ConfigErrors> {
        let mut selected: Option<(Self, &str)> = None;
        for name in SELECTORS {
            for entry in env.entries(name) {
                let value = entry.value.as_ref();
                let value = value.ok_or_else(|| ConfigError::new(name, "is not UTF-8"))?;
                // SECURITY: an empty one is what a variable that is not set becomes on its way
                // through a file, and no wish for an open server (CWE-636);
                // sec_op_07_an_empty_selector_stops_the_start
                if value.expose().trim().is_empty() {
                    let error = ConfigError::new(name, "is empty");
                    let hint = "name a provider, or unset it for a server without auth";
                    return Err(error.with_hint(hint).into());
                }
                let provider = Self::parse(name, value.expose().trim())?;
                match selected {
                    Some((other, first)) if other != provider => {
                        let fault = format!("names another provider than `{first}`");
                        return Err(ConfigError::new(name, fault).into());
                    }
                    _ => selected = Some((provider, name)),
                }
            }
        }
        Ok(selected.map(|(provider, _)| provider))
    }

    /// The word that selects it.
    pub fn name(self) -> &'static str {
        self.section().names.first().copied().unwrap_or_default()
    }

    /// The provider that `value` selects; `field` is where that was written.
    ///
    /// # Errors
    /// [`ConfigError`] when there is none of this name, with the names that there are.
    pub fn parse(field: &'static str, value: &str) -> Result<Self, ConfigError> {
        let is = |names: &[&str], class: &str| {
            is_short(value, names) || (!class.is_empty() && is_class(value, class))
        };
        // SECURITY: a name picks from a closed list and loads nothing (CWE-470);
        // sec_op_07_a_selector_names_one_of_a_closed_list
        let all = Self::ALL.into_iter();
        if let Some(provider) = all.clone().find(|provider| {
            let section = provider.section();
            is(section.names, section.dotted.unwrap_or_default())
        }) {
            return Ok(provider);
        }
        let names: Vec<&str> = all.map(Self::name).collect();
        let meant = nearest(value, names.iter().copied());
        let meant = meant.map_or(String::new(), |name| format!("did you mean `{name}`? "));
        let hint = format!("{meant}known are {}", names.join(", "));
        Err(ConfigError::new(field, "names no provider that is known").with_hint(hint))
    }

    pub(super) fn section(self) -> &'static Section {
        match self {
            Self::Jwt => &verifiers::JWT,
            Self::Introspection => &verifiers::INTROSPECTION,
            Self::Remote => &remote::SECTION,
            Self::AuthKit => &presets::AUTHKIT,
            Self::Auth0 => &presets::AUTH0,
            Self::Keycloak => &presets::KEYCLOAK,
            Self::Descope => &presets::DESCOPE,
            Self::Scalekit => &presets::SCALEKIT,
            Self::Supabase => &presets::SUPABASE,
            Self::PropelAuth => &presets::PROPELAUTH,
            Self::Clerk => &presets::CLERK,
            Self::Cognito => &presets::COGNITO,
            Self::Entra => &presets::ENTRA,
            Self::Proxy(provider) => provider.section(),
        }
    }

    /// What protects a server by this provider, with the settings in `env`. Names that are
    /// misspelt are errors; others that nobody reads are warned of.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong. It is one, too, that a provider
    /// needs the OAuth proxy, which is not in this crate.
    pub fn auth(self, env: &AuthEnv) -> Result<Auth, ConfigErrors> {
        let faults = names::unread_by(env, self.section());
        match self.configured(env) {
            Ok(auth) => ConfigErrors::check(faults).map(|()| auth),
            Err(errors) => Err(errors.after(faults)),
        }
    }

    /// Names in `env` that nobody reads where this provider is selected, for a program that warns of them
    /// itself: what it leaves out of `env` is not warned of again. Names that are misspelt are errors of
    /// [`auth`](Self::auth).
    pub fn unread(self, env: &AuthEnv) -> Vec<&str> {
        names::unread(env, self.section())
    }

    fn configured(self, env: &AuthEnv) -> Result<Auth, ConfigErrors> {
        match self {
            Self::Jwt => self.verify(env, JwtVerifier::from_env(env)?),
            Self::Introspection => self.verify(env, IntrospectionVerifier::from_env(env)?),
            Self::Clerk => self.verify(env, ClerkVerifier::from_env(env)?),
            Self::Cognito => self.verify(env, CognitoVerifier::from_env(env)?),
            Self::Entra => self.verify(env, EntraVerifier::from_env(env)?),
            Self::Remote => self.mount(env, RemoteAuthProvider::from_env(env)?),
            Self::AuthKit => self.mount(env, AuthKitProvider::from_env(env)?),
            Self::Auth0 => self.mount(env, Auth0Provider::from_env(env)?),
            Self::Keycloak => self.mount(env, KeycloakProvider::from_env(env)?),
            Self::Descope => self.mount(env, DescopeProvider::from_env(env)?),
            Self::Scalekit => self.mount(env, ScalekitProvider::from_env(env)?),
            Self::Supabase => self.mount(env, SupabaseProvider::from_env(env)?),
            Self::PropelAuth => self.mount(env, PropelAuthProvider::from_env(env)?),
            Self::Proxy(_) => Err(self.needs_the_proxy().into()),
        }
    }

    fn needs_the_proxy(self) -> ConfigError {
        let fault = format!("names `{}`, which needs the OAuth proxy", self.name());
        let hint = "build with the feature `authorization-server` of `portcullis`";
        ConfigError::new(FASTMCP, fault).with_hint(hint)
    }

    fn mount(self, env: &AuthEnv, provider: impl IntoAuth) -> Result<Auth, ConfigErrors> {
        env.read(self.section()).finish(|| provider.into_auth())
    }

    fn verify(self, env: &AuthEnv, verifier: impl TokenVerifier) -> Result<Auth, ConfigErrors> {
        let mut read = env.read(self.section());
        let base_url = read.optional(&VERIFIER_BASE_URL);
        read.finish(|| {
            let base_url: Option<BaseUrl> = base_url.map(|url| parse_base_url(&url)).transpose()?;
            let auth = Auth::new(verifier);
            Ok(match base_url {
                Some(url) => auth.base_url(url),
                None => auth,
            })
        })
    }
}

fn is_short(value: &str, names: &[&str]) -> bool {
    let value = value.to_ascii_lowercase().replace('_', "-");
    names.contains(&value.as_str())
}

/// Whether a dotted path names a class below `fastmcp.server.auth.providers`, or the same class as
/// `fastmcp.server.auth` exports it. Its last separator may be a colon.
fn is_class(value: &str, class: &str) -> bool {
    let path = value.replace(':', ".");
    let Some(path) = path.strip_prefix("fastmcp.server.auth.") else {
        return false;
    };
    let bare = class.rsplit('.').next();
    path.strip_prefix("providers.") == Some(class) || Some(path) == bare
}
