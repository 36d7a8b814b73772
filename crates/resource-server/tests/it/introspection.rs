//! Tokens that their issuer is asked about.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::StatusCode;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{MockClock, SecretString, scopes};
use portcullis_resource_server::{
    ConfigError, IntrospectionVerifier, IntrospectionVerifierBuilder, Rejection, TokenVerifier as _,
};
use portcullis_testkit::CapturedLogs;
use proptest::prelude::*;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::world::{NOW, RESOURCE, World, cached, is_unavailable, present, present_at, rejection};

const SECRET: &str = "s3cr3t +/:&%=ü";
const TOKEN: &str = "opaque-token-1";

fn secret() -> SecretString {
    SecretString::from(SECRET)
}

fn builder(world: &World) -> IntrospectionVerifierBuilder {
    IntrospectionVerifier::builder(world.idp.introspection_url().as_str())
        .client("mcp:server", secret())
        .clock(world.clock.clone())
}

/// What the provider says of a good token, with some members changed; `null` leaves one out.
fn answer(changes: &Value) -> Value {
    let mut answer = json!({
        "active": true, "sub": "alice", "client_id": "cli", "aud": RESOURCE, "scope": "a b",
        "exp": NOW + 300, "token_type": "Bearer",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => answer.as_object_mut().unwrap().remove(name),
            value => answer
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    answer
}

fn answers(world: &World, changes: &Value) {
    let answer = answer(changes);
    world.idp.introspection(move |_| answer.clone());
}

#[tokio::test]
async fn a_good_answer_says_who_and_what() {
    let world = World::new().await;
    answers(&world, &json!({"department": "r&d"}));
    let verifier = builder(&world).build().unwrap();
    let token = present(&verifier, TOKEN).await.unwrap();
    assert_eq!(token.subject(), "alice");
    assert_eq!(token.client_id(), Some("cli"));
    assert_eq!(token.scopes(), &scopes!["a", "b"]);
    assert_eq!(token.issuer(), world.idp.issuer().as_str());
    assert_eq!(token.claim::<String>("department").as_deref(), Some("r&d"));
    assert!(
        cached(&verifier, TOKEN).is_none(),
        "nothing is remembered unless asked for"
    );
    present(&verifier, TOKEN).await.unwrap();
    assert_eq!(world.idp.hits("/introspect"), 2);
}

#[tokio::test]
async fn credentials_are_sent_as_the_method_says() {
    let world = World::new().await;
    world.idp.require_client("mcp:server", SECRET);
    answers(&world, &json!({}));
    let base = || {
        let url = world.idp.introspection_url();
        IntrospectionVerifier::builder(url.as_str()).clock(world.clock.clone())
    };
    for builder in [
        base().client("mcp:server", secret()),
        base().client_post("mcp:server", secret()),
    ] {
        present(&builder.build().unwrap(), TOKEN).await.unwrap();
    }
    for builder in [
        base().client("mcp:server", "wrong".into()),
        base().client_post("mcp:server", "wrong".into()),
        base().bearer("token".into()),
    ] {
        // Our fault, not the caller's.
        assert!(is_unavailable(
            &present(&builder.build().unwrap(), TOKEN).await
        ));
    }
}

#[tokio::test]
async fn sec_key_10_only_a_boolean_makes_a_token_active() {
    let world = World::new().await;
    let verifier = builder(&world).build().unwrap();
    for active in [
        json!(false),
        json!("true"),
        json!(1),
        json!(null),
        json!([true]),
        json!({}),
    ] {
        answers(&world, &json!({"active": active}));
        assert_eq!(
            rejection(present(&verifier, TOKEN).await),
            Rejection::Unknown,
            "{active}"
        );
    }
}

#[tokio::test]
async fn sec_key_10_the_audience_is_the_resource() {
    let world = World::new().await;
    let verifier = builder(&world).build().unwrap();
    for audience in [
        json!(null),
        json!(""),
        json!([]),
        json!("https://other.example/mcp"),
        json!("https://mcp.example.com/mcp/"),
        json!("https://mcp.example.com"),
    ] {
        answers(&world, &json!({"aud": audience}));
        let outcome = present(&verifier, TOKEN).await;
        assert_eq!(rejection(outcome), Rejection::WrongAudience, "{audience}");
    }
    answers(&world, &json!({"aud": ["https://other.example", RESOURCE]}));
    present(&verifier, TOKEN).await.unwrap();

    answers(&world, &json!({"aud": "api"}));
    let named = builder(&world).audience("api").build().unwrap();
    present(&named, TOKEN).await.unwrap();
    // A name takes the resource's place.
    for audience in [
        json!(RESOURCE),
        json!("API"),
        json!(["ap", "apis"]),
        json!(null),
    ] {
        answers(&world, &json!({"aud": audience}));
        let outcome = present(&named, TOKEN).await;
        assert_eq!(rejection(outcome), Rejection::WrongAudience, "{audience}");
    }
}

#[tokio::test]
async fn sec_key_10_any_audience_is_dangerous_and_logged() {
    let world = World::new().await;
    let logs = CapturedLogs::start();
    answers(&world, &json!({"aud": null}));
    let verifier = builder(&world)
        .dangerous()
        .accept_any_audience()
        .build()
        .unwrap();
    let warnings = logs.security_events();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("setting=\"accept_any_audience\""));
    present(&verifier, TOKEN).await.unwrap();
}

#[tokio::test]
async fn sec_key_10_what_the_answer_says_is_checked() {
    let world = World::new().await;
    let verifier = builder(&world).build().unwrap();
    for (changes, expected) in [
        (json!({"exp": NOW - 30}), Rejection::Expired),
        (json!({"exp": "soon"}), Rejection::BadClaims),
        (json!({"nbf": NOW + 31}), Rejection::NotYetValid),
        (
            json!({"iss": "https://evil.example"}),
            Rejection::WrongIssuer,
        ),
        (json!({"iss": 7}), Rejection::BadClaims),
        (json!({"token_type": "refresh_token"}), Rejection::WrongType),
        (json!({"token_type": "N_A"}), Rejection::WrongType),
        (json!({"token_use": "refresh_token"}), Rejection::WrongType),
        (json!({"client_id": ["a"]}), Rejection::BadClaims),
        (json!({"sub": null}), Rejection::BadClaims),
        (json!({"sub": ""}), Rejection::BadClaims),
        (json!({"sub": 7}), Rejection::BadClaims),
        (json!({"aud": {"a": 1}}), Rejection::BadClaims),
    ] {
        answers(&world, &changes);
        assert_eq!(
            rejection(present(&verifier, TOKEN).await),
            expected,
            "{changes}"
        );
    }
    for changes in [
        json!({"exp": null}),
        json!({"exp": NOW - 29}),
        json!({"nbf": NOW + 30}),
        json!({"token_type": "bearer"}),
        json!({"token_type": null, "token_use": "access_token"}),
        json!({"iss": format!("{}/realms/x", world.idp.issuer())}),
    ] {
        answers(&world, &changes);
        present(&verifier, TOKEN).await.unwrap();
    }
    let named = builder(&world)
        .issuer("https://auth.example.com")
        .build()
        .unwrap();
    answers(&world, &json!({}));
    let token = present(&named, TOKEN).await.unwrap();
    assert_eq!(token.issuer(), "https://auth.example.com");
    answers(&world, &json!({"iss": world.idp.issuer().as_str()}));
    assert_eq!(
        rejection(present(&named, TOKEN).await),
        Rejection::WrongIssuer
    );
}

#[tokio::test]
async fn sec_key_10_a_bound_token_is_no_bearer_token() {
    let world = World::new().await;
    let verifier = builder(&world).build().unwrap();
    for changes in [json!({"cnf": {"jkt": "x"}}), json!({"token_type": "DPoP"})] {
        answers(&world, &changes);
        let outcome = present(&verifier, TOKEN).await;
        assert_eq!(rejection(outcome), Rejection::SenderConstrained);
    }
}

#[tokio::test]
async fn sec_key_13_a_token_of_another_client_is_refused() {
    let world = World::new().await;
    let verifier = builder(&world)
        .clients(["ours"])
        .dangerous()
        .accept_any_audience()
        .build()
        .unwrap();
    for client in [json!("cli"), json!(null)] {
        answers(&world, &json!({"client_id": client, "aud": null}));
        assert_eq!(
            rejection(present(&verifier, TOKEN).await),
            Rejection::WrongAudience
        );
    }
    answers(&world, &json!({"client_id": "ours", "aud": null}));
    present(&verifier, TOKEN).await.unwrap();
}

#[tokio::test]
async fn sec_key_10_an_endpoint_that_fails_is_no_verdict() {
    let world = World::new().await;
    let verifier = builder(&world)
        .cache(Duration::from_secs(60))
        .build()
        .unwrap();
    for status in [400, 401, 403, 404, 429, 500, 503] {
        world
            .idp
            .introspection_status(StatusCode::from_u16(status).unwrap());
        assert!(is_unavailable(&present(&verifier, TOKEN).await), "{status}");
    }
    // A body that is no JSON object.
    world.idp.introspection_status(StatusCode::OK);
    assert!(is_unavailable(&present(&verifier, TOKEN).await));
    world.idp.introspection_status(None);
    for body in [json!([]), json!("true"), json!(true)] {
        world.idp.introspection(move |_| body.clone());
        assert!(is_unavailable(&present(&verifier, TOKEN).await));
    }
    answers(&world, &json!({}));
    present(&verifier, TOKEN).await.unwrap();
}

#[tokio::test]
async fn sec_key_10_ids_in_an_answer_are_well_formed() {
    let world = World::new().await;
    let verifier = builder(&world).build().unwrap();
    let long = "c".repeat(2049);
    for member in ["sub", "client_id", "jti"] {
        for bad in ["", "a\0b", "a\r\nb", "a\u{1b}[31m", "\u{7f}", &long] {
            answers(&world, &json!({member: bad}));
            let refused = rejection(present(&verifier, TOKEN).await);
            assert_eq!(refused, Rejection::BadClaims, "{member}: {bad:?}");
        }
    }
    answers(
        &world,
        &json!({"client_id": "https://c.example/id", "jti": "j"}),
    );
    present(&verifier, TOKEN).await.unwrap();
}

/// An endpoint that answers when it is told to, and then with `status`.
struct Slow {
    url: String,
    questions: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Slow {
    async fn start(status: StatusCode) -> Self {
        let (gate, questions) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (inside, counter) = (Arc::clone(&gate), Arc::clone(&questions));
        let answer = axum::routing::post(async move || {
            counter.fetch_add(1, Ordering::SeqCst);
            inside.acquire().await.unwrap().forget();
            let headers = [("content-type", "application/json")];
            (status, headers, answer(&json!({})).to_string())
        });
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/introspect", socket.local_addr().unwrap());
        let app = axum::Router::new().route("/introspect", answer);
        tokio::spawn(async move { axum::serve(socket, app).await });
        Self {
            url,
            questions,
            gate,
        }
    }

    fn verifier(&self, clock: Arc<MockClock>) -> IntrospectionVerifier {
        let builder = IntrospectionVerifier::builder(&self.url).client("mcp:server", secret());
        builder.clock(clock).build().unwrap()
    }

    fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn sec_key_11_a_token_is_asked_about_once_at_a_time() {
    for status in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
        let slow = Slow::start(status).await;
        let verifier = slow.verifier(Arc::new(MockClock::at(NOW)));
        let both = ["one", "two"];
        let attempts = (0..100).map(|n| present(&verifier, both[n % 2]));
        slow.gate.add_permits(1000);
        let outcomes = futures_util::future::join_all(attempts).await;
        assert_eq!(slow.questions(), 2, "one for each token");
        for outcome in &outcomes {
            assert_eq!(outcome.is_ok(), status == StatusCode::OK);
            assert_eq!(is_unavailable(outcome), status != StatusCode::OK);
        }
        let _ = present(&verifier, "one").await;
        assert_eq!(slow.questions(), 3, "the next request asks anew");
    }
}

#[tokio::test]
async fn sec_key_11_questions_that_nobody_waits_for_are_bounded() {
    let slow = Slow::start(StatusCode::OK).await;
    let verifier = slow.verifier(Arc::new(MockClock::at(NOW)));
    for n in 0..256 {
        // Its client hangs up.
        let token = format!("token-{n}");
        assert!(present(&verifier, &token).now_or_never().is_none());
    }
    let refused = present(&verifier, "another").now_or_never();
    assert!(is_unavailable(&refused.unwrap()), "at once");
    slow.gate.add_permits(256);
    let again = async {
        // The answers arrive by and by.
        while is_unavailable(&present(&verifier, "another").await) {
            slow.gate.add_permits(1);
            tokio::task::yield_now().await;
        }
    };
    again.await;
}

#[tokio::test]
async fn an_endpoint_that_nobody_listens_on_is_no_verdict() {
    let world = World::new().await;
    let url = world.idp.introspection_url();
    let verifier = builder(&world).build().unwrap();
    let World { idp, clock: _ } = world;
    drop(idp);
    tokio::task::yield_now().await;
    assert!(is_unavailable(&present(&verifier, TOKEN).await), "{url}");
}

#[tokio::test]
async fn sec_key_11_an_answer_counts_for_a_minute_at_most() {
    let world = World::new().await;
    let seconds = Duration::from_secs;
    assert_eq!(fault(builder(&world).cache(seconds(61))).field(), "cache");
    let verifier = builder(&world).cache(seconds(60)).build().unwrap();
    answers(&world, &json!({}));
    for _ in 0..10 {
        present(&verifier, TOKEN).await.unwrap();
    }
    assert_eq!(world.idp.hits("/introspect"), 1);
    // Revoked, and noticed when the answer is too old; a wall clock set back changes nothing.
    world.idp.introspection(|_| json!({"active": false}));
    world.clock.advance(seconds(59));
    present(&verifier, TOKEN).await.unwrap();
    world.clock.advance(seconds(1));
    world.clock.set_wall(NOW - 3600);
    assert!(cached(&verifier, TOKEN).is_none());
    assert_eq!(
        rejection(present(&verifier, TOKEN).await),
        Rejection::Unknown
    );
}

#[tokio::test]
async fn sec_key_11_an_answer_never_counts_beyond_exp() {
    let world = World::new().await;
    let verifier = builder(&world)
        .cache(Duration::from_secs(60))
        .build()
        .unwrap();
    answers(&world, &json!({"exp": NOW + 5}));
    present(&verifier, TOKEN).await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    assert!(cached(&verifier, TOKEN).is_none());
}

#[tokio::test]
async fn sec_key_11_an_answer_counts_for_its_resource_alone() {
    let world = World::new().await;
    let verifier = builder(&world)
        .cache(Duration::from_secs(60))
        .build()
        .unwrap();
    answers(&world, &json!({}));
    present(&verifier, TOKEN).await.unwrap();
    let elsewhere = present_at(&verifier, TOKEN, "https://mcp.example.com/other").await;
    assert_eq!(rejection(elsewhere), Rejection::WrongAudience);
}

#[tokio::test]
async fn sec_key_11_refusals_are_bounded() {
    let world = World::new().await;
    let verifier = builder(&world)
        .cache(Duration::from_secs(60))
        .cache_capacity(16)
        .build()
        .unwrap();
    world.idp.introspection(|_| json!({"active": false}));
    for _ in 0..10 {
        assert_eq!(
            rejection(present(&verifier, TOKEN).await),
            Rejection::Unknown
        );
    }
    assert_eq!(world.idp.hits("/introspect"), 1);
    // Ten seconds later the token may have become valid.
    world.clock.advance(Duration::from_secs(10));
    answers(&world, &json!({}));
    present(&verifier, TOKEN).await.unwrap();
    // A flood of others pushes nothing out of the accepted ones.
    world.idp.introspection(|_| json!({"active": false}));
    for n in 0..200 {
        rejection(present(&verifier, &format!("flood-{n}")).await);
    }
    assert!(cached(&verifier, TOKEN).is_some());
}

#[tokio::test]
async fn sec_key_11_what_is_no_token_is_not_sent() {
    let world = World::new().await;
    let verifier = builder(&world).build().unwrap();
    for token in [
        "",
        "=",
        "a b",
        "a\nb",
        "ä",
        "a=b",
        "a\0",
        &"x".repeat(16 * 1024 + 1),
    ] {
        assert_eq!(
            rejection(present(&verifier, token).await),
            Rejection::Malformed
        );
    }
    assert_eq!(world.idp.hits("/introspect"), 0);
}

#[tokio::test]
async fn sec_op_01_neither_token_nor_secret_reaches_a_log() {
    let world = World::new().await;
    let logs = CapturedLogs::start();
    let canary = "canary-11aa";
    let secret = SecretString::from(canary);
    let make = |builder: IntrospectionVerifierBuilder| {
        assert!(!format!("{builder:?}").contains(canary));
        builder.build().unwrap()
    };
    answers(&world, &json!({"email": canary}));
    for verifier in [
        make(builder(&world).client("id", secret.clone())),
        make(builder(&world).client_post("id", secret.clone())),
        make(builder(&world).bearer(secret)),
    ] {
        for status in [None, Some(StatusCode::INTERNAL_SERVER_ERROR)] {
            world.idp.introspection_status(status);
            let _ = present(&verifier, canary).await;
        }
        assert!(!format!("{verifier:?}").contains(canary));
    }
    assert!(logs.text().contains("verifier_unavailable"));
    logs.assert_free_of(canary);
    // As `Basic` would encode it.
    logs.assert_free_of(&portcullis_oauth::crypto::base64::encode(format!(
        "id:{canary}"
    )));
}

#[test]
fn sec_key_10_a_question_needs_credentials() {
    let builder = || IntrospectionVerifier::builder("https://auth.example.com/introspect");
    let good = || builder().client("id", "secret".into());
    for (builder, field) in [
        (builder(), "client"),
        (builder().client("", "secret".into()), "client"),
        (builder().client("id", "".into()), "client"),
        (builder().bearer("".into()), "bearer"),
        (good().audience(""), "audience"),
        (good().issuer("http://auth.example.com"), "issuer"),
        (good().leeway(Duration::from_secs(301)), "leeway"),
        (
            IntrospectionVerifier::builder("http://auth.example.com/i").client("id", secret()),
            "introspection_url",
        ),
    ] {
        assert_eq!(fault(builder).field(), field);
    }
    assert!(good().build().is_ok());
}

#[track_caller]
fn fault(builder: IntrospectionVerifierBuilder) -> ConfigError {
    builder.build().expect_err("the settings are wrong")
}

#[test]
fn no_answer_makes_a_verifier_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (world, verifier) = runtime.block_on(async {
        let world = World::new().await;
        let verifier = Arc::new(builder(&world).build().unwrap());
        (world, verifier)
    });
    let member = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<Vec<String>>().prop_map(Value::from),
    ];
    let names = [
        "exp",
        "nbf",
        "iat",
        "aud",
        "iss",
        "sub",
        "scope",
        "client_id",
        "token_type",
    ];
    let changes =
        proptest::collection::vec((proptest::sample::select(names.to_vec()), member), 0..5);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    runner
        .run(&changes, |changes| {
            let mut answer = answer(&json!({}));
            for (name, value) in changes {
                answer[name] = value;
            }
            world.idp.introspection(move |_| answer.clone());
            let _ = runtime.block_on(present(&*verifier, TOKEN));
            Ok(())
        })
        .unwrap();
    assert_eq!(verifier.issuers(), []);
}
