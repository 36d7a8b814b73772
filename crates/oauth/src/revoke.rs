//! Token revocation (RFC 7009).

use crate::error::OAuthError;
use crate::form::{Form, Writer};
use crate::secret::SecretString;

/// A request to revoke a token (RFC 7009 section 2.1). Client authentication is read elsewhere.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevocationRequest {
    /// The token, of whatever kind.
    pub token: SecretString,
    /// What the client thinks it is. Only a hint: a server looks everywhere.
    pub hint: Option<TokenTypeHint>,
}

impl RevocationRequest {
    /// A request about one token.
    pub fn new(token: SecretString, hint: Option<TokenTypeHint>) -> Self {
        Self { token, hint }
    }

    /// Reads the body of a request. An unknown hint counts as none.
    ///
    /// # Errors
    /// `invalid_request` when `token` is missing or a parameter is repeated.
    pub fn from_form(form: &Form) -> Result<Self, OAuthError> {
        form.refuse_repeats_except(&[])?;
        let token = form.required("token")?;
        let hint = form.one("token_type_hint")?;
        Ok(Self::new(token.into(), hint.and_then(TokenTypeHint::parse)))
    }

    /// The parameters of the request's body; the caller adds client authentication. The text holds
    /// the token.
    pub fn to_form(&self) -> Writer {
        Writer::new()
            .pair("token", self.token.expose())
            .optional("token_type_hint", self.hint.map(TokenTypeHint::as_str))
    }
}

/// What a token may be (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenTypeHint {
    /// `access_token`
    AccessToken,
    /// `refresh_token`
    RefreshToken,
}

impl TokenTypeHint {
    /// Reads a hint; others than these two are ignored (RFC 7009 section 2.1).
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "access_token" => Some(Self::AccessToken),
            "refresh_token" => Some(Self::RefreshToken),
            _ => None,
        }
    }

    /// The hint as the wire spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OAuthErrorCode;
    use crate::form::Limits;

    fn read(body: &str) -> Result<RevocationRequest, OAuthError> {
        RevocationRequest::from_form(&Form::parse(body.as_bytes(), Limits::ENDPOINT).unwrap())
    }

    #[test]
    fn a_request_is_read_as_it_is_written() {
        let request = RevocationRequest::new("a b".into(), Some(TokenTypeHint::RefreshToken));
        let body = request.to_form().finish();
        assert_eq!(body, "token=a+b&token_type_hint=refresh_token");
        let read = read(&body).unwrap();
        assert!(read.token.ct_eq(b"a b"));
        assert_eq!(read.hint, Some(TokenTypeHint::RefreshToken));
    }

    #[test]
    fn sec_rv_06_an_unknown_hint_is_ignored() {
        assert_eq!(read("token=a&token_type_hint=saml").unwrap().hint, None);
    }

    #[test]
    fn sec_tk_02_a_repeated_parameter_revokes_nothing() {
        for body in [
            "",
            "token=",
            "token=a&token=b",
            "token=a&client_id=x&client_id=y",
        ] {
            assert_eq!(
                read(body).unwrap_err().code,
                OAuthErrorCode::InvalidRequest,
                "{body}"
            );
        }
    }
}
