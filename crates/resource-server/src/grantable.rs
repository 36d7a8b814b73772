//! Which scopes a principal can get, and which never.
//!
//! A challenge for a scope that nobody will grant sends a user through a login for nothing, and
//! tells of something that is not for them. So where it is known what can be granted, what needs
//! more is denied as any other rule would: absent from lists, unknown when called.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use portcullis_oauth::{ScopeHierarchy, ScopeSet};

use crate::AccessToken;

/// What one principal can get.
pub(crate) type GrantableRule = Arc<dyn Fn(&AccessToken) -> ScopeSet + Send + Sync>;

/// What can be granted at all, and to whom.
#[derive(Clone, Default)]
pub(crate) struct Grantable {
    /// All scopes that there are, where that is known.
    pub(crate) all: Option<ScopeSet>,
    /// Each of them is a bound.
    pub(crate) rules: Vec<GrantableRule>,
    pub(crate) hierarchy: ScopeHierarchy,
}

impl Grantable {
    pub(crate) fn is_bounded(&self) -> bool {
        self.all.is_some() || !self.rules.is_empty()
    }

    /// Whether `scopes` are held already or can be granted, by themselves or by one that implies
    /// them.
    pub(crate) fn covers(&self, token: &AccessToken, scopes: &ScopeSet) -> bool {
        let missing = scopes.difference(token.effective_scopes());
        let within = |bound: &ScopeSet| missing.is_subset(&self.hierarchy.expand(bound));
        if missing.is_empty() {
            return true;
        }
        // SECURITY: a rule that panics has not said what can be granted (fail closed);
        // sec_rs_09_a_grantable_rule_that_panics_denies
        let allowed = |rule: &GrantableRule| {
            catch_unwind(AssertUnwindSafe(|| rule(token))).is_ok_and(|bound| within(&bound))
        };
        self.all.as_ref().is_none_or(within) && self.rules.iter().all(allowed)
    }
}

impl fmt::Debug for Grantable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grantable")
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}
