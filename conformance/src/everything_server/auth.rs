//! Authorization as the suite's second run meets it: one token, known from the command line.

use portcullis::auth::{
    AccessToken, BearerToken, Rejection, RemoteAuthProvider, SecretString, TokenParts,
    TokenVerifier, VerifyContext, VerifyError,
};

/// Accepts this token and no other; its holder has no scopes.
pub(crate) fn one_token(token: &str, origin: &str) -> portcullis::Result<RemoteAuthProvider> {
    let verifier = OneToken(SecretString::from(token));
    Ok(RemoteAuthProvider::new(verifier, origin)?.authorization_server("https://auth.example.com"))
}

#[derive(Debug)]
struct OneToken(SecretString);

impl TokenVerifier for OneToken {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        if !self.0.ct_eq(token.expose().as_bytes()) {
            return Err(VerifyError::Rejected(Rejection::Unknown));
        }
        let parts = TokenParts::new("urn:conformance", "suite")
            .client_id("suite")
            .audience([cx.resource().as_str()]);
        Ok(AccessToken::assert_verified(parts))
    }
}
