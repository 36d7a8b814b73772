use std::time::Duration;

use portcullis_oauth::Timestamp;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::crypto::{base64url, hmac_sha256};
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::jose::sign::{JwtBuilder, sign_compact};
use portcullis_oauth::json::{self, Value, json};
use portcullis_testkit::CapturedLogs;

use super::super::assertion::UsedAssertion;
use super::super::{AuthenticationMethod, ConfiguredClient};
use super::site::Site;
use super::{ISSUER, NOW, TOKEN_ENDPOINT, World, refusal};

const KIND: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);

fn es256() -> SigningKey {
    SigningKey::generate_es256().unwrap()
}

fn set(keys: &[(&SigningKey, &str)]) -> Value {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(key, kid)| key.public_jwk(Some(kid)).unwrap())
        .collect();
    json!({ "keys": keys })
}

fn jwks(keys: &[(&SigningKey, &str)]) -> JwkSet {
    JwkSet::parse(set(keys).to_string().as_bytes()).unwrap()
}

/// What a client writes that does all as it should.
fn sound(client: &str, id: &str) -> JwtBuilder {
    JwtBuilder::new()
        .kid("k1")
        .claim("iss", client)
        .subject(client)
        .audience(ISSUER)
        .claim("jti", id)
        .valid(Timestamp::from_secs(NOW), Duration::from_secs(60))
}

/// A world in which `bot` has one key, and that key.
async fn bot() -> (World, SigningKey) {
    bot_with(|client| client).await
}

async fn bot_with(
    change: impl FnOnce(ConfiguredClient) -> ConfiguredClient,
) -> (World, SigningKey) {
    let key = es256();
    let client = ConfiguredClient::new("bot")
        .keys(jwks(&[(&key, "k1")]))
        .redirect_uri("https://bot.example/cb");
    let world = World::with(|settings| settings.configured = vec![change(client)]).await;
    (world, key)
}

/// Why an assertion of `bot` is refused; nothing if it is accepted.
async fn fault(world: &World, assertion: &str) -> Option<&'static str> {
    let outcome = world
        .posted(&[("client_id", "bot"), ("client_assertion", assertion), KIND])
        .await;
    match outcome {
        Ok(_) => None,
        Err(error) => {
            assert_eq!(
                (error.wire().code.as_str(), error.status().as_u16()),
                ("invalid_client", 401)
            );
            Some(error.reason())
        }
    }
}

#[tokio::test]
async fn t1_an_assertion_proves_its_client_with_and_without_client_id() {
    let (world, key) = bot().await;
    let with = sound("bot", "1").sign(&key).unwrap();
    assert_eq!(fault(&world, &with).await, None);
    let without = sound("bot", "2").sign(&key).unwrap();
    let client = world
        .posted(&[("client_assertion", &without), KIND])
        .await
        .unwrap();
    assert_eq!(client.client().id.as_str(), "bot");
}

#[tokio::test]
async fn sec_ca_09_the_audience_is_one_text() {
    let (world, key) = bot().await;
    for audience in [
        json!([ISSUER]),
        json!([ISSUER, "https://other.example"]),
        json!("https://other.example"),
        json!("https://auth.example.com/"),
        json!("https://auth.example.com/oauth/authorize"),
        json!(""),
    ] {
        let assertion = sound("bot", "1")
            .claim("aud", audience.clone())
            .sign(&key)
            .unwrap();
        let reason = fault(&world, &assertion).await;
        assert!(
            reason == Some("assertion_audience"),
            "{audience}: {reason:?}"
        );
    }
}

#[tokio::test]
async fn sec_ca_09_the_token_endpoint_is_no_audience() {
    let (world, key) = bot().await;
    let assertion = sound("bot", "1")
        .audience(TOKEN_ENDPOINT)
        .sign(&key)
        .unwrap();
    assert_eq!(fault(&world, &assertion).await, Some("assertion_audience"));
    // But for the client whose profile says that it writes nothing else.
    let id = "https://chatgpt.com/oauth/kDmjx77UnKOM/client.json";
    let chatgpt = ConfiguredClient::new(id)
        .keys(jwks(&[(&key, "k1")]))
        .redirect_uri("https://chatgpt.com/connector/oauth/kDmjx77UnKOM");
    let world = World::with(|settings| settings.configured = vec![chatgpt]).await;
    for (audience, works) in [
        (TOKEN_ENDPOINT, true),
        (ISSUER, true),
        ("https://auth.example.com/token", false),
    ] {
        let assertion = sound(id, audience).audience(audience).sign(&key).unwrap();
        let outcome = world
            .posted(&[("client_id", id), ("client_assertion", &assertion), KIND])
            .await;
        assert_eq!(outcome.is_ok(), works, "{audience}");
    }
}

#[tokio::test]
async fn sec_ca_09_issuer_and_subject_are_the_client() {
    let (world, key) = bot().await;
    for (name, value) in [
        ("iss", "other"),
        ("sub", "other"),
        ("iss", ISSUER),
        ("sub", ""),
    ] {
        let assertion = sound("bot", "1").claim(name, value).sign(&key).unwrap();
        assert_eq!(
            fault(&world, &assertion).await,
            Some("assertion_party"),
            "{name} {value}"
        );
    }
    for missing in ["iss", "sub", "aud"] {
        let mut claims = json!({
            "iss": "bot", "sub": "bot", "aud": ISSUER, "jti": "1", "exp": NOW + 60,
        });
        claims.as_object_mut().unwrap().remove(missing);
        let header = json!({"alg": "ES256", "kid": "k1"});
        let assertion = sign_compact(&header, &claims, &key, Algorithm::Es256).unwrap();
        let reason = fault(&world, &assertion).await;
        assert!(
            matches!(reason, Some("assertion_party" | "assertion_audience")),
            "{missing}: {reason:?}"
        );
    }
}

#[tokio::test]
async fn sec_ca_10_an_assertion_lives_five_minutes() {
    let (world, key) = bot().await;
    let (leeway, longest) = (30, 300);
    for (name, at, expected) in [
        ("exp", -leeway, Some("assertion_expired")),
        ("exp", 1 - leeway, None),
        ("exp", longest + leeway, None),
        ("exp", longest + leeway + 1, Some("assertion_lifetime")),
        ("exp", 10 * 365 * 86400, Some("assertion_lifetime")),
        ("iat", leeway, None),
        ("iat", leeway + 1, Some("assertion_not_yet")),
        ("iat", -longest - leeway, None),
        ("iat", -longest - leeway - 1, Some("assertion_lifetime")),
        ("nbf", leeway, None),
        ("nbf", leeway + 1, Some("assertion_not_yet")),
    ] {
        let id = format!("{name}{at}");
        let assertion = sound("bot", &id).claim(name, NOW + at).sign(&key).unwrap();
        assert_eq!(fault(&world, &assertion).await, expected, "{id}");
    }
    let endless = json!({"iss": "bot", "sub": "bot", "aud": ISSUER, "jti": "1"});
    let endless = sign_compact(
        &json!({"alg": "ES256", "kid": "k1"}),
        &endless,
        &key,
        Algorithm::Es256,
    );
    assert_eq!(
        fault(&world, &endless.unwrap()).await,
        Some("claim_missing")
    );
}

#[tokio::test]
async fn sec_ca_10_an_assertion_has_an_id() {
    let (world, key) = bot().await;
    for id in [
        Value::Null,
        json!(""),
        json!(7),
        json!("x".repeat(256)),
        json!("a\nb"),
    ] {
        let assertion = sound("bot", "1")
            .claim("jti", id.clone())
            .sign(&key)
            .unwrap();
        let reason = fault(&world, &assertion).await;
        assert!(
            matches!(reason, Some("assertion_id" | "claim_malformed")),
            "{id}: {reason:?}"
        );
    }
    let header = json!({"alg": "ES256", "kid": "k1"});
    let claims = json!({"iss": "bot", "sub": "bot", "aud": ISSUER, "exp": NOW + 60});
    let without = sign_compact(&header, &claims, &key, Algorithm::Es256).unwrap();
    assert_eq!(fault(&world, &without).await, Some("assertion_id"));
}

#[tokio::test]
async fn sec_ca_10_another_kind_of_token_is_no_assertion() {
    let (world, key) = bot().await;
    for (typ, works) in [
        ("JWT", true),
        ("client-authentication+jwt", true),
        ("application/client-authentication+jwt", true),
        ("at+jwt", false),
        ("oauth-id-jag+jwt", false),
        ("dpop+jwt", false),
        ("secevent+jwt", false),
        ("logout+jwt", false),
    ] {
        let assertion = sound("bot", typ).typ(typ).sign(&key).unwrap();
        let expected = (!works).then_some("assertion_typ");
        assert_eq!(fault(&world, &assertion).await, expected, "{typ}");
    }
}

#[tokio::test]
async fn sec_ca_11_c3_symmetric_algorithms_are_refused() {
    let (world, key) = bot().await;
    let public = key.public_pem().unwrap();
    let header = json!({"alg": "HS256", "kid": "k1"});
    let claims = json!({"iss": "bot", "sub": "bot", "aud": ISSUER, "jti": "1", "exp": NOW + 60});
    let encoded = [header, claims].map(|part| base64url::encode(part.to_string()));
    let signed = encoded.join(".");
    let tag = base64url::encode(hmac_sha256(public.as_bytes(), signed.as_bytes()));
    let forged = format!("{signed}.{tag}");
    assert_eq!(fault(&world, &forged).await, Some("assertion_algorithm"));
    let unsigned = forged.replacen(forged.split('.').next().unwrap(), "eyJhbGciOiJub25lIn0", 1);
    assert_eq!(fault(&world, &unsigned).await, Some("algorithm_unknown"));
}

#[tokio::test]
async fn sec_ca_11_the_registered_algorithm_and_no_other() {
    let (world, key) = bot_with(|client| client.assertion_algorithm(Algorithm::Rs256)).await;
    let assertion = sound("bot", "1").sign(&key).unwrap();
    assert_eq!(fault(&world, &assertion).await, Some("assertion_algorithm"));
}

#[tokio::test]
async fn sec_ca_02_an_assertion_by_another_key_is_refused() {
    let (world, _key) = bot().await;
    let foreign = sound("bot", "1").sign(&es256()).unwrap();
    assert_eq!(fault(&world, &foreign).await, Some("signature"));
    let unknown = sound("bot", "1").kid("k2").sign(&es256()).unwrap();
    assert_eq!(fault(&world, &unknown).await, Some("assertion_key"));
    assert_eq!(
        refusal(world.posted(&[("client_id", "bot")]).await).2,
        "method",
        "never downgraded"
    );
}

#[tokio::test]
async fn sec_ca_10_nothing_but_a_valid_assertion_burns_its_id() {
    let (world, key) = bot().await;
    let wrong = sound("bot", "1")
        .audience("https://other.example")
        .sign(&key)
        .unwrap();
    assert!(fault(&world, &wrong).await.is_some());
    assert_eq!(world.records.count::<UsedAssertion>().await.unwrap(), 0);
    let right = sound("bot", "1").sign(&key).unwrap();
    assert_eq!(fault(&world, &right).await, None);
    assert_eq!(world.records.count::<UsedAssertion>().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_ca_10_c3_one_of_64_replays_wins() {
    for round in 0..20 {
        let (world, key) = bot().await;
        let world = std::sync::Arc::new(world);
        let replica = std::sync::Arc::new(world.replica(|settings| {
            settings.configured = vec![
                ConfiguredClient::new("bot")
                    .keys(jwks(&[(&key, "k1")]))
                    .redirect_uri("https://bot.example/cb"),
            ];
        }));
        let assertion = sound("bot", "same").sign(&key).unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let world = std::sync::Arc::clone(if n % 2 == 0 { &world } else { &replica });
                let assertion = assertion.clone();
                tokio::spawn(async move { fault(&world, &assertion).await })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            match task.await.unwrap() {
                None => winners += 1,
                Some(reason) => assert_eq!(reason, "assertion_replayed"),
            }
        }
        assert_eq!(winners, 1, "round {round}");
    }
}

#[tokio::test]
async fn sec_ca_10_an_id_is_its_clients_own_and_is_kept_as_long_as_it_could_be_replayed() {
    let (world, key) = bot_with(|client| client).await;
    let assertion = sound("bot", "1").sign(&key).unwrap();
    assert_eq!(fault(&world, &assertion).await, None);
    for _ in 0..89 {
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(fault(&world, &assertion).await, Some("assertion_replayed"));
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(fault(&world, &assertion).await, Some("assertion_expired"));
    let other = World::with(|settings| {
        settings.configured = ["bot", "bo"]
            .map(|id| {
                ConfiguredClient::new(id)
                    .keys(jwks(&[(&key, "k1")]))
                    .redirect_uri("https://b.example/")
            })
            .into();
    })
    .await;
    for (client, id) in [("bot", "1"), ("bo", "t1"), ("bo", "1")] {
        let assertion = sound(client, id).sign(&key).unwrap();
        assert!(
            other
                .posted(&[("client_assertion", &assertion), KIND])
                .await
                .is_ok(),
            "{client} {id}"
        );
    }
}

#[tokio::test]
async fn sec_op_05_a_replay_is_an_event_and_the_assertion_is_in_no_log() {
    let logs = CapturedLogs::start();
    let (world, key) = bot().await;
    let assertion = sound("bot", "canary-jti").sign(&key).unwrap();
    for _ in 0..2 {
        let _outcome = fault(&world, &assertion).await;
    }
    assert!(logs.text().contains("client_assertion_replayed"));
    logs.assert_free_of("canary-jti");
    logs.assert_free_of(&assertion);
}

/// A client whose keys are on a host of its own.
async fn remote(site: &Site) -> World {
    let url = portcullis_oauth::EndpointUrl::parse(&site.url("/jwks")).unwrap();
    let client = ConfiguredClient::new("bot")
        .keys_at(url)
        .redirect_uri("https://bot.example/cb");
    World::with(|settings| settings.configured = vec![client]).await
}

#[tokio::test]
async fn keys_at_a_url_are_fetched_once_and_a_new_one_is_found() {
    let site = Site::start().await;
    let (old, new) = (es256(), es256());
    site.json("/jwks", &set(&[(&old, "k1")]));
    let world = remote(&site).await;
    for id in ["1", "2", "3"] {
        assert_eq!(
            fault(&world, &sound("bot", id).sign(&old).unwrap()).await,
            None
        );
    }
    assert_eq!(site.requests(), 1);
    site.json("/jwks", &set(&[(&new, "k2")]));
    assert_eq!(
        fault(&world, &sound("bot", "4").kid("k2").sign(&new).unwrap()).await,
        None
    );
    assert_eq!(site.requests(), 2);
    assert_eq!(
        fault(&world, &sound("bot", "5").sign(&old).unwrap()).await,
        Some("assertion_key"),
        "the old one is gone"
    );
}

#[tokio::test]
async fn sec_ca_12_random_key_ids_make_one_request() {
    let site = Site::start().await;
    let key = es256();
    site.json("/jwks", &set(&[(&key, "k1")]));
    let world = remote(&site).await;
    assert_eq!(
        fault(&world, &sound("bot", "0").sign(&key).unwrap()).await,
        None
    );
    for n in 0..100 {
        let assertion = sound("bot", "1")
            .kid(&format!("random-{n}"))
            .sign(&key)
            .unwrap();
        assert_eq!(fault(&world, &assertion).await, Some("assertion_key"));
    }
    assert_eq!(site.requests(), 2);
    assert_eq!(
        fault(&world, &sound("bot", "2").sign(&key).unwrap()).await,
        None
    );
}

#[tokio::test]
async fn sec_ca_12_keys_on_one_host_come_two_at_a_time() {
    let site = Site::start().await;
    let key = es256();
    let ids: Vec<String> = (0..8).map(|n| format!("bot-{n}")).collect();
    let configured = ids.iter().map(|id| {
        let path = format!("/{id}");
        site.json(&path, &set(&[(&key, "k1")]));
        let url = portcullis_oauth::EndpointUrl::parse(&site.url(&path)).unwrap();
        let client = ConfiguredClient::new(id).keys_at(url);
        client.redirect_uri("https://bot.example/cb")
    });
    let configured = configured.collect();
    let world = World::with(|settings| settings.configured = configured).await;
    site.hang(true);
    let all = ids.iter().map(|id| {
        let assertion = sound(id, "1").sign(&key).unwrap();
        let world = &world;
        async move {
            let form = [
                ("client_id", id.as_str()),
                ("client_assertion", &assertion),
                KIND,
            ];
            world.posted(&form).await.is_ok()
        }
    });
    let watch = async {
        for _ in 0..20_000 {
            tokio::task::yield_now().await;
        }
        let at_once = site.requests();
        site.hang(false);
        at_once
    };
    let (proven, at_once) = tokio::join!(futures_util::future::join_all(all), watch);
    assert_eq!(at_once, 2);
    assert_eq!(proven, [true; 8]);
}

#[tokio::test]
async fn sec_ca_12_garbage_fetches_no_keys() {
    let site = Site::start().await;
    let world = remote(&site).await;
    let key = es256();
    let typed = sound("bot", "1").typ("at+jwt").sign(&key).unwrap();
    let foreign = sound("other", "1").sign(&key).unwrap();
    let parts: Vec<&str> = typed.split('.').collect();
    for garbage in ["", "a.b", "a.b.c", &typed, &foreign, &parts[..2].join(".")] {
        assert!(
            world
                .posted(&[("client_id", "bot"), ("client_assertion", garbage), KIND])
                .await
                .is_err()
        );
    }
    assert_eq!(site.requests(), 0);
}

#[tokio::test]
async fn sec_ca_12_keys_that_cannot_be_fetched_are_no_rejection() {
    let site = Site::start().await;
    site.answer("/jwks", "500 Oops", "", "");
    let world = remote(&site).await;
    let assertion = sound("bot", "1").sign(&es256()).unwrap();
    let outcome = world
        .posted(&[("client_id", "bot"), ("client_assertion", &assertion), KIND])
        .await;
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.status().as_u16(), error.unavailable().is_some()),
        (503, true)
    );
}

#[tokio::test]
async fn sec_ca_12_keys_come_by_https() {
    let world = World::new().await;
    let body = |url: &str| {
        json!({"redirect_uris": ["http://localhost/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": url}).to_string()
    };
    for url in [
        "http://keys.example/jwks",
        "http://127.0.0.1:1/jwks",
        "https://k.example/jwks#f",
        "ftp://k.example/",
        "x",
    ] {
        assert!(world.register(&body(url)).await.is_err(), "{url}");
    }
    // A private address by `https` is found out when it is asked.
    let answer = world.registered(&body("https://10.0.0.1/jwks")).await;
    let id = answer["client_id"].as_str().unwrap();
    let assertion = sound(id, "1").sign(&es256()).unwrap();
    let outcome = world
        .posted(&[("client_id", id), ("client_assertion", &assertion), KIND])
        .await;
    assert_eq!(outcome.unwrap_err().status().as_u16(), 503);
}

#[tokio::test]
async fn sec_ca_12_private_and_symmetric_keys_are_refused() {
    let world = World::new().await;
    let mut private = es256().public_jwk(Some("k1")).unwrap();
    private["d"] = json!("AAAA");
    let public = es256().public_jwk(Some("k2")).unwrap();
    let body = |keys: Value| {
        json!({"redirect_uris": ["http://localhost/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys}}).to_string()
    };
    for keys in [
        json!([private]),
        json!([public, private]),
        json!([{"kty": "oct", "k": "AAAA"}]),
        json!([public, {"kty": "oct", "k": "AAAA"}]),
        json!([]),
        json!([{"kty": "unknown"}]),
    ] {
        assert!(world.register(&body(keys.clone())).await.is_err(), "{keys}");
    }
    let answer = world.registered(&body(json!([public]))).await;
    assert_eq!(answer["jwks"]["keys"][0]["kid"], "k2");
    let text = json::to_string(&answer).unwrap();
    assert!(!text.contains("client_secret"));
}

#[tokio::test]
async fn sec_ca_12_one_set_of_keys() {
    let world = World::new().await;
    let both = json!({"redirect_uris": ["http://localhost/cb"], "jwks": set(&[(&es256(), "k1")]), "jwks_uri": "https://k.example/jwks"});
    assert!(world.register(&both.to_string()).await.is_err());
}

#[tokio::test]
async fn sec_ca_12_many_key_urls_on_one_host_make_few_requests() {
    let site = Site::start().await;
    let key = es256();
    let clients: Vec<ConfiguredClient> = (0..50)
        .map(|n| {
            let url =
                portcullis_oauth::EndpointUrl::parse(&site.url(&format!("/jwks{n}"))).unwrap();
            ConfiguredClient::new(format!("bot{n}"))
                .keys_at(url)
                .redirect_uri("https://bot.example/cb")
        })
        .collect();
    let world = World::with(|settings| settings.configured = clients).await;
    for n in 0..50 {
        let assertion = sound(&format!("bot{n}"), "1").sign(&key).unwrap();
        let outcome = world
            .posted(&[("client_assertion", &assertion), KIND])
            .await;
        assert_eq!(outcome.unwrap_err().status().as_u16(), 503);
    }
    assert_eq!(site.requests(), 10);
}

#[tokio::test]
async fn c3_c4_a_registered_client_proves_itself_by_its_own_keys() {
    let world = World::new().await;
    let key = SigningKey::generate_rsa2048().unwrap();
    let body = json!({
        "redirect_uris": ["https://chatgpt.com/connector/oauth/a"], "client_name": "ChatGPT",
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "RS256",
        "jwks": set(&[(&key, "k1")]),
    });
    let answer = world.registered(&body.to_string()).await;
    assert!(answer.get("client_secret").is_none());
    let id = answer["client_id"].as_str().unwrap();
    let client = world.find(id).await.unwrap();
    assert_eq!(client.authentication, [AuthenticationMethod::PrivateKeyJwt]);
    let assertion = sound(id, "1").sign(&key).unwrap();
    let replica = world.replica(|_| ());
    assert!(
        replica
            .posted(&[("client_assertion", &assertion), KIND])
            .await
            .is_ok()
    );
    let replay = world
        .posted(&[("client_assertion", &assertion), KIND])
        .await;
    assert_eq!(refusal(replay).2, "assertion_replayed");
}
