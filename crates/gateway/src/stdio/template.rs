//! Arguments and variables that say who the caller is: `{sub}`, `{client_id}`, `{claim:NAME}`.

use std::fmt;

use portcullis_oauth::json::Value;
use portcullis_resource_server::AccessToken;

/// A text with places for what the caller's token says. `{{` and `}}` are braces.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Subject,
    ClientId,
    Claim(String),
}

/// A template that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("a brace has no partner; write `{{{{` or `}}}}` for a brace")]
    Brace,
    #[error(
        "`{{{0}}}` is no placeholder; there are `{{sub}}`, `{{client_id}}` and `{{claim:NAME}}`"
    )]
    Unknown(String),
}

/// Why a caller gets no process of its own. Nothing of the value is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the caller's token does not say what the command needs")]
    Missing,
    #[error("a value in the caller's token cannot be part of a command")]
    Forbidden,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at_checked(at).ok_or(TemplateError::Brace)?;
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else {
                let inner = from.strip_prefix('{').ok_or(TemplateError::Brace)?;
                let (name, after) = inner.split_once('}').ok_or(TemplateError::Brace)?;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::parse(name)?);
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// Whether the text depends on the caller.
    pub(super) fn is_personal(&self) -> bool {
        self.0.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// The text for one caller.
    pub(super) fn fill(&self, token: Option<&AccessToken>) -> Result<String, Unfit> {
        self.0.iter().try_fold(String::new(), |mut text, part| {
            match part {
                Part::Text(plain) => text.push_str(plain),
                personal => {
                    let value = personal.value(token).ok_or(Unfit::Missing)?;
                    text.push_str(allowed(&value)?);
                }
            }
            Ok(text)
        })
    }
}

impl Part {
    fn parse(name: &str) -> Result<Self, TemplateError> {
        match (name, name.strip_prefix("claim:")) {
            ("sub", _) => Ok(Self::Subject),
            ("client_id", _) => Ok(Self::ClientId),
            (_, Some(claim)) if !claim.is_empty() => Ok(Self::Claim(claim.to_owned())),
            _ => Err(TemplateError::Unknown(name.to_owned())),
        }
    }

    fn value(&self, token: Option<&AccessToken>) -> Option<String> {
        let token = token?;
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Subject => Some(token.subject().to_owned()),
            Self::ClientId => token.client_id().map(str::to_owned),
            Self::Claim(name) => match token.claims().get(name)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(bool) => Some(bool.to_string()),
                _ => None,
            },
        }
    }
}

/// What a token says may become part of a command only if it can be nothing but a value there.
fn allowed(value: &str) -> Result<&str, Unfit> {
    // SECURITY: whoever chooses a name must not choose an option, a second argument or a second
    // variable (CWE-88); sec_gw_18_a_claim_is_never_an_option
    let is_plain = !value.is_empty()
        && value.len() <= MOST_BYTES
        && !value.starts_with('-')
        && !value.chars().any(char::is_control);
    is_plain.then_some(value).ok_or(Unfit::Forbidden)
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text of a variable may be a secret.
        f.write_str("Template")
    }
}

const MOST_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::json;
    use portcullis_resource_server::TokenParts;

    use super::*;

    fn token(subject: &str, claims: &Value) -> AccessToken {
        let claims = claims.as_object().cloned().unwrap();
        AccessToken::assert_verified(
            TokenParts::new("https://i.example", subject)
                .client_id("cli")
                .claims(claims),
        )
    }

    fn fill(text: &str, token: &AccessToken) -> Result<String, Unfit> {
        Template::parse(text).unwrap().fill(Some(token))
    }

    #[test]
    fn placeholders_are_filled() {
        let token = token(
            "alice",
            &json!({"role": "admin", "n": 7, "b": true, "list": []}),
        );
        assert_eq!(
            fill("/srv/{sub}/{client_id}", &token).unwrap(),
            "/srv/alice/cli"
        );
        assert_eq!(
            fill("{claim:role}{claim:n}{claim:b}", &token).unwrap(),
            "admin7true"
        );
        assert_eq!(fill("{{sub}} }}{{", &token).unwrap(), "{sub} }{");
        assert_eq!(fill("", &token).unwrap(), "");
        for missing in ["{claim:none}", "{claim:list}"] {
            assert_eq!(fill(missing, &token), Err(Unfit::Missing));
        }
        assert_eq!(
            Template::parse("{sub}").unwrap().fill(None),
            Err(Unfit::Missing)
        );
        assert_eq!(
            Template::parse("plain").unwrap().fill(None).unwrap(),
            "plain"
        );
    }

    #[test]
    fn odd_templates_are_refused() {
        for odd in ["{", "}", "{sub", "a}b", "{{}"] {
            assert_eq!(Template::parse(odd), Err(TemplateError::Brace), "{odd}");
        }
        for odd in ["{}", "{claim:}", "{Sub}", "{env:HOME}"] {
            assert!(
                matches!(Template::parse(odd), Err(TemplateError::Unknown(_))),
                "{odd}"
            );
        }
    }

    #[test]
    fn sec_gw_18_a_claim_is_never_an_option() {
        let long = "a".repeat(MOST_BYTES + 1);
        for value in [
            "--root=/", "-x", "a\nb", "a\0b", "a\rb", "\u{85}", "", &long,
        ] {
            let token = token("alice", &json!({"v": value}));
            assert_eq!(
                fill("{claim:v}", &token),
                Err(Unfit::Forbidden),
                "{value:?}"
            );
            assert_eq!(
                fill("--dir={claim:v}", &token),
                Err(Unfit::Forbidden),
                "{value:?}"
            );
        }
        let token = token("-v", &json!({}));
        assert_eq!(fill("{sub}", &token), Err(Unfit::Forbidden));
    }
}
