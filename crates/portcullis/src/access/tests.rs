use portcullis_oauth::{Scope, scopes};
use portcullis_resource_server::TokenParts;
use serde_json::json;

use super::*;

fn token(scopes: ScopeSet, claims: &serde_json::Value) -> AccessToken {
    let claims = claims.as_object().unwrap().clone();
    let parts = TokenParts::new("https://auth.example.com", "alice");
    AccessToken::assert_verified(parts.scopes(scopes).claims(claims))
}

fn alice() -> Caller {
    Caller::Bearer(token(
        scopes!["read", "offline_access"],
        &json!({"roles": ["editor"]}),
    ))
}

fn access(rules: impl IntoIterator<Item = Rule>) -> Access {
    Access {
        rules: rules.into_iter().collect(),
        ..Access::default()
    }
}

fn closed() -> Vec<Arc<Gate>> {
    vec![Arc::new(Gate {
        closed: true,
        ..Gate::default()
    })]
}

fn way(gates: &[Arc<Gate>]) -> Way<'_> {
    let (own, mounts) = gates.split_first().unwrap();
    Way::new(own, mounts)
}

/// Both ways to decide agree wherever the quick one decides.
async fn decided(gates: &[Arc<Gate>], access: &Access, caller: &Caller) -> Decision {
    let decision = decide(way(gates), access, caller).await;
    if let Some(now) = decide_now(way(gates), access, caller) {
        assert_eq!(now, decision);
    }
    decision
}

#[tokio::test]
async fn a_shortfall_asks_for_all_that_is_granted_and_missing() {
    let needs = access([
        require_scopes(scopes!["write", "read"]),
        require_scopes(scopes!["pay"]),
    ]);
    let decision = decided(&closed(), &needs, &alice()).await;
    // RFC 6750 section 3.1; without `offline_access`, which is no matter of the resource.
    assert_eq!(decision, Decision::StepUp(scopes!["read", "write", "pay"]));
}

#[tokio::test]
async fn a_shortfall_beside_a_denial_reveals_no_scopes() {
    let rules = [require_scopes(scopes!["write"]), require_role("admin")];
    assert_eq!(
        decided(&closed(), &access(rules), &alice()).await,
        Decision::Hide
    );
    let nested = [require_all([
        require_scopes(scopes!["write"]),
        require_role("admin"),
    ])];
    assert_eq!(
        decided(&closed(), &access(nested), &alice()).await,
        Decision::Hide
    );
}

#[tokio::test]
async fn roles_are_strings_or_arrays_in_three_claims() {
    for (claims, allowed) in [
        (json!({"role": "admin"}), true),
        (json!({"roles": ["user", "admin"]}), true),
        (json!({"groups": ["admin"]}), true),
        (json!({"role": "administrator"}), false),
        (json!({"role": {"name": "admin"}}), false),
        (json!({"scope": "admin"}), false),
        (json!({}), false),
    ] {
        let caller = Caller::Bearer(token(scopes!["admin"], &claims));
        let decision = decided(&closed(), &access([require_role("admin")]), &caller).await;
        let wanted = if allowed {
            Decision::Allow
        } else {
            Decision::Hide
        };
        assert_eq!(decision, wanted, "{claims}");
    }
}

#[tokio::test]
async fn one_of_several_is_enough_and_the_first_shortfall_is_named() {
    let either = |a, b| access([require_any([a, b])]);
    let passes = either(
        require_scopes(scopes!["x"]),
        require_role(["editor", "admin"]),
    );
    assert_eq!(decided(&closed(), &passes, &alice()).await, Decision::Allow);
    let short = either(require_scopes(scopes!["x"]), require_scopes(scopes!["y"]));
    let wanted = Decision::StepUp(scopes!["read", "x"]);
    assert_eq!(decided(&closed(), &short, &alice()).await, wanted);
}

#[tokio::test]
async fn implied_scopes_count_for_the_server_that_says_so() {
    let hierarchy = ScopeHierarchy::new().implies(Scope::from_static("read"), scopes!["list"]);
    let gates = vec![Arc::new(Gate {
        closed: true,
        hierarchy,
        ..Gate::default()
    })];
    let needs = access([require_scopes(scopes!["list"])]);
    assert_eq!(decided(&gates, &needs, &alice()).await, Decision::Allow);
    assert_ne!(decided(&closed(), &needs, &alice()).await, Decision::Allow);
}

#[tokio::test]
async fn sec_rs_09_no_token_sees_no_restricted_tool() {
    let open: Vec<Arc<Gate>> = vec![Arc::default()];
    let free = Access::default();
    let needs_token = Access {
        needs_token: true,
        ..Access::default()
    };
    let anonymous = Access {
        anonymous: true,
        ..Access::default()
    };
    for (gates, access, allowed) in [
        (&open, &free, true),
        (&open, &needs_token, false),
        (&open, &access([require_auth()]), false),
        (&open, &access([check(|_| true)]), false),
        (&closed(), &free, false),
        (&closed(), &anonymous, true),
    ] {
        let decision = decided(gates, access, &Caller::Nobody).await;
        let wanted = if allowed {
            Decision::Allow
        } else {
            Decision::Hide
        };
        assert_eq!(decision, wanted, "{access:?}");
    }
}

#[tokio::test]
async fn a_server_rule_holds_for_what_says_nothing() {
    let gate = Gate {
        rules: vec![require_role("admin")],
        ..Gate::default()
    };
    let gates = [Arc::default(), Arc::new(gate)];
    assert_eq!(
        decided(&gates, &Access::default(), &alice()).await,
        Decision::Hide
    );
    let anonymous = Access {
        anonymous: true,
        ..Access::default()
    };
    assert_eq!(
        decided(&gates, &anonymous, &Caller::Nobody).await,
        Decision::Hide
    );
}

#[tokio::test]
async fn the_local_user_is_somebody_without_scopes_or_roles() {
    let parts = TokenParts::new("urn:portcullis:local", "local");
    let local = Caller::Local(AccessToken::assert_verified(parts));
    let gates: Vec<Arc<Gate>> = vec![Arc::default()];
    let auth = access([require_auth()]);
    assert_eq!(decided(&gates, &auth, &local).await, Decision::Allow);
    for rule in [require_scopes(scopes!["read"]), require_role("admin")] {
        // A challenge could reach nobody.
        assert_eq!(
            decided(&gates, &access([rule]), &local).await,
            Decision::Hide
        );
    }
}

#[tokio::test]
async fn sec_rs_09_panicking_hook_denies() {
    let sync = access([check(|_| panic!("a hook with a bug"))]);
    assert_eq!(decided(&closed(), &sync, &alice()).await, Decision::Hide);
    let waiting = access([check_async(async |_| panic!("a hook with a bug"))]);
    assert_eq!(decided(&closed(), &waiting, &alice()).await, Decision::Hide);
    let any = access([require_any([check(|_| panic!("a hook with a bug"))])]);
    assert_eq!(decided(&closed(), &any, &alice()).await, Decision::Hide);
}

#[tokio::test(start_paused = true)]
async fn sec_rs_09_hanging_hook_denies() {
    let hangs = access([check_async(async |_| std::future::pending().await)]);
    assert_eq!(decided(&closed(), &hangs, &alice()).await, Decision::Hide);
    let answers = access([check_async(async |_| {
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        true
    })]);
    assert_eq!(
        decided(&closed(), &answers, &alice()).await,
        Decision::Allow
    );
}

#[tokio::test]
async fn sec_rs_09_empty_rules_deny() {
    for rule in [require_all([]), require_any([]), require_role(Vec::new())] {
        assert!(
            rule.fault().is_some(),
            "{rule:?} is refused when the server is built"
        );
        assert_eq!(
            decided(&closed(), &access([rule]), &alice()).await,
            Decision::Hide
        );
    }
}

#[test]
fn callers_with_the_same_letters_differ() {
    let binding = |issuer: &str, subject: &str, client: &str| {
        let parts = TokenParts::new(issuer, subject).client_id(client);
        Caller::Bearer(AccessToken::assert_verified(parts)).binding()
    };
    assert_eq!(binding("a", "b", "c"), binding("a", "b", "c"));
    assert_ne!(binding("a", "bc", ""), binding("a", "b", "c"));
    assert_ne!(binding("ab", "", "c"), binding("a", "b", "c"));
    assert_ne!(Caller::Nobody.binding(), binding("", "", ""));
}

#[tokio::test]
async fn no_hook_is_asked_for_nothing() {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    let asked = Arc::new(Mutex::new(Vec::new()));
    let hook = |name: &'static str, answer: bool| {
        let asked = Arc::clone(&asked);
        check(move |_| {
            asked.lock().unwrap().push(name);
            answer
        })
    };
    let waiting = |name: &'static str, answer: bool| {
        let asked = Arc::clone(&asked);
        check_async(move |_| {
            asked.lock().unwrap().push(name);
            std::future::ready(answer)
        })
    };
    for (rule, decision, wanted) in [
        (
            require_any([hook("a", false), hook("b", true), hook("c", true)]),
            Decision::Allow,
            vec!["a", "b"],
        ),
        (
            require_any([hook("a", false), waiting("b", true), waiting("c", true)]),
            Decision::Allow,
            vec!["a", "b"],
        ),
        (
            require_all([hook("a", true), hook("b", false), waiting("c", true)]),
            Decision::Hide,
            vec!["a", "b"],
        ),
    ] {
        // As for a request: the quick way first, then the slow one if there was no answer.
        let rules = access([rule]);
        let decided = match decide_now(way(&closed()), &rules, &alice()) {
            Some(decision) => decision,
            None => decide(way(&closed()), &rules, &alice()).await,
        };
        assert_eq!(decided, decision, "{rules:?}");
        assert_eq!(
            std::mem::take(&mut *asked.lock().unwrap()),
            wanted,
            "{rules:?}"
        );
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let sync = check(move |_| count.fetch_add(1, Ordering::Relaxed) < 9);
    let rules = access([sync, check_async(async |_| true)]);
    assert_eq!(decide_now(way(&closed()), &rules, &alice()), None);
    assert_eq!(asked.load(Ordering::Relaxed), 0, "before the slow way asks");
}
