//! Scopes that stand for others.

use std::collections::BTreeMap;

use super::{Scope, ScopeSet};

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
    use crate::scopes;

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
