//! Which users may come, of all that have a valid token.

use portcullis_authorization_server::AllowList;

use super::Loaded;
use super::auth::Plan;
use super::origin::Origin;
use super::raw::{RawAllow, RawAllowed};
use crate::report::Problem;

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
            let list = list_of(listed);
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

fn list_of(listed: RawAllowed) -> AllowList {
    let RawAllowed {
        domains,
        emails,
        groups,
        orgs,
        tenants,
    } = listed;
    AllowList::new()
        .domains(domains)
        .emails(emails)
        .groups(groups)
        .organisations(orgs)
        .tenants(tenants)
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::{Map, Value, json};

    use super::*;

    fn claims(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
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
        list_of(allowed)
    }

    #[test]
    fn each_list_is_about_its_own_claim() {
        let address = json!({"email": "a@example.com", "email_verified": true});
        for (key, entry, said) in [
            ("domains", "example.com", address.clone()),
            ("emails", "a@example.com", address),
            ("groups", "staff", json!({"groups": ["guests", "staff"]})),
            ("orgs", "o1", json!({"org_id": "o1"})),
            ("tenants", "t1", json!({"tid": "t1"})),
        ] {
            let list = list(key, entry);
            assert!(list.admits_claims(&claims(&said)), "{key}");
            assert!(!list.admits_claims(&claims(&json!({}))), "{key}");
        }
        let unsure = json!({"email": "a@example.com", "email_verified": false});
        assert!(!list("domains", "example.com").admits_claims(&claims(&unsure)));
    }
}
