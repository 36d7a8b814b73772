//! Where a value was written.

use std::collections::HashMap;
use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `--listen`.
    Flag(String),
    /// `PORTCULLIS_LISTEN`.
    Variable(String),
    /// A place in a file.
    File {
        file: String,
        line: usize,
        column: usize,
    },
}

/// Where each key was written, by its path: `auth.mode`, `upstream.0.url`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins(HashMap<String, Origin>);

impl Origin {
    /// Whether it is the environment, which people see less well than a file.
    pub(crate) fn is_environment(&self) -> bool {
        matches!(self, Self::Variable(_))
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// The place of a byte in a file.
    pub(crate) fn at(file: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        Self::File {
            file: file.to_owned(),
            line,
            column,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
        }
    }
}

impl Origins {
    pub(crate) fn set(&mut self, path: impl Into<String>, origin: Origin) {
        self.0.insert(path.into(), origin);
    }

    /// Whether a key was written.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The place of a key, or of what holds it.
    pub(crate) fn find(&self, path: &str) -> Option<&Origin> {
        let mut path = path;
        loop {
            if let Some(origin) = self.0.get(path) {
                return Some(origin);
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    /// The places of all keys below this one.
    pub(crate) fn below(&self, path: &str) -> impl Iterator<Item = &Origin> {
        let below = format!("{path}.");
        let keys = self.0.iter();
        keys.filter(move |(key, _)| key.starts_with(&below))
            .map(|(_, origin)| origin)
    }

    /// The place of exactly this key.
    pub(crate) fn exact(&self, path: &str) -> Option<&Origin> {
        self.0.get(path)
    }

    /// Forgets a key and all below it.
    pub(crate) fn forget(&mut self, path: &str) {
        let below = format!("{path}.");
        self.0
            .retain(|key, _| key != path && !key.starts_with(&below));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let text = "a = 1\nö = 2\n";
        assert_eq!(Origin::at("f", text, 0).to_string(), "f:1:1");
        let two = text.find('2').unwrap();
        assert_eq!(Origin::at("f", text, two).to_string(), "f:2:5");
        assert_eq!(Origin::at("f", text, 99).to_string(), "f:3:1");
    }

    #[test]
    fn a_key_without_a_place_has_that_of_its_holder() {
        let mut origins = Origins::default();
        origins.set("upstream.0", Origin::Flag("--upstream".into()));
        let found = origins.find("upstream.0.url").unwrap();
        assert_eq!(found.to_string(), "--upstream");
        assert!(origins.find("listen").is_none());
    }
}
