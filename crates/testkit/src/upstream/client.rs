//! How the provider knows its client.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use portcullis_oauth::crypto::VerifyingKey;
use portcullis_oauth::form::Form;
use portcullis_oauth::jose::claims::Claims;
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::{Issuer, Timestamp};

use crate::idp::basic;

/// How the client proves who it is (RFC 6749 section 2.3, RFC 7523 section 2.2). Any other way, or
/// two at once, is `invalid_client`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientProof {
    /// `client_secret_basic`, with this secret. The default has `the upstream secret`.
    Basic(String),
    /// `client_secret_post`, with this secret.
    Post(String),
    /// `private_key_jwt`: an assertion that this key verifies, for the token endpoint or the issuer.
    PrivateKeyJwt(VerifyingKey),
    /// A public client, which says its `client_id`.
    None,
}

impl Default for ClientProof {
    fn default() -> Self {
        Self::Basic("the upstream secret".to_owned())
    }
}

impl ClientProof {
    /// Whether a request is from the client of this id.
    pub(super) fn is_from(
        &self,
        id: &str,
        (headers, form): (&HeaderMap, &Form),
        issuer: &Issuer,
        now: Timestamp,
    ) -> bool {
        let header = headers.get(AUTHORIZATION);
        let [said, secret, kind, assertion] = [
            "client_id",
            "client_secret",
            "client_assertion_type",
            "client_assertion",
        ]
        .map(|name| form.one(name).ok().flatten());
        let is_said = said == Some(id);
        match (self, header, secret, kind, assertion) {
            (Self::Basic(known), Some(header), None, None, None) => basic(header.as_bytes())
                .is_some_and(|(said, secret)| said == id && secret == *known),
            (Self::Post(known), None, Some(secret), None, None) => is_said && secret == known,
            (Self::PrivateKeyJwt(key), None, None, Some(JWT_BEARER), Some(assertion)) => {
                said.is_none_or(|said| said == id) && is_signed(assertion, key, (id, issuer, now))
            }
            (Self::None, None, None, None, None) => is_said,
            _ => false,
        }
    }
}

/// RFC 7523 section 3, but for the memory of `jti`.
fn is_signed(
    assertion: &str,
    key: &VerifyingKey,
    (id, issuer, now): (&str, &Issuer, Timestamp),
) -> bool {
    let Ok(jws) = CompactJws::parse(assertion) else {
        return false;
    };
    let verified = jws.verify(key, jws.header().algorithm());
    let Some(Ok(claims)) = verified.ok().map(Claims::parse) else {
        return false;
    };
    let ours = [issuer.as_str().to_owned(), format!("{issuer}/token")];
    let audience = claims.audience();
    claims.issuer() == Some(id)
        && claims.subject() == Some(id)
        && claims.jwt_id().is_some_and(|id| !id.is_empty())
        && audience.iter().any(|audience| ours.contains(audience))
        && now < claims.expires_at()
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
