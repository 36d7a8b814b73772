use portcullis_oauth::json::json;
use portcullis_oauth::scopes;
use portcullis_resource_server::TokenParts;

use super::*;

fn user(scopes: ScopeSet, role: &str) -> AccessToken {
    let serde_json::Value::Object(claims) = json!({"roles": [role], "role": 7}) else {
        unreachable!()
    };
    let parts = TokenParts::new("https://idp.example", "alice");
    AccessToken::assert_verified(parts.scopes(scopes).claims(claims))
}

fn rules() -> Rules {
    Rules::new()
        .tool("write_*", Needs::scopes(scopes!["files:write"]))
        .unwrap()
        .tool("*_all", Needs::scopes(scopes!["files:all"]))
        .unwrap()
        .tool(
            "admin_*",
            Needs::roles(["admin", "root"]).and_roles(["ops"]),
        )
        .unwrap()
        .tool("hello", Needs::no_token())
        .unwrap()
        .prompt("secret", Needs::roles(["admin"]))
        .unwrap()
        .resource("file:///private/*", Needs::roles(["admin"]))
        .unwrap()
}

fn tool(rules: &Rules, token: Option<&AccessToken>, name: &str) -> Decision {
    rules.judge(token, &Operation::call_tool(name))
}

#[test]
fn every_rule_that_matches_must_be_met() {
    let rules = rules();
    let writer = user(scopes!["files:write"], "user");
    assert_eq!(tool(&rules, Some(&writer), "write_file"), Decision::Allow);
    assert_eq!(
        tool(&rules, Some(&writer), "write_all"),
        Decision::StepUp(scopes!["files:write", "files:all"])
    );
    let both = user(scopes!["files:write", "files:all"], "user");
    assert_eq!(tool(&rules, Some(&both), "write_all"), Decision::Allow);
    assert_eq!(tool(&rules, Some(&writer), "read_file"), Decision::Allow);
}

#[test]
fn sec_gw_13_who_lacks_a_role_never_learns_of_the_tool() {
    let rules = rules();
    let (user, admin) = (user(scopes![], "user"), self::user(scopes![], "ops"));
    assert_eq!(tool(&rules, Some(&user), "admin_reset"), Decision::Hide);
    assert_eq!(tool(&rules, Some(&admin), "admin_reset"), Decision::Allow);
    assert_eq!(tool(&rules, None, "admin_reset"), Decision::Hide);
    for target in [
        Target::Prompt("secret".into()),
        Target::Resource("file:///private/key".into()),
    ] {
        let operation = Operation::new("completion/complete", target);
        assert_eq!(rules.judge(Some(&user), &operation), Decision::Hide);
    }
}

#[test]
fn sec_gw_13_a_name_that_others_would_read_differently_is_hidden() {
    let admin = user(scopes!["files:write"], "admin");
    let long = "x".repeat(2049);
    for name in [
        " write_a",
        "write_a ",
        "wri\u{0}te_a",
        "\u{feff}write_a",
        "wri\u{ad}te_a",
        "wri\u{200b}te_a",
        "\u{202e}a_etirw",
        "a\nb",
        long.as_str(),
    ] {
        assert_eq!(tool(&rules(), Some(&admin), name), Decision::Hide, "{name}");
    }
}

#[test]
fn sec_gw_09_one_of_no_roles_is_nobody() {
    let rules = Rules::new().tool("x", Needs::roles([""; 0])).unwrap();
    let admin = user(scopes![], "admin");
    assert_eq!(tool(&rules, Some(&admin), "x"), Decision::Hide);
}

#[test]
fn roles_are_where_they_are_said_to_be() {
    use portcullis_oauth::json::{Value, json};
    use portcullis_resource_server::TokenParts;

    let with = |claims: Value| {
        let claims = claims.as_object().cloned().unwrap_or_default();
        let parts = TokenParts::new("https://idp.example", "alice").claims(claims);
        AccessToken::assert_verified(parts)
    };
    let rules = |claims: &[&str]| {
        let rules = Rules::new().tool("x", Needs::roles(["admin"])).unwrap();
        rules.role_claims(claims.iter().copied())
    };
    let keycloak = with(json!({"realm_access": {"roles": ["user", "admin"]}}));
    let spaced = with(json!({"https://a.example/roles": ["admin"], "role": "user"}));
    let group = with(json!({"groups": ["admin"]}));
    let usual = rules(&[]);
    assert_eq!(tool(&usual, Some(&keycloak), "x"), Decision::Hide);
    assert_eq!(tool(&usual, Some(&group), "x"), Decision::Allow);
    let own = rules(&["realm_access.roles", "https://a.example/roles"]);
    assert_eq!(tool(&own, Some(&keycloak), "x"), Decision::Allow);
    assert_eq!(tool(&own, Some(&spaced), "x"), Decision::Allow);
    assert_eq!(tool(&own, Some(&group), "x"), Decision::Hide);
    assert_eq!(
        tool(&rules(&["realm_access"]), Some(&keycloak), "x"),
        Decision::Hide
    );
}

#[test]
fn sec_gw_13_an_unknown_method_is_refused_under_rules() {
    let user = user(scopes![], "user");
    let unknown = Operation::new("tools/run", Target::None);
    assert_eq!(rules().judge(Some(&user), &unknown), Decision::Hide);
    assert_eq!(Rules::new().judge(Some(&user), &unknown), Decision::Allow);
    for method in [
        "tools/list",
        "initialize",
        "notifications/cancelled",
        "server/discover",
    ] {
        let known = Operation::new(method, Target::None);
        assert_eq!(
            rules().judge(Some(&user), &known),
            Decision::Allow,
            "{method}"
        );
    }
}

#[test]
fn without_a_token_only_what_says_so_is_allowed() {
    let rules = rules();
    assert_eq!(tool(&rules, None, "hello"), Decision::Allow);
    assert_eq!(tool(&rules, None, "read_file"), Decision::StepUp(scopes![]));
    assert_eq!(
        tool(&rules, None, "write_x"),
        Decision::StepUp(scopes!["files:write"])
    );
    assert_eq!(
        tool(&Rules::new(), None, "hello"),
        Decision::StepUp(scopes![])
    );
}

#[test]
fn others_can_be_denied() {
    let rules = rules().deny_others();
    let admin = user(scopes!["files:write"], "admin");
    assert_eq!(tool(&rules, Some(&admin), "read_file"), Decision::Hide);
    assert_eq!(tool(&rules, Some(&admin), "write_file"), Decision::Allow);
    let deny_all = Rules::new().deny_others();
    assert_eq!(tool(&deny_all, Some(&admin), "hello"), Decision::Hide);
}

#[test]
fn a_scope_may_stand_for_others() {
    let hierarchy = ScopeHierarchy::new().implies(
        portcullis_oauth::Scope::from_static("root"),
        scopes!["files:write"],
    );
    let rules = rules().scope_hierarchy(hierarchy);
    let root = user(scopes!["root"], "user");
    assert_eq!(tool(&rules, Some(&root), "write_file"), Decision::Allow);
}
