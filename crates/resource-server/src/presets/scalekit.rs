//! Scalekit.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, RemotePreset, SCOPE, base, segment};
use crate::ConfigError;
use crate::env::{COMMON_SETTINGS, ConfigErrors, Reader, Section, Variable};

remote_provider! {
    /// Users log in by Scalekit; clients register there.
    ///
    /// ```
    /// use portcullis_resource_server::ScalekitProvider;
    ///
    /// let auth = ScalekitProvider::new(
    ///     "https://your-env.scalekit.com",
    ///     "res_123",
    ///     "https://mcp.example.com",
    /// )?;
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    ScalekitProvider
}

impl ScalekitProvider {
    /// `environment_url` and `resource_id` are of the MCP server's entry at Scalekit; `base_url`
    /// is the public URL of this server. Tokens come from the environment or from the resource.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is not what it should be.
    pub fn new(
        environment_url: &str,
        resource_id: &str,
        base_url: &str,
    ) -> Result<Self, ConfigError> {
        let environment = base("environment_url", environment_url)?;
        let resource = segment("resource_id", resource_id)?;
        let server = format!("{environment}/resources/{resource}");
        let keys = format!("{environment}/keys");
        let preset = Preset {
            issuers: vec![(server.clone(), keys.clone()), (environment, keys)],
            algorithms: RS256,
            marks: &[PositiveMark::Scope, PositiveMark::ClientId],
            audience: Audience::Listed(vec![resource]),
            scope_claims: SCOPE,
        };
        RemotePreset::new(preset, server, base_url).map(Self)
    }

    fn read(mut read: Reader<'_>) -> Result<Self, ConfigErrors> {
        let (url, resource) = (read.text(&ENVIRONMENT_URL), read.text(&RESOURCE_ID));
        let base_url = read.text(&BASE_URL);
        read.finish(|| Self::new(&url, &resource, &base_url))
    }
}

const ENVIRONMENT_URL: Variable =
    Variable::required("ENVIRONMENT_URL", "the environment's URL at Scalekit");
const RESOURCE_ID: Variable = Variable::required(
    "RESOURCE_ID",
    "the MCP server's id at Scalekit, as in `res_123`",
);
const BASE_URL: Variable = crate::env::BASE_URL.or("MCP_URL");
const CLIENT_ID: Variable = Variable::optional("CLIENT_ID", "not used");

pub(crate) const SECTION: Section = Section {
    title: "Scalekit",
    names: &["scalekit"],
    dotted: Some("scalekit.ScalekitProvider"),
    prefixes: &["SCALEKITPROVIDER", "SCALEKIT"],
    variables: &[
        &[ENVIRONMENT_URL, RESOURCE_ID, BASE_URL, CLIENT_ID],
        COMMON_SETTINGS,
    ],
};
