//! Which users may come, of all that have a valid token.

use futures_util::future::BoxFuture;
use portcullis_resource_server::{AccessToken, GrantStatus, Unavailable};
use serde_json::Value;

use super::Loaded;
use super::auth::Plan;
use super::origin::Origin;
use super::raw::{RawAllow, RawAllowed};
use crate::report::Problem;

/// Users of which one of the lists says that they may come.
#[derive(Debug, Clone)]
pub(crate) struct AllowList(RawAllowed);

impl AllowList {
    pub(crate) fn new(allowed: RawAllowed) -> Self {
        Self(allowed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let RawAllowed {
            domains,
            emails,
            groups,
            orgs,
            tenants,
        } = &self.0;
        [domains, emails, groups, orgs, tenants]
            .into_iter()
            .all(Vec::is_empty)
    }

    fn has(&self, token: &AccessToken) -> bool {
        let email = verified_email(token);
        let email = email.as_deref();
        let domain = email
            .and_then(|email| email.rsplit_once('@'))
            .map(|(_, domain)| domain);
        let same = |listed: &[String], said: Option<&str>| {
            said.is_some_and(|said| listed.iter().any(|one| one.eq_ignore_ascii_case(said)))
        };
        let one_of = |listed: &[String], claim: &str| {
            claimed(token, claim).any(|said| listed.iter().any(|one| one == said))
        };
        same(&self.0.emails, email)
            || same(&self.0.domains, domain)
            || one_of(&self.0.groups, "groups")
            || one_of(&self.0.orgs, "org_id")
            || one_of(&self.0.tenants, "tid")
    }
}

/// The address that the provider has verified; any other may be somebody else's.
fn verified_email(token: &AccessToken) -> Option<String> {
    // SECURITY: whoever may type an address at the provider may type anybody's (OpenID Connect Core
    // section 5.7); sec_up_an_address_counts_only_when_it_is_verified
    token
        .claim::<bool>("email_verified")
        .filter(|verified| *verified)?;
    token.claim::<String>("email")
}

/// The texts of a claim: itself, or those of its list.
fn claimed<'t>(token: &'t AccessToken, claim: &str) -> impl Iterator<Item = &'t str> {
    let value = token.claims().get(claim);
    let one = value.and_then(Value::as_str);
    let many = value.and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str))
}

impl GrantStatus for AllowList {
    fn known(&self, token: &AccessToken) -> Option<bool> {
        Some(self.has(token))
    }

    fn ask<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        Box::pin(async { Ok(self.has(token)) })
    }
}

/// Whether callers without a token reach the rules.
pub(super) fn anonymous(loaded: &mut Loaded, plan: Option<&Plan>) -> bool {
    let asked = loaded.raw.auth.anonymous.is_some();
    if asked && matches!(plan, Some(Plan::Open)) {
        let problem = loaded.problem("auth.anonymous", "has no effect in mode `none`");
        loaded.problems.push(problem);
    }
    // SECURITY: it lets callers in whom a file's auth would stop;
    // sec_gw_09_the_environment_opens_nothing
    let origin = loaded.origins.find("auth.anonymous");
    if asked && loaded.file_sets_auth && origin.is_some_and(Origin::is_environment) {
        let what = "comes from the environment, and the file sets an auth mode";
        let problem = loaded.problem("auth.anonymous", what);
        loaded.problems.push(problem.hint("say it in the file"));
    }
    asked
}

/// Which users may come, where not everybody may.
pub(super) fn allow(loaded: &mut Loaded, plan: Option<&Plan>) -> Option<AllowList> {
    let allow = loaded.raw.auth.allow.clone()?;
    if !matches!(plan, Some(Plan::Provider(_)) | None) {
        let problem = loaded.problem("auth.allow", "has no effect without a provider");
        loaded.problems.push(problem);
    }
    // SECURITY: a list from the environment would let in whom the file's list keeps out;
    // sec_gw_09_the_environment_opens_nothing
    let mut said = loaded.origins.below("auth.allow");
    if loaded.file_sets_auth
        && let Some(origin) = said.find(|origin| origin.is_environment())
    {
        let what = format!("`{origin}` says who may come, and the file sets an auth mode");
        let problem = Problem::new(what).at(Some(origin));
        loaded.problems.push(problem.hint("say it in the file"));
    }
    match allow {
        RawAllow::Everybody(_) => None,
        RawAllow::Listed(listed) => {
            let list = AllowList::new(listed);
            if list.is_empty() {
                let problem =
                    loaded.problem("auth.allow", "lets nobody in: all its lists are empty");
                loaded
                    .problems
                    .push(problem.hint("name domains, emails, groups, orgs or tenants"));
            }
            Some(list)
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_resource_server::TokenParts;
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> AccessToken {
        let parts = TokenParts::new("https://idp.example", "alice");
        AccessToken::assert_verified(parts.claims(claims.as_object().cloned().unwrap()))
    }

    fn list(key: &str, entry: &str) -> AllowList {
        let mut allowed = RawAllowed::default();
        let listed = vec![entry.to_owned()];
        match key {
            "domains" => allowed.domains = listed,
            "emails" => allowed.emails = listed,
            "groups" => allowed.groups = listed,
            "orgs" => allowed.orgs = listed,
            _ => allowed.tenants = listed,
        }
        AllowList::new(allowed)
    }

    #[test]
    fn one_list_that_has_the_user_is_enough() {
        for (list, claims) in [
            (
                list("domains", "example.com"),
                json!({"email": "a@Example.com", "email_verified": true}),
            ),
            (
                list("emails", "a@example.com"),
                json!({"email": "A@example.com", "email_verified": true}),
            ),
            (
                list("groups", "staff"),
                json!({"groups": ["guests", "staff"]}),
            ),
            (list("orgs", "o1"), json!({"org_id": "o1"})),
            (list("tenants", "t1"), json!({"tid": "t1"})),
        ] {
            assert!(list.has(&token(&claims)), "{list:?}");
            assert!(!list.has(&token(&json!({}))), "{list:?}");
        }
    }

    #[test]
    fn sec_up_an_address_counts_only_when_it_is_verified() {
        let allowed = list("domains", "example.com");
        for verified in [json!(false), json!("true"), json!(null)] {
            let claims = json!({"email": "a@example.com", "email_verified": verified});
            assert!(!allowed.has(&token(&claims)), "{claims}");
        }
        let other = json!({"email": "a@example.com.evil.example", "email_verified": true});
        assert!(!allowed.has(&token(&other)));
    }
}
