//! Which users may come, of all that have a valid token.

use portcullis_authorization_server::AllowList;
use serde_json::{Value, json};

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
    if !matches!(plan, Some(Plan::Provider(_) | Plan::Proxy(_)) | None) {
        let problem = loaded.problem("auth.allow", "has no effect without a provider");
        loaded.problems.push(problem);
    }
    // SECURITY: a list from the environment would let in whom the file's list keeps out;
    // sec_gw_09_the_environment_opens_nothing
    let here = loaded.origins.exact("auth.allow");
    let mut said = loaded.origins.below("auth.allow").chain(here);
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

/// Who may come, in one line: `anyone`, or domains and addresses of e-mail.
pub(crate) fn short(text: &str) -> Value {
    let text = text.trim();
    if text == "anyone" {
        return Value::from(text);
    }
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let (emails, domains): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('@'));
    json!({ "domains": domains, "emails": emails })
}

/// The same for people, once it is decided.
pub(super) fn described(loaded: &Loaded) -> String {
    let Some(RawAllow::Listed(listed)) = &loaded.raw.auth.allow else {
        return "everybody who has an account there".to_owned();
    };
    let lists = [
        ("domains", &listed.domains),
        ("addresses", &listed.emails),
        ("groups", &listed.groups),
        ("organisations", &listed.orgs),
        ("tenants", &listed.tenants),
    ];
    let lists = lists.iter().filter(|(_, list)| !list.is_empty());
    let lists = lists.map(|(name, list)| format!("{name} {}", list.join(", ")));
    lists.collect::<Vec<_>>().join("; ")
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
    use portcullis_oauth::json::Map;

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
    fn one_line_says_who_may_come() {
        assert_eq!(short(" anyone "), json!("anyone"));
        assert_eq!(
            short("example.com, a@b.example,c.example"),
            json!({"domains": ["example.com", "c.example"], "emails": ["a@b.example"]})
        );
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
