//! Signing keys out of secrets that an operator shares among replicas.

use portcullis_oauth::SecretString;
use portcullis_oauth::crypto::hkdf_sha256;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::secret::weakness;
use portcullis_resource_server::ConfigError;
use zeroize::Zeroizing;

use crate::issuer::DerivedKey;

const FIELD: &str = "jwt_signing_key";
/// No shorter secret signs, in bytes.
pub(crate) const MIN_BYTES: usize = 32;
/// What a signing key is derived under. No other key may be.
const LABEL: &[u8] = b"portcullis jwt signing key, Ed25519, v1";

/// A secret of which a signing key is derived: a text of one's own of at least 32 bytes, or what
/// [`JwtIssuer::derive_key`](crate::JwtIssuer::derive_key) made of one.
#[derive(Clone, Debug)]
pub struct SigningSecret {
    text: SecretString,
    /// Why it cannot sign, if it cannot.
    fault: Option<&'static str>,
}

impl From<SecretString> for SigningSecret {
    fn from(text: SecretString) -> Self {
        let fault = fault_of(text.expose());
        Self { text, fault }
    }
}

impl From<&str> for SigningSecret {
    fn from(text: &str) -> Self {
        SecretString::from(text).into()
    }
}

impl From<String> for SigningSecret {
    fn from(text: String) -> Self {
        SecretString::from(text).into()
    }
}

impl From<DerivedKey> for SigningSecret {
    fn from(key: DerivedKey) -> Self {
        let (text, fault) = key.into_parts();
        Self { text, fault }
    }
}

impl SigningSecret {
    /// The Ed25519 key of this secret: the same on every replica, for ever.
    pub(super) fn key(&self) -> Result<SigningKey, ConfigError> {
        // SECURITY: whoever guesses the secret signs as this server (RFC 8725 section 3.5);
        // sec_key_17_weak_signing_secrets_are_refused
        if let Some(fault) = self.fault {
            return Err(ConfigError::new(FIELD, format!("the secret {fault}"))
                .with_hint("make one with `openssl rand -base64 48`"));
        }
        let mut seed = Zeroizing::new([0; 32]);
        let failed = || ConfigError::new(FIELD, "no key can be derived");
        hkdf_sha256(self.text.expose().as_bytes(), b"", LABEL, &mut *seed).map_err(|_| failed())?;
        SigningKey::ed25519_from_seed(&seed).map_err(|_| failed())
    }
}

/// Why a text is no secret to sign with.
pub(crate) fn fault_of(secret: &str) -> Option<&'static str> {
    if secret.len() < MIN_BYTES {
        return Some("is shorter than 32 bytes");
    }
    weakness(secret)
}
