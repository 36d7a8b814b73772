//! Token introspection (RFC 7662): asking the issuer what a token is worth.

use serde::{Serialize, Serializer};

use crate::error::OAuthError;
use crate::form::{Form, Writer};
use crate::json::{self, JsonError, Map, Value};
use crate::revoke::TokenTypeHint;
use crate::scope::ScopeSet;
use crate::secret::SecretString;
use crate::time::Timestamp;

/// A question about a token (RFC 7662 section 2.1). The asker's authentication is read elsewhere.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IntrospectionRequest {
    /// The token, of whatever kind.
    pub token: SecretString,
    /// What the asker thinks it is.
    pub hint: Option<TokenTypeHint>,
}

impl IntrospectionRequest {
    /// A question about one token.
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

/// The answer (RFC 7662 section 2.2). Of a token that is not active nothing else is kept.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IntrospectionResponse {
    /// Unknown, expired, revoked, or none of the asker's business.
    Inactive,
    /// Valid for its issuer. Whether it is meant for the asker is for the asker to check.
    Active(Box<ActiveToken>),
}

impl IntrospectionResponse {
    /// Reads an answer. `active` must be there as a boolean, and members with a meaning must have
    /// their type.
    ///
    /// ```
    /// use portcullis_oauth::introspect::IntrospectionResponse;
    ///
    /// let answer = IntrospectionResponse::parse(br#"{"active":true,"sub":"u","aud":"a"}"#)?;
    /// let IntrospectionResponse::Active(token) = answer else { panic!("inactive") };
    /// assert_eq!(token.audience, ["a"]);
    /// assert!(IntrospectionResponse::parse(br#"{"active":"true"}"#).is_err());
    /// # Ok::<(), portcullis_oauth::introspect::IntrospectionError>(())
    /// ```
    ///
    /// # Errors
    /// [`IntrospectionError`].
    pub fn parse(document: &[u8]) -> Result<Self, IntrospectionError> {
        let mut members: Map<String, Value> = json::from_slice(document, json::Limits::METADATA)?;
        // SECURITY: a text "false" or a missing member must not pass for active
        // (RFC 7662 section 2.2); sec_key_10_only_a_boolean_makes_a_token_active
        match members.remove("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(Self::Inactive),
            _ => return Err(IntrospectionError::Member("active")),
        }
        ActiveToken::from_members(members).map(|token| Self::Active(Box::new(token)))
    }
}

impl Serialize for IntrospectionResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // SECURITY: nothing is told of a token that is not active (RFC 7662 section 2.2);
            // sec_rv_08_an_inactive_token_has_no_other_member
            Self::Inactive => json::json!({"active": false}).serialize(serializer),
            Self::Active(token) => token.to_members().serialize(serializer),
        }
    }
}

/// What the issuer says about an active token.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ActiveToken {
    /// The scopes; words that are no scopes are dropped.
    pub scope: ScopeSet,
    /// The client that was given the token.
    pub client_id: Option<String>,
    /// A name for people to read.
    pub username: Option<String>,
    /// `Bearer`, for example.
    pub token_type: Option<String>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// Before this time it is not valid.
    pub not_before: Option<Timestamp>,
    /// The user, by an id that means something to the issuer.
    pub subject: Option<String>,
    /// Whom the token is meant for; empty when the answer does not say.
    pub audience: Vec<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The token's own id.
    pub jwt_id: Option<String>,
    /// All other members.
    pub extra: Map<String, Value>,
}

impl ActiveToken {
    /// A token about which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, IntrospectionError> {
        let mut take = |name: &'static str| match members.remove(name) {
            Some(Value::Null) => None,
            other => other,
        };
        Ok(Self {
            scope: scopes(take("scope"))?,
            client_id: text("client_id", take("client_id"))?,
            username: text("username", take("username"))?,
            token_type: text("token_type", take("token_type"))?,
            expires_at: time("exp", take("exp"))?,
            issued_at: time("iat", take("iat"))?,
            not_before: time("nbf", take("nbf"))?,
            subject: text("sub", take("sub"))?,
            audience: texts("aud", take("aud"))?,
            issuer: text("iss", take("iss"))?,
            jwt_id: text("jti", take("jti"))?,
            extra: members,
        })
    }

    fn to_members(&self) -> Map<String, Value> {
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let time = |time: Option<Timestamp>| time.map(|time| Value::from(time.as_secs()));
        let audience = match self.audience.as_slice() {
            [] => None,
            [one] => Some(Value::from(one.as_str())),
            several => Some(Value::from(several)),
        };
        let scope = (!self.scope.is_empty()).then(|| Value::from(self.scope.to_string()));
        let mut members = self.extra.clone();
        members.insert("active".to_owned(), Value::Bool(true));
        for (name, value) in [
            ("scope", scope),
            ("client_id", text(&self.client_id)),
            ("username", text(&self.username)),
            ("token_type", text(&self.token_type)),
            ("exp", time(self.expires_at)),
            ("iat", time(self.issued_at)),
            ("nbf", time(self.not_before)),
            ("sub", text(&self.subject)),
            ("aud", audience),
            ("iss", text(&self.issuer)),
            ("jti", text(&self.jwt_id)),
        ] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        }
        members
    }
}

/// Why an answer is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// It is not a JSON object.
    #[error("the introspection answer cannot be read")]
    Document(#[from] JsonError),
    /// A member is missing or has another type than RFC 7662 section 2.2 gives it.
    #[error("`{0}` in the introspection answer has another type than expected")]
    Member(&'static str),
}

fn text(name: &'static str, value: Option<Value>) -> Result<Option<String>, IntrospectionError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(IntrospectionError::Member(name)),
    }
}

/// One text or a list of texts (RFC 7519 section 4.1.3).
fn texts(name: &'static str, value: Option<Value>) -> Result<Vec<String>, IntrospectionError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(elements)) => elements
            .into_iter()
            .map(|element| text(name, Some(element)).map(Option::unwrap_or_default))
            .collect(),
        Some(value) => text(name, Some(value)).map(|text| text.into_iter().collect()),
    }
}

/// A text separated by spaces, or a list, as some issuers write it.
fn scopes(value: Option<Value>) -> Result<ScopeSet, IntrospectionError> {
    let words = texts("scope", value)?;
    Ok(ScopeSet::parse_lenient(&words.join(" ")))
}

/// Whole seconds since 1970; a fraction is cut off (RFC 7519 section 2 allows one).
fn time(name: &'static str, value: Option<Value>) -> Result<Option<Timestamp>, IntrospectionError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let whole = value.as_i64().or_else(|| {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        value.as_f64().map(|seconds| seconds.floor() as i64)
    });
    whole
        .map(|seconds| Some(Timestamp::from_secs(seconds)))
        .ok_or(IntrospectionError::Member(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scopes;

    fn active(document: &str) -> ActiveToken {
        match IntrospectionResponse::parse(document.as_bytes()) {
            Ok(IntrospectionResponse::Active(token)) => *token,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_of_rfc_7662_is_read_and_written() {
        let document = r#"{"active":true,"client_id":"l238j323ds-23ij4","username":"jdoe",
            "scope":"read write dolphin","sub":"Z5O3upPC88QrAjx00dis",
            "aud":"https://protected.example.net/resource","iss":"https://server.example.com/",
            "exp":1419356238,"iat":1419350238,"extension_field":"twenty-seven"}"#;
        let token = active(document);
        assert_eq!(token.scope, scopes!["read", "write", "dolphin"]);
        assert_eq!(token.expires_at, Some(Timestamp::from_secs(1_419_356_238)));
        assert_eq!(token.audience, ["https://protected.example.net/resource"]);
        assert_eq!(token.extra["extension_field"], "twenty-seven");
        let written = json::to_vec(&IntrospectionResponse::Active(Box::new(token))).unwrap();
        let (written, original) = (
            json::value(&written, json::Limits::METADATA).unwrap(),
            json::value(document.as_bytes(), json::Limits::METADATA).unwrap(),
        );
        assert_eq!(written, original);
    }

    #[test]
    fn sec_key_10_only_a_boolean_makes_a_token_active() {
        for document in [
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"sub":"u"}"#,
            r#"{"active":false,"active":true}"#,
            r"[true]",
            r"{}",
            "",
        ] {
            let answer = IntrospectionResponse::parse(document.as_bytes());
            assert!(answer.is_err(), "{document}");
        }
        let answer = IntrospectionResponse::parse(br#"{"active":false,"sub":"u"}"#);
        assert_eq!(answer, Ok(IntrospectionResponse::Inactive));
    }

    #[test]
    fn sec_rv_08_an_inactive_token_has_no_other_member() {
        let written = json::to_string(&IntrospectionResponse::Inactive);
        assert_eq!(written.as_deref(), Ok(r#"{"active":false}"#));
    }

    #[test]
    fn members_keep_their_types() {
        for member in [
            r#""exp":"1""#,
            r#""exp":true"#,
            r#""sub":1"#,
            r#""aud":[1]"#,
            r#""aud":{}"#,
            r#""iss":[]"#,
            r#""scope":1"#,
        ] {
            let document = format!(r#"{{"active":true,{member}}}"#);
            assert!(
                IntrospectionResponse::parse(document.as_bytes()).is_err(),
                "{document}"
            );
        }
        let token =
            active(r#"{"active":true,"exp":1.9,"aud":["a","b"],"scope":["x","y"],"iss":null}"#);
        assert_eq!(token.expires_at, Some(Timestamp::from_secs(1)));
        assert_eq!(token.audience, ["a", "b"]);
        assert_eq!(token.scope, scopes!["x", "y"]);
        assert_eq!(token.issuer, None);
    }
}
