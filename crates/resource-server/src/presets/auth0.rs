//! Auth0, where clients register themselves.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, RemotePreset, SCOPE, base};
use crate::ConfigError;
use crate::env::{AUDIENCE, BASE_URL, COMMON, ConfigErrors, Form, Reader, Section, Variable};

remote_provider! {
    /// Users log in by Auth0; clients register there.
    ///
    /// ```
    /// use portcullis_resource_server::Auth0Provider;
    ///
    /// let auth = Auth0Provider::new("your-tenant.eu.auth0.com", "https://mcp.example.com")?
    ///     .permissions_as_scopes();
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    Auth0Provider
}

impl Auth0Provider {
    /// `domain` is the tenant's, or its configuration URL; `base_url` is the public URL of this
    /// server. Auth0's issuer ends with a slash.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is no such URL.
    pub fn new(domain: &str, base_url: &str) -> Result<Self, ConfigError> {
        let domain = base("config_url", domain)?;
        let issuer = format!("{domain}/");
        let preset = Preset {
            issuers: vec![(issuer.clone(), format!("{domain}/.well-known/jwks.json"))],
            algorithms: RS256,
            marks: &[PositiveMark::Scope],
            audience: Audience::Resource,
            scope_claims: SCOPE,
        };
        RemotePreset::new(preset, issuer, base_url).map(Self)
    }

    /// Counts what Auth0's role-based access control writes to `permissions` as scopes.
    pub fn permissions_as_scopes(self) -> Self {
        Self(self.0.preset("permissions_as_scopes", |preset| {
            preset.scope_claims = &["scope", "permissions"];
        }))
    }

    fn read(mut read: Reader<'_>) -> Result<Self, ConfigErrors> {
        let (domain, base_url) = (read.text(&CONFIG_URL), read.text(&BASE_URL));
        let permissions = read.flag(&PERMISSIONS);
        let plain = || Self::new(&domain, &base_url);
        if permissions {
            return read.finish(|| plain().map(Self::permissions_as_scopes));
        }
        read.finish(plain)
    }
}

const CONFIG_URL: Variable =
    Variable::required("CONFIG_URL", "the tenant's domain or configuration URL").or("DOMAIN");
const PERMISSIONS: Variable = Variable::optional(
    "PERMISSIONS_AS_SCOPES",
    "`true` to count `permissions` as scopes",
)
.form(Form::Flag);

pub(crate) const SECTION: Section = Section {
    title: "Auth0",
    names: &["auth0-remote", "auth0-mcp"],
    dotted: None,
    prefixes: &["AUTH0_REMOTE", "AUTH0_MCP"],
    variables: &[&[CONFIG_URL, AUDIENCE, PERMISSIONS], COMMON],
};
