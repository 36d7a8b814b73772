//! What a provider can be told, as data: for programs that take it from a file or from flags too.

use super::{Provider, Section, Variable};
use crate::env::variable::Need;

/// One setting of a [`Provider`].
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    section: &'static Section,
    variable: &'static Variable,
}

/// How the text of a setting is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingKind {
    /// Any text.
    Text,
    /// Scopes, separated by commas or blanks, or a JSON list.
    Scopes,
    /// One name, or a JSON list of names.
    Names,
    /// The name of an algorithm.
    Algorithm,
    /// `true` or `false`.
    Flag,
    /// A whole number of seconds.
    Seconds,
    /// Patterns of redirect URIs, separated by commas or blanks, or a JSON list.
    Uris,
    /// A JSON object of texts.
    Params,
    /// A text that nobody may see. `<NAME>_FILE` may name a file with it instead.
    Secret,
}

impl Setting {
    /// Its name, as in `JWKS_URI`.
    pub fn name(&self) -> &'static str {
        self.variable.name
    }

    /// An older name.
    pub fn alias(&self) -> Option<&'static str> {
        self.variable.alias
    }

    /// What it says.
    pub fn about(&self) -> &'static str {
        self.variable.about
    }

    /// How its text is read.
    pub fn kind(&self) -> SettingKind {
        self.variable.form
    }

    /// Whether the provider cannot do without.
    pub fn is_required(&self) -> bool {
        self.variable.need == Need::Required
    }

    /// The names of its variables, FastMCP's first. Those of a secret may end in `_FILE`.
    pub fn variables(&self) -> Vec<String> {
        self.section.spellings(self.variable)
    }
}

impl Provider {
    /// Everything that it can be told.
    pub fn settings(self) -> impl Iterator<Item = Setting> {
        let section = self.section();
        section
            .all()
            .map(move |variable| Setting { section, variable })
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        self.section().title
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_every_name_that_the_reader_knows() {
        let issuer = Provider::Jwt.settings().find(|s| s.name() == "ISSUER");
        let issuer = issuer.unwrap();
        assert!(issuer.is_required());
        assert_eq!(issuer.kind(), SettingKind::Names);
        assert_eq!(
            issuer.variables(),
            ["FASTMCP_SERVER_AUTH_JWT_ISSUER", "PORTCULLIS_AUTH_ISSUER"]
        );
    }
}
