//! Microsoft Entra ID, with access tokens of version 2.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, base, segment, tenant_id};
use crate::env::{ConfigErrors, Form, Reader, Section, VERIFIER, Variable};
use crate::{ConfigError, JwtVerifier, JwtVerifierBuilder};

verifier_preset! {
    /// Verifies the access tokens that users of some tenants have for one application.
    ///
    /// ```
    /// use portcullis_resource_server::EntraVerifier;
    ///
    /// let tenant = "11111111-1111-1111-1111-111111111111";
    /// let verifier = EntraVerifier::for_tenants([tenant], "application-id")?.build()?;
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    EntraVerifier
}

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
            Ok::<_, ConfigError>((format!("{url}/v2.0"), format!("{url}/discovery/v2.0/keys")))
        };
        let preset = Preset {
            issuers: tenants.into_iter().map(issuer).collect::<Result<_, _>>()?,
            algorithms: RS256,
            // Only delegated tokens have it: neither ID tokens nor those of daemons.
            marks: &[PositiveMark::Scope],
            audience: Audience::Listed(vec![format!("api://{client}"), client]),
            scope_claims: &["scp"],
        };
        Ok(preset.verifier())
    }

    fn read(mut read: Reader<'_>) -> Result<JwtVerifier, ConfigErrors> {
        let (tenants, client) = (read.names(&TENANT_ID), read.text(&CLIENT_ID));
        let at = read.optional(&AUTHORITY).unwrap_or(PUBLIC_CLOUD.into());
        let tenants = tenants.iter().map(String::as_str);
        read.finish_verifier(|| Self::for_tenants_at(&at, tenants, &client))
    }
}

const PUBLIC_CLOUD: &str = "https://login.microsoftonline.com";
const TENANT_ID: Variable = Variable::required("TENANT_ID", "the directory's id").form(Form::Names);
const CLIENT_ID: Variable = Variable::required("CLIENT_ID", "the application's id");
const AUTHORITY: Variable = Variable::optional("BASE_AUTHORITY", "a national cloud's login");

pub(crate) const SECTION: Section = Section {
    title: "Microsoft Entra ID (tokens only)",
    names: &["entra-verifier"],
    dotted: None,
    prefixes: &["ENTRA_VERIFIER"],
    variables: &[&[TENANT_ID, CLIENT_ID, AUTHORITY], VERIFIER],
};
