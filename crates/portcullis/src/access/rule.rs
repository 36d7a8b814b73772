//! Rules about the caller, and how they combine.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use portcullis_oauth::scope::{ScopeHierarchy, ScopeSet};
use portcullis_resource_server::AccessToken;

/// A condition that a caller must meet.
///
/// Made by [`require_auth`], [`require_scopes`], [`require_role`], [`check`], [`check_async`], and
/// combined by [`require_all`] and [`require_any`]:
///
/// ```
/// use portcullis::{access::{require_any, require_role, require_scopes}, scopes};
///
/// let rule = require_any([require_role("admin"), require_scopes(scopes!["reports:read"])]);
/// ```
#[derive(Clone)]
pub struct Rule(Kind);

#[derive(Clone)]
enum Kind {
    Auth,
    Scopes(ScopeSet),
    Roles(Arc<[String]>),
    All(Arc<[Rule]>),
    Any(Arc<[Rule]>),
    Check(Arc<dyn Fn(&AccessToken) -> bool + Send + Sync>),
    CheckAsync(Arc<dyn Fn(AccessToken) -> BoxFuture<'static, bool> + Send + Sync>),
}

/// Any verified caller. On stdio the local user counts as one.
pub fn require_auth() -> Rule {
    Rule(Kind::Auth)
}

/// A token that carries every one of these scopes.
///
/// A caller who lacks some is told which (HTTP 403 `insufficient_scope`, RFC 6750 section 3.1),
/// so that a client can ask the user for more.
pub fn require_scopes(scopes: ScopeSet) -> Rule {
    Rule(Kind::Scopes(scopes))
}

/// A token with at least one of these roles, in its claim `role`, `roles` or `groups` (a string
/// or an array of strings). One role or several: `"admin"`, `["admin", "operator"]`.
pub fn require_role(roles: impl Into<Roles>) -> Rule {
    Rule(Kind::Roles(roles.into().0.into()))
}

/// Every one of these rules, asked in this order up to the first that denies. An empty list is an
/// error when the server is built.
pub fn require_all(rules: impl IntoIterator<Item = Rule>) -> Rule {
    Rule(Kind::All(rules.into_iter().collect()))
}

/// At least one of these rules, asked in this order up to the first that passes. An empty list is
/// an error when the server is built.
pub fn require_any(rules: impl IntoIterator<Item = Rule>) -> Rule {
    Rule(Kind::Any(rules.into_iter().collect()))
}

/// A condition of your own. A panic in it denies.
pub fn check(allow: impl Fn(&AccessToken) -> bool + Send + Sync + 'static) -> Rule {
    Rule(Kind::Check(Arc::new(allow)))
}

/// A condition of your own that has to wait, for instance for a database. A panic in it denies,
/// and so does taking longer than five seconds.
pub fn check_async<F, Fut>(allow: F) -> Rule
where
    F: Fn(AccessToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = bool> + Send + 'static,
{
    Rule(Kind::CheckAsync(Arc::new(move |token| {
        allow(token).boxed()
    })))
}

/// The roles that [`require_role`] accepts.
#[derive(Clone, Debug)]
pub struct Roles(Vec<String>);

impl From<&str> for Roles {
    fn from(role: &str) -> Self {
        Self(vec![role.to_owned()])
    }
}

impl From<String> for Roles {
    fn from(role: String) -> Self {
        Self(vec![role])
    }
}

impl<const N: usize> From<[&str; N]> for Roles {
    fn from(roles: [&str; N]) -> Self {
        Self(roles.map(str::to_owned).to_vec())
    }
}

impl From<Vec<String>> for Roles {
    fn from(roles: Vec<String>) -> Self {
        Self(roles)
    }
}

/// What a rule says about one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// Only scopes are missing: these.
    Short(ScopeSet),
    Deny,
}

/// How long a hook may take. A hook that hangs must not hold the request, and must not allow it.
const HOOK_LIMIT: Duration = Duration::from_secs(5);

impl Rule {
    /// What makes this rule meaningless, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match &self.0 {
            Kind::Roles(roles) if roles.is_empty() => Some("`require_role` needs a role"),
            Kind::Scopes(scopes) if scopes.is_empty() => Some("`require_scopes` needs a scope"),
            Kind::All(rules) | Kind::Any(rules) if rules.is_empty() => {
                Some("`require_all` and `require_any` need a rule")
            }
            Kind::All(rules) | Kind::Any(rules) => rules.iter().find_map(Self::fault),
            _ => None,
        }
    }

    /// Whether something in this rule has to wait.
    pub(crate) fn waits(&self) -> bool {
        match &self.0 {
            Kind::All(rules) | Kind::Any(rules) => rules.iter().any(Self::waits),
            Kind::CheckAsync(_) => true,
            _ => false,
        }
    }

    /// The scopes that this rule asks for; of several ways to meet it, those of the first that has
    /// some.
    pub(crate) fn scopes_named(&self) -> ScopeSet {
        match &self.0 {
            Kind::Scopes(scopes) => scopes.clone(),
            Kind::All(rules) => {
                let all = rules.iter().map(Self::scopes_named);
                all.fold(ScopeSet::new(), |all, scopes| all.union(&scopes))
            }
            Kind::Any(rules) => {
                let mut ways = rules.iter().map(Self::scopes_named);
                ways.find(|scopes| !scopes.is_empty()).unwrap_or_default()
            }
            Kind::Auth | Kind::Roles(_) | Kind::Check(_) | Kind::CheckAsync(_) => ScopeSet::new(),
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            any: matches!(self.0, Kind::Any(_)),
            passed: false,
            denied: false,
            missing: None,
        }
    }

    /// The verdict, unless something in this rule has to wait. Ask [`waits`](Self::waits) first,
    /// or the hooks before that something run for nothing.
    pub(crate) fn evaluate_now(
        &self,
        token: &AccessToken,
        hierarchy: &ScopeHierarchy,
    ) -> Option<Verdict> {
        Some(match &self.0 {
            Kind::Auth => Verdict::Pass,
            Kind::Scopes(needed) => scopes(needed, token, hierarchy),
            Kind::Roles(roles) => pass_if(token.has_any_role(roles)),
            Kind::All(rules) | Kind::Any(rules) => {
                let mut tally = self.tally();
                for rule in rules.iter() {
                    tally.add(rule.evaluate_now(token, hierarchy)?);
                    if tally.is_settled() {
                        break;
                    }
                }
                tally.verdict()
            }
            Kind::Check(allow) => {
                // SECURITY: a panicking hook denies; sec_rs_09_panicking_hook_denies
                let answer = std::panic::catch_unwind(AssertUnwindSafe(|| allow(token)));
                pass_if(answer.unwrap_or_else(|_| hook_failed("panicked")))
            }
            Kind::CheckAsync(_) => return None,
        })
    }

    /// The verdict.
    pub(crate) fn evaluate<'a>(
        &'a self,
        token: &'a AccessToken,
        hierarchy: &'a ScopeHierarchy,
    ) -> BoxFuture<'a, Verdict> {
        async move {
            match &self.0 {
                Kind::CheckAsync(allow) => pass_if(ask(allow.as_ref(), token).await),
                Kind::All(rules) | Kind::Any(rules) => {
                    let mut tally = self.tally();
                    for rule in rules.iter() {
                        tally.add(rule.evaluate(token, hierarchy).await);
                        if tally.is_settled() {
                            break;
                        }
                    }
                    tally.verdict()
                }
                _ => self.evaluate_now(token, hierarchy).unwrap_or(Verdict::Deny),
            }
        }
        .boxed()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Auth => f.write_str("require_auth()"),
            Kind::Scopes(scopes) => write!(f, "require_scopes({scopes})"),
            Kind::Roles(roles) => write!(f, "require_role({roles:?})"),
            Kind::All(rules) => write!(f, "require_all({rules:?})"),
            Kind::Any(rules) => write!(f, "require_any({rules:?})"),
            Kind::Check(_) => f.write_str("check(..)"),
            Kind::CheckAsync(_) => f.write_str("check_async(..)"),
        }
    }
}

fn pass_if(allowed: bool) -> Verdict {
    if allowed {
        Verdict::Pass
    } else {
        Verdict::Deny
    }
}

fn scopes(needed: &ScopeSet, token: &AccessToken, hierarchy: &ScopeHierarchy) -> Verdict {
    let granted = hierarchy.expand(token.effective_scopes());
    let missing = needed.difference(&granted);
    if missing.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Short(missing)
    }
}

/// The verdicts on a list of rules, as far as they were asked.
struct Tally {
    /// One pass is enough.
    any: bool,
    passed: bool,
    denied: bool,
    missing: Option<ScopeSet>,
}

impl Tally {
    fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.passed = true,
            Verdict::Deny => self.denied = true,
            // The first shortfall is the one to mend: rules are in the order of preference.
            Verdict::Short(scopes) if self.any => {
                self.missing.get_or_insert(scopes);
            }
            // All missing scopes at once.
            Verdict::Short(scopes) => {
                let missing = self.missing.take().unwrap_or_default();
                self.missing = Some(missing.union(&scopes));
            }
        }
    }

    /// Whether the rules that were not asked yet cannot change the verdict.
    fn is_settled(&self) -> bool {
        if self.any { self.passed } else { self.denied }
    }

    fn verdict(self) -> Verdict {
        let denied = self.denied && !self.any;
        let passed = self.passed && (self.any || self.missing.is_none());
        match self.missing {
            _ if denied => Verdict::Deny,
            _ if passed => Verdict::Pass,
            Some(missing) => Verdict::Short(missing),
            // SECURITY: an empty list allows nobody, should one ever get past the build;
            // sec_rs_09_empty_rules_deny
            None => Verdict::Deny,
        }
    }
}

async fn ask(
    allow: &(dyn Fn(AccessToken) -> BoxFuture<'static, bool> + Send + Sync),
    token: &AccessToken,
) -> bool {
    let answer = AssertUnwindSafe(async { allow(token.clone()).await }).catch_unwind();
    // SECURITY: a hook that panics or hangs denies; sec_rs_09_hanging_hook_denies
    match tokio::time::timeout(HOOK_LIMIT, answer).await {
        Ok(Ok(allowed)) => allowed,
        Ok(Err(_)) => hook_failed("panicked"),
        Err(_) => hook_failed("took too long"),
    }
}

fn hook_failed(reason: &'static str) -> bool {
    tracing::error!(reason, "an authorization hook failed; the caller is denied");
    false
}
