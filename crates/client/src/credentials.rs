//! What a client shows to a server.

use http::HeaderValue;
use portcullis_oauth::secret::InvalidBearerToken;
use portcullis_oauth::{BearerToken, SecretString};

/// Credentials of every request to a server (RFC 6750 section 2.1).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// None: what a stranger may see.
    #[default]
    None,
    /// A token that the user has.
    Bearer(BearerToken),
}

impl Credentials {
    /// A bearer token.
    ///
    /// # Errors
    /// [`InvalidBearerToken`], which does not repeat the text, when no header could carry it.
    pub fn bearer(token: &SecretString) -> Result<Self, InvalidBearerToken> {
        BearerToken::parse(token.expose()).map(Self::Bearer)
    }

    /// Whether there is anything to show.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The value of `Authorization`.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let Self::Bearer(token) = self else {
            return None;
        };
        // A `Credentials::Bearer` made of any other text has no header: the server refuses that.
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
        // SECURITY: `Debug` of a request shows every value that is not marked;
        // sec_op_01_a_header_with_a_token_does_not_print
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "canary-7f3a9c";

    #[test]
    fn sec_op_01_a_header_with_a_token_does_not_print() {
        let credentials = Credentials::bearer(&TOKEN.into()).unwrap();
        let header = credentials.header().unwrap();
        assert_eq!(header.to_str().unwrap(), format!("Bearer {TOKEN}"));
        let printed = format!("{header:?} {credentials:?}");
        assert!(!printed.contains(TOKEN), "{printed}");
    }

    #[test]
    fn a_text_that_no_header_carries_is_no_token() {
        let wrong = Credentials::bearer(&format!("{TOKEN}\nX: y").into()).unwrap_err();
        assert!(!wrong.to_string().contains(TOKEN));
        assert!(Credentials::default().header().is_none());
    }
}
