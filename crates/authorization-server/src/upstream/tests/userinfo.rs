//! What a provider says of a user when it is asked.

use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{SecretString, Subject, Timestamp, scopes};
use portcullis_testkit::CapturedLogs;

use super::super::{Evidence, TokenSet, Upstream, UpstreamAuthentication, UpstreamClient, Wants};
use super::world::{Answer, CLIENT, NOW, World, redeem};

const ALL: Wants = Wants {
    profile: true,
    email: true,
    organisations: true,
};

fn alice() -> Subject {
    Subject::parse("alice").unwrap()
}

fn tokens() -> TokenSet {
    TokenSet {
        access_token: SecretString::from("at-1"),
        refresh_token: None,
        id_token: None,
        scope: None,
        expires_at: None,
        refresh_expires_at: None,
        obtained_at: Timestamp::from_secs(NOW),
    }
}

fn wanting(world: &World, upstream: Upstream, wants: Wants) -> UpstreamClient {
    let mut parts = world.parts(upstream);
    parts.wants = wants;
    UpstreamClient::new(parts).unwrap()
}

/// A provider of the kind that GitHub is.
fn forge(world: &World) -> Upstream {
    let user = json!({"id": 583_231, "login": "octocat", "name": null, "email": "o@evil.example"});
    world.on("/user", Answer::json(&user));
    Upstream::oauth2(world.url("/authorize"), world.url("/token"))
        .userinfo_endpoint(world.url("/user"))
        .subject("id")
        .display(["name", "login"])
}

#[tokio::test]
async fn sec_px_09_an_account_is_the_providers_subject() {
    let world = World::start().await;
    let client = world.client(forge(&world));
    let evidence = redeem(&client).await.unwrap().evidence.unwrap();
    assert_eq!(evidence.subject.as_str(), "583231");
    assert_eq!(client.display(&evidence), "octocat");
    for id in [
        json!(1.5),
        json!(null),
        json!(""),
        json!([1]),
        json!("a\nb"),
        json!(true),
    ] {
        world.on("/user", Answer::json(&json!({"id": id})));
        let error = redeem(&client).await.unwrap_err();
        assert_eq!(error.reason(), "upstream_invalid", "{id}");
    }
    world.on(
        "/user",
        Answer::json(&json!({"sub": "octocat", "email": "o@evil.example"})),
    );
    assert!(
        redeem(&client).await.is_err(),
        "nothing stands in for the id"
    );
}

#[tokio::test]
async fn a_user_may_be_deep_inside_of_an_answer() {
    let world = World::start().await;
    let viewer = json!({"data": {"viewer": {"id": "u-1", "name": "Alice"}}});
    world.on("/graphql", Answer::json(&viewer));
    let query = r#"{"query":"{ viewer { id name } }"}"#;
    let upstream = Upstream::oauth2(world.url("/authorize"), world.url("/token"))
        .userinfo_query(world.url("/graphql"), query, "/data/viewer")
        .subject("id");
    let evidence = world.redeem(upstream).await.unwrap().evidence.unwrap();
    assert_eq!(evidence.subject.as_str(), "u-1");
    let asked = world.last("/graphql");
    assert_eq!(asked.body, query.as_bytes());
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.header("authorization"), "Bearer at-1");
}

#[tokio::test]
async fn userinfo_is_asked_when_the_id_token_does_not_tell() {
    let world = World::start().await;
    let upstream = world.oidc().userinfo_endpoint(world.url("/userinfo"));
    world.on(
        "/userinfo",
        Answer::json(&json!({"sub": "alice", "name": "Alice A."})),
    );
    redeem(&world.client(upstream.clone())).await.unwrap();
    assert!(
        world.asked("/userinfo").is_empty(),
        "the ID token has a name"
    );

    let wants = wanting(&world, upstream.clone(), ALL);
    redeem(&wants).await.unwrap();
    assert_eq!(
        world.asked("/userinfo").len(),
        1,
        "an allow-list wants to know"
    );

    let nameless = world.id_token().claim("name", "");
    world.tokens(&json!({"id_token": world.sign(nameless)}));
    let client = world.client(upstream);
    let evidence = redeem(&client).await.unwrap().evidence.unwrap();
    assert_eq!(client.display(&evidence), "Alice A.");
    for status in [401, 403, 404, 500] {
        world.on("/userinfo", Answer::of("text/plain", "").status(status));
        let evidence = redeem(&client).await.unwrap().evidence.unwrap();
        assert_eq!(
            client.display(&evidence),
            "alice",
            "{status}: a name is all that is missing"
        );
        assert!(
            redeem(&wants).await.is_err(),
            "{status}: an allow-list cannot do without"
        );
    }
}

#[tokio::test]
async fn sec_px_09_userinfo_of_another_user_is_refused() {
    let world = World::start().await;
    let upstream = world.oidc().userinfo_endpoint(world.url("/userinfo"));
    let client = wanting(&world, upstream, ALL);
    for profile in [
        json!({"sub": "bob"}),
        json!({"email": "alice@example.com"}),
        json!({"sub": 1}),
    ] {
        world.on("/userinfo", Answer::json(&profile));
        let error = redeem(&client).await.unwrap_err();
        assert_eq!(error.reason(), "upstream_invalid", "{profile}");
    }
    let client = world.client(world.oauth2());
    world.on("/userinfo", Answer::json(&json!({"sub": "bob"})));
    let error = client
        .recheck(&tokens(), &Evidence::of(alice()))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "upstream_ended");
}

async fn addressed(addresses: Value) -> Evidence {
    let world = World::start().await;
    let upstream = forge(&world).verified_emails(world.url("/user/emails"));
    let user = json!({"id": 583_231, "email": "o@evil.example", "email_verified": true});
    world.on("/user", Answer::json(&user));
    world.on("/user/emails", Answer::json(&addresses));
    let client = wanting(&world, upstream, ALL);
    redeem(&client).await.unwrap().evidence.unwrap()
}

#[tokio::test]
async fn sec_px_09_an_address_counts_when_the_provider_has_verified_it() {
    let address = |email: &str, primary: bool, verified: Value| json!({"email": email, "primary": primary, "verified": verified});
    let other = address("x@example.com", false, json!(true));
    let profile = addressed(json!([other, address("o@example.com", true, json!(true))]))
        .await
        .profile;
    assert_eq!(profile["email"], "o@example.com");
    assert_eq!(profile["email_verified"], true);
    for verified in [json!(false), json!(null), json!("true"), json!(1)] {
        let profile = addressed(json!([address("o@example.com", true, verified)]))
            .await
            .profile;
        assert_eq!(profile["email_verified"], false);
    }
    for nothing in [json!([]), json!({}), json!([other]), json!("o@example.com")] {
        let profile = addressed(nothing).await.profile;
        assert_eq!(profile["email"], "o@evil.example");
        assert_eq!(profile.get("email_verified"), None);
    }
}

#[tokio::test]
async fn sec_px_10_organisations_are_asked_for_with_the_users_own_token() {
    let world = World::start().await;
    let upstream = organised(&world);
    let orgs = json!([{"login": "acme"}, {"login": "initech"}, {"id": 7}]);
    world.on("/user/orgs", Answer::json(&orgs));
    let evidence = redeem(&world.client(upstream.clone()))
        .await
        .unwrap()
        .evidence
        .unwrap();
    assert!(evidence.organisations.is_empty(), "nobody wants to know");
    assert!(world.asked("/user/orgs").is_empty());

    let client = wanting(&world, upstream, ALL);
    let evidence = redeem(&client).await.unwrap().evidence.unwrap();
    assert_eq!(evidence.organisations, ["acme", "initech"]);
    assert_eq!(
        world.last("/user/orgs").header("authorization"),
        "Bearer at-1"
    );

    world.on("/user/orgs", Answer::json(&json!([])));
    let later = client.recheck(&tokens(), &evidence).await.unwrap().unwrap();
    let mut kept = evidence;
    kept.renew(&later);
    assert!(kept.organisations.is_empty(), "who has left is noticed");
    world.on("/user/orgs", Answer::of("text/plain", "").status(500));
    assert!(redeem(&client).await.is_err(), "an outage lets nobody in");
}

#[tokio::test]
async fn all_pages_of_organisations_are_read() {
    let world = World::start().await;
    let client = wanting(&world, organised(&world), ALL);
    let page = |names: &[&str], next: &str| {
        let list: Vec<_> = names.iter().map(|name| json!({ "login": name })).collect();
        Answer::json(&json!(list)).header("link", next)
    };
    let next = "</user/orgs/2?page=2>; rel=\"next\", </user/orgs/9>; rel=\"last\"";
    world.on("/user/orgs", page(&["acme"], next));
    let second = page(&["initech", "umbrella"], "</user/orgs>; rel=\"first\"");
    world.on("/user/orgs/2", second);
    let evidence = redeem(&client).await.unwrap().evidence.unwrap();
    assert_eq!(evidence.organisations, ["acme", "initech", "umbrella"]);
    assert_eq!(
        world.last("/user/orgs/2").header("authorization"),
        "Bearer at-1"
    );
    // A list without an end is read for a while, and one that leads elsewhere is none.
    world.on("/user/orgs/2", page(&["x"], next));
    redeem(&client).await.unwrap();
    assert!(world.asked("/user/orgs/2").len() < 100);
    let elsewhere = "<https://evil.example/orgs>; rel=next";
    world.on("/user/orgs/2", page(&["x"], elsewhere));
    assert!(redeem(&client).await.is_err());
    world.on("/user/orgs/2", Answer::of("text/plain", "").status(500));
    assert!(redeem(&client).await.is_err(), "half of a list is none");
}

fn organised(world: &World) -> Upstream {
    forge(world).organisations(world.url("/user/orgs"), "/*/login", scopes!["read:org"])
}

#[tokio::test]
async fn organisations_may_be_claims() {
    let world = World::start().await;
    let user =
        json!({"sub": "alice", "orgs": [{"name": "acme"}, {"name": "initech"}], "team": "T1"});
    let upstream = world
        .oauth2()
        .organisations_claim("/orgs/*/name")
        .organisations_claim("team");
    world.on("/userinfo", Answer::json(&user));
    let evidence = redeem(&wanting(&world, upstream, ALL))
        .await
        .unwrap()
        .evidence
        .unwrap();
    assert_eq!(evidence.organisations, ["T1", "acme", "initech"]);
}

#[tokio::test]
async fn sec_px_17_a_token_that_ended_is_noticed_and_an_outage_is_not_the_end() {
    let world = World::start().await;
    let client = world.client(world.oauth2());
    let good = client
        .recheck(&tokens(), &Evidence::of(alice()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(good.profile["name"], "Alice");
    for (status, expected) in [
        (401, "upstream_ended"),
        (403, "upstream_unavailable"),
        (404, "upstream_invalid"),
        (429, "upstream_unavailable"),
        (500, "upstream_unavailable"),
    ] {
        world.on("/userinfo", Answer::of("text/plain", "").status(status));
        let error = client
            .recheck(&tokens(), &Evidence::of(alice()))
            .await
            .unwrap_err();
        assert_eq!(error.reason(), expected, "{status}");
    }
    for body in ["{", "[]", "\"x\"", r#"{"sub":"alice","sub":"alice"}"#] {
        world.on("/userinfo", Answer::of("application/json", body));
        let error = client
            .recheck(&tokens(), &Evidence::of(alice()))
            .await
            .unwrap_err();
        assert_eq!(error.reason(), "upstream_invalid", "{body}");
    }
}

#[tokio::test]
async fn who_has_no_way_to_tell_says_so() {
    let world = World::start().await;
    let upstream = Upstream::oauth2(world.url("/authorize"), world.url("/token"));
    let told = world
        .client(upstream)
        .recheck(&tokens(), &Evidence::of(alice()))
        .await
        .unwrap();
    assert!(told.is_none());
}

#[tokio::test]
async fn sec_px_17_a_token_of_another_client_is_no_proof() {
    let world = World::start().await;
    let upstream = world.oauth2().token_check_by_client(
        world.url("/applications/{client_id}/token"),
        "/app/client_id",
    );
    let client = world.client(upstream);
    let path = "/applications/our-client/token";
    world.on(path, Answer::json(&json!({"app": {"client_id": CLIENT}})));
    assert!(
        client
            .recheck(&tokens(), &Evidence::of(alice()))
            .await
            .is_ok()
    );
    let asked = world.last(path);
    assert_eq!(asked.body, br#"{"access_token":"at-1"}"#);
    // base64 of `our-client:s3cret of ours`
    assert_eq!(
        asked.header("authorization"),
        "Basic b3VyLWNsaWVudDpzM2NyZXQgb2Ygb3Vycw=="
    );
    for (answer, expected) in [
        (
            Answer::json(&json!({"app": {"client_id": "another"}})),
            "upstream_ended",
        ),
        (Answer::json(&json!({"app": {}})), "upstream_ended"),
        (Answer::of("text/plain", "").status(404), "upstream_ended"),
        (Answer::of("text/plain", "").status(422), "upstream_ended"),
        (
            Answer::of("text/plain", "").status(401),
            "upstream_refuses_us",
        ),
        (
            Answer::of("text/plain", "").status(503),
            "upstream_unavailable",
        ),
    ] {
        world.on(path, answer);
        let error = client
            .recheck(&tokens(), &Evidence::of(alice()))
            .await
            .unwrap_err();
        assert_eq!(error.reason(), expected);
    }

    let upstream = world
        .oauth2()
        .token_check(world.url("/oauth2/@me"), "/application/id");
    let client = world.client(upstream);
    world.on(
        "/oauth2/@me",
        Answer::json(&json!({"application": {"id": CLIENT}})),
    );
    assert!(
        client
            .recheck(&tokens(), &Evidence::of(alice()))
            .await
            .is_ok()
    );
    assert_eq!(
        world.last("/oauth2/@me").header("authorization"),
        "Bearer at-1"
    );
    world.on("/oauth2/@me", Answer::of("text/plain", "").status(401));
    let error = client
        .recheck(&tokens(), &Evidence::of(alice()))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "upstream_ended");
}

#[tokio::test]
async fn tokens_are_given_back_as_far_as_they_are_taken() {
    let world = World::start().await;
    let upstream = world.oauth2().revocation_endpoint(world.url("/revoke"));
    let mut parts = world.parts(upstream.clone());
    parts.authentication = UpstreamAuthentication::Post(SecretString::from("in the body"));
    let client = UpstreamClient::new(parts).unwrap();
    let mut both = tokens();
    both.refresh_token = Some(SecretString::from("rt-1"));
    for status in [200, 400, 503] {
        world.on("/revoke", Answer::of("text/plain", "").status(status));
        client.revoke(&both).await;
        let asked = world.asked("/revoke");
        let last_two: Vec<_> = asked.iter().rev().take(2).collect();
        assert_eq!(last_two[1].value("token").as_deref(), Some("rt-1"));
        assert_eq!(
            last_two[1].value("token_type_hint").as_deref(),
            Some("refresh_token")
        );
        assert_eq!(last_two[0].value("token").as_deref(), Some("at-1"));
        assert_eq!(
            last_two[0].value("client_secret").as_deref(),
            Some("in the body")
        );
    }
    world.client(world.oauth2()).revoke(&both).await;
    assert_eq!(
        world.asked("/revoke").len(),
        6,
        "where there is no such endpoint"
    );
}

#[tokio::test]
async fn what_fails_at_userinfo_is_told_as_that() {
    let world = World::start().await;
    let logs = CapturedLogs::start();
    let client = world.client(world.oauth2().subject("id"));
    world.on("/userinfo", Answer::of("text/plain", "").status(404));
    let error = redeem(&client).await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    world.on("/userinfo", Answer::json(&json!({"sub": "alice"})));
    let error = redeem(&client).await.unwrap_err();
    assert!(error.to_string().contains("`id`"), "{error}");
    let log = logs.text();
    assert!(log.contains(r#"endpoint="userinfo""#), "{log}");
    assert!(log.contains("status 404"), "{log}");
    assert!(!log.contains(r#"endpoint="token""#), "{log}");
}

#[tokio::test]
async fn an_error_of_the_authorization_response_is_told_by_a_word_that_is_known() {
    let world = World::start().await;
    let logs = CapturedLogs::start();
    let client = world.client(world.oauth2());
    for (word, code) in [
        ("invalid_scope", "invalid_scope"),
        ("access_denied", "access_denied"),
        ("server_error", "server_error"),
    ] {
        client.brought(word);
        let log = logs.text();
        let code = format!(r#"code="{code}""#);
        assert!(
            log.contains(&code) && log.contains(r#"endpoint="authorization""#),
            "{log}"
        );
    }
    let other = world.client(world.oauth2());
    other.brought("canary-word");
    let log = logs.text();
    assert!(
        log.contains(r#"code="other""#) && !log.contains("canary-word"),
        "{log}"
    );
}
