//! Strict `application/x-www-form-urlencoded`: bodies of the token endpoint and its relatives, and
//! query strings (RFC 6749 appendix B).
//!
//! # Rules
//!
//! A `%` that no two hexadecimal digits follow, decoded bytes that are not UTF-8 and raw control
//! characters are refused, where a lenient parser would guess. A parameter without a value counts
//! as omitted, and one that appears twice is an error (RFC 6749 section 3.1).
//!
//! # Example
//!
//! ```
//! use portcullis_oauth::form::{self, Form, FormError};
//!
//! let form = Form::parse(b"grant_type=refresh_token&scope=a+b&state=", form::Limits::ENDPOINT)?;
//! assert_eq!(form.required("grant_type")?, "refresh_token");
//! assert_eq!(form.one("scope")?, Some("a b"));
//! assert_eq!(form.one("state")?, None);
//!
//! let twice = Form::parse(b"code=1&code=2", form::Limits::ENDPOINT)?;
//! assert!(matches!(twice.one("code"), Err(FormError::Repeated { .. })));
//! # Ok::<(), FormError>(())
//! ```

use url::form_urlencoded;

#[cfg(test)]
mod tests;

/// The parameters of a form, in the order in which they were sent.
///
/// `Debug` shows their number only: a value may be a secret, and a name is a stranger's text.
#[derive(Clone, Default)]
pub struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Decodes a body or a query string (without its `?`).
    ///
    /// # Errors
    ///
    /// The first rule of the [module](self) that the input breaks. Repeated parameters are found
    /// when they are asked for.
    pub fn parse(input: &[u8], limits: Limits) -> Result<Self, FormError> {
        if input.len() > limits.bytes {
            return Err(FormError::TooLarge {
                limit: limits.bytes,
            });
        }
        let mut pairs = Vec::new();
        for segment in input
            .split(|&byte| byte == b'&')
            .filter(|segment| !segment.is_empty())
        {
            if pairs.len() >= limits.parameters {
                return Err(FormError::TooManyParameters {
                    limit: limits.parameters,
                });
            }
            let mut halves = segment.splitn(2, |&byte| byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if value.len() > limits.value_bytes {
                return Err(FormError::ValueTooLong {
                    limit: limits.value_bytes,
                });
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// The value of a parameter that may appear once. One without a value counts as omitted.
    ///
    /// # Errors
    ///
    /// [`FormError::Repeated`] if it appears more than once, be it without a value.
    pub fn one(&self, name: &str) -> Result<Option<&str>, FormError> {
        let mut values = self.values(name);
        let first = values.next();
        // SECURITY: whoever takes the first of two values and whoever takes the last are led to
        // different decisions (RFC 6749 section 3.1); sec_tk_02_a_repeated_parameter_is_an_error
        if values.next().is_some() {
            return Err(FormError::Repeated {
                name: name.to_owned(),
            });
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// The value of a parameter that must appear once.
    ///
    /// # Errors
    ///
    /// As [`Form::one`], and [`FormError::Missing`] if it is omitted or has no value.
    pub fn required(&self, name: &str) -> Result<&str, FormError> {
        self.one(name)?.ok_or_else(|| FormError::Missing {
            name: name.to_owned(),
        })
    }

    /// All values of a parameter that may be repeated, such as `resource` (RFC 8707 section 2),
    /// without those that are empty.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name).filter(|value| !value.is_empty())
    }

    /// Checks that every parameter but the named ones appears once, known to the caller or not.
    ///
    /// # Errors
    ///
    /// [`FormError::RepeatedUnnamed`], which repeats no name of the input.
    pub fn refuse_repeats_except(&self, allowed: &[&str]) -> Result<(), FormError> {
        let mut names: Vec<&str> = self
            .pairs
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !allowed.contains(name))
            .collect();
        names.sort_unstable();
        if names.is_sorted_by(|a, b| a < b) {
            Ok(())
        } else {
            Err(FormError::RepeatedUnnamed)
        }
    }

    /// All parameters in order, those without a value included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form")
            .field("parameters", &self.pairs.len())
            .finish_non_exhaustive()
    }
}

/// How large a form may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    bytes: usize,
    parameters: usize,
    value_bytes: usize,
}

impl Limits {
    /// A request to an OAuth endpoint: 64 KiB, 64 parameters, 16 KiB a decoded value.
    pub const ENDPOINT: Self = Self::new(64 * 1024, 64, 16 * 1024);

    /// At most `bytes` bytes, `parameters` parameters, and `value_bytes` bytes in one decoded
    /// value.
    pub const fn new(bytes: usize, parameters: usize, value_bytes: usize) -> Self {
        Self {
            bytes,
            parameters,
            value_bytes,
        }
    }
}

/// Why a form was refused. The named parameter is the one that the caller asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// More bytes than the limit allows.
    #[error("the form is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// More parameters than the limit allows.
    #[error("the form has more than {limit} parameters")]
    TooManyParameters {
        /// The limit in parameters.
        limit: usize,
    },
    /// A decoded value is longer than the limit allows.
    #[error("a value of the form is longer than {limit} bytes")]
    ValueTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A `%` without two hexadecimal digits behind it.
    #[error("the form has a percent sign without two hexadecimal digits")]
    InvalidEscape,
    /// A decoded name or value is not UTF-8.
    #[error("the form is not UTF-8")]
    InvalidUtf8,
    /// A control character that is not escaped.
    #[error("the form has a control character")]
    ControlCharacter,
    /// A parameter appears more than once.
    #[error("`{name}` appears more than once")]
    Repeated {
        /// The parameter.
        name: String,
    },
    /// Some parameter appears more than once.
    #[error("a parameter appears more than once")]
    RepeatedUnnamed,
    /// A required parameter is omitted or has no value.
    #[error("`{name}` is missing")]
    Missing {
        /// The parameter.
        name: String,
    },
}

/// Builds a form, a pair at a time.
///
/// ```
/// use portcullis_oauth::form::Writer;
///
/// let body = Writer::new().pair("scope", "a b").optional("state", None).finish();
/// assert_eq!(body, "scope=a+b");
/// ```
#[derive(Clone, Default)]
pub struct Writer {
    text: String,
}

impl Writer {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a parameter.
    #[must_use]
    pub fn pair(mut self, name: &str, value: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text
            .extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.text.push('=');
        self.text
            .extend(form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    /// Appends a parameter if it has a value.
    #[must_use]
    pub fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.pair(name, value),
            None => self,
        }
    }

    /// The encoded form.
    pub fn finish(self) -> String {
        self.text
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// Encodes pairs of names and values.
pub fn encode(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .fold(Writer::new(), |writer, (name, value)| {
            writer.pair(name, value)
        })
        .finish()
}

/// Decodes one name or value, as each half of `client_secret_basic` is one (RFC 6749 section 2.3.1).
///
/// ```
/// use portcullis_oauth::form;
///
/// assert_eq!(form::decode(b"a%3Ab+c")?, "a:b c");
/// assert!(form::decode(b"50%").is_err());
/// # Ok::<(), form::FormError>(())
/// ```
///
/// # Errors
/// A bad escape, a control character that is not escaped, or bytes that are not UTF-8.
pub fn decode(encoded: &[u8]) -> Result<String, FormError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let Some(([high, low], after)) = after.split_first_chunk::<2>() else {
                    return Err(FormError::InvalidEscape);
                };
                decoded.push((hex_digit(*high)? << 4) | hex_digit(*low)?);
                rest = after;
            }
            byte if byte.is_ascii_control() => return Err(FormError::ControlCharacter),
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map_err(|_| FormError::InvalidUtf8)
}

fn hex_digit(byte: u8) -> Result<u8, FormError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(FormError::InvalidEscape),
    }
}
