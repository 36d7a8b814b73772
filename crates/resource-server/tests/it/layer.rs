//! `AuthLayer` in front of a service that knows no MCP.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response, StatusCode};
use portcullis_oauth::challenge::Challenge;
use portcullis_oauth::{
    BearerToken, MockClock, ResourceUrl, Scope, ScopeHierarchy, Timestamp, scopes,
};
use portcullis_resource_server::layer::{Denial, DenialKind};
use portcullis_resource_server::{
    AccessToken, AuthLayer, GrantStatus, Rejection, TokenParts, TokenVerifier, Unavailable,
    VerifyContext, VerifyError,
};
use portcullis_testkit::CapturedLogs;
use tokio::time::timeout;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{Answer, Tokens, request, send, with_required};
use crate::world::{RESOURCE, World};

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource";

fn resource() -> ResourceUrl {
    ResourceUrl::parse("https://mcp.example.com/").unwrap()
}

fn layer(verifier: impl TokenVerifier) -> AuthLayer {
    AuthLayer::new(verifier, resource()).resource_metadata(METADATA)
}

/// One GET through the layer, and how often the service inside was called.
async fn ask(layer: AuthLayer, authorization: &[&str]) -> (Answer, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let token = request.extensions().get::<AccessToken>();
        let body = token.map_or("nobody".to_owned(), |token| token.subject().to_owned());
        assert!(!request.headers().contains_key("authorization"));
        async move { Ok::<_, Infallible>(Response::new(Body::from(body))) }
    });
    let headers: Vec<_> = authorization
        .iter()
        .map(|value| ("authorization", *value))
        .collect();
    let answer = send(layer.layer(inner), request("GET", "/", &headers, "")).await;
    (answer, calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_valid_token_reaches_the_service() {
    let (answer, calls) = ask(layer(Tokens::default()), &["Bearer alice.read"]).await;
    assert_eq!(
        (answer.status, answer.body.as_str(), calls),
        (StatusCode::OK, "alice", 1)
    );
}

#[tokio::test]
async fn sec_rs_01_without_a_token_the_challenge_names_no_error() {
    for none in [
        &[][..],
        &[""],
        &[" "],
        &["Bearer"],
        &["Bearer  "],
        &["Basic dTpw"],
    ] {
        let (answer, calls) = ask(layer(with_required()), none).await;
        assert_eq!(
            (answer.status, calls),
            (StatusCode::UNAUTHORIZED, 0),
            "{none:?}"
        );
        assert_eq!(
            answer.challenge(),
            format!(r#"Bearer resource_metadata="{METADATA}", scope="mcp:read""#)
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn sec_rs_24_every_invalid_token_gets_the_same_answer() {
    let (foreign, calls) = ask(layer(with_required()), &["Bearer foreign"]).await;
    assert_eq!((foreign.status, calls), (StatusCode::UNAUTHORIZED, 0));
    assert!(
        foreign.challenge().contains(r#"error="invalid_token""#),
        "{foreign:?}"
    );
    let (malformed, _) = ask(layer(with_required()), &["Bearer a b"]).await;
    assert_eq!(foreign.body, malformed.body);
    assert_eq!(foreign.challenge(), malformed.challenge());
    let (expired, _) = ask(layer(with_required()), &["Bearer expired"]).await;
    assert!(
        expired.challenge().contains("has expired"),
        "a client can mend that: {expired:?}"
    );
}

#[tokio::test]
async fn sec_rs_05_two_credentials_are_a_bad_request() {
    let (answer, calls) = ask(layer(Tokens::default()), &["Bearer alice", "Bearer alice"]).await;
    assert_eq!((answer.status, calls), (StatusCode::BAD_REQUEST, 0));
    assert!(answer.challenge().contains(r#"error="invalid_request""#));
}

#[tokio::test]
async fn sec_rs_05_a_token_in_the_query_is_refused() {
    let layers = [
        layer(Tokens::default()),
        layer(Cached),
        layer(Tokens::default()).dangerous().allow_anonymous(),
    ];
    for layer in layers {
        for headers in [&[][..], &[("authorization", "Bearer alice")]] {
            let inner = service_fn(
                async |_: Request<Body>| -> Result<Response<Body>, Infallible> {
                    panic!("it reached the service")
                },
            );
            let logs = CapturedLogs::start();
            let request = request("GET", "/?a=b&access_token=canary", headers, "");
            let answer = send(layer.clone().layer(inner), request).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.challenge().contains(r#"error="invalid_request""#));
            assert!(logs.text().contains("token_in_query"));
            logs.assert_free_of("canary");
        }
    }
}

#[tokio::test]
async fn sec_rs_07_a_challenge_has_a_bound() {
    let granted: Vec<_> = (0..400).map(|n| format!("granted-{n:012}")).collect();
    let token = format!("Bearer alice.{}+last", granted.join("+"));
    let needed = scopes!["last", "missing", "granted-000000000399"];
    let (answer, _) = ask(layer(Tokens::default()).require(needed.clone()), &[&token]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let challenge = Challenge::parse_all(answer.challenge()).unwrap();
    let scopes = challenge[0].scopes();
    assert!(needed.is_subset(&scopes), "what is needed always stands");
    let length = scopes.to_string().len();
    assert!((2000..=2048).contains(&length), "{length}");
    assert!(scopes.contains_str("granted-000000000000"));
}

#[tokio::test]
async fn sec_rs_07_a_missing_scope_is_403_with_all_scopes() {
    let layer = layer(with_required()).require(scopes!["mcp:write"]);
    let (answer, calls) = ask(layer, &["Bearer alice.profile+mcp~read"]).await;
    assert_eq!((answer.status, calls), (StatusCode::FORBIDDEN, 0));
    let challenge = answer.challenge();
    assert!(
        challenge.contains(r#"error="insufficient_scope""#),
        "{challenge}"
    );
    assert!(
        challenge.contains(r#"scope="profile mcp:read mcp:write""#),
        "{challenge}"
    );
    assert!(challenge.contains(METADATA), "{challenge}");
}

#[tokio::test]
async fn sec_rs_07_an_implied_scope_is_enough() {
    let rules = ScopeHierarchy::new().implies(Scope::from_static("admin"), scopes!["mcp:read"]);
    let with_rules = layer(with_required()).scope_hierarchy(rules);
    assert_eq!(
        ask(with_rules, &["Bearer alice.admin"]).await.0.status,
        StatusCode::OK
    );
    let without = layer(with_required());
    assert_eq!(
        ask(without, &["Bearer alice.admin"]).await.0.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn sec_rs_30_a_challenge_never_asks_for_offline_access() {
    let layer = layer(Tokens::default()).require(scopes!["offline_access", "read"]);
    let (answer, _) = ask(layer, &[]).await;
    assert!(answer.challenge().contains(r#"scope="read""#), "{answer:?}");
}

#[tokio::test]
async fn sec_key_04_an_outage_is_503_and_no_challenge() {
    let (answer, calls) = ask(layer(Tokens::default()), &["Bearer down"]).await;
    assert_eq!((answer.status, calls), (StatusCode::SERVICE_UNAVAILABLE, 0));
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(!answer.body.contains("key set"), "{}", answer.body);
}

#[tokio::test]
async fn sec_rs_09_a_verifier_that_panics_denies() {
    let (answer, calls) = ask(layer(Tokens::default()), &["Bearer panic"]).await;
    assert_eq!(
        (answer.status, calls),
        (StatusCode::INTERNAL_SERVER_ERROR, 0)
    );
}

#[tokio::test]
async fn sec_rs_09_nothing_outside_can_plant_a_token() {
    let optional = layer(Tokens::default()).dangerous().allow_anonymous();
    let inner = service_fn(|request: Request<Body>| async move {
        let planted = request.extensions().get::<AccessToken>().is_some();
        Ok::<_, Infallible>(Response::new(Body::from(planted.to_string())))
    });
    let mut planted = request("GET", "/", &[], "");
    let parts = TokenParts::new("https://evil.example", "root");
    planted
        .extensions_mut()
        .insert(AccessToken::assert_verified(parts));
    assert_eq!(send(optional.layer(inner), planted).await.body, "false");
}

#[tokio::test]
async fn an_optional_layer_still_refuses_a_bad_token() {
    let optional = || layer(Tokens::default()).dangerous().allow_anonymous();
    assert_eq!(ask(optional(), &[]).await.0.body, "nobody");
    assert_eq!(
        ask(optional(), &["Bearer expired"]).await.0.status,
        StatusCode::UNAUTHORIZED
    );
}

#[test]
fn a_layer_that_lets_everybody_through_says_so_at_start() {
    let logs = CapturedLogs::start();
    let layer = layer(Tokens::default());
    assert!(logs.security_events().is_empty());
    let _ = layer.dangerous().allow_anonymous();
    let warnings = logs.security_events();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("WARN") && warnings[0].contains("setting=\"allow_anonymous\""));
}

#[tokio::test]
async fn sec_rs_09_a_forgotten_layer_fails_closed() {
    let app = Router::new().route(
        "/",
        get(|token: AccessToken| async move { token.subject().to_owned() }),
    );
    let answer = send(
        app,
        request("GET", "/", &[("authorization", "Bearer alice")], ""),
    )
    .await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn sec_op_01_no_credentials_below_the_layer() {
    let app = Router::new()
        .route(
            "/",
            any(|headers: HeaderMap| async move { format!("{headers:?}") }),
        )
        .layer(layer(Tokens::default()));
    let headers = [
        ("authorization", "Bearer canary.read"),
        ("proxy-authorization", "canary"),
    ];
    let answer = send(app, request("GET", "/", &headers, "")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.body.contains("canary"), "{}", answer.body);
}

#[tokio::test]
async fn a_denial_is_there_for_layers_outside() {
    let inner =
        service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let service = layer(Tokens::default()).layer(inner);
    let response = service
        .oneshot(request(
            "GET",
            "/",
            &[("authorization", "Bearer foreign")],
            "",
        ))
        .await
        .unwrap();
    let denial = response.extensions().get::<Denial>().unwrap();
    assert_eq!(
        (denial.kind(), denial.reason()),
        (DenialKind::InvalidToken, "wrong_audience")
    );
}

/// Tokens that were verified before, so that the layer needs no waiting.
#[derive(Debug)]
struct Cached;

impl TokenVerifier for Cached {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        Tokens::default().verify(token, cx).await
    }

    fn cached(&self, _: &BearerToken, _: &VerifyContext<'_>) -> Option<AccessToken> {
        Some(AccessToken::assert_verified(TokenParts::new(
            "https://auth.example.com",
            "cached",
        )))
    }
}

struct Grants(Result<bool, ()>, bool);

impl GrantStatus for Grants {
    fn known(&self, _: &AccessToken) -> Option<bool> {
        self.1.then(|| self.0.unwrap())
    }

    fn ask<'a>(
        &'a self,
        _: &'a AccessToken,
    ) -> futures_util::future::BoxFuture<'a, Result<bool, Unavailable>> {
        let answer = self
            .0
            .map_err(|()| Unavailable::new("the store is out of reach"));
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn sec_jwt_35_a_revoked_grant_ends_its_tokens() {
    for at_hand in [true, false] {
        for (stands, status) in [(true, StatusCode::OK), (false, StatusCode::UNAUTHORIZED)] {
            let fresh = layer(Tokens::default()).grant_status(Grants(Ok(stands), at_hand));
            assert_eq!(ask(fresh, &["Bearer alice"]).await.0.status, status);
            let cached = layer(Cached).grant_status(Grants(Ok(stands), at_hand));
            assert_eq!(
                ask(cached, &["Bearer alice"]).await.0.status,
                status,
                "{at_hand}"
            );
        }
    }
    let unknown = layer(Tokens::default()).grant_status(Grants(Err(()), false));
    assert_eq!(
        ask(unknown, &["Bearer alice"]).await.0.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_cached_token_still_needs_the_scopes() {
    let cached = layer(Cached).require(scopes!["mcp:write"]);
    assert_eq!(
        ask(cached, &["Bearer alice"]).await.0.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(ask(layer(Cached), &["Bearer alice"]).await.0.body, "cached");
}

/// A route that sends for ten minutes, so that a stream that should have ended does end.
fn endless() -> Router {
    let events = || async {
        Sse::new(stream::repeat(()).take(600).then(|()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Event::default().data("tick"))
        }))
    };
    Router::new().route("/", get(events))
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_stream_ends_with_its_token() {
    let clock = Arc::new(MockClock::at(1000));
    let verifier = Tokens {
        expires_at: Some(Timestamp::from_secs(1010)),
        ..Tokens::default()
    };
    let app = endless().layer(layer(verifier).clock(clock));
    let answer = send(
        app,
        request("GET", "/", &[("authorization", "Bearer alice")], ""),
    )
    .await;
    let ticks = answer.body.matches("tick").count();
    assert!((9..=10).contains(&ticks), "{ticks} events in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_stream_ends_when_its_token_is_no_longer_accepted() {
    /// Accepts tokens for 30 seconds after their end.
    struct Lenient;
    impl TokenVerifier for Lenient {
        async fn verify(
            &self,
            _: &BearerToken,
            _: &VerifyContext<'_>,
        ) -> Result<AccessToken, VerifyError> {
            let parts = TokenParts::new("https://auth.example.com", "alice")
                .expires_at(Timestamp::from_secs(1000))
                .leeway(Duration::from_secs(30));
            Ok(AccessToken::assert_verified(parts))
        }
    }
    // Its end is ten seconds ago.
    let clock = Arc::new(MockClock::at(1010));
    let app = endless().layer(layer(Lenient).clock(clock));
    let request = request("GET", "/", &[("authorization", "Bearer alice")], "");
    let ticks = send(app, request).await.body.matches("tick").count();
    assert!((19..=20).contains(&ticks), "{ticks} events in 20 seconds");
}

/// Never answers one of its questions.
struct Hanging;

impl TokenVerifier for Hanging {
    async fn verify(
        &self,
        _: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        std::future::pending().await
    }
}

impl GrantStatus for Hanging {
    fn known(&self, _: &AccessToken) -> Option<bool> {
        None
    }

    fn ask<'a>(
        &'a self,
        _: &'a AccessToken,
    ) -> futures_util::future::BoxFuture<'a, Result<bool, Unavailable>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn sec_rs_09_a_verifier_that_hangs_is_unavailable() {
    for (hanging, seconds) in [
        (layer(Hanging), 10),
        (layer(Tokens::default()).grant_status(Hanging), 10),
        (layer(Hanging).verify_within(Duration::from_secs(3)), 3),
    ] {
        let mut asked = Box::pin(ask(hanging, &["Bearer alice"]));
        let early = Duration::from_secs(seconds - 1);
        assert!(
            timeout(early, &mut asked).await.is_err(),
            "it is waited for"
        );
        let soon = timeout(Duration::from_secs(2), asked).await;
        let (answer, calls) = soon.expect("not for ever");
        assert_eq!((answer.status, calls), (StatusCode::SERVICE_UNAVAILABLE, 0));
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
}

#[tokio::test]
async fn sec_ds_12_a_flood_of_refusals_is_a_few_lines() {
    let clock = Arc::new(MockClock::at(1000));
    let layer = layer(Tokens::default()).clock(clock.clone());
    let logs = CapturedLogs::start();
    for _ in 0..100 {
        ask(layer.clone(), &["Bearer foreign"]).await;
    }
    ask(layer.clone(), &["Bearer expired"]).await;
    let events = logs.security_events();
    let denied = |reason: &str| {
        let reason = format!("reason=\"{reason}\"");
        events
            .iter()
            .filter(|event| event.contains(&reason))
            .count()
    };
    assert_eq!((denied("wrong_audience"), denied("expired")), (20, 1));
    clock.advance(Duration::from_secs(1));
    ask(layer, &["Bearer foreign"]).await;
    let events = logs.security_events();
    let [summary, last] = &events[21..] else {
        panic!("{events:?}")
    };
    assert!(summary.contains("events_left_out") && summary.contains("count=80"));
    assert!(last.contains("event=\"denied\""), "{last}");
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_stream_ends_when_its_grant_is_revoked() {
    struct Revoked(AtomicUsize);
    impl GrantStatus for Revoked {
        fn known(&self, _: &AccessToken) -> Option<bool> {
            Some(self.0.fetch_add(1, Ordering::SeqCst) == 0)
        }

        fn ask<'a>(
            &'a self,
            _: &'a AccessToken,
        ) -> futures_util::future::BoxFuture<'a, Result<bool, Unavailable>> {
            Box::pin(async { Ok(false) })
        }
    }
    let app = endless().layer(layer(Tokens::default()).grant_status(Revoked(0.into())));
    let answer = send(
        app,
        request("GET", "/", &[("authorization", "Bearer alice")], ""),
    )
    .await;
    let ticks = answer.body.matches("tick").count();
    assert!(
        (1..=60).contains(&ticks),
        "it ends within a minute: {ticks}"
    );
}

#[tokio::test]
async fn sec_jwt_35_a_grant_stands_while_all_say_so() {
    let (ok, gone, late) = (
        StatusCode::OK,
        StatusCode::UNAUTHORIZED,
        StatusCode::SERVICE_UNAVAILABLE,
    );
    for (first, second, status) in [
        (Ok(true), Ok(true), ok),
        (Ok(false), Ok(true), gone),
        (Ok(true), Ok(false), gone),
        (Ok(false), Err(()), gone),
        (Ok(true), Err(()), late),
        (Err(()), Ok(true), late),
    ] {
        for at_hand in [true, false] {
            let grants = |answer: Result<bool, ()>| Grants(answer, at_hand && answer.is_ok());
            for asked in [layer(Tokens::default()), layer(Cached)] {
                let asked = asked.grant_status(grants(first));
                let asked = asked.grant_status(grants(second));
                let (answer, calls) = ask(asked, &["Bearer alice"]).await;
                assert_eq!(answer.status, status, "{first:?} {second:?} {at_hand}");
                assert_eq!(calls, usize::from(status == ok));
            }
        }
    }
}

#[tokio::test]
async fn hooks_add_to_those_before() {
    let hooks = layer(Tokens::default())
        .on_verified(|_, request| {
            request.insert(1_u8);
        })
        .on_verified(|_, request| {
            request.insert(2_u16);
        });
    let inner = service_fn(async |request: Request<Body>| {
        let (first, second) = (
            request.extensions().get::<u8>(),
            request.extensions().get::<u16>(),
        );
        assert_eq!((first, second), (Some(&1), Some(&2)));
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let request = request("GET", "/", &[("authorization", "Bearer alice")], "");
    assert_eq!(send(hooks.layer(inner), request).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_stream_ends_with_the_key_of_its_token() {
    /// Knows the key of a token once, and not any more when it is asked again.
    struct Withdrawn(AtomicUsize);
    impl TokenVerifier for Withdrawn {
        async fn verify(
            &self,
            _: &BearerToken,
            _: &VerifyContext<'_>,
        ) -> Result<AccessToken, VerifyError> {
            if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
                return Err(Rejection::UnknownKey.into());
            }
            let parts = TokenParts::new("https://auth.example.com", "alice");
            Ok(AccessToken::assert_verified(parts))
        }
    }
    let app = endless().layer(layer(Withdrawn(0.into())));
    let request = request("GET", "/", &[("authorization", "Bearer alice")], "");
    let answer = tokio::time::timeout(Duration::from_secs(300), send(app, request)).await;
    let ticks = answer.unwrap().body.matches("tick").count();
    assert!(
        (1..=60).contains(&ticks),
        "it ends within a minute: {ticks}"
    );
}

#[tokio::test]
async fn an_outage_is_one_warning_a_request() {
    let world = World::new().await;
    let verifier = world.verifier();
    world.idp.jwks_down(true);
    assert!(verifier.warm().await.is_err());
    let layer = AuthLayer::new(verifier, ResourceUrl::parse(RESOURCE).unwrap());
    let logs = CapturedLogs::start();
    let token = format!("Bearer {}", world.token());
    let (answer, _) = ask(layer, &[&token]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let text = logs.text();
    let loud = |line: &&str| line.contains(" WARN ") || line.contains(" INFO ");
    let lines: Vec<_> = text.lines().filter(loud).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].contains(" portcullis::security: "), "{text}");
    assert!(lines[0].contains("event=\"token_unverified\""), "{text}");
    assert!(
        lines[0].contains("the issuer's keys are out of reach: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_denial_is_a_security_event() {
    for (headers, level) in [(vec![], "DEBUG"), (vec!["Bearer foreign"], " INFO")] {
        let logs = CapturedLogs::start();
        ask(layer(Tokens::default()), &headers).await;
        let events = logs.security_events();
        let [event] = &*events else {
            panic!("{events:?}")
        };
        assert!(event.contains("event=\"denied\"") && event.contains(level));
    }
}

/// Panics at one of its questions.
struct Faulty(&'static str);

impl TokenVerifier for Faulty {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        Tokens::default().verify(token, cx).await
    }

    fn cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        assert_ne!(self.0, "cached");
        Cached.cached(token, cx)
    }
}

impl GrantStatus for Faulty {
    fn known(&self, _: &AccessToken) -> Option<bool> {
        assert_ne!(self.0, "known");
        None
    }

    fn ask<'a>(
        &'a self,
        _: &'a AccessToken,
    ) -> futures_util::future::BoxFuture<'a, Result<bool, Unavailable>> {
        assert_ne!(self.0, "ask");
        Box::pin(async { panic!("a store with a bug") })
    }
}

#[tokio::test]
async fn sec_rs_09_a_hook_that_panics_denies() {
    let bug = |_: &AccessToken, _: &mut http::Extensions| panic!("a hook with a bug");
    for faulty in [
        layer(Faulty("cached")),
        layer(Cached).grant_status(Faulty("known")),
        layer(Tokens::default()).grant_status(Faulty("known")),
        layer(Cached).grant_status(Faulty("ask")),
        layer(Cached).grant_status(Faulty("later")),
        layer(Cached).on_verified(bug),
        layer(Tokens::default()).on_verified(bug),
    ] {
        let (answer, calls) = ask(faulty, &["Bearer alice"]).await;
        assert_eq!(
            (answer.status, calls),
            (StatusCode::INTERNAL_SERVER_ERROR, 0)
        );
        assert!(answer.body.contains("\"incident\""), "{answer:?}");
    }
}
