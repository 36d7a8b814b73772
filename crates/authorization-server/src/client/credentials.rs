//! What a client brings to prove who it is (RFC 6749 section 2.3, RFC 7521 section 4.2).

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis_oauth::crypto::base64;
use portcullis_oauth::form::{self, Form};
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, SecretString};

use super::AuthenticationMethod;
use super::authentication::ClientAuthenticationError;

/// The one kind of assertion (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client id, and what is to prove it. Nothing is checked yet.
pub(crate) struct Presented {
    id: ClientId,
    pub(super) proof: Proof,
}

/// What is to prove a client id.
pub(super) enum Proof {
    None,
    Basic(BasicSecret),
    Post(ClientSecret),
    Assertion(SecretString),
}

/// The secret of an `Authorization` header.
pub(super) struct BasicSecret {
    /// As RFC 6749 section 2.3.1 has it written.
    pub(super) decoded: ClientSecret,
    /// As it stands there, if that is another one: curl and many clients encode nothing, and the `+`
    /// of a base64 secret would be a space.
    pub(super) as_sent: Option<ClientSecret>,
}

impl Presented {
    /// Whether there is something that can be guessed.
    pub(crate) const fn has_proof(&self) -> bool {
        !matches!(self.proof, Proof::None)
    }

    /// Reads the credentials of a request.
    ///
    /// # Errors
    /// When there are none, more than one, or some that cannot be read.
    pub(crate) fn read(
        headers: &HeaderMap,
        form: &Form,
    ) -> Result<Self, ClientAuthenticationError> {
        let mut authorization = headers.get_all(AUTHORIZATION).iter();
        let header = authorization.next();
        if authorization.next().is_some() {
            return Err(ClientAuthenticationError::malformed(
                "there is more than one Authorization header",
            ));
        }
        let secret = one(form, "client_secret")?;
        let assertion = one(form, "client_assertion")?;
        let kind = one(form, "client_assertion_type")?;
        let ways = [
            header.is_some(),
            secret.is_some(),
            assertion.is_some() || kind.is_some(),
        ];
        // SECURITY: with two ways at once, it is not clear which one counts (RFC 6749 section 2.3);
        // sec_ca_03_two_methods_at_once_are_refused
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(ClientAuthenticationError::malformed(
                "a client authenticates in one way",
            ));
        }
        let named = one(form, "client_id")?;
        match (header, secret, assertion, kind) {
            (Some(header), ..) => Self::basic(header, named),
            (_, Some(secret), ..) => Ok(Self {
                id: client_id(named)?,
                proof: Proof::Post(ClientSecret::new(secret)),
            }),
            (_, _, Some(assertion), Some(JWT_BEARER)) => Self::assertion(assertion, named),
            (_, _, Some(_), Some(_)) => Err(ClientAuthenticationError::refused("assertion_type")),
            (_, _, Some(_), None) | (_, _, None, Some(_)) => Err(
                ClientAuthenticationError::malformed("client_assertion has its type beside it"),
            ),
            (None, None, None, None) => Ok(Self {
                id: client_id(named)?,
                proof: Proof::None,
            }),
        }
    }

    /// Who the client says that it is.
    pub(crate) fn client_id(&self) -> &ClientId {
        &self.id
    }

    /// The way in which it means to prove that.
    pub(super) const fn method(&self) -> AuthenticationMethod {
        match self.proof {
            Proof::None => AuthenticationMethod::None,
            Proof::Basic(_) => AuthenticationMethod::ClientSecretBasic,
            Proof::Post(_) => AuthenticationMethod::ClientSecretPost,
            Proof::Assertion(_) => AuthenticationMethod::PrivateKeyJwt,
        }
    }

    /// `client_secret_basic`: both halves are form-encoded, and then base64 (RFC 6749 section 2.3.1).
    fn basic(header: &HeaderValue, named: Option<&str>) -> Result<Self, ClientAuthenticationError> {
        let refused = || ClientAuthenticationError::refused("basic").of_basic();
        let (id, secret) = decode_basic(header).ok_or_else(refused)?;
        let id = ClientId::parse(&id).map_err(|_| refused())?;
        if named.is_some_and(|named| named != id.as_str()) {
            return Err(ClientAuthenticationError::malformed(
                "client_id contradicts the Authorization header",
            ));
        }
        Ok(Self {
            id,
            proof: Proof::Basic(secret),
        })
    }

    /// `private_key_jwt`: without `client_id`, the assertion itself says whose it is (RFC 7521
    /// section 4.2).
    fn assertion(text: &str, named: Option<&str>) -> Result<Self, ClientAuthenticationError> {
        let refused = || ClientAuthenticationError::refused("assertion_form");
        let id = if named.is_some() {
            client_id(named)?
        } else {
            let jws = CompactJws::parse(text).map_err(|_| refused())?;
            let issuer = jws.unverified_issuer().ok_or_else(refused)?;
            client_id(Some(&issuer))?
        };
        Ok(Self {
            id,
            proof: Proof::Assertion(SecretString::from(text)),
        })
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("id", &self.id)
            .field("method", &self.method())
            .finish_non_exhaustive()
    }
}

fn one<'a>(form: &'a Form, name: &str) -> Result<Option<&'a str>, ClientAuthenticationError> {
    form.one(name)
        .map_err(|_| ClientAuthenticationError::malformed("a parameter appears more than once"))
}

fn client_id(text: Option<&str>) -> Result<ClientId, ClientAuthenticationError> {
    let text = text.ok_or(ClientAuthenticationError::refused("no_credentials"))?;
    ClientId::parse(text).map_err(|_| ClientAuthenticationError::refused("client_id"))
}

/// Id and secret of `Authorization: Basic`, read strictly.
fn decode_basic(header: &HeaderValue) -> Option<(String, BasicSecret)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = base64::decode_strict(encoded.trim_matches(' ')).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (id, secret) = decoded.split_at_checked(colon)?;
    let read = |half: &[u8]| {
        let text = form::decode(half).ok()?;
        (!text.is_empty() && !text.contains(char::is_control)).then_some(text)
    };
    let (id, sent) = (read(id)?, secret.get(1..)?);
    let decoded = read(sent)?;
    let as_sent = str::from_utf8(sent).ok().filter(|sent| *sent != decoded);
    let secret = BasicSecret {
        as_sent: as_sent.map(ClientSecret::new),
        decoded: ClientSecret::new(decoded),
    };
    Some((id, secret))
}
