//! Keycloak 26.6 or newer, where clients register themselves.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, RemotePreset, SCOPE, base, before_well_known};
use crate::ConfigError;
use crate::env::{AUDIENCE, AuthEnv, BASE_URL, COMMON, ConfigErrors, Section, Variable};

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
        let realm = base("realm_url", before_well_known(realm_url))?;
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

    /// The provider that the environment describes.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn from_env(env: &AuthEnv) -> Result<Self, ConfigErrors> {
        let mut read = env.read(&SECTION);
        let (realm, base_url) = (read.text(&REALM_URL), read.text(&BASE_URL));
        let (audience, common) = (read.names(&AUDIENCE), read.common());
        read.finish(|| {
            let provider = Self::new(&realm, &base_url)?.0.configured(common);
            Ok(Self(
                audience.into_iter().fold(provider, RemotePreset::audience),
            ))
        })
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
