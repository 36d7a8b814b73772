//! Names and URIs by pattern.

use std::fmt;

use portcullis_resource_server::ConfigError;

/// `write_*`: `*` stands for any run of characters, also none; everything else for itself, in
/// either case.
///
/// A server behind may not tell `Write_file` from `write_file`. So a pattern that guards one guards
/// both.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// What stands between the stars, in lower case.
    pieces: Vec<Box<str>>,
}

const MAX_PATTERN: usize = 512;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`ConfigError`] when it is empty, longer than 512 bytes, or has a character that no name
    /// has.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let fault = |what: &'static str| ConfigError::new(format!("pattern `{text}`"), what);
        if text.is_empty() {
            return Err(fault("is empty").with_hint("`*` matches everything"));
        }
        if text.len() > MAX_PATTERN {
            return Err(fault("is longer than 512 bytes"));
        }
        if text.chars().any(char::is_control) || text.trim() != text {
            return Err(fault("has a space at its end or a control character"));
        }
        let pieces = text.split('*').map(|piece| fold(piece).into()).collect();
        Ok(Self {
            text: text.into(),
            pieces,
        })
    }

    /// Whether `name` is meant.
    ///
    /// ```
    /// use portcullis_gateway::Pattern;
    ///
    /// let pattern = Pattern::parse("write_*")?;
    /// assert!(pattern.matches("write_file") && pattern.matches("WRITE_"));
    /// assert!(!pattern.matches("rewrite_file"));
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    pub fn matches(&self, name: &str) -> bool {
        self.matches_folded(&fold(name))
    }

    pub(super) fn matches_folded(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| **only == *name);
        };
        let Some(rest) = name.strip_prefix(&**first) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(&**last) else {
            return false;
        };
        // The leftmost place for each piece leaves the most for the next ones.
        for piece in middle {
            match rest.split_once(&**piece) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

/// The spelling in which names are compared.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_is_any_run() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "any", true),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "acb", false),
            ("**", "x", true),
            ("a**b", "ab", true),
            ("file:///srv/*", "file:///srv/a/b", true),
            ("a*bb*b", "abbb", true),
            ("a*bb*b", "abb", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn sec_gw_13_a_name_in_other_letters_is_the_same_name() {
        assert!(matches("write_*", "Write_File"));
        assert!(matches("ÄNDERN", "ändern"));
    }

    #[test]
    fn patterns_that_cannot_be_meant_are_refused() {
        for text in ["", " a", "a\n", &"x".repeat(513)] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    /// The definition, slow and plain.
    fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|at| by_definition(rest, &name[at..])),
            Some((byte, rest)) => name.first() == Some(byte) && by_definition(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_match_is_what_the_definition_says(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &name), by_definition(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
