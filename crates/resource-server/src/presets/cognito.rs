//! Amazon Cognito user pools.

use portcullis_oauth::jose::gate::PositiveMark;

use super::{Audience, Preset, RS256, SCOPE, base, segment};
use crate::env::{ConfigErrors, Reader, Section, VERIFIER, Variable};
use crate::{ConfigError, JwtVerifier, JwtVerifierBuilder};

verifier_preset! {
    /// Verifies the access tokens that a user pool gives to one app client.
    ///
    /// ```
    /// use portcullis_resource_server::CognitoVerifier;
    ///
    /// let verifier = CognitoVerifier::for_pool("eu-central-1_AbCdEf", "app-client-id")?.build()?;
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    CognitoVerifier
}

impl CognitoVerifier {
    /// `user_pool_id` is as in `eu-central-1_AbCdEf`: it begins with the region.
    ///
    /// # Errors
    /// [`ConfigError`] when the pool's id is none.
    pub fn for_pool(
        user_pool_id: &str,
        client_id: impl Into<String>,
    ) -> Result<JwtVerifierBuilder, ConfigError> {
        let pool = segment("user_pool_id", user_pool_id)?;
        let region = pool.split_once('_').map(|(region, _)| region);
        let region = region.ok_or_else(|| ConfigError::new("user_pool_id", "has no region"))?;
        let issuer = format!("https://cognito-idp.{region}.amazonaws.com/{pool}");
        Self::for_issuer(&issuer, client_id)
    }

    /// The same, for a pool whose issuer is at another address.
    ///
    /// # Errors
    /// [`ConfigError`] when the issuer is no URL.
    pub fn for_issuer(
        issuer: &str,
        client_id: impl Into<String>,
    ) -> Result<JwtVerifierBuilder, ConfigError> {
        let issuer = base("issuer", issuer)?;
        let preset = Preset {
            issuers: vec![(issuer.clone(), format!("{issuer}/.well-known/jwks.json"))],
            algorithms: RS256,
            marks: &[PositiveMark::TokenUse],
            audience: Audience::Client(client_id.into()),
            scope_claims: SCOPE,
        };
        Ok(preset.verifier())
    }

    fn read(mut read: Reader<'_>) -> Result<JwtVerifier, ConfigErrors> {
        let (pool, client) = (read.text(&USER_POOL_ID), read.text(&CLIENT_ID));
        read.finish_verifier(|| Self::for_pool(&pool, client))
    }
}

const USER_POOL_ID: Variable = Variable::required("USER_POOL_ID", "as in `eu-central-1_AbCdEf`");
const CLIENT_ID: Variable = Variable::required("CLIENT_ID", "the app client's id");

pub(crate) const SECTION: Section = Section {
    title: "Amazon Cognito (tokens only)",
    names: &["cognito-verifier"],
    dotted: None,
    prefixes: &["COGNITO_VERIFIER"],
    variables: &[&[USER_POOL_ID, CLIENT_ID], VERIFIER],
};
