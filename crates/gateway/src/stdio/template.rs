//! Arguments and variables that say who the caller is.

use std::fmt;

use portcullis_resource_server::{AccessToken, ConfigError};

use crate::identity::Template;

/// A template whose text becomes part of a command.
#[derive(Clone)]
pub(super) struct CommandTemplate {
    template: Template,
    /// Whether the text is one placeholder and nothing else.
    is_value: bool,
}

/// Why a caller gets no process of its own. Nothing of the value is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the caller's token does not say what the command needs")]
    Missing,
    #[error("a value in the caller's token cannot be part of a command")]
    Forbidden,
}

impl CommandTemplate {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let inner = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        Ok(Self {
            template: Template::parse(text)?,
            is_value: inner.is_some_and(|inner| !inner.contains(['{', '}'])),
        })
    }

    /// Whether the text depends on the caller.
    pub(super) fn is_personal(&self) -> bool {
        self.template.is_personal()
    }

    /// The text for one caller.
    pub(super) fn fill(&self, token: Option<&AccessToken>) -> Result<String, Unfit> {
        if let Some(fixed) = self.template.fixed() {
            return Ok(fixed.to_owned());
        }
        let token = token.ok_or(Unfit::Missing)?;
        // SECURITY: whoever chooses a name must not choose an option, a second argument or a
        // second variable (CWE-88); sec_gw_18_a_claim_is_never_an_option
        let text = self.template.render_if(token, |value| self.is_fit(value));
        text.ok_or_else(|| match self.template.render(token) {
            Some(_) => Unfit::Forbidden,
            None => Unfit::Missing,
        })
    }

    /// Whether a value can be nothing but a value in this text.
    fn is_fit(&self, value: &str) -> bool {
        let is_plain =
            !value.is_empty() && !value.starts_with('-') && !value.chars().any(char::is_control);
        // SECURITY: between other characters it may be part of a path, and must not lead out of
        // its place there (CWE-22); sec_gw_18_a_claim_is_never_a_way_out
        let is_name = !value.contains(['/', '\\']) && !value.chars().all(|c| c == '.');
        is_plain && (self.is_value || is_name)
    }
}

impl fmt::Debug for CommandTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text of a variable may be a secret.
        f.write_str("CommandTemplate")
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::{Value, json};
    use portcullis_resource_server::TokenParts;

    use super::*;

    fn fill(text: &str, value: &str) -> Result<String, Unfit> {
        let Value::Object(claims) = json!({"v": value}) else {
            unreachable!()
        };
        let parts = TokenParts::new("https://i.example", "alice").claims(claims);
        let token = AccessToken::assert_verified(parts);
        CommandTemplate::parse(text).unwrap().fill(Some(&token))
    }

    #[test]
    fn a_callers_values_are_filled_in() {
        assert_eq!(
            fill("/srv/{sub}/{claim:v}", "a.b").unwrap(),
            "/srv/alice/a.b"
        );
        assert_eq!(fill("--dir=x", "").unwrap(), "--dir=x");
        assert_eq!(fill("{claim:none}", ""), Err(Unfit::Missing));
        let personal = CommandTemplate::parse("{sub}").unwrap();
        assert_eq!(personal.fill(None), Err(Unfit::Missing));
        assert!(personal.is_personal());
    }

    #[test]
    fn sec_gw_18_a_claim_is_never_an_option() {
        for value in ["--root=/", "-x", "a\nb", "a\0b", "a\rb", "\u{85}", ""] {
            for text in ["{claim:v}", "--dir={claim:v}", "{sub}{claim:v}"] {
                assert_eq!(fill(text, value), Err(Unfit::Forbidden), "{text} {value:?}");
            }
        }
    }

    #[test]
    fn sec_gw_18_a_claim_is_never_a_way_out() {
        for value in ["../bob", "..", ".", "bob/private", "/etc", "..\\bob"] {
            for text in ["/srv/{claim:v}", "{claim:v}.json", "{claim:v}{claim:v}"] {
                assert_eq!(fill(text, value), Err(Unfit::Forbidden), "{text} {value}");
            }
        }
        // Alone, it is what it is.
        assert_eq!(fill("{claim:v}", "a/b").unwrap(), "a/b");
    }
}
