//! Clerk, with access tokens as JWT.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, base};
use crate::env::{ConfigErrors, Reader, Section, VERIFIER, Variable};
use crate::{ConfigError, JwtVerifier, JwtVerifierBuilder};

verifier_preset! {
    /// Verifies the access tokens that Clerk gives to one OAuth application.
    ///
    /// ```
    /// use portcullis_resource_server::ClerkVerifier;
    ///
    /// let verifier = ClerkVerifier::for_application("example.clerk.accounts.dev", "app_id")?.build()?;
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    ClerkVerifier
}

impl ClerkVerifier {
    /// `domain` is the instance's Frontend API URL, with or without `https://`; `client_id` is the
    /// OAuth application's. Tokens of sessions have no client and are refused.
    ///
    /// # Errors
    /// [`ConfigError`] when the domain is none.
    pub fn for_application(
        domain: &str,
        client_id: impl Into<String>,
    ) -> Result<JwtVerifierBuilder, ConfigError> {
        let issuer = base("domain", domain)?;
        let preset = Preset {
            issuers: vec![(issuer.clone(), format!("{issuer}/.well-known/jwks.json"))],
            algorithms: RS256,
            marks: &[PositiveMark::ClientId],
            audience: Audience::Client(client_id.into()),
            scope_claims: &["scope", "scp"],
        };
        Ok(preset.verifier())
    }

    fn read(mut read: Reader<'_>) -> Result<JwtVerifier, ConfigErrors> {
        let (domain, client) = (read.text(&DOMAIN), read.text(&CLIENT_ID));
        read.finish_verifier(|| Self::for_application(&domain, client))
    }
}

const DOMAIN: Variable = Variable::required("DOMAIN", "the instance's Frontend API URL");
const CLIENT_ID: Variable = Variable::required("CLIENT_ID", "the OAuth application's client id");

pub(crate) const SECTION: Section = Section {
    title: "Clerk (tokens only)",
    names: &["clerk-verifier"],
    dotted: None,
    prefixes: &["CLERK_VERIFIER"],
    variables: &[&[DOMAIN, CLIENT_ID], VERIFIER],
};
