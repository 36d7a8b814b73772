//! Microsoft Entra ID, with access tokens of version 2.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, base, segment};
use crate::env::{
    AuthEnv, ConfigErrors, Form, REQUIRED_SCOPES, Section, VERIFIER_BASE_URL, Variable,
};
use crate::{ConfigError, JwtVerifier, JwtVerifierBuilder};

/// Verifies the access tokens that users of some tenants have for one application.
///
/// ```
/// use portcullis_resource_server::EntraVerifier;
///
/// let tenant = "11111111-1111-1111-1111-111111111111";
/// let verifier = EntraVerifier::for_tenants([tenant], "application-id")?.build()?;
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct EntraVerifier;

impl EntraVerifier {
    /// `tenants` are the ids of directories. `common`, `organizations` and `consumers` stand for
    /// everybody's and are refused. Tokens are for `client_id` or `api://{client_id}`.
    ///
    /// # Errors
    /// [`ConfigError`] when no tenant is named, or one that is not a directory's id.
    pub fn for_tenants<'a>(
        tenants: impl IntoIterator<Item = &'a str>,
        client_id: &str,
    ) -> Result<JwtVerifierBuilder, ConfigError> {
        Self::for_tenants_at(PUBLIC_CLOUD, tenants, client_id)
    }

    /// The same, in a national cloud, as in `https://login.microsoftonline.us`.
    ///
    /// # Errors
    /// As [`for_tenants`](Self::for_tenants).
    pub fn for_tenants_at<'a>(
        authority: &str,
        tenants: impl IntoIterator<Item = &'a str>,
        client_id: &str,
    ) -> Result<JwtVerifierBuilder, ConfigError> {
        let authority = base("base_authority", authority)?;
        let client = segment("client_id", client_id)?;
        let issuer = |tenant| {
            let url = format!("{authority}/{}", tenant_id(tenant)?);
            Ok((format!("{url}/v2.0"), format!("{url}/discovery/v2.0/keys")))
        };
        let preset = Preset {
            issuers: tenants
                .into_iter()
                .map(issuer)
                .collect::<Result<_, ConfigError>>()?,
            algorithms: RS256,
            // Only delegated tokens have it: neither ID tokens nor those of daemons.
            marks: &[PositiveMark::Scope],
            audience: Audience::Listed(vec![format!("api://{client}"), client]),
            scope_claims: &["scp"],
        };
        Ok(preset.verifier())
    }

    /// The verifier that the environment describes.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn from_env(env: &AuthEnv) -> Result<JwtVerifier, ConfigErrors> {
        let mut read = env.read(&SECTION);
        let (tenants, client) = (read.names(&TENANT_ID), read.text(&CLIENT_ID));
        let authority = read
            .optional(&AUTHORITY)
            .unwrap_or_else(|| PUBLIC_CLOUD.to_owned());
        let scopes = read.scopes(&REQUIRED_SCOPES).unwrap_or_default();
        read.finish(|| {
            let tenants = tenants.iter().map(String::as_str);
            let verifier = Self::for_tenants_at(&authority, tenants, &client)?;
            verifier.required_scopes(scopes).build()
        })
    }
}

/// A directory's own id. Names that stand for many directories would let everybody in.
fn tenant_id(text: &str) -> Result<String, ConfigError> {
    // SECURITY: with a shared name any Microsoft account is a user here (RFC 8725 section 3.8);
    // sec_jwt_14_entra_needs_a_tenant_of_its_own
    if ["common", "organizations", "consumers"].contains(&text.trim()) {
        let fault = format!("`{}` stands for everybody's directory", text.trim());
        return Err(ConfigError::new("tenant_id", fault)
            .with_hint("list the ids of the directories whose users may come"));
    }
    segment("tenant_id", text)
}

const PUBLIC_CLOUD: &str = "https://login.microsoftonline.com";
const TENANT_ID: Variable =
    Variable::required("TENANT_ID", "the directory's id, or a JSON list").form(Form::Names);
const CLIENT_ID: Variable = Variable::required("CLIENT_ID", "the application's id");
const AUTHORITY: Variable =
    Variable::optional("BASE_AUTHORITY", "the host of a national cloud's login");

pub(crate) const SECTION: Section = Section {
    title: "Microsoft Entra ID (tokens only)",
    names: &["entra-verifier"],
    dotted: None,
    prefixes: &["ENTRA_VERIFIER"],
    variables: &[&[
        TENANT_ID,
        CLIENT_ID,
        AUTHORITY,
        REQUIRED_SCOPES,
        VERIFIER_BASE_URL,
    ]],
};
