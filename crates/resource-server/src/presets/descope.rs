//! Descope.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, RemotePreset, SCOPE, base, segment};
use crate::ConfigError;
use crate::env::{BASE_URL, COMMON, ConfigErrors, Reader, Section, Variable};

remote_provider! {
    /// Users log in by Descope; clients register there.
    ///
    /// ```
    /// use portcullis_resource_server::DescopeProvider;
    ///
    /// let auth = DescopeProvider::new(
    ///     "https://api.descope.com/v1/apps/agentic/P123/M123/.well-known/openid-configuration",
    ///     "https://mcp.example.com",
    /// )?;
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    DescopeProvider
}

impl DescopeProvider {
    /// `config_url` is the MCP server's (`{base}/v1/apps/agentic/{project}/{server}`) or the
    /// project's (`{base}/v1/apps/{project}`); `base_url` is the public URL of this server.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is no such URL.
    pub fn new(config_url: &str, base_url: &str) -> Result<Self, ConfigError> {
        let server = base("config_url", config_url)?;
        let fault = || ConfigError::new("config_url", "has no `/v1/apps/{project}`");
        let (api, path) = server.split_once("/v1/apps/").ok_or_else(fault)?;
        let path = path.strip_prefix("agentic/").unwrap_or(path);
        let project = segment("config_url", path.split('/').next().unwrap_or_default())?;
        let keys = format!("{api}/{project}/.well-known/jwks.json");
        let mut issuers = vec![(server.clone(), keys.clone())];
        let of_project = ["", "agentic/"].map(|path| format!("{api}/v1/apps/{path}{project}"));
        let others = of_project.into_iter().filter(|issuer| *issuer != server);
        issuers.extend(others.map(|issuer| (issuer, keys.clone())));
        let preset = Preset {
            issuers,
            algorithms: RS256,
            marks: &[PositiveMark::Scope, PositiveMark::ClientId],
            audience: Audience::Listed(vec![project]),
            scope_claims: SCOPE,
        };
        RemotePreset::new(preset, server, base_url).map(Self)
    }

    fn read(mut read: Reader<'_>) -> Result<Self, ConfigErrors> {
        let url = read.optional(&CONFIG_URL).unwrap_or_else(|| {
            let (api, project) = (read.text(&DESCOPE_URL), read.text(&PROJECT_ID));
            format!("{}/v1/apps/{project}", api.trim_end_matches('/'))
        });
        let base_url = read.text(&BASE_URL);
        read.finish(|| Self::new(&url, &base_url))
    }
}

const CONFIG_URL: Variable = Variable::optional(
    "CONFIG_URL",
    "the MCP server's configuration URL, of the console",
);
const PROJECT_ID: Variable = Variable::instead("PROJECT_ID", "CONFIG_URL", "the project's id");
const DESCOPE_URL: Variable = Variable::instead(
    "DESCOPE_BASE_URL",
    "CONFIG_URL",
    "`https://api.descope.com`",
);

pub(crate) const SECTION: Section = Section {
    title: "Descope",
    names: &["descope"],
    dotted: Some("descope.DescopeProvider"),
    prefixes: &["DESCOPEPROVIDER", "DESCOPE"],
    variables: &[&[CONFIG_URL, PROJECT_ID, DESCOPE_URL], COMMON],
};
