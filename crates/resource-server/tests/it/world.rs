//! A provider, its clock, and tokens that are presented to a verifier.

use std::sync::Arc;

use portcullis_oauth::crypto::{base64url, hmac_sha256};
use portcullis_oauth::json::{self, json};
use portcullis_oauth::{BearerToken, ResourceUrl};
use portcullis_resource_server::{
    AccessToken, JwtVerifier, JwtVerifierBuilder, Rejection, TokenVerifier, VerifyContext,
    VerifyError,
};
use portcullis_testkit::{FakeIdp, MockClock};

/// When every test begins.
pub(crate) const NOW: i64 = 1_800_000_000;
/// Where every token is presented.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A provider and the clock by which it and its verifier live.
pub(crate) struct World {
    pub(crate) idp: FakeIdp,
    pub(crate) clock: Arc<MockClock>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(MockClock::at(NOW));
        let idp = FakeIdp::start_at(clock.clone()).await;
        Self { idp, clock }
    }

    /// A verifier of the provider's tokens, its keys by discovery.
    pub(crate) fn builder(&self) -> JwtVerifierBuilder {
        JwtVerifier::builder(self.idp.issuer().as_str()).clock(self.clock.clone())
    }

    pub(crate) fn verifier(&self) -> JwtVerifier {
        self.builder().build().unwrap()
    }

    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.idp.token().audience(RESOURCE).sign()
    }
}

/// Presents a token at [`RESOURCE`].
pub(crate) async fn present(
    verifier: &impl TokenVerifier,
    token: &str,
) -> Result<AccessToken, VerifyError> {
    present_at(verifier, token, RESOURCE).await
}

/// Presents a token at a resource.
pub(crate) async fn present_at(
    verifier: &impl TokenVerifier,
    token: &str,
    resource: &str,
) -> Result<AccessToken, VerifyError> {
    let resource = ResourceUrl::parse(resource).unwrap();
    let cx = VerifyContext::new(&resource);
    verifier.verify(&BearerToken::new(token), &cx).await
}

/// Presents a token that was verified before.
pub(crate) fn cached(verifier: &impl TokenVerifier, token: &str) -> Option<AccessToken> {
    let resource = ResourceUrl::parse(RESOURCE).unwrap();
    verifier.cached(&BearerToken::new(token), &VerifyContext::new(&resource))
}

/// Why a token was refused.
#[track_caller]
pub(crate) fn rejection<T: std::fmt::Debug>(outcome: Result<T, VerifyError>) -> Rejection {
    match outcome {
        Err(VerifyError::Rejected(rejection)) => rejection,
        other => panic!("not a rejection: {other:?}"),
    }
}

/// Whether nobody could tell.
pub(crate) fn is_unavailable<T>(outcome: &Result<T, VerifyError>) -> bool {
    matches!(outcome, Err(VerifyError::Unavailable(_)))
}

/// A token with an HMAC that no key type would agree to make.
pub(crate) fn hs256(world: &World, secret: &[u8]) -> String {
    let claims = json!({
        "iss": world.idp.issuer().as_str(), "sub": "mallory", "aud": RESOURCE,
        "exp": NOW + 60, "iat": NOW,
    });
    let header = base64url::encode(r#"{"alg":"HS256","typ":"at+jwt"}"#);
    let signed = format!(
        "{header}.{}",
        base64url::encode(json::to_vec(&claims).unwrap())
    );
    let tag = hmac_sha256(secret, signed.as_bytes());
    format!("{signed}.{}", base64url::encode(tag))
}
