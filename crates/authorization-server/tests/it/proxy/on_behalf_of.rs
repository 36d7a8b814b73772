//! Tokens of other APIs, in the name of whoever called.

use std::time::Duration;

use http::StatusCode;
use portcullis_authorization_server::{TokenExchange, Upstream, UpstreamAuthentication};
use portcullis_testkit::{CapturedLogs, ClientProof, Fault, ScriptedUpstream, Visit};

use super::stage::{DESK, World, load_for, oidc};

const GRAPH: &str = "https://graph.example/Mail.Read https://graph.example/User.Read";

fn microsoft(upstream: &ScriptedUpstream) -> Upstream {
    oidc(upstream).token_exchange(TokenExchange::OnBehalfOf)
}

fn standard(upstream: &ScriptedUpstream) -> Upstream {
    oidc(upstream)
        .token_exchange(TokenExchange::Standard)
        .token_param("audience", "our own API")
}

/// How often the provider was asked for a token of another API.
fn asked(world: &World) -> usize {
    let all = world.upstream.requests("/token");
    let of = |seen: &&portcullis_testkit::Seen| {
        seen.field("grant_type")
            .is_some_and(|grant| grant.starts_with("urn:"))
    };
    all.iter().filter(of).count()
}

#[tokio::test]
async fn a_handler_gets_a_token_of_another_api_for_its_caller() {
    let world = World::before(microsoft, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    let own = world.load(&tokens.access).await;
    let graph = load_for(&world.site, &tokens.access, GRAPH).await;
    assert!(graph.starts_with("up-exchanged"), "{graph}");
    let seen = world.upstream.requests("/token").pop().unwrap();
    for (name, value) in [
        (
            "grant_type",
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ),
        ("requested_token_use", Some("on_behalf_of")),
        ("assertion", Some(own.as_str())),
        ("scope", Some(GRAPH)),
        ("client_secret", None),
    ] {
        assert_eq!(seen.field(name), value, "{name}");
    }
    assert!(seen.header("authorization").starts_with("Basic "));
    // Microsoft knows an API by its scopes.
    assert_eq!(
        load_for(&world.site, &tokens.access, "aud:orders").await,
        "unsupported"
    );
    assert_eq!(
        load_for(&world.site, &tokens.access, "").await,
        "unsupported"
    );
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_token_is_exchanged_by_the_standard_way() {
    let world = World::before(standard, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    let own = world.load(&tokens.access).await;
    let orders = load_for(&world.site, &tokens.access, "aud:orders").await;
    assert!(orders.starts_with("up-exchanged"), "{orders}");
    let seen = world.upstream.requests("/token").pop().unwrap();
    let access = Some("urn:ietf:params:oauth:token-type:access_token");
    for (name, value) in [
        (
            "grant_type",
            Some("urn:ietf:params:oauth:grant-type:token-exchange"),
        ),
        ("subject_token", Some(own.as_str())),
        ("subject_token_type", access),
        ("requested_token_type", access),
        ("audience", Some("orders")),
        ("scope", None),
    ] {
        assert_eq!(seen.field(name), value, "{name}");
    }
}

#[tokio::test]
async fn the_client_authenticates_as_it_is_configured() {
    let world = World::before(microsoft, |builder| {
        let secret = UpstreamAuthentication::Post("in the body".into());
        builder.client_with("proxy", secret)
    })
    .await;
    world
        .upstream
        .client("proxy", ClientProof::Post("in the body".to_owned()));
    let tokens = world.tokens(DESK).await;
    let graph = load_for(&world.site, &tokens.access, GRAPH).await;
    assert!(graph.starts_with("up-exchanged"), "{graph}");
}

#[tokio::test]
async fn a_provider_without_a_way_to_it_is_not_asked() {
    let world = World::new().await;
    let tokens = world.tokens(DESK).await;
    assert_eq!(
        load_for(&world.site, &tokens.access, GRAPH).await,
        "unsupported"
    );
    assert_eq!(asked(&world), 0);
}

#[tokio::test]
async fn it_is_kept_until_a_minute_before_its_end() {
    let world = World::before(microsoft, |builder| builder).await;
    world.upstream.access_lifetime(Duration::from_secs(600));
    let tokens = world.tokens(DESK).await;
    let first = load_for(&world.site, &tokens.access, GRAPH).await;
    world.advance(538);
    assert_eq!(load_for(&world.site, &tokens.access, GRAPH).await, first);
    let other = load_for(&world.site, &tokens.access, "https://files.example/Read").await;
    assert_ne!(other, first, "another API");
    assert_eq!(asked(&world), 2);
    world.advance(3);
    let second = load_for(&world.site, &tokens.access, GRAPH).await;
    assert!(second.starts_with("up-exchanged") && second != first);
    // What another user has is that user's.
    let code = world.code(&world.browser(), DESK, "bob").await;
    let bob = world.redeem(DESK, &code).await.tokens();
    let bobs = load_for(&world.site, &bob.access, GRAPH).await;
    assert!(bobs.starts_with("up-exchanged") && bobs != second);
    // One of which nobody knows how long it lives is asked for each time.
    world
        .upstream
        .always("/token", Fault::without("expires_in"));
    let api = "https://files.example/Write";
    let endless = load_for(&world.site, &tokens.access, api).await;
    assert_ne!(load_for(&world.site, &tokens.access, api).await, endless);
}

#[tokio::test]
async fn sec_px_12_one_question_for_many_who_need_a_token_of_another_api() {
    let world = World::before(microsoft, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    let before = world.upstream.hits("/token");
    let held = world.upstream.hold("/token");
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (site, access) = (world.site.clone(), tokens.access.clone());
            tokio::spawn(async move { load_for(&site, &access, GRAPH).await })
        })
        .collect();
    world.upstream.wait_for_hits("/token", before + 1).await;
    // Whoever began it does not wait any more.
    many[0].abort();
    drop(held);
    let mut all = Vec::new();
    for one in many.into_iter().skip(1) {
        all.push(one.await.unwrap());
    }
    assert!(all[0].starts_with("up-exchanged"), "{all:?}");
    assert!(all.iter().all(|token| *token == all[0]));
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn sec_px_18_a_token_of_another_api_ends_with_the_grant() {
    let world = World::before(microsoft, |builder| builder).await;
    let (kept, ended) = (world.tokens(DESK).await, world.tokens(DESK).await);
    for tokens in [&kept, &ended] {
        let graph = load_for(&world.site, &tokens.access, GRAPH).await;
        assert!(graph.starts_with("up-exchanged"), "{graph}");
    }
    // A handler that was called before its grant ended, and asks after that.
    let (late, is_late) = tokio::sync::watch::channel(false);
    let site = world
        .site
        .clone()
        .layer(axum::Extension(super::stage::Late(is_late)));
    let access = ended.access.clone();
    let calling = tokio::spawn(async move { load_for(&site, &access, GRAPH).await });
    let is_waiting = async {
        while late.receiver_count() < 2 {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, is_waiting).await.unwrap();
    let fields = [("token", ended.refresh()), ("client_id", DESK.id)];
    let revoke = Visit::post("/oauth/revoke", &fields);
    crate::client::back_channel(&world.browser(), revoke).await;
    late.send_replace(true);
    assert_eq!(calling.await.unwrap(), "ended");
    let graph = load_for(&world.site, &kept.access, GRAPH).await;
    assert!(graph.starts_with("up-exchanged"), "{graph}");
}

#[tokio::test]
async fn what_the_provider_wants_is_told_apart() {
    let world = World::before(microsoft, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    let challenge = r#"{"access_token":{"polids":{"essential":true}}}"#;
    let refusal = |members: &str| {
        let body =
            format!(r#"{{"error_description":"AADSTS: the provider's own words",{members}}}"#);
        Fault::body("application/json", body)
    };
    let escaped = challenge.replace('"', "\\\"");
    for (fault, told) in [
        (
            refusal(&format!(
                r#""error":"interaction_required","claims":"{escaped}""#
            )),
            format!("interaction {:?}", Some(challenge)),
        ),
        (
            refusal(r#""error":"interaction_required","claims":"<script>""#),
            "interaction None".to_owned(),
        ),
        (
            refusal(r#""error":"invalid_grant","suberror":"consent_required""#),
            "interaction None".to_owned(),
        ),
        (
            refusal(r#""error":"invalid_grant","suberror":"bad_token""#),
            "ended".to_owned(),
        ),
        // The user's own token is for another API: nothing is said of the sign-in.
        (refusal(r#""error":"invalid_grant""#), "refused".to_owned()),
        (Fault::error("invalid_client"), "refused".to_owned()),
        (Fault::error("invalid_scope"), "refused".to_owned()),
        (
            Fault::error("temporarily_unavailable"),
            "unavailable".to_owned(),
        ),
        (
            Fault::status(StatusCode::BAD_GATEWAY),
            "unavailable".to_owned(),
        ),
        (Fault::busy(30), "unavailable".to_owned()),
        (Fault::cut(), "unavailable".to_owned()),
        (Fault::without("access_token"), "unavailable".to_owned()),
        (
            Fault::with("access_token", "a\nb"),
            "unavailable".to_owned(),
        ),
        (Fault::with("token_type", "N_A"), "unavailable".to_owned()),
    ] {
        world.upstream.fault("/token", 1, fault.clone());
        let found = load_for(&world.site, &tokens.access, GRAPH).await;
        assert_eq!(found, told, "{fault:?}");
    }
    // None of it has ended the grant, and none of it is remembered.
    let graph = load_for(&world.site, &tokens.access, GRAPH).await;
    assert!(graph.starts_with("up-exchanged"), "{graph}");
}

#[tokio::test]
async fn sec_px_11_an_exchange_gives_an_access_token_or_nothing() {
    let world = World::before(standard, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    for kind in ["id_token", "refresh_token", "saml2"] {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        world
            .upstream
            .fault("/token", 1, Fault::with("issued_token_type", kind));
        let found = load_for(&world.site, &tokens.access, "aud:orders").await;
        assert_eq!(found, "unavailable");
    }
    let jwt = Fault::with("issued_token_type", "urn:ietf:params:oauth:token-type:jwt");
    world.upstream.fault("/token", 1, jwt);
    let found = load_for(&world.site, &tokens.access, "aud:orders").await;
    assert!(found.starts_with("up-exchanged"), "{found}");
}

#[tokio::test]
async fn sec_px_05_a_token_of_another_api_is_nowhere_but_in_its_handler() {
    let logs = CapturedLogs::start();
    let world = World::before(microsoft, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    let graph = load_for(&world.site, &tokens.access, GRAPH).await;
    assert!(graph.starts_with("up-exchanged"), "{graph}");
    world.upstream.always("/token", Fault::lost());
    let other = "https://files.example/Read";
    assert_eq!(
        load_for(&world.site, &tokens.access, other).await,
        "unavailable"
    );
    for secret in world.upstream.secrets() {
        logs.assert_free_of(&secret);
    }
}
