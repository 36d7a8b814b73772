//! Keycloak 26.6 or newer, where clients register themselves.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, RemotePreset, SCOPE, base};
use crate::ConfigError;
use crate::env::{AUDIENCE, BASE_URL, COMMON, ConfigErrors, Reader, Section, Variable};

remote_provider! {
    /// Users log in at a realm of Keycloak; clients register there.
    ///
    /// ```
    /// use portcullis_resource_server::KeycloakProvider;
    ///
    /// let auth = KeycloakProvider::new(
    ///     "https://sso.example.com/realms/staff",
    ///     "https://mcp.example.com",
    /// )?;
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    KeycloakProvider
}

impl KeycloakProvider {
    /// `realm_url` is the realm's, as in `https://sso.example.com/realms/staff`; `base_url` is the
    /// public URL of this server. Keycloak writes the MCP URL into tokens once an audience mapper
    /// or resource indicators are set up.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is no such URL.
    pub fn new(realm_url: &str, base_url: &str) -> Result<Self, ConfigError> {
        let realm = base("realm_url", realm_url)?;
        if !realm.contains("/realms/") {
            tracing::warn!(
                realm_url = realm,
                "it has no `/realms/`: a realm's URL is as in `https://sso.example.com/realms/staff`"
            );
        }
        let keys = format!("{realm}/protocol/openid-connect/certs");
        let preset = Preset {
            issuers: vec![(realm.clone(), keys)],
            algorithms: RS256,
            // Its ID tokens say `ID` there.
            marks: &[PositiveMark::PayloadTyp],
            audience: Audience::Resource,
            scope_claims: SCOPE,
        };
        RemotePreset::new(preset, realm, base_url).map(Self)
    }

    fn read(mut read: Reader<'_>) -> Result<Self, ConfigErrors> {
        let (realm, base_url) = (read.text(&REALM_URL), read.text(&BASE_URL));
        read.finish(|| Self::new(&realm, &base_url))
    }
}

const REALM_URL: Variable = Variable::required(
    "REALM_URL",
    "the realm's URL, as in `https://sso.example.com/realms/staff`",
);

pub(crate) const SECTION: Section = Section {
    title: "Keycloak",
    names: &["keycloak-remote"],
    dotted: Some("keycloak.KeycloakAuthProvider"),
    prefixes: &["KEYCLOAK_REMOTE", "KEYCLOAK"],
    variables: &[&[REALM_URL, AUDIENCE], COMMON],
};
