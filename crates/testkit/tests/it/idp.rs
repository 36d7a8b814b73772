use http::StatusCode;
use portcullis_fetch::cache_control::max_age;
use portcullis_fetch::{Accept, ClientAuthentication, Fetched, Fetcher};
use portcullis_oauth::crypto::{KeyKind, VerifyingKey};
use portcullis_oauth::jose::{Algorithm, jwks::JwkSet};
use portcullis_oauth::json::{self, Value, json};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, EndpointUrl};
use portcullis_testkit::FakeIdp;

fn fetcher() -> Fetcher {
    let builder = Fetcher::trusted().allow_loopback(true);
    builder.build().unwrap()
}

async fn get(url: &EndpointUrl) -> Fetched {
    fetcher().get(url, Accept::Json).await.unwrap()
}

fn value(answer: &Fetched) -> Value {
    json::value(&answer.body, json::Limits::METADATA).unwrap()
}

fn key_set(answer: &Fetched) -> JwkSet {
    JwkSet::parse(&answer.body).unwrap()
}

#[tokio::test]
async fn the_metadata_names_the_provider_and_can_be_edited() {
    let idp = FakeIdp::start().await;
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let document = value(&get(&idp.url(path)).await);
        assert_eq!(document["issuer"], idp.issuer().as_str());
        assert_eq!(document["jwks_uri"], idp.jwks_url().as_str());
        assert_eq!(idp.hits(path), 1);
    }
    idp.edit_metadata(|document| {
        document.insert("issuer".to_owned(), "https://evil.example".into());
    });
    let document = value(&get(&idp.url("/.well-known/openid-configuration")).await);
    assert_eq!(document["issuer"], "https://evil.example");
    assert_eq!(get(&idp.url("/nowhere")).await.status, 404);
    assert_eq!((idp.hits("/nowhere"), idp.hits("/jwks")), (1, 0));
}

#[tokio::test]
async fn keys_come_and_go() {
    let idp = FakeIdp::start().await;
    let second = idp.rotate_key();
    let third = idp.add_key(Algorithm::EdDsa);
    let answer = get(&idp.jwks_url()).await;
    assert_eq!(value(&answer), idp.jwks());
    let set = key_set(&answer);
    assert_eq!((set.len(), set.skipped().len()), (3, 0));
    let newest = VerifyingKey::from_pem(&idp.public_pem()).unwrap();
    assert_eq!(newest.kind(), KeyKind::Ed25519);
    idp.retire_old_keys();
    let set = key_set(&get(&idp.jwks_url()).await);
    assert!(set.contains_kid(&third) && !set.contains_kid(&second));
}

#[tokio::test]
async fn the_key_set_can_be_down_hostile_or_cacheable() {
    let idp = FakeIdp::start().await;
    idp.jwks_down(true);
    assert_eq!(get(&idp.jwks_url()).await.status, 503);
    idp.jwks_down(false);
    idp.jwks_body("{\"keys\":");
    let answer = get(&idp.jwks_url()).await;
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::OK, &b"{\"keys\":"[..])
    );
    assert_eq!(max_age(&answer.headers), None);
    idp.jwks_body_reset();
    idp.cache_control("max-age=600");
    let answer = get(&idp.jwks_url()).await;
    assert_eq!(max_age(&answer.headers).unwrap().as_secs(), 600);
    assert_eq!(key_set(&answer).len(), 1);
    assert_eq!(idp.hits("/jwks"), 3);
}

#[tokio::test]
async fn a_held_key_set_answers_once_it_is_let_go() {
    let idp = FakeIdp::start().await;
    let held = idp.hold_jwks();
    let url = idp.jwks_url();
    let waiting = tokio::spawn(async move { get(&url).await });
    idp.wait_for_hits("/jwks", 1).await;
    assert!(!waiting.is_finished());
    drop(held);
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "`/jwks` had 0 of 1 requests after 10s")]
async fn waiting_for_a_request_that_never_comes_ends() {
    FakeIdp::start().await.wait_for_hits("/jwks", 1).await;
}

#[tokio::test]
async fn introspection_answers_the_required_client_alone() {
    let idp = FakeIdp::start().await;
    let url = idp.introspection_url();
    let ask = async |authentication: Option<&ClientAuthentication>| {
        let body = "token=t0".to_owned();
        fetcher()
            .post_form(&url, body, authentication)
            .await
            .unwrap()
    };
    assert_eq!(value(&ask(None).await), json!({ "active": false }));

    idp.introspection(|form| json!({ "active": form.one("token") == Ok(Some("t0")) }));
    idp.require_client("an id", "p:w%");
    let id = ClientId::parse("an id").unwrap();
    let secret = ClientSecret::new("p:w%");
    let wrong = ClientSecret::new("p:w");
    assert_eq!(ask(None).await.status, 401);
    for (secret, active) in [(secret, true), (wrong, false)] {
        let (id, id2) = (id.clone(), id.clone());
        for authentication in [
            ClientAuthentication::Basic {
                id,
                secret: secret.clone(),
            },
            ClientAuthentication::Post {
                id: id2,
                secret: secret.clone(),
            },
        ] {
            let answer = ask(Some(&authentication)).await;
            if active {
                assert_eq!(value(&answer), json!({ "active": true }));
            } else {
                assert_eq!(answer.status, 401);
            }
        }
    }
    idp.introspection_status(StatusCode::BAD_GATEWAY);
    assert_eq!(ask(None).await.status, 502);
    assert_eq!(idp.hits("/introspect"), 7);
}
