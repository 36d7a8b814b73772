//! Strict JSON: the one door through which text becomes values.
//!
//! # Rules
//!
//! A document passes two steps. [`scan`] reads every byte once and refuses what two parsers could
//! understand differently; only then does `serde_json` build a value. Refused are:
//!
//! * a member name that stands twice in one object, compared *after* unescaping, at any depth
//!   (RFC 8259 section 4 leaves the meaning of such an object open);
//! * a byte order mark, bytes that are not UTF-8, half of a surrogate pair (RFC 8259 section 8);
//! * anything after the document, and everything else outside the grammar of RFC 8259;
//! * numbers that no `f64` can hold;
//! * more bytes, levels or members than the caller's [`Limits`].
//!
//! The time is proportional to the length of the document (times the logarithm of the number of
//! members of its largest object), and only the names of objects that are still open are kept.
//!
//! # Failure
//!
//! [`JsonError`] says what is wrong and where, and never repeats a piece of the document.
//!
//! # Example
//!
//! ```
//! use portcullis_oauth::json::{self, JsonError, Limits};
//!
//! let document = json::value(br#"{"alg":"ES256"}"#, Limits::JOSE)?;
//! assert_eq!(document["alg"], "ES256");
//!
//! let twice = json::value(br#"{"alg":"ES256","\u0061lg":"none"}"#, Limits::JOSE);
//! assert!(matches!(twice, Err(JsonError::RepeatedMember { .. })));
//! # Ok::<(), JsonError>(())
//! ```

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use serde_json::{Map, Number, Value, json, value::RawValue};

mod member;
mod scan;
#[cfg(test)]
mod tests;
mod text;
mod unseen;

pub use self::member::Member;

/// Parses an object after [`scan`] has passed it. [`value`] takes a document of any shape.
///
/// # Errors
///
/// Whatever [`scan`] refuses, and [`JsonError::Shape`] if the document is no object or not a `T`.
pub fn from_slice<'a, T: Deserialize<'a>>(
    document: &'a [u8],
    limits: Limits,
) -> Result<T, JsonError> {
    from_str(checked_text(document, limits)?, limits)
}

/// Parses an object in a text that is known to be UTF-8, after [`scan`] has passed it.
///
/// # Errors
///
/// As [`from_slice`].
pub fn from_str<'a, T: Deserialize<'a>>(document: &'a str, limits: Limits) -> Result<T, JsonError> {
    scan_str(document, limits)?;
    // SECURITY: a derived reader also fills a struct from an array, member by member in the order
    // of its declaration, and no other parser agrees; sec_jwt_26_an_array_never_stands_for_an_object
    if !is_object(document) {
        return Err(JsonError::Shape(Mismatch::default()));
    }
    parse(document)
}

/// Parses an object that this program has written, and that is proven to be what it wrote, such as one
/// that has just come out of a seal. What [`scan`] refuses is not looked for: two parsers cannot differ
/// over what one of them has made. Never for bytes that only came from somewhere.
///
/// # Errors
///
/// [`JsonError::InvalidUtf8`], and [`JsonError::Shape`] if the document is no object or not a `T`.
pub fn from_own<'a, T: Deserialize<'a>>(document: &'a [u8]) -> Result<T, JsonError> {
    let document = std::str::from_utf8(document).map_err(|error| JsonError::InvalidUtf8 {
        at: error.valid_up_to(),
    })?;
    if !is_object(document) {
        return Err(JsonError::Shape(Mismatch::default()));
    }
    parse(document)
}

/// Parses a document of any shape.
///
/// # Errors
///
/// Whatever [`scan`] refuses.
pub fn value(document: &[u8], limits: Limits) -> Result<Value, JsonError> {
    let document = checked_text(document, limits)?;
    scan_str(document, limits)?;
    parse(document)
}

/// Checks a document and keeps nothing of it.
///
/// # Errors
///
/// The first rule of the [module](self) that the document breaks.
pub fn scan(document: &[u8], limits: Limits) -> Result<(), JsonError> {
    scan_str(checked_text(document, limits)?, limits)
}

/// Checks a document as [`scan`] does, and shows `visit` what it passes: the path of names from the
/// root, and the value there. The document itself has the empty path.
///
/// Members whose path is longer than four names are not shown, nor is what an array holds. A
/// container is shown before what is in it. What was shown counts only once this returns `Ok`: a
/// repeated member may still follow.
///
/// ```
/// use portcullis_oauth::json::{self, JsonError, Limits};
///
/// let mut tool = None;
/// let call = br#"{"method":"tools/call","params":{"name":"gr\u0065et"}}"#;
/// json::scan_members(call, Limits::MCP, |path, value| {
///     if let ["params", "name"] = path {
///         tool = value.text();
///     }
/// })?;
/// assert_eq!(tool.as_deref(), Some("greet"));
/// # Ok::<(), JsonError>(())
/// ```
///
/// # Errors
///
/// As [`scan`].
pub fn scan_members<'a>(
    document: &'a [u8],
    limits: Limits,
    visit: impl FnMut(&[&str], Member<'a>),
) -> Result<(), JsonError> {
    scan::scan(checked_text(document, limits)?, limits, visit)
}

/// Reads a `T` out of a value that was parsed here before.
///
/// # Errors
///
/// [`JsonError::Shape`] if the value is not a `T`.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is the parser's one home"
)]
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, JsonError> {
    serde_json::from_value(value).map_err(|error| JsonError::Shape(Mismatch::new(&error)))
}

/// Writes a value as compact JSON.
///
/// # Errors
///
/// [`JsonError::Unserializable`] if the value has no JSON form, such as a map whose keys are not
/// strings.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, JsonError> {
    serde_json::to_string(value).map_err(|_| JsonError::Unserializable)
}

/// Writes a value as compact JSON for the eyes of people, on a terminal or in a log.
///
/// Characters that nobody sees are escaped: control characters, U+0080 to U+009F and DEL among them,
/// separators of lines, and what turns the direction of writing or joins what stands apart. The
/// value is the same.
///
/// ```
/// use portcullis_oauth::json;
///
/// assert_eq!(json::to_visible_string("a\u{202e}b\u{9b}ö")?, r#""a\u202eb\u009bö""#);
/// # Ok::<(), json::JsonError>(())
/// ```
///
/// # Errors
///
/// As [`to_string`].
pub fn to_visible_string<T: Serialize + ?Sized>(value: &T) -> Result<String, JsonError> {
    to_string(value).map(unseen::escaped)
}

/// Writes a value as compact JSON in UTF-8.
///
/// # Errors
///
/// As [`to_string`].
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JsonError> {
    serde_json::to_vec(value).map_err(|_| JsonError::Unserializable)
}

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    bytes: usize,
    depth: usize,
    members: usize,
}

impl Limits {
    /// Metadata of servers, clients and keys, and answers of endpoints: 256 KiB, 16 levels, 2000
    /// members.
    pub const METADATA: Self = Self::new(256 * 1024, 16, 2000);
    /// A JOSE header or a set of claims: 16 KiB, 16 levels, 200 members.
    pub const JOSE: Self = Self::new(16 * 1024, 16, 200);
    /// One MCP message: 4 MiB, 64 levels, 100 000 members.
    pub const MCP: Self = Self::new(4 * 1024 * 1024, 64, 100_000);

    /// At most `bytes` bytes, `depth` nested objects and arrays, and `members` members of all
    /// objects together. Elements of arrays are bounded by `bytes` alone. A typed parse stops at
    /// 127 levels whatever `depth` says.
    pub const fn new(bytes: usize, depth: usize, members: usize) -> Self {
        Self {
            bytes,
            depth,
            members,
        }
    }

    /// The same limits with another bound on the size.
    #[must_use]
    pub const fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// The largest document in bytes.
    pub const fn bytes(self) -> usize {
        self.bytes
    }
}

/// Why a document was refused. `at` is an offset in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// More bytes than the limit allows.
    #[error("the document is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The document starts with U+FEFF.
    #[error("the document starts with a byte order mark")]
    ByteOrderMark,
    /// The document is not UTF-8.
    #[error("the document is not UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// Where the first bad sequence begins.
        at: usize,
    },
    /// The document breaks the grammar of RFC 8259, or ends too early.
    #[error("the document is not JSON at byte {at}")]
    Syntax {
        /// Where the grammar was broken.
        at: usize,
    },
    /// Something follows the document.
    #[error("the document is followed by something else at byte {at}")]
    TrailingBytes {
        /// Where the document should have ended.
        at: usize,
    },
    /// A `\u` escape names half of a surrogate pair.
    #[error("an escape at byte {at} names half of a surrogate pair")]
    LoneSurrogate {
        /// Where the escape begins.
        at: usize,
    },
    /// A number is beyond the range of an `f64`.
    #[error("the number at byte {at} is out of range")]
    NumberOutOfRange {
        /// Where the number begins.
        at: usize,
    },
    /// An object has the same member twice.
    #[error("the object that ends at byte {at} has a member twice")]
    RepeatedMember {
        /// Where the object ends.
        at: usize,
    },
    /// A member carries a name that the parser below would act on.
    #[error("the member at byte {at} has a reserved name")]
    ReservedMember {
        /// Where the name begins.
        at: usize,
    },
    /// Objects and arrays are nested too deeply.
    #[error("the document has more than {limit} levels")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// The objects have too many members together.
    #[error("the document has more than {limit} members")]
    TooManyMembers {
        /// The limit in members.
        limit: usize,
    },
    /// The document is JSON, of another shape than was asked for.
    #[error("the document has another shape than expected: {0}")]
    Shape(Mismatch),
    /// A value cannot be written as JSON.
    #[error("the value has no JSON form")]
    Unserializable,
}

/// What was missing from a document, without a piece of the document itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    missing: Option<String>,
}

impl Mismatch {
    // SECURITY: the parser's own message may quote values, and a value may be a token, so only the
    // name of a missing member is kept, which is a constant of ours;
    // a_shape_error_repeats_nothing_of_the_document
    fn new(error: &serde_json::Error) -> Self {
        let message = error.to_string();
        let missing = message
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split_once('`'))
            .map(|(name, _)| name.to_owned());
        Self { missing }
    }

    /// The name of the member that is missing, if that is what is wrong.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.missing {
            Some(name) => write!(f, "`{name}` is missing"),
            None => f.write_str("a value has another type"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the parser's one home"
)]
fn parse<'a, T: Deserialize<'a>>(document: &'a str) -> Result<T, JsonError> {
    serde_json::from_str(document).map_err(|error| JsonError::Shape(Mismatch::new(&error)))
}

/// Whether a document that [`scan`] has passed is an object.
fn is_object(document: &str) -> bool {
    document
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('{')
}

fn scan_str(document: &str, limits: Limits) -> Result<(), JsonError> {
    if document.len() > limits.bytes {
        return Err(JsonError::TooLarge {
            limit: limits.bytes,
        });
    }
    scan::scan(document, limits, |_, _| {})
}

/// Size first, then UTF-8, so that an oversized body costs nothing.
fn checked_text(document: &[u8], limits: Limits) -> Result<&str, JsonError> {
    if document.len() > limits.bytes {
        return Err(JsonError::TooLarge {
            limit: limits.bytes,
        });
    }
    std::str::from_utf8(document).map_err(|error| JsonError::InvalidUtf8 {
        at: error.valid_up_to(),
    })
}
