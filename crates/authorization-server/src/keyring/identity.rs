//! Statements on callers, for servers behind a gateway.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::Issuer;
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::json::json;
use portcullis_resource_server::{Caller, IdentitySigner, SignedIdentity, Unavailable};

use super::Keyring;

/// What kind of JWT it is. No verifier of access tokens takes it.
const TYP: &str = "portcullis-identity+jwt";
/// How long a statement lasts.
const LIFETIME: Duration = Duration::from_secs(60);
/// The longest one, in bytes: servers refuse longer headers.
const MAX_BYTES: usize = 8 * 1024;

/// Signs with the keys of a ring.
struct Signer {
    keyring: Keyring,
    issuer: Issuer,
}

impl Keyring {
    /// Signs statements on callers for servers behind, as `issuer`. Whoever checks them has our public
    /// keys from `/oauth/jwks`. Something has to [`tick`](Self::tick) the ring: a minute after the
    /// last time nothing is signed any more.
    pub fn identity_signer(&self, issuer: Issuer) -> Arc<dyn IdentitySigner> {
        Arc::new(Signer {
            keyring: self.clone(),
            issuer,
        })
    }
}

impl IdentitySigner for Signer {
    fn sign(&self, caller: &Caller<'_>) -> Result<SignedIdentity, Unavailable> {
        let inner = &self.keyring.inner;
        // SECURITY: who cannot reach the store cannot know which keys were revoked (RFC 7517 section
        // 5); sec_key_16_no_statement_is_signed_with_a_key_that_may_be_gone
        if inner.records.is_some() && !inner.sure.is_recent() {
            return Err(Unavailable::new("the signing keys are out of reach"));
        }
        let failed = || Unavailable::new("no statement on the caller can be signed");
        let view = self.keyring.view().map_err(|_| failed())?;
        let mut id = [0; 16];
        let entropy = &inner.settings.entropy;
        entropy.fill(&mut id).map_err(|_| failed())?;
        let token = caller.token;
        let sub_id = json!({"format": "iss_sub", "iss": token.issuer(), "sub": token.subject()});
        let mut jwt = JwtBuilder::new()
            .typ(TYP)
            .kid(&view.signing.id)
            .claim("iss", self.issuer.as_str())
            .audience(caller.audience)
            .subject(token.subject())
            .claim("sub_id", sub_id)
            .claim("jti", base64url::encode(id))
            .valid(self.keyring.clock().now(), LIFETIME);
        if let Some(client) = token.client_id() {
            jwt = jwt.claim("client_id", client);
        }
        if !token.scopes().is_empty() {
            jwt = jwt.claim("scope", token.scopes().to_string());
        }
        if !caller.roles.is_empty() {
            jwt = jwt.claim("roles", caller.roles);
        }
        let jwt = jwt.sign(&view.signing.key).map_err(|_| failed())?;
        if jwt.len() > MAX_BYTES {
            return Err(Unavailable::new("the caller has too many roles to be told"));
        }
        Ok(SignedIdentity::new(jwt, LIFETIME))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
