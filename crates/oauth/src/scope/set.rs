//! Sets of scopes, and how they are read and written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{InvalidScope, Scope};

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
        let mut seen = BTreeSet::new();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scopes;

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
}
