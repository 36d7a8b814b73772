//! AuthKit, by WorkOS.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, RemotePreset, SCOPE, base};
use crate::ConfigError;
use crate::env::{BASE_URL, COMMON, ConfigErrors, Reader, Section, Variable};

remote_provider! {
    /// Users log in by AuthKit; clients register there.
    ///
    /// ```
    /// use portcullis_oauth::scopes;
    /// use portcullis_resource_server::AuthKitProvider;
    ///
    /// let auth = AuthKitProvider::new(
    ///     "https://your-project-12345.authkit.app",
    ///     "https://mcp.example.com",
    /// )?
    /// .required_scopes(scopes!["openid"]);
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    AuthKitProvider
}

impl AuthKitProvider {
    /// `authkit_domain` is the project's, with or without `https://`; `base_url` is the public URL
    /// of this server. The MCP URL has to be registered with WorkOS as a resource indicator.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is no such URL.
    pub fn new(authkit_domain: &str, base_url: &str) -> Result<Self, ConfigError> {
        let domain = base("authkit_domain", authkit_domain)?;
        let preset = Preset {
            issuers: vec![(domain.clone(), format!("{domain}/oauth2/jwks"))],
            algorithms: RS256,
            marks: &PositiveMark::ALL,
            audience: Audience::Resource,
            scope_claims: SCOPE,
        };
        RemotePreset::new(preset, domain, base_url).map(Self)
    }

    fn read(mut read: Reader<'_>) -> Result<Self, ConfigErrors> {
        let (domain, base_url) = (read.text(&DOMAIN), read.text(&BASE_URL));
        read.finish(|| Self::new(&domain, &base_url))
    }
}

const DOMAIN: Variable = Variable::required(
    "AUTHKIT_DOMAIN",
    "the project's AuthKit domain, as in `https://your-project-12345.authkit.app`",
);

pub(crate) const SECTION: Section = Section {
    title: "AuthKit",
    names: &["authkit"],
    dotted: Some("workos.AuthKitProvider"),
    prefixes: &["AUTHKITPROVIDER", "AUTHKIT"],
    variables: &[&[DOMAIN], COMMON],
};
