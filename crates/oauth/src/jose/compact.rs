//! A signed token in its compact form (RFC 7515 section 7.1): `header.payload.signature`.
//!
//! [`CompactJws::parse`] judges the form alone. What the token claims can be read only from a
//! [`Verified`], and only [`CompactJws::verify`] makes one.
//!
//! ```
//! use portcullis_oauth::jose::compact::{CompactJws, JoseFault};
//!
//! assert!(matches!(CompactJws::parse("a.b"), Err(JoseFault::Segments)));
//!
//! let unsigned = "eyJhbGciOiJub25lIn0.e30.AA";
//! assert!(matches!(CompactJws::parse(unsigned), Err(JoseFault::UnknownAlgorithm)));
//! ```

use std::fmt;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, IgnoredAny, Visitor};

use super::Algorithm;
use crate::crypto::{VerifyingKey, base64url};
use crate::json::{self, JsonError, Limits};

/// The largest token in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;
/// The largest header in bytes, decoded.
pub const MAX_HEADER: usize = 4 * 1024;

/// A token whose form is right, and of which nothing else is known.
///
/// It keeps the token's text borrowed, for the signature covers the text.
pub struct CompactJws<'a> {
    signed: &'a str,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What the token says of itself. Nobody vouches for it: it picks among keys and algorithms that
/// are allowed already, and adds none.
#[derive(Clone)]
pub struct Header {
    algorithm: Algorithm,
    typ: Option<String>,
    kid: Option<String>,
}

/// A payload whose signature was checked. There is no other way to make one outside of this module,
/// in which an ID token may come over TLS from its issuer instead.
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    payload: &'a [u8],
    _made_by_verify: (),
}

/// What is wrong with a token's form or signature. Never carries a piece of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JoseFault {
    /// More than 16 KiB, or a header of more than 4 KiB.
    #[error("the token is too large")]
    TooLarge,
    /// Not three segments with something in each.
    #[error("the token does not have three segments")]
    Segments,
    /// Five segments, or a header with `enc`: encrypted tokens are not read.
    #[error("the token is encrypted")]
    Encrypted,
    /// A segment is not base64url in canonical form.
    #[error("a segment of the token is not canonical base64url")]
    Encoding,
    /// The header is not a strict JSON object, or a member has the wrong type.
    #[error("the token's header is malformed")]
    Header,
    /// The header names an algorithm that we do not have, such as `none`.
    #[error("the token's algorithm is unknown")]
    UnknownAlgorithm,
    /// The header has `crit`, or `b64`: it asks for rules that we do not follow.
    #[error("the token asks for extensions")]
    Critical,
    /// The header brings a key along, or says where to fetch one.
    #[error("the token brings its own key")]
    EmbeddedKey,
    /// The header has `cty` or `zip`: there is another token, or something packed, inside.
    #[error("the token's payload is nested or compressed")]
    Nested,
    /// The header's algorithm is not the one that the key is used with.
    #[error("the token's algorithm is not the key's")]
    WrongAlgorithm,
    /// The signature is not this key's.
    #[error("the token's signature is wrong")]
    Signature,
}

impl JoseFault {
    /// A stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Segments => "token_segments",
            Self::Encrypted => "token_encrypted",
            Self::Encoding => "token_encoding",
            Self::Header => "header_malformed",
            Self::UnknownAlgorithm => "algorithm_unknown",
            Self::Critical => "header_critical",
            Self::EmbeddedKey => "header_key",
            Self::Nested => "token_nested",
            Self::WrongAlgorithm => "algorithm_mismatch",
            Self::Signature => "signature",
        }
    }
}

impl<'a> CompactJws<'a> {
    /// Reads the form of a token: size, segments, encoding, header.
    ///
    /// # Errors
    /// [`JoseFault`] for whatever is not a plain signed token.
    pub fn parse(token: &'a str) -> Result<Self, JoseFault> {
        // SECURITY: the size is judged before anything is decoded (CWE-400);
        // sec_jwt_27_size_comes_first
        if token.len() > MAX_TOKEN {
            return Err(JoseFault::TooLarge);
        }
        let (signed, header, payload, signature) = segments(token)?;
        // SECURITY: as above, four characters stand for three bytes; sec_jwt_27_size_comes_first
        if header.len() / 4 * 3 > MAX_HEADER {
            return Err(JoseFault::TooLarge);
        }
        Ok(Self {
            signed,
            header: Header::parse(&decode(header)?)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// What the token says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The issuer that the token claims, to find out whose keys to ask. It proves nothing: the gate
    /// compares `iss` again once the signature is checked.
    pub fn unverified_issuer(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Issuer {
            iss: String,
        }
        object::<Issuer>(&self.payload, Limits::JOSE)
            .ok()
            .map(|payload| payload.iss)
    }

    /// The audience that the token claims, if it is one alone, to find out for which of several
    /// resources to check it. It proves nothing: the gate compares `aud` again once the signature is
    /// checked.
    pub fn unverified_audience(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Audience {
            aud: String,
        }
        object::<Audience>(&self.payload, Limits::JOSE)
            .ok()
            .map(|payload| payload.aud)
    }

    /// The payload of a token for which the connection to its issuer stands in the place of a
    /// signature: see [`check_received_directly`](super::id_token::IdTokenPolicy::check_received_directly).
    pub(super) fn received_directly(&self) -> Verified<'_> {
        Verified {
            payload: &self.payload,
            _made_by_verify: (),
        }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`JoseFault::WrongAlgorithm`] when the header names another algorithm than `algorithm`;
    /// [`JoseFault::Signature`] when the key did not sign this.
    pub fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
    ) -> Result<Verified<'_>, JoseFault> {
        // SECURITY: the algorithm is the verifier's choice, not the token's (RFC 8725 section 3.1);
        // sec_jwt_03_the_algorithm_is_not_the_tokens_choice
        if self.header.algorithm != algorithm {
            return Err(JoseFault::WrongAlgorithm);
        }
        if !key.verify(algorithm, self.signed.as_bytes(), &self.signature) {
            return Err(JoseFault::Signature);
        }
        Ok(Verified {
            payload: &self.payload,
            _made_by_verify: (),
        })
    }
}

impl fmt::Debug for CompactJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Header {
    /// `alg`.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `typ`, as it was written.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// `kid`: up to 4 KiB of anything. Look it up; escape and cut it before it is shown.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `typ` is this media type. Case does not matter, and `application/` may be left out
    /// (RFC 7515 section 4.1.9).
    pub fn is_typ(&self, expected: &str) -> bool {
        self.typ().is_some_and(|typ| {
            let short = match typ.split_at_checked("application/".len()) {
                Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
                _ => typ,
            };
            short.eq_ignore_ascii_case(expected)
        })
    }

    fn parse(document: &[u8]) -> Result<Self, JoseFault> {
        let limits = Limits::JOSE.with_bytes(MAX_HEADER);
        let raw: RawHeader = object(document, limits)?;
        // SECURITY: an extension that we do not know may change what is signed (RFC 7515
        // section 4.1.11, RFC 7797 section 6); sec_jwt_07_extensions_are_refused
        if raw.crit.0 || raw.b64.0 {
            return Err(JoseFault::Critical);
        }
        // SECURITY: whoever sends a token does not choose its key (RFC 8725 section 3.10);
        // sec_jwt_08_keys_in_the_header_are_refused
        if raw.jwk.0 || raw.jku.0 || raw.x5u.0 || raw.x5c.0 {
            return Err(JoseFault::EmbeddedKey);
        }
        // SECURITY: with `enc` it is no signed token (RFC 7516 section 9);
        // sec_jwt_28_encrypted_tokens_are_refused
        if raw.enc.0 {
            return Err(JoseFault::Encrypted);
        }
        // SECURITY: what is inside would be judged by nobody (RFC 7519 section 5.2);
        // sec_jwt_29_nested_and_compressed_tokens_are_refused
        if raw.cty.0 || raw.zip.0 {
            return Err(JoseFault::Nested);
        }
        Ok(Self {
            algorithm: raw.alg.0.ok_or(JoseFault::UnknownAlgorithm)?,
            typ: raw.typ,
            kid: raw.kid,
        })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl<'a> Verified<'a> {
    /// The payload's bytes, which need not be JSON.
    pub fn payload(self) -> &'a [u8] {
        self.payload
    }
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").finish_non_exhaustive()
    }
}

/// What is signed, then the three segments.
fn segments(token: &str) -> Result<(&str, &str, &str, &str), JoseFault> {
    let dots = token.bytes().filter(|byte| *byte == b'.').count();
    match dots {
        2 => {}
        4 => return Err(JoseFault::Encrypted),
        _ => return Err(JoseFault::Segments),
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JoseFault::Segments)?;
    let (header, payload) = signed.split_once('.').ok_or(JoseFault::Segments)?;
    if header.is_empty() || payload.is_empty() || signature.is_empty() {
        return Err(JoseFault::Segments);
    }
    Ok((signed, header, payload, signature))
}

fn decode(segment: &str) -> Result<Vec<u8>, JoseFault> {
    base64url::decode_strict(segment).map_err(|_| JoseFault::Encoding)
}

/// Reads a strict JSON object.
fn object<T: DeserializeOwned>(document: &[u8], limits: Limits) -> Result<T, JoseFault> {
    // SECURITY: a derived reader would also take the members' values in an array, without their
    // names (RFC 7515 section 4); sec_jwt_26_only_three_canonical_segments_are_a_token
    if document.trim_ascii_start().first() != Some(&b'{') {
        return Err(JoseFault::Header);
    }
    json::from_slice(document, limits).map_err(|error| match error {
        JsonError::TooLarge { .. } => JoseFault::TooLarge,
        _ => JoseFault::Header,
    })
}

/// The header's members that mean something to us. Others are ignored (RFC 7515 section 4), the
/// thumbprints `x5t` and `x5t#S256` among them: they carry no key, and Microsoft's tokens have them.
#[derive(serde::Deserialize)]
struct RawHeader {
    alg: Name,
    #[serde(default, deserialize_with = "text")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "text")]
    kid: Option<String>,
    #[serde(default)]
    crit: Present,
    #[serde(default)]
    b64: Present,
    #[serde(default)]
    jwk: Present,
    #[serde(default)]
    jku: Present,
    #[serde(default)]
    x5u: Present,
    #[serde(default)]
    x5c: Present,
    #[serde(default)]
    enc: Present,
    #[serde(default)]
    cty: Present,
    #[serde(default)]
    zip: Present,
}

/// Whether a member is there, with whatever value, `null` included.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// The algorithm of a name, if it is one of ours.
struct Name(Option<Algorithm>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an algorithm")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(Algorithm::parse(name)))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// A text. `Option` alone would take `null` for absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}
