//! Scopes: what a token allows (RFC 6749 section 3.3).
//!
//! A [`Scope`] is one word, a [`ScopeSet`] what a request asks for, a token grants or a tool
//! needs. Scopes are compared byte for byte; [`ScopeHierarchy`] is the one place where a scope may
//! stand for others.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod hierarchy;
mod set;

pub use hierarchy::ScopeHierarchy;
pub use set::ScopeSet;

/// One scope: `1*( %x21 / %x23-5B / %x5D-7E )`, so visible ASCII without `"` and `\`
/// (RFC 6749 section 3.3). Case matters.
///
/// ```
/// use portcullis_oauth::Scope;
///
/// assert_eq!(Scope::parse("notes:read")?.as_str(), "notes:read");
/// assert!(Scope::parse("two words").is_err());
/// # Ok::<(), portcullis_oauth::InvalidScope>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Cow<'static, str>);

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScope {
    /// A scope has at least one character.
    #[error("a scope cannot be empty")]
    Empty,
    /// Space separates scopes; `"`, `\`, control characters and all beyond ASCII are not allowed.
    #[error("a scope cannot contain {0:?}")]
    Character(char),
    /// Scopes are separated by exactly one space.
    #[error("scopes are separated by exactly one space")]
    Separator,
}

impl Scope {
    /// Reads one scope.
    ///
    /// # Errors
    /// [`InvalidScope`] when `text` is empty or holds a character outside the grammar.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text.is_empty() {
            return Err(InvalidScope::Empty);
        }
        match text
            .chars()
            .find(|c| !u8::try_from(*c).is_ok_and(is_scope_byte))
        {
            Some(c) => Err(InvalidScope::Character(c)),
            None => Ok(Self(Cow::Owned(text.to_owned()))),
        }
    }

    /// A scope from a literal, checked when it is evaluated at compile time, as
    /// [`scopes!`](crate::scopes) does.
    ///
    /// # Panics
    /// When `text` is not a scope; in a `const` that is a compile error.
    #[expect(clippy::indexing_slicing, reason = "the loop's bound is the length")]
    pub const fn from_static(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        assert!(!bytes.is_empty(), "a scope cannot be empty");
        let mut i = 0;
        while i < bytes.len() {
            assert!(
                is_scope_byte(bytes[i]),
                "a scope is visible ASCII without spaces, quotes and backslashes (RFC 6749 section 3.3)"
            );
            i += 1;
        }
        Self(Cow::Borrowed(text))
    }

    /// The scope as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// A [`ScopeSet`] from literals that are checked at compile time.
///
/// ```
/// use portcullis_oauth::scopes;
///
/// assert_eq!(scopes!["openid", "profile"].to_string(), "openid profile");
/// ```
///
/// A text that is no scope does not compile:
///
/// ```compile_fail
/// let bad = portcullis_oauth::scopes!["bad scope"];
/// ```
#[macro_export]
macro_rules! scopes {
    ($($scope:literal),* $(,)?) => {
        <$crate::scope::ScopeSet as ::core::iter::FromIterator<$crate::scope::Scope>>::from_iter([
            // An item of its own, so that `cargo check` evaluates it and not only a build.
            $({
                const SCOPE: $crate::scope::Scope = $crate::scope::Scope::from_static($scope);
                SCOPE
            }),*
        ])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar_is_that_of_rfc_6749() {
        for c in (0_u8..=255).map(char::from) {
            let allowed = matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
            assert_eq!(Scope::parse(&c.to_string()).is_ok(), allowed, "{c:?}");
        }
        assert_eq!(Scope::parse(""), Err(InvalidScope::Empty));
    }
}
