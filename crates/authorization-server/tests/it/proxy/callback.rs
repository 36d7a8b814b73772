//! What comes back from the provider, and what of it is believed and told.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use portcullis_authorization_server::client::{Client, ClientRegistry};
use portcullis_authorization_server::{AllowList, ConfiguredClient};
use portcullis_oauth::ClientId;
use portcullis_resource_server::Unavailable;
use portcullis_testkit::{CapturedLogs, Fault};

use super::stage::{DESK, World, ask, come_back, error_in, leave, plain};

#[tokio::test]
async fn sec_px_02_an_answer_of_another_issuer_is_refused() {
    let world = World::new().await;
    for fault in [
        Fault::with("iss", "https://evil.example"),
        Fault::with("iss", format!("{}/", world.upstream.issuer())),
        Fault::without("iss"),
    ] {
        world.upstream.fault("/authorize", 1, fault);
        let browser = world.browser();
        let callback = world
            .upstream
            .sign_in(&leave(&browser, DESK).await, "alice");
        assert_eq!(
            error_in(&come_back(&browser, &callback).await, DESK),
            "server_error"
        );
        // What was begun is over.
        let again = come_back(&browser, &callback).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(
        world.upstream.hits("/token"),
        0,
        "no code went to the wrong place"
    );
}

#[tokio::test]
async fn sec_px_02_an_error_of_another_issuer_is_not_the_providers() {
    let world = World::new().await;
    world
        .upstream
        .fault("/authorize", 1, Fault::with("iss", "https://evil.example"));
    let browser = world.browser();
    let callback = world
        .upstream
        .refuse(&leave(&browser, DESK).await, "access_denied");
    assert_eq!(
        error_in(&come_back(&browser, &callback).await, DESK),
        "server_error"
    );
}

#[tokio::test]
async fn sec_px_02_a_provider_that_does_not_advertise_it_may_leave_its_name_out() {
    let world = World::new().await;
    world.upstream.idp().edit_metadata(|document| {
        document.remove("authorization_response_iss_parameter_supported");
    });
    world.upstream.fault("/authorize", 1, Fault::without("iss"));
    let browser = world.browser();
    world.code(&browser, DESK, "alice").await;
    // Where it is there all the same, it counts.
    world
        .upstream
        .fault("/authorize", 1, Fault::with("iss", "https://evil.example"));
    let error = world.refused(&browser, DESK, "alice").await;
    assert_eq!(error, "server_error");
}

#[tokio::test]
async fn sec_px_02_two_providers_are_never_mixed_up() {
    let (world, other) = (World::new().await, World::new().await);
    let browser = world.browser();
    let ours = world
        .upstream
        .sign_in(&leave(&browser, DESK).await, "alice");
    let theirs = other
        .upstream
        .sign_in(&leave(&other.browser(), DESK).await, "alice");
    // A code of the other provider, under the name of either.
    let code = |url: &str| {
        let (_, rest) = url.split_once("code=").unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let mixed = ours.replace(&code(&ours), &code(&theirs));
    assert_eq!(
        error_in(&come_back(&browser, &mixed).await, DESK),
        "server_error"
    );
    assert_eq!(other.upstream.hits("/token"), 0);
    let sent = world.upstream.requests("/token");
    assert!(
        sent.iter()
            .all(|seen| seen.form.iter().all(|(name, _)| name != "access_token"))
    );
}

#[tokio::test]
async fn sec_px_14_the_words_of_the_provider_go_nowhere() {
    let logs = CapturedLogs::start();
    let world = World::new().await;
    let browser = world.browser();
    for (said, told) in [
        ("access_denied", "access_denied"),
        ("interaction_required", "access_denied"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "server_error"),
        ("unauthorized_client", "server_error"),
        ("<script>alert(1)</script>", "server_error"),
    ] {
        let callback = world.upstream.refuse(&leave(&browser, DESK).await, said);
        assert!(
            callback.contains("own+words"),
            "it has something to say: {callback}"
        );
        let back = come_back(&browser, &callback).await;
        let error = error_in(&back, DESK);
        // R-26: the client hears of it, in words of ours.
        if said != "interaction_required" && said != "server_error" {
            assert_eq!(error, told, "{said}");
        }
        assert!(matches!(
            error.as_str(),
            "access_denied" | "temporarily_unavailable" | "server_error"
        ));
        let location = back.location().unwrap();
        assert!(
            !location.contains("%3C") && !location.contains("own+words"),
            "{location}"
        );
        assert!(!back.text.contains("<script"));
    }
    logs.assert_free_of("own words");
    logs.assert_free_of("alert(1)");
    assert_eq!(world.upstream.hits("/token"), 0);
}

#[tokio::test]
async fn sec_px_11_an_answer_that_cannot_be_believed_gives_no_code() {
    let world = World::before(plain, |builder| builder).await;
    let faults = [
        Fault::without("access_token"),
        Fault::with("access_token", ""),
        Fault::with("access_token", 7),
        Fault::with("token_type", "mac"),
        Fault::with("expires_in", true),
        Fault::error_in_200("bad_verification_code"),
        Fault::error("invalid_grant"),
        Fault::error("invalid_client"),
        Fault::status(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::status(StatusCode::NOT_FOUND),
        Fault::busy(30),
        Fault::cut(),
        Fault::redirect(&world.upstream.url("/elsewhere")),
        Fault::body("application/json", "{"),
        Fault::body("application/json", "[]"),
        Fault::body("text/html", "<html>"),
        Fault::body(
            "application/json",
            r#"{"access_token":"a","access_token":"b","token_type":"bearer"}"#,
        ),
        Fault::huge(2 << 20),
    ];
    for fault in faults {
        let browser = world.browser();
        world.upstream.fault("/token", 1, fault.clone());
        let callback = world
            .upstream
            .sign_in(&leave(&browser, DESK).await, "alice");
        let error = error_in(&come_back(&browser, &callback).await, DESK);
        assert!(
            matches!(error.as_str(), "server_error" | "temporarily_unavailable"),
            "{fault:?}: {error}"
        );
    }
    assert_eq!(world.upstream.hits("/elsewhere"), 0);
    world.tokens(DESK).await;
}

#[tokio::test]
async fn sec_px_11_answers_of_every_honest_shape_are_understood() {
    let world = World::before(plain, |builder| builder).await;
    let shapes = [
        Fault::form(),
        Fault::with("token_type", "bEARER"),
        Fault::with("scope", "openid,files:read"),
        Fault::with("expires_in", "3600"),
        Fault::with("expires_in", 3600.7),
        Fault::with("expires_in", 1e300),
        Fault::without("expires_in"),
        Fault::without("scope"),
        Fault::without("refresh_token"),
    ];
    for shape in shapes {
        world.upstream.fault("/token", 1, shape.clone());
        let tokens = world.tokens(DESK).await;
        assert_eq!(tokens.scope, ["files:read", "openid"], "{shape:?}");
        assert!(
            (1..=3600).contains(&tokens.expires_in),
            "{shape:?}: {tokens:?}"
        );
        assert_eq!(tokens.claims()["sub"], "alice");
    }
}

#[tokio::test]
async fn sec_px_10_only_those_who_are_let_in_come_in() {
    let staff = || AllowList::new().emails(["alice@example.com"]);
    let logs = CapturedLogs::start();
    let world = World::with(|builder| builder.allow(staff())).await;
    let browser = world.browser();
    let callback = world.upstream.sign_in(&leave(&browser, DESK).await, "bob");
    let refused = come_back(&browser, &callback).await;
    let told = logs.text();
    let told = told.lines().find(|line| line.contains("not_allowed"));
    assert!(
        told.unwrap().contains("bob"),
        "whom to let in, perhaps: {told:?}"
    );
    assert_eq!(refused.location(), None, "the user hears of it first");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.text.contains("bob"), "{}", refused.text);
    world.code(&browser, DESK, "alice").await;
    // An address that the provider does not vouch for is anybody's.
    let claims = portcullis_oauth::json::json!({ "email": "alice@example.com" });
    world.upstream.user("mallory", claims);
    let callback = world
        .upstream
        .sign_in(&leave(&browser, DESK).await, "mallory");
    assert_eq!(
        come_back(&browser, &callback).await.status,
        StatusCode::FORBIDDEN
    );
}

/// Clients that come and go.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Option<Client>>>);

impl ClientRegistry for Book {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Unavailable> {
        let known = self.0.lock().unwrap().clone();
        Ok(known.filter(|client| client.id == *id))
    }
}

#[tokio::test]
async fn sec_ru_18_a_redirect_that_is_gone_is_not_followed_from_upstream() {
    const GUEST: super::stage::App = super::stage::App {
        id: "guest",
        redirect_uri: "https://guest.example/cb",
        ..DESK
    };
    let book = Book::default();
    let with = |uri: &str| {
        Some(
            ConfiguredClient::new("guest")
                .redirect_uri(uri)
                .build()
                .unwrap(),
        )
    };
    let theirs = book.clone();
    let world = World::with(|builder| builder.server(|server| server.registry(theirs))).await;
    for gone in [None, with("https://guest.example/new")] {
        *book.0.lock().unwrap() = with(GUEST.redirect_uri);
        let browser = world.browser();
        let page = ask(&browser, GUEST).await;
        let away = browser.press(&page, "approve", &[]).await;
        let callback = world.upstream.sign_in(away.location().unwrap(), "alice");
        *book.0.lock().unwrap() = gone;
        let back = come_back(&browser, &callback).await;
        assert_eq!(
            (back.status, back.location()),
            (StatusCode::BAD_REQUEST, None),
            "{back:?}"
        );
    }
    assert_eq!(world.upstream.hits("/token"), 0);
}
