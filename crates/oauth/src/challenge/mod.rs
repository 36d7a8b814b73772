//! `WWW-Authenticate`: writing and reading challenges (RFC 9110 section 11.6.1, RFC 6750 section 3,
//! RFC 9728 section 5.1).
//!
//! # Writing
//!
//! Every value is a quoted string of printable ASCII, whatever was put in, so no value can end the
//! header or start another parameter. Values that clients read with a plain pattern (a URL, scopes,
//! a description) never need an escape. `offline_access` has no place in a challenge and is left
//! out.
//!
//! ```
//! use portcullis_oauth::{challenge::{BearerError, Challenge}, scopes};
//!
//! let header = Challenge::bearer()
//!     .resource_metadata("https://mcp.example.com/.well-known/oauth-protected-resource/mcp")
//!     .scope(&scopes!["notes:read", "offline_access"])
//!     .error(BearerError::InvalidToken)
//!     .to_header_value();
//! assert_eq!(
//!     header,
//!     "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
//!      scope=\"notes:read\", error=\"invalid_token\"",
//! );
//! ```
//!
//! # Reading
//!
//! One header may hold several challenges, with parameters or with one `token68`. What is outside
//! the grammar is a [`ChallengeError`]; a parameter that appears twice in one challenge is one too.
//!
//! ```
//! use portcullis_oauth::challenge::{Challenge, ChallengeError};
//!
//! let all = Challenge::parse_all(r#"Negotiate, Bearer scope="a b", error=invalid_token"#)?;
//! assert_eq!(all[1].get("error"), Some("invalid_token"));
//! # Ok::<(), ChallengeError>(())
//! ```

use std::fmt::{self, Write as _};

use crate::error::{OAuthErrorCode, is_description_byte};
use crate::scope::ScopeSet;

mod parse;
#[cfg(test)]
mod tests;

/// One challenge: a scheme with parameters or with a `token68`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// `Bearer`, without parameters yet.
    pub fn bearer() -> Self {
        Self::scheme_only("Bearer".to_owned())
    }

    /// `Basic realm=".."`, which goes with `invalid_client` (RFC 6749 section 5.2).
    ///
    /// Characters beyond printable ASCII, quotes and backslashes become spaces.
    pub fn basic(realm: &'static str) -> Self {
        Self::scheme_only("Basic".to_owned()).set("realm", described(realm))
    }

    /// Reads all challenges of a header, in order.
    ///
    /// # Errors
    /// [`ChallengeError`] when the header is outside the grammar or larger than 8 KiB, 16
    /// challenges or 32 parameters each.
    pub fn parse_all(header: &str) -> Result<Vec<Self>, ChallengeError> {
        parse::parse_all(header)
    }

    fn scheme_only(scheme: String) -> Self {
        Self {
            scheme,
            token68: None,
            parameters: Vec::new(),
        }
    }

    /// Where the protected resource metadata is (RFC 9728 section 5.1). Characters that do not
    /// belong into a URL are percent-encoded.
    #[must_use]
    pub fn resource_metadata(self, url: &str) -> Self {
        self.set("resource_metadata", url_text(url))
    }

    /// The scopes that the resource needs, without `offline_access`, which is the client's own
    /// business. An empty set leaves the parameter out.
    #[must_use]
    pub fn scope(self, scopes: &ScopeSet) -> Self {
        // SECURITY: asking for a refresh token is no resource's right;
        // sec_rs_30_offline_access_is_never_challenged
        let scopes = scopes.without("offline_access");
        if scopes.is_empty() {
            return self;
        }
        self.set("scope", scopes.to_string())
    }

    /// What was wrong with the token. Left out when there was none (RFC 6750 section 3.1).
    #[must_use]
    pub fn error(self, error: BearerError) -> Self {
        self.set("error", error.code().as_str().to_owned())
    }

    /// A sentence for the client's developer. Characters that RFC 6750 section 3 forbids become
    /// spaces.
    #[must_use]
    pub fn error_description(self, description: &'static str) -> Self {
        self.set("error_description", described(description))
    }

    /// Another parameter, such as `max_age` (RFC 9470 section 3); replaces one of the same name.
    ///
    /// # Errors
    /// [`ChallengeError::Name`] when `name` is no token, [`ChallengeError::Character`] when
    /// `value` has anything but printable ASCII.
    pub fn with(self, name: &str, value: &str) -> Result<Self, ChallengeError> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(ChallengeError::Name);
        }
        if !value.bytes().all(is_printable) {
            return Err(ChallengeError::Character);
        }
        Ok(self.set(name, value.to_owned()))
    }

    /// The scheme as it was written.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is `Bearer`, in any case.
    pub fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Bearer")
    }

    /// The `token68` that stands in place of parameters.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// A parameter's value, unescaped. Names are compared without case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The scopes of the `scope` parameter; words that are no scopes are dropped.
    pub fn scopes(&self) -> ScopeSet {
        ScopeSet::parse_lenient(self.get("scope").unwrap_or_default())
    }

    /// The code of the `error` parameter, if it is a registered one.
    pub fn error_code(&self) -> Option<OAuthErrorCode> {
        OAuthErrorCode::parse(self.get("error")?)
    }

    /// The value of a `WWW-Authenticate` header: printable ASCII.
    pub fn to_header_value(&self) -> String {
        self.to_string()
    }

    fn set(mut self, name: &str, value: String) -> Self {
        self.parameters
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.parameters.push((name.to_owned(), value));
        self
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        if let Some(token) = &self.token68 {
            return write!(f, " {token}");
        }
        for (i, (name, value)) in self.parameters.iter().enumerate() {
            f.write_str(if i == 0 { " " } else { ", " })?;
            write!(f, "{name}=\"")?;
            write_quoted(f, value)?;
            f.write_str("\"")?;
        }
        Ok(())
    }
}

/// What was wrong with a bearer token (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BearerError {
    /// The request was malformed: 400.
    InvalidRequest,
    /// The token is expired, revoked, malformed or meant for another resource: 401.
    InvalidToken,
    /// The token grants too little: 403.
    InsufficientScope,
}

impl BearerError {
    /// The registered code.
    pub const fn code(self) -> OAuthErrorCode {
        match self {
            Self::InvalidRequest => OAuthErrorCode::InvalidRequest,
            Self::InvalidToken => OAuthErrorCode::InvalidToken,
            Self::InsufficientScope => OAuthErrorCode::InsufficientScope,
        }
    }
}

impl From<BearerError> for OAuthErrorCode {
    fn from(error: BearerError) -> Self {
        error.code()
    }
}

/// Why a challenge cannot be written or read. `at` is an offset in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeError {
    /// A parameter's name is no token.
    #[error("a parameter of a challenge has a name that is no token")]
    Name,
    /// A parameter's value has a character that no header may carry.
    #[error("a parameter of a challenge has a character beyond printable ASCII")]
    Character,
    /// The header is larger than 8 KiB.
    #[error("the challenge is larger than 8 KiB")]
    TooLarge,
    /// More than 16 challenges, or more than 32 parameters in one.
    #[error("there are too many challenges or parameters")]
    TooMany,
    /// The header breaks the grammar of RFC 9110 section 11.
    #[error("the challenge is malformed at byte {at}")]
    Syntax {
        /// Where the grammar was broken.
        at: usize,
    },
    /// A parameter appears twice in one challenge (RFC 9110 section 11.2).
    #[error("the challenge has a parameter twice at byte {at}")]
    Repeated {
        /// Where the second one stands.
        at: usize,
    },
}

fn write_quoted(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    for character in value.chars() {
        // SECURITY: a bare quote would start another parameter, a line break another header
        // (RFC 9110 section 5.6.4); sec_rs_25_no_value_leaves_its_quotes
        match character {
            '"' | '\\' => {
                f.write_char('\\')?;
                f.write_char(character)?;
            }
            ' '..='~' => f.write_char(character)?,
            _ => f.write_char('?')?,
        }
    }
    Ok(())
}

fn described(text: &str) -> String {
    let keep = |c: char| u8::try_from(c).is_ok_and(is_description_byte);
    text.chars()
        .map(|c| if keep(c) { c } else { ' ' })
        .collect()
}

fn url_text(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'"' | b'\\' | b' ' | 0x7f.. | ..=0x1f => {
                let [high, low] = [byte >> 4, byte & 0xf].map(|digit| {
                    char::from_digit(u32::from(digit), 16)
                        .unwrap_or('0')
                        .to_ascii_uppercase()
                });
                text.extend(['%', high, low]);
            }
            byte => text.push(char::from(byte)),
        }
    }
    text
}

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// `tchar` of RFC 9110 section 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
