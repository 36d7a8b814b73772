//! Scopes: what a token allows (RFC 6749 section 3.3).
//!
//! A [`Scope`] is one word, a [`ScopeSet`] what a request asks for, a token grants or a tool
//! needs. Scopes are compared byte for byte; [`ScopeHierarchy`] is the one place where a scope may
//! stand for others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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

/// Scopes in the order in which they were first named, each once.
///
/// Cloning is cheap. Two sets are equal when they hold the same scopes, whatever their order.
///
/// ```
/// use portcullis_oauth::{ScopeSet, scopes};
///
/// let granted = ScopeSet::parse("notes:read notes:write")?;
/// let needed = scopes!["notes:read", "admin"];
/// assert_eq!(needed.difference(&granted), scopes!["admin"]);
/// assert_eq!(granted.union(&needed).to_string(), "notes:read notes:write admin");
/// # Ok::<(), portcullis_oauth::InvalidScope>(())
/// ```
#[derive(Clone, Default)]
pub struct ScopeSet(Option<Arc<[Scope]>>);

impl ScopeSet {
    /// No scopes.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Reads `scope = scope-token *( SP scope-token )`. An empty text is the empty set.
    ///
    /// # Errors
    /// [`InvalidScope`] for a character outside the grammar or for more than one space in a row.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text.is_empty() {
            return Ok(Self::new());
        }
        text.split(' ')
            .map(|word| match word {
                "" => Err(InvalidScope::Separator),
                word => Scope::parse(word),
            })
            .collect()
    }

    /// Reads what others wrote: runs of spaces are skipped and words that are no scopes are
    /// dropped, so the result can only be smaller than what was meant.
    ///
    /// Space alone separates: a tab, a comma or a no-break space makes its word no scope.
    pub fn parse_lenient(text: &str) -> Self {
        // SECURITY: a word outside the grammar grants nothing (RFC 6749 section 3.3);
        // sec_jwt_24_only_single_spaces_separate_scopes
        text.split(' ')
            .filter_map(|word| Scope::parse(word).ok())
            .collect()
    }

    /// Whether the set has no scope.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// The number of scopes.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether `scope` is in the set.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.as_slice().contains(scope)
    }

    /// Whether a scope with this spelling is in the set.
    pub fn contains_str(&self, scope: &str) -> bool {
        self.iter().any(|s| s.as_str() == scope)
    }

    /// Whether all scopes of `self` are in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    /// The scopes in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.as_slice().iter()
    }

    /// The scopes of `self`, then those that only `other` has.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_subset(self) {
            return self.clone();
        }
        self.iter().chain(other).cloned().collect()
    }

    /// The scopes that both have, in the order of `self`.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter()
            .filter(|scope| other.contains(scope))
            .cloned()
            .collect()
    }

    /// The scopes that only `self` has.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter()
            .filter(|scope| !other.contains(scope))
            .cloned()
            .collect()
    }

    /// The set without one scope; `offline_access` has no place in a challenge, for example.
    #[must_use]
    pub fn without(&self, scope: &str) -> Self {
        self.iter()
            .filter(|s| s.as_str() != scope)
            .cloned()
            .collect()
    }

    fn as_slice(&self) -> &[Scope] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut seen = std::collections::BTreeSet::new();
        let unique: Vec<Scope> = scopes
            .into_iter()
            .filter(|scope| seen.insert(scope.clone()))
            .collect();
        if unique.is_empty() {
            Self::new()
        } else {
            Self(Some(unique.into()))
        }
    }
}

impl Extend<Scope> for ScopeSet {
    fn extend<I: IntoIterator<Item = Scope>>(&mut self, scopes: I) {
        *self = self.iter().cloned().chain(scopes).collect();
    }
}

impl From<Scope> for ScopeSet {
    fn from(scope: Scope) -> Self {
        [scope].into_iter().collect()
    }
}

impl IntoIterator for ScopeSet {
    type Item = Scope;
    type IntoIter = std::vec::IntoIter<Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().to_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for ScopeSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.is_subset(other)
    }
}

impl Eq for ScopeSet {}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// As the wire writes it: one text, separated by spaces.
impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
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

/// Which scopes stand for others: `admin` may imply `notes:read`, for example.
///
/// It is applied to what a token grants, before anything is compared with it.
///
/// ```
/// use portcullis_oauth::{Scope, ScopeHierarchy, scopes};
///
/// let rules = ScopeHierarchy::new()
///     .implies(Scope::from_static("admin"), scopes!["write"])
///     .implies(Scope::from_static("write"), scopes!["read"]);
/// assert_eq!(rules.expand(&scopes!["admin"]), scopes!["admin", "write", "read"]);
/// assert_eq!(rules.expand(&scopes!["read"]), scopes!["read"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScopeHierarchy(BTreeMap<Scope, ScopeSet>);

impl ScopeHierarchy {
    /// No scope implies another.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whoever has `scope` also has `implied`, and what those imply in turn.
    #[must_use]
    pub fn implies(mut self, scope: Scope, implied: ScopeSet) -> Self {
        let all = match self.0.remove(&scope) {
            Some(known) => known.union(&implied),
            None => implied,
        };
        self.0.insert(scope, all);
        self
    }

    /// The rules of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rules = other.0.into_iter();
        rules.fold(self, |all, (scope, implied)| all.implies(scope, implied))
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `granted` and all that it implies. Circles are no problem.
    #[must_use]
    pub fn expand(&self, granted: &ScopeSet) -> ScopeSet {
        if self.0.is_empty() {
            return granted.clone();
        }
        let mut all = granted.clone();
        let mut next = granted.clone();
        while !next.is_empty() {
            let implied: ScopeSet = next
                .iter()
                .filter_map(|scope| self.0.get(scope))
                .flatten()
                .cloned()
                .collect();
            next = implied.difference(&all);
            all = all.union(&next);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_jwt_24_only_single_spaces_separate_scopes() {
        for text in ["a\tb", "a,b", "a\u{a0}b", "a\nb", "a;\"b\"", "\u{feff}a"] {
            let granted = ScopeSet::parse_lenient(text);
            assert!(!granted.contains_str("a"), "{text:?} must not grant `a`");
            assert!(!granted.contains_str("b"), "{text:?} must not grant `b`");
        }
        for text in ["a\tb", "a\u{a0}b", "a\nb", "\u{feff}a", " a", "a ", "a  b"] {
            assert!(ScopeSet::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(ScopeSet::parse_lenient(" a  b ").to_string(), "a b");
        assert!(
            !ScopeSet::parse_lenient("*").contains_str("a"),
            "`*` is a scope like another"
        );
        assert!(
            !ScopeSet::parse_lenient("Read").contains_str("read"),
            "case matters"
        );
        assert_eq!(ScopeSet::parse("a  b"), Err(InvalidScope::Separator));
        assert_eq!(ScopeSet::parse(" a"), Err(InvalidScope::Separator));
    }

    #[test]
    fn grammar_is_that_of_rfc_6749() {
        for c in (0_u8..=255).map(char::from) {
            let allowed = matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
            assert_eq!(Scope::parse(&c.to_string()).is_ok(), allowed, "{c:?}");
        }
        assert_eq!(Scope::parse(""), Err(InvalidScope::Empty));
    }

    #[test]
    fn a_set_keeps_first_order_and_no_duplicates() {
        let set = ScopeSet::parse("b a b c a").unwrap();
        assert_eq!(set.to_string(), "b a c");
        assert_eq!(set, scopes!["a", "b", "c"]);
        assert_ne!(set, scopes!["a", "b"]);
        assert_eq!(set.without("a").to_string(), "b c");
        assert!(ScopeSet::parse("").unwrap().is_empty());
    }

    #[test]
    fn algebra() {
        let (ab, bc) = (scopes!["a", "b"], scopes!["b", "c"]);
        assert_eq!(ab.union(&bc).to_string(), "a b c");
        assert_eq!(ab.intersection(&bc), scopes!["b"]);
        assert_eq!(ab.difference(&bc), scopes!["a"]);
        assert!(scopes![].is_subset(&ab));
        assert!(!ab.is_subset(&scopes![]));
    }

    #[test]
    fn a_hierarchy_with_a_circle_ends() {
        let rules = ScopeHierarchy::new()
            .implies(Scope::from_static("a"), scopes!["b"])
            .implies(Scope::from_static("b"), scopes!["a", "c"]);
        assert_eq!(rules.expand(&scopes!["a"]), scopes!["a", "b", "c"]);
        assert_eq!(rules.expand(&scopes!["c"]), scopes!["c"]);
    }

    #[test]
    fn rules_add_up() {
        let one = ScopeHierarchy::new().implies(Scope::from_static("a"), scopes!["b"]);
        let other = ScopeHierarchy::new()
            .implies(Scope::from_static("a"), scopes!["c"])
            .implies(Scope::from_static("c"), scopes!["d"]);
        assert_eq!(
            one.and(other).expand(&scopes!["a"]),
            scopes!["a", "b", "c", "d"]
        );
    }
}
