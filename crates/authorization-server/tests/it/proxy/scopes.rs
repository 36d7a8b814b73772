//! What is asked of the provider, and what its answer means.

use portcullis_authorization_server::{AllowList, OAuthProxy, Upstream};
use portcullis_oauth::form::{Form, Limits};
use portcullis_oauth::scopes;
use portcullis_testkit::Visit;

use super::stage::{DESK, World, browser, leave};
use crate::client::back_channel;

/// The scopes in the URL of an authorization request.
fn asked(away: &str) -> Vec<String> {
    let (_, query) = away.split_once('?').unwrap();
    let form = Form::parse(query.as_bytes(), Limits::ENDPOINT).unwrap();
    let scope = form.one("scope").unwrap().unwrap();
    scope.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn sec_px_10_who_may_come_is_known_whatever_a_client_asks_for() {
    let staff = AllowList::new().domains(["example.com"]).groups(["staff"]);
    let world = World::with(|builder| {
        let builder = builder.scopes(scopes!["openid", "groups", "files:read", "files:write"]);
        builder.allow(staff)
    })
    .await;
    let away = leave(&world.browser(), DESK.asking("files:read")).await;
    let mut for_client = asked(&away);
    for_client.sort_unstable();
    assert_eq!(for_client, ["email", "files:read", "groups", "openid"]);
    let page = world.browser().open("/account").await;
    let away = page.location().expect("the way to the provider");
    let mut for_account = asked(away);
    for_account.sort_unstable();
    assert_eq!(for_account, ["email", "groups", "openid"]);
}

#[tokio::test]
async fn without_a_list_nothing_more_is_asked_than_the_client_asks_for() {
    let world = World::new().await;
    let away = leave(&world.browser(), DESK.asking("openid files:read")).await;
    assert_eq!(asked(&away), ["openid", "files:read"]);
}

#[tokio::test]
async fn what_was_not_granted_at_this_login_may_be_had_by_another() {
    let world = World::new().await;
    let tokens = world.tokens(DESK.asking("openid files:read")).await;
    for (scopes, expected) in [("files:write", "true"), ("files:burn", "false")] {
        let visit = Visit::get("/mcp")
            .header("authorization", &format!("Bearer {}", tokens.access))
            .header("x-can-get", scopes);
        let page = back_channel(&browser(&world.site), visit).await;
        assert_eq!(page.text, expected, "{scopes}");
    }
}

#[test]
fn sec_px_06_a_scope_of_the_provider_is_none_of_ours() {
    let build = |own| {
        OAuthProxy::builder(Upstream::oidc("https://login.example.org"))
            .base_url("https://mcp.example.com")
            .client("proxy", "the upstream secret".into())
            .scopes(scopes!["openid", "files:write"])
            .own_scopes(own)
            .build()
    };
    assert!(build(scopes!["notes:write"]).is_ok());
    let refused = build(scopes!["notes:write", "files:write"]).unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("own_scopes") && told.contains("files:write"),
        "{told}"
    );
}
