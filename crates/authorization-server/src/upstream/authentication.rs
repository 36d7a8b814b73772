//! How this server proves to a provider who it is (RFC 6749 section 2.3, RFC 7523 section 2.2).

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::ClientAuthentication;
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::form::Writer;
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::json::Value;
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, Entropy, SecretString, Timestamp};
use portcullis_resource_server::ConfigError;

use super::UpstreamError;

/// How this server proves to its provider who it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum UpstreamAuthentication {
    /// A secret, sent as the provider wants it: [`Basic`](Self::Basic) unless its preset says
    /// otherwise.
    Secret(SecretString),
    /// `client_secret_basic`: a secret in the `Authorization` header (RFC 6749 section 2.3.1).
    Basic(SecretString),
    /// `client_secret_post`: a secret in the body.
    Post(SecretString),
    /// `private_key_jwt`: an assertion that is signed with a key of ours (RFC 7523 section 2.2).
    PrivateKeyJwt(ClientKey),
    /// Not at all: a public client, which PKCE alone protects.
    None,
}

/// A private key whose public half the provider knows.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientKey {
    key: Arc<SigningKey>,
    kid: Option<String>,
    x5t_s256: Option<String>,
}

/// How long an assertion is good: it is made for one request.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientKey {
    /// A private key as PEM (`PRIVATE KEY`, PKCS#8): RSA, P-256, P-384, P-521 or Ed25519. It signs with
    /// RS256, the algorithm of its curve, or `EdDSA`.
    ///
    /// # Errors
    /// [`ConfigError`] for any other text. It repeats none of it.
    pub fn from_pem(pem: &SecretString) -> Result<Self, ConfigError> {
        let key = SigningKey::from_pkcs8_pem(pem.expose()).map_err(|error| {
            ConfigError::new("upstream_private_key", error.to_string())
                .with_hint("give a private key as PEM, with `BEGIN PRIVATE KEY` in its first line")
        })?;
        Ok(Self {
            key: Arc::new(key),
            kid: None,
            x5t_s256: None,
        })
    }

    /// The id under which the provider knows the key. Default: its thumbprint (RFC 7638).
    pub fn kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The thumbprint of its certificate, `x5t#S256` (RFC 7515 section 4.1.8), as base64url: Entra finds
    /// keys by it.
    pub fn certificate_thumbprint(mut self, thumbprint: impl Into<String>) -> Self {
        self.x5t_s256 = Some(thumbprint.into());
        self
    }

    fn assertion(&self, by: &Signer<'_>) -> Result<String, UpstreamError> {
        let mut id = [0; 16];
        by.entropy.fill(&mut id)?;
        let mut token = JwtBuilder::new()
            .claim("iss", by.client_id.as_str())
            .subject(by.client_id.as_str())
            .audience(by.audience)
            .valid(by.now, ASSERTION_LIFETIME)
            .claim("jti", base64url::encode(id));
        if let Some(thumbprint) = &self.x5t_s256 {
            token = token.header("x5t#S256", thumbprint.as_str());
        }
        if self.kid.is_some() || self.x5t_s256.is_none() {
            token = token.kid(&self.key_id());
        }
        // Nothing of ours makes this fail but the library itself.
        token.sign(&self.key).map_err(|_| UpstreamError::OurFault)
    }

    fn key_id(&self) -> String {
        self.kid.clone().unwrap_or_else(|| {
            let jwk = self.key.public_jwk(None).unwrap_or(Value::Null);
            let kid = jwk.get("kid").and_then(Value::as_str);
            kid.unwrap_or_default().to_owned()
        })
    }
}

/// Who authenticates, to whom, when.
#[derive(Debug)]
pub(super) struct Signer<'a> {
    pub(super) client_id: &'a ClientId,
    /// For whom an assertion is.
    pub(super) audience: &'a str,
    pub(super) secret_in_body: bool,
    pub(super) now: Timestamp,
    pub(super) entropy: &'a dyn Entropy,
}

impl UpstreamAuthentication {
    /// The secret, where there is one.
    pub(super) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Secret(secret) | Self::Basic(secret) | Self::Post(secret) => Some(secret),
            Self::PrivateKeyJwt(_) | Self::None => None,
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.secret() {
            Some(secret) if secret.is_empty() => Err(ConfigError::new("client_secret", "is empty")),
            _ => Ok(()),
        }
    }

    /// The form with what authenticates it, and what goes into the header.
    pub(super) fn apply(
        &self,
        form: Writer,
        by: &Signer<'_>,
    ) -> Result<(String, Option<ClientAuthentication>), UpstreamError> {
        let id = by.client_id;
        Ok(match self {
            Self::PrivateKeyJwt(key) => {
                let form = form
                    .pair("client_id", id.as_str())
                    .pair("client_assertion_type", ASSERTION_TYPE)
                    .pair("client_assertion", &key.assertion(by)?);
                (form.finish(), None)
            }
            Self::None => (form.pair("client_id", id.as_str()).finish(), None),
            Self::Basic(secret) => (form.finish(), Some(basic(id, secret))),
            Self::Secret(secret) if !by.secret_in_body => (form.finish(), Some(basic(id, secret))),
            Self::Post(secret) | Self::Secret(secret) => {
                let (id, secret) = (id.clone(), ClientSecret::from(secret.clone()));
                (
                    form.finish(),
                    Some(ClientAuthentication::Post { id, secret }),
                )
            }
        })
    }
}

fn basic(id: &ClientId, secret: &SecretString) -> ClientAuthentication {
    let (id, secret) = (id.clone(), ClientSecret::from(secret.clone()));
    ClientAuthentication::Basic { id, secret }
}
