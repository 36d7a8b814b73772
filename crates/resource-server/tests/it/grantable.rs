//! Scopes that a principal can never get.

use portcullis_oauth::{Scope, ScopeHierarchy, ScopeSet, scopes};
use portcullis_resource_server::{AccessToken, Auth};

use crate::mcp::{Endpoint, auth, call};
use crate::support::{Tokens, with_required};

fn closed(supported: ScopeSet) -> Auth {
    auth(with_required())
        .scopes_supported(supported)
        .only_supported_scopes()
}

#[tokio::test]
async fn sec_rs_07_a_scope_that_nobody_grants_is_a_denial() {
    let endpoint = Endpoint::new(&closed(scopes!["mcp:read"]));
    let denied = endpoint.post("alice", &call("write_file")).await;
    let hidden = endpoint.post("alice", &call("secret")).await;
    assert_eq!(denied.body, hidden.body, "as what is hidden");
    assert_eq!(
        (denied.status, &denied.headers),
        (hidden.status, &hidden.headers)
    );
    assert_eq!(endpoint.calls(), 0);

    let endpoint = Endpoint::new(&closed(scopes!["mcp:read", "files:read", "files:write"]));
    let challenged = endpoint.post("alice", &call("write_file")).await;
    assert_eq!(challenged.status, 403);
    assert!(challenged.challenge().contains("files:write"));
}

#[tokio::test]
async fn what_is_granted_is_never_denied() {
    let endpoint = Endpoint::new(&closed(scopes!["mcp:read"]));
    let headers = [(
        "authorization",
        "Bearer alice.mcp~read+files~read+files~write",
    )];
    let request = crate::support::request("POST", "/mcp", &headers, &call("write_file"));
    assert_eq!(endpoint.send(request).await.status, 200);
}

#[tokio::test]
async fn a_rule_says_what_each_principal_can_get() {
    let by_name = |token: &AccessToken| match token.subject() {
        "root" => scopes!["everything"],
        _ => scopes![],
    };
    let implied = scopes!["files:read", "files:write"];
    let hierarchy = ScopeHierarchy::new().implies(Scope::from_static("everything"), implied);
    let auth = auth(with_required())
        .scope_hierarchy(hierarchy)
        .grantable(by_name);
    let endpoint = Endpoint::new(&auth);
    let roots = endpoint.post("root", &call("write_file")).await;
    assert_eq!(roots.status, 403, "by a scope that implies them");
    let alices = endpoint.post("alice", &call("write_file")).await;
    assert!(alices.body.contains("Unknown tool"), "{alices:?}");

    let two = auth.clone().grantable(|_| scopes!["everything"]);
    let alices = Endpoint::new(&two).post("alice", &call("write_file")).await;
    assert!(
        alices.body.contains("Unknown tool"),
        "a rule that is added allows nothing that the first one denies: {alices:?}"
    );

    let both = auth
        .scopes_supported(scopes!["mcp:read"])
        .only_supported_scopes();
    let roots = Endpoint::new(&both).post("root", &call("write_file")).await;
    assert!(
        roots.body.contains("Unknown tool"),
        "both bounds hold: {roots:?}"
    );
}

#[tokio::test]
async fn sec_rs_09_a_grantable_rule_that_panics_denies() {
    let auth = auth(with_required()).grantable(|_| panic!("a rule with a bug"));
    let endpoint = Endpoint::new(&auth);
    let denied = endpoint.post("alice", &call("write_file")).await;
    assert!(denied.body.contains("Unknown tool"), "{denied:?}");
}

#[tokio::test]
async fn a_server_wide_scope_that_nobody_grants_is_403_with_nothing_to_ask_for() {
    let auth = closed(scopes!["mcp:read"]).required_scopes(scopes!["mcp:admin"]);
    let refused = Endpoint::new(&auth).post("alice", &call("list")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.challenge().contains("insufficient_scope"));
    assert!(!refused.challenge().contains("scope=\"mcp"), "{refused:?}");
}

#[test]
fn closed_scopes_have_to_be_named() {
    let auth = auth(Tokens::default()).only_supported_scopes();
    let error = auth.protect("/mcp", axum::Router::new()).unwrap_err();
    assert!(error.to_string().contains("scopes_supported"), "{error}");
}
