//! Who may see and use a component.
//!
//! One predicate decides lists and calls alike:
//!
//! * **allowed**: listed, and runs;
//! * **scopes are missing, and nothing else**: listed, and a call is answered with HTTP 403
//!   `insufficient_scope`, so that a client can ask its user for more;
//! * **denied for any other reason**, a scope that this caller can never get among them: absent from every list, and a call is answered exactly as
//!   if the component did not exist.
//!
//! A hook that panics or hangs denies. Over stdio there is no OAuth: the local user passes
//! [`require_auth`] and holds neither scopes nor roles. On an HTTP server without
//! [`auth`](crate::Server::auth) nobody is verified, so a component with a rule is hidden from
//! everybody.

mod caller;
mod methods;
mod rule;

use std::sync::Arc;

use portcullis_oauth::{ScopeHierarchy, ScopeSet};
use portcullis_resource_server::AccessToken;
pub use portcullis_resource_server::mcp::{Decision, Operation};

pub use self::rule::{
    Roles, Rule, check, check_async, require_all, require_any, require_auth, require_role,
    require_scopes,
};
pub(crate) use self::{caller::Caller, methods::access_methods, rule::Verdict};

/// The rules of one component, all of which must pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    pub(crate) anonymous: bool,
    /// An argument of the handler needs a verified caller.
    pub(crate) needs_token: bool,
    pub(crate) rules: Vec<Rule>,
}

impl Access {
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.anonymous && (self.needs_token || !self.rules.is_empty()) {
            return Some("`.anonymous()` contradicts its other access rules");
        }
        self.rules.iter().find_map(Rule::fault)
    }

    /// Whether who calls makes a difference.
    pub(crate) fn is_restricted(&self) -> bool {
        self.needs_token || !self.rules.is_empty()
    }
}

/// The rules of a whole server. They hold for each of its components, also where it is mounted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// The server has auth: a caller without a token sees only what is marked anonymous.
    pub(crate) closed: bool,
    pub(crate) rules: Vec<Rule>,
    pub(crate) hierarchy: ScopeHierarchy,
}

/// The gates on the way to a component: of the server that asks, then of each one that the
/// component is mounted through, outermost first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    own: &'a Gate,
    mounts: &'a [Arc<Gate>],
}

impl<'a> Way<'a> {
    pub(crate) fn new(own: &'a Gate, mounts: &'a [Arc<Gate>]) -> Self {
        Self { own, mounts }
    }

    fn gates(self) -> impl Iterator<Item = &'a Gate> + Clone {
        std::iter::once(self.own).chain(self.mounts.iter().map(AsRef::as_ref))
    }

    /// The gate of the component's own server.
    fn last(self) -> &'a Gate {
        self.mounts.last().map_or(self.own, AsRef::as_ref)
    }

    /// Every rule, with the hierarchy of the server that wrote it.
    fn rules(self, access: &'a Access) -> impl Iterator<Item = (&'a Rule, &'a ScopeHierarchy)> {
        let of_gates = self
            .gates()
            .flat_map(|gate| gate.rules.iter().map(|rule| (rule, &gate.hierarchy)));
        let hierarchy = &self.last().hierarchy;
        of_gates.chain(access.rules.iter().map(move |rule| (rule, hierarchy)))
    }
}

/// Asks every gate on the way to a component, then the component.
pub(crate) async fn decide(way: Way<'_>, access: &Access, caller: &Caller) -> Decision {
    let Some(token) = caller.token() else {
        return without_token(way, access);
    };
    let mut missing = ScopeSet::new();
    for (rule, hierarchy) in way.rules(access) {
        match rule.evaluate(token, hierarchy).await {
            Verdict::Pass => {}
            Verdict::Short(scopes) => missing = missing.union(&scopes),
            Verdict::Deny => return Decision::Hide,
        }
    }
    conclude(token, &missing, caller)
}

/// [`decide`], where no rule has to wait.
pub(crate) fn decide_now(way: Way<'_>, access: &Access, caller: &Caller) -> Option<Decision> {
    let Some(token) = caller.token() else {
        return Some(without_token(way, access));
    };
    if way.rules(access).any(|(rule, _)| rule.waits()) {
        return None;
    }
    let mut missing = ScopeSet::new();
    for (rule, hierarchy) in way.rules(access) {
        match rule.evaluate_now(token, hierarchy)? {
            Verdict::Pass => {}
            Verdict::Short(scopes) => missing = missing.union(&scopes),
            Verdict::Deny => return Some(Decision::Hide),
        }
    }
    Some(conclude(token, &missing, caller))
}

/// The scopes that rules on the way to a component name; `None` where it is open without a token.
pub(crate) fn scopes_named(way: Way<'_>, access: &Access) -> Option<ScopeSet> {
    let is_open = without_token(way, access) == Decision::Allow;
    let named = way.rules(access).map(|(rule, _)| rule.scopes_named());
    (!is_open).then(|| named.fold(ScopeSet::new(), |all, scopes| all.union(&scopes)))
}

fn without_token(way: Way<'_>, access: &Access) -> Decision {
    let restricted = access.is_restricted() || way.gates().any(|gate| !gate.rules.is_empty());
    let open = access.anonymous || way.gates().all(|gate| !gate.closed);
    // SECURITY: no token is nobody, never "trusted"; sec_rs_09_no_token_sees_no_restricted_tool
    if open && !restricted {
        Decision::Allow
    } else {
        Decision::Hide
    }
}

fn conclude(token: &AccessToken, missing: &ScopeSet, caller: &Caller) -> Decision {
    if missing.is_empty() {
        Decision::Allow
    } else if caller.can_step_up() && token.can_get(missing) {
        Decision::StepUp(challenge(token.scopes(), missing))
    } else {
        Decision::Hide
    }
}

/// What a 403 asks for: everything granted and everything missing, so that stepping up loses
/// nothing. `offline_access` is a matter between client and authorization server.
pub(crate) fn challenge(granted: &ScopeSet, missing: &ScopeSet) -> ScopeSet {
    granted.union(missing).without("offline_access")
}

#[cfg(test)]
mod tests;
