//! A text with places for what a token says of its caller.

use std::fmt;

use portcullis_resource_server::{AccessToken, ConfigError};
use serde_json::Value;

/// `user-{sub}`: a text in which `{sub}`, `{iss}`, `{client_id}`, `{scope}` and `{claim:NAME}` stand
/// for what the caller's token says. `{{` and `}}` are braces.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Subject,
    Issuer,
    ClientId,
    Scope,
    Claim(String),
}

/// A value stands for one person, so no honest one is longer.
const MAX_VALUE: usize = 4096;

impl Template {
    /// Reads a template.
    ///
    /// ```
    /// use portcullis_gateway::Template;
    ///
    /// let template = Template::parse("user-{sub}")?;
    /// assert!(Template::parse("user-{subject}").is_err());
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] when a brace is open or a name unknown.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match (character, rest.as_str().chars().next()) {
                ('{', Some('{')) | ('}', Some('}')) => {
                    rest.next();
                    literal.push(character);
                }
                ('{', _) => {
                    let (name, after) = rest.as_str().split_once('}').ok_or_else(|| {
                        fault(text, "has an open brace").with_hint("write `{{` for a brace")
                    })?;
                    if !literal.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::parse(name).ok_or_else(|| {
                        fault(text, &format!("has an unknown place `{{{name}}}`")).with_hint(
                            "known are {sub}, {iss}, {client_id}, {scope} and {claim:NAME}",
                        )
                    })?);
                    rest = after.chars();
                }
                ('}', _) => {
                    return Err(fault(text, "closes a brace that was not opened")
                        .with_hint("write `}}` for a brace"));
                }
                _ => literal.push(character),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }

    /// Whether the text differs from caller to caller.
    pub fn is_personal(&self) -> bool {
        self.0.iter().any(|piece| !matches!(piece, Piece::Text(_)))
    }

    /// The text for the caller with this token; `None` where the token does not say what is asked
    /// for, or says it at a length that nobody needs.
    pub fn render(&self, token: &AccessToken) -> Option<String> {
        self.render_if(token, |_| true)
    }

    /// The same, if every value that is filled in also passes `is_fit`.
    pub(crate) fn render_if(
        &self,
        token: &AccessToken,
        is_fit: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            if let Piece::Text(literal) = piece {
                text.push_str(literal);
            } else {
                text.push_str(&piece.value(token).filter(|value| is_fit(value))?);
            }
        }
        (text.len() <= MAX_VALUE).then_some(text)
    }

    /// The text where it is the same for everybody.
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl Piece {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "sub" => Self::Subject,
            "iss" => Self::Issuer,
            "client_id" => Self::ClientId,
            "scope" => Self::Scope,
            _ => Self::Claim(
                name.strip_prefix("claim:")
                    .filter(|n| !n.is_empty())?
                    .into(),
            ),
        })
    }

    fn value(&self, token: &AccessToken) -> Option<String> {
        match self {
            Self::Text(literal) => Some(literal.clone()),
            Self::Subject => Some(token.subject().to_owned()),
            Self::Issuer => Some(token.issuer().to_owned()),
            Self::ClientId => token.client_id().map(str::to_owned),
            Self::Scope => Some(token.scopes().to_string()),
            Self::Claim(name) => claim(token, name),
        }
    }
}

/// A claim that is one scalar, or a list of strings, then separated by commas.
fn claim(token: &AccessToken, name: &str) -> Option<String> {
    match token.claims().get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<&str>> = items
                .iter()
                // SECURITY: an item with a comma would be read as two;
                // sec_gw_02_a_list_cannot_be_lengthened_by_an_item
                .map(|item| item.as_str().filter(|item| !item.contains(',')))
                .collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

fn fault(text: &str, what: &str) -> ConfigError {
    ConfigError::new(format!("template `{text}`"), what.to_owned())
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::json;
    use portcullis_oauth::scopes;
    use portcullis_resource_server::TokenParts;

    use super::*;

    fn alice() -> AccessToken {
        let claims = json!({"email": "alice@example.com", "age": 30, "admin": true,
            "groups": ["a", "b"], "odd": ["a,b"], "deep": {"x": 1}, "long": "x".repeat(5000)});
        let Value::Object(claims) = claims else {
            unreachable!()
        };
        AccessToken::assert_verified(
            TokenParts::new("https://idp.example", "alice")
                .client_id("cli")
                .scopes(scopes!["read", "write"])
                .claims(claims),
        )
    }

    fn render(text: &str) -> Option<String> {
        Template::parse(text).unwrap().render(&alice())
    }

    #[test]
    fn places_are_filled_from_the_token() {
        assert_eq!(
            render("u-{sub}@{client_id}").as_deref(),
            Some("u-alice@cli")
        );
        assert_eq!(
            render("{iss} {scope}").as_deref(),
            Some("https://idp.example read write")
        );
        assert_eq!(
            render("{claim:email}/{claim:age}/{claim:admin}/{claim:groups}").as_deref(),
            Some("alice@example.com/30/true/a,b")
        );
        assert_eq!(render("{{sub}} }}").as_deref(), Some("{sub} }"));
        assert_eq!(render("").as_deref(), Some(""));
    }

    #[test]
    fn what_a_token_does_not_say_is_not_made_up() {
        for text in [
            "{claim:absent}",
            "{claim:deep}",
            "a{claim:absent}b",
            "{claim:long}",
        ] {
            assert_eq!(render(text), None, "{text}");
        }
    }

    #[test]
    fn sec_gw_02_a_list_cannot_be_lengthened_by_an_item() {
        assert_eq!(render("{claim:odd}"), None);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, what) in [
            ("{sub", "has an open brace"),
            ("{subject}", "has an unknown place `{subject}`"),
            ("{claim:}", "has an unknown place `{claim:}`"),
            ("a}", "closes a brace that was not opened"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn a_fixed_text_is_told_from_a_personal_one() {
        assert_eq!(Template::parse("a").unwrap().fixed(), Some("a"));
        assert!(!Template::parse("a").unwrap().is_personal());
        assert_eq!(Template::parse("{sub}").unwrap().fixed(), None);
        assert!(Template::parse("{sub}").unwrap().is_personal());
    }
}
