//! The token endpoint, under attack.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Method, Request, StatusCode};
use portcullis_oauth::scopes;
use portcullis_oauth::secret::ClientSecret;

use super::server::{APP, Answer, DAEMON, OTHER, REDIRECT, SECRET, Server, body, verifier};
use super::world::RESOURCE;
use crate::client::{AuthenticationMethod, ClientOrigin, GrantType, SecretDigest};
use crate::grant::record::GrantRecord;

fn refused(error: &str) -> (u16, String) {
    (400, error.to_owned())
}

fn of(answers: &[Answer], status: u16) -> Vec<&Answer> {
    let all = answers.iter();
    all.filter(|answer| answer.status.as_u16() == status)
        .collect()
}

#[tokio::test]
async fn a_code_becomes_tokens_that_open_the_server() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let answer = server.redeem(APP, &code, &[("resource", RESOURCE)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "read write");
    assert!(tokens.get("id_token").is_none());
    assert_eq!(
        server.call(&answer.text("access_token")).await,
        StatusCode::OK
    );
}

/// TK-05: nothing of it is kept, errors included.
#[tokio::test]
async fn sec_tk_05_no_answer_is_kept() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let good = server.redeem(APP, &code, &[]).await;
    let bad = server.redeem(APP, "junk", &[]).await;
    for answer in [good, bad] {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("pragma", "no-cache"),
            ("content-type", "application/json"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", "*"),
        ] {
            assert_eq!(answer.headers[name], value, "{name}");
        }
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
    }
}

#[tokio::test]
async fn sec_tk_01_a_body_of_another_type_is_refused() {
    let server = Server::new().await;
    for media in [
        None,
        Some("application/json"),
        Some("text/plain"),
        Some("multipart/form-data; boundary=x"),
        Some("application/json, application/x-www-form-urlencoded"),
        Some("application/x-www-form-urlencoded, application/json"),
        Some("application/x-www-form-urlencoded;a=b, application/json"),
    ] {
        let mut request = Request::post("/oauth/token").header(HOST, "mcp.example");
        if let Some(media) = media {
            request = request.header(CONTENT_TYPE, media);
        }
        let body = body(&[("grant_type", "refresh_token"), ("client_id", APP)]);
        let answer = server.send(request.body(body).unwrap()).await;
        assert_eq!(answer.error(), (415, "invalid_request".to_owned()));
    }
    for second in ["application/x-www-form-urlencoded", "application/json"] {
        let request = Request::post("/oauth/token")
            .header(HOST, "mcp.example")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(CONTENT_TYPE, second)
            .body(body(&[("grant_type", "refresh_token"), ("client_id", APP)]));
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.error(), (415, "invalid_request".to_owned()));
    }
    let request = Request::post("/oauth/token")
        .header(HOST, "mcp.example")
        .header(
            CONTENT_TYPE,
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        )
        .body(body(&[("grant_type", "x"), ("client_id", APP)]));
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.error(), refused("unsupported_grant_type"));
}

#[tokio::test]
async fn sec_tk_02_a_repeated_parameter_gets_no_token() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let before = server.stored().await;
    let verifier = "v".repeat(43);
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", APP),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", verifier.as_str()),
    ];
    for repeated in fields {
        let mut twice = fields.to_vec();
        twice.push(repeated);
        let answer = server.post("/oauth/token", &twice).await;
        assert_eq!(answer.error(), refused("invalid_request"), "{repeated:?}");
    }
    assert_eq!(server.stored().await, before);
    let mut twice = fields.to_vec();
    twice.extend([("resource", RESOURCE), ("resource", "https://mcp.example")]);
    let answer = server.post("/oauth/token", &twice).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_tk_03_parameters_in_the_query_are_refused() {
    let server = Server::new().await;
    for query in ["client_secret=x", "code=x", "grant_type=refresh_token", "a"] {
        let request = Request::post(format!("/oauth/token?{query}"))
            .header(HOST, "mcp.example")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body(&[("grant_type", "x"), ("client_id", APP)]));
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.error(), refused("invalid_request"), "{query}");
    }
}

#[tokio::test]
async fn sec_tk_04_a_grant_type_that_was_not_registered_is_refused() {
    let server = Server::new().await;
    for unknown in ["password", "implicit", "Authorization_code", "x"] {
        let fields = [("grant_type", unknown), ("client_id", APP)];
        let answer = server.post("/oauth/token", &fields).await;
        assert_eq!(answer.error(), refused("unsupported_grant_type"));
    }
    let fields = [("grant_type", "client_credentials"), ("client_id", APP)];
    let answer = server.post("/oauth/token", &fields).await;
    assert_eq!(answer.error(), refused("unauthorized_client"));
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let answer = server
        .post_as((DAEMON, SECRET), "/oauth/token", &fields)
        .await;
    assert_eq!(answer.error(), refused("unauthorized_client"));
}

#[tokio::test(start_paused = true)]
async fn sec_tk_07_a_body_has_a_bound_in_size_and_time() {
    let server = Server::new().await;
    let request = |body: Body| {
        Request::post("/oauth/token")
            .header(HOST, "mcp.example")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .unwrap()
    };
    let long = "a".repeat(64 * 1024 + 1);
    let mut named = request(Body::from(long.clone()));
    let length = long.len().to_string().parse().unwrap();
    named.headers_mut().insert("content-length", length);
    let pieces = long
        .into_bytes()
        .chunks(1000)
        .map(<[u8]>::to_vec)
        .collect::<Vec<_>>();
    let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
    let streamed = request(Body::from_stream(futures_util::stream::iter(pieces)));
    for request in [named, streamed] {
        let answer = server.send(request).await;
        assert_eq!(answer.error(), (413, "invalid_request".to_owned()));
        assert_eq!(answer.headers["connection"], "close");
    }
    let never = || {
        let stream = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        request(Body::from_stream(stream))
    };
    // What is announced as too long is not waited for.
    let mut announced = never();
    let length = HeaderValue::from_static("65537");
    announced.headers_mut().insert("content-length", length);
    let answer = tokio::time::timeout(Duration::from_secs(1), server.send(announced)).await;
    assert_eq!(answer.unwrap().error(), (413, "invalid_request".to_owned()));
    let answer = server.send(never());
    let answer = tokio::time::timeout(Duration::from_secs(11), answer).await;
    let answer = answer.expect("ten seconds are enough for a body");
    assert_eq!(answer.error(), (408, "invalid_request".to_owned()));
}

#[tokio::test]
async fn methods_and_preflights() {
    let server = Server::new().await;
    for path in ["/oauth/token", "/token", "/oauth/revoke", "/oauth/register"] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header(HOST, "mcp.example").body(Body::empty());
            let answer = server.send(request.unwrap()).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.headers["allow"], "POST, OPTIONS");
        }
        let request = Request::options(path)
            .header(HOST, "mcp.example")
            .header("origin", "https://inspector.example")
            .header("access-control-request-method", "POST")
            .body(Body::empty());
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert_eq!(answer.headers["access-control-allow-methods"], "POST");
    }
}

#[tokio::test]
async fn sec_rs_10_back_channels_have_the_same_hosts() {
    let server = Server::new().await;
    let request = Request::post("/oauth/token")
        .header(HOST, "evil.example")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::empty());
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn sec_ca_01_a_wrong_secret_gets_no_token_and_changes_nothing() {
    let server = Server::new().await;
    let before = server.stored().await;
    let fields = [("grant_type", "client_credentials")];
    let wrong = server
        .post_as((DAEMON, "wrong"), "/oauth/token", &fields)
        .await;
    assert_eq!(wrong.error(), (401, "invalid_client".to_owned()));
    let challenge = wrong.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Basic"), "{challenge}");
    let none = [("grant_type", "client_credentials"), ("client_id", DAEMON)];
    let none = server.post("/oauth/token", &none).await;
    assert_eq!(none.error(), (401, "invalid_client".to_owned()));
    assert!(!none.headers.contains_key("www-authenticate"));
    assert_eq!(server.stored().await, before);
}

#[tokio::test]
async fn sec_ca_08_guessing_at_the_token_endpoint_is_slow() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "junk")];
    let secret = [("grant_type", "client_credentials"), ("client_secret", "x")];
    let (offered, verifier) = ("A".repeat(64), verifier());
    let codes = [
        ("grant_type", "authorization_code"),
        ("code", &offered),
        ("code_verifier", verifier.expose()),
    ];
    let nothing = [("grant_type", "client_credentials")];
    let (codes, refresh, secret) = (&codes[..], &refresh[..], &secret[..]);
    let no_grant = refused("invalid_grant");
    let no_client = (401, "invalid_client".to_owned());
    for (fields, id, address, error, most) in [
        (codes, APP, "192.0.2.3", &no_grant, 60),
        (refresh, APP, "192.0.2.1", &no_grant, 60),
        (secret, DAEMON, "192.0.2.2", &no_client, 20),
        // Who proves nothing guesses nothing either.
        (&nothing, DAEMON, "192.0.2.4", &no_client, 60),
    ] {
        let fields = [fields, &[("client_id", id)]].concat();
        for _ in 0..most {
            let answer = server.post_from(address, &fields).await;
            assert_eq!(answer.error(), *error);
        }
        let answer = server.post_from(address, &fields).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{id}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    // Not even what is right is looked at from there, and from elsewhere it is.
    let right = [
        ("grant_type", "client_credentials"),
        ("client_id", DAEMON),
        ("client_secret", SECRET),
    ];
    let there = server.post_from("192.0.2.2", &right).await;
    assert_eq!(there.status, StatusCode::TOO_MANY_REQUESTS);
    let elsewhere = server.post_from("198.51.100.7", &right).await;
    assert_eq!(elsewhere.status, StatusCode::OK, "{elsewhere:?}");
    assert_eq!(server.redeem(APP, &code, &[]).await.status, StatusCode::OK);
}

/// The servers of a hosted client have few addresses and many users, who may lose all at once.
#[tokio::test]
async fn sec_ca_08_what_its_users_lost_keeps_no_client_out() {
    let server = Server::new().await;
    let here = "192.0.2.1";
    let ledger = &server.context.ledger;
    for _ in 0..200 {
        let dead = ledger.fresh_token(ledger.fresh_id().unwrap(), 0).unwrap();
        let dead = dead.to_token();
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", APP),
            ("refresh_token", dead.expose()),
        ];
        let answer = server.post_from(here, &fields).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
    }
    let verifier = verifier();
    let offer = |code: String| {
        let verifier = verifier.expose();
        let server = &server;
        async move {
            let fields = [
                ("grant_type", "authorization_code"),
                ("client_id", APP),
                ("code", code.as_str()),
                ("code_verifier", verifier),
            ];
            server.post_from(here, &fields).await
        }
    };
    let mut late = Vec::new();
    for _ in 0..100 {
        late.push(server.code(APP).await);
    }
    server.clock.advance(Duration::from_secs(301));
    for code in late {
        assert_eq!(offer(code).await.error(), refused("invalid_grant"));
    }
    let answer = offer(server.code(APP).await).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

// Codes.

#[tokio::test]
async fn sec_pk_04_a_code_without_its_verifier_is_worth_nothing() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let without = server.redeem(APP, &code, &[("code_verifier", "")]).await;
    assert_eq!(without.error(), refused("invalid_grant"));
    assert_eq!(server.redeem(APP, &code, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_pk_05_the_fifth_wrong_verifier_burns_the_code() {
    let server = Server::new().await;
    let wrong = "w".repeat(43);
    for tries in [4, 5] {
        let code = server.code(APP).await;
        for _ in 0..tries {
            let answer = server
                .redeem(APP, &code, &[("code_verifier", &wrong)])
                .await;
            assert_eq!(answer.error(), refused("invalid_grant"));
        }
        let status = server.redeem(APP, &code, &[]).await.status;
        assert_eq!(status == StatusCode::OK, tries == 4);
    }
}

/// The acceptance of the whole: 64 at once, on one server.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_cd_01_one_of_64_exchanges_wins() {
    let server = Arc::new(Server::new().await);
    for _ in 0..20 {
        let code = server.code(APP).await;
        let before = server.context.records.count::<GrantRecord>().await.unwrap();
        let all = (0..64).map(|_| {
            let (server, code) = (Arc::clone(&server), code.clone());
            tokio::spawn(async move { server.redeem(APP, &code, &[]).await })
        });
        let answers: Vec<_> = join_all(all)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(of(&answers, 200).len(), 1);
        assert_eq!(of(&answers, 400).len(), 63);
        // Who lost has offered it twice, so the winner's grant is gone too.
        let after = server.context.records.count::<GrantRecord>().await.unwrap();
        assert_eq!(after, before);
        let token = of(&answers, 200)[0].text("access_token");
        assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn sec_cd_02_a_code_replay_kills_the_grant() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let first = server.redeem(APP, &code, &[]).await;
    let token = first.text("access_token");
    assert_eq!(server.call(&token).await, StatusCode::OK);
    let again = server.redeem(APP, &code, &[]).await;
    assert_eq!(again.error(), refused("invalid_grant"));
    assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED);
    let refresh = first.text("refresh_token");
    let refresh = server.refresh(APP, &refresh, &[]).await;
    assert_eq!(refresh.error(), refused("invalid_grant"));
}

#[tokio::test]
async fn sec_cd_03_a_junk_code_or_another_client_ends_no_grant() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let token = server.redeem(APP, &code, &[]).await.text("access_token");
    let before = server.stored().await;
    // The same interaction, another secret.
    let forged = format!("{}{}", code.get(..22).unwrap(), "A".repeat(42));
    for (client, code) in [(OTHER, code.as_str()), (APP, &forged), (OTHER, &forged)] {
        let answer = server.redeem(client, code, &[]).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
    }
    assert_eq!(server.stored().await, before);
    assert_eq!(server.call(&token).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_cd_05_another_client_leaves_the_code_usable() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let before = server.stored().await;
    let foreign = server.redeem(OTHER, &code, &[]).await;
    assert_eq!(foreign.error(), refused("invalid_grant"));
    assert_eq!(server.stored().await, before);
    assert_eq!(server.redeem(APP, &code, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_cd_06_another_redirect_uri_is_refused_and_none_is_fine() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let before = server.stored().await;
    for other in ["http://127.0.0.1:7778/cb", "http://127.0.0.1/cb", "junk"] {
        let answer = server.redeem(APP, &code, &[("redirect_uri", other)]).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
    }
    assert_eq!(server.stored().await, before);
    let without = server.redeem(APP, &code, &[("redirect_uri", "")]).await;
    assert_eq!(without.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_cd_07_another_resource_gets_no_token_and_spends_no_code() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let before = server.stored().await;
    for other in ["https://evil.example/mcp", "https://mcp.example/mcp2"] {
        let answer = server.redeem(APP, &code, &[("resource", other)]).await;
        assert_eq!(answer.error(), refused("invalid_target"));
    }
    assert_eq!(server.stored().await, before);
    assert_eq!(server.redeem(APP, &code, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_rt_17_no_refresh_token_for_a_client_that_did_not_register_for_it() {
    let server = Server::new().await;
    let mut client = super::world::known((APP, "http://127.0.0.1/cb"), ClientOrigin::Registered);
    client.grant_types = vec![GrantType::AUTHORIZATION_CODE];
    server.book.put(client);
    let code = server.code(APP).await;
    let answer = server.redeem(APP, &code, &[]).await;
    assert!(answer.json().get("refresh_token").is_none());
    server.clock.advance(Duration::from_secs(3600 + 60));
    let token = answer.text("access_token");
    assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED);
    // Nor for a client that acts for itself.
    let fields = [("grant_type", "client_credentials")];
    let answer = server.post_as((DAEMON, SECRET), "/oauth/token", &fields);
    let answer = answer.await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.json().get("refresh_token").is_none());
    // What it had before it lost the right is worth nothing either.
    let (_, refresh) = server.tokens(OTHER).await;
    let mut client = super::world::known((OTHER, "http://127.0.0.1/cb"), ClientOrigin::Registered);
    client.grant_types = vec![GrantType::AUTHORIZATION_CODE];
    server.book.put(client);
    let answer = server.refresh(OTHER, &refresh, &[]).await;
    assert_eq!(answer.error(), refused("unauthorized_client"));
}

#[tokio::test]
async fn sec_rt_11_a_user_who_is_gone_or_has_another_password_redeems_nothing() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    server.people.set(|people| people.generation = 1);
    let answer = server.redeem(APP, &code, &[]).await;
    assert_eq!(answer.error(), refused("invalid_grant"));
    server.people.set(|people| {
        people.generation = 0;
        people.gone = vec!["alice".to_owned()];
    });
    let answer = server.redeem(APP, &code, &[]).await;
    assert_eq!(answer.error(), refused("invalid_grant"));
}

// Each artefact offered as each other one.

#[tokio::test]
async fn sec_ex_20_no_artefact_passes_for_another() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let (access, refresh) = server.tokens(APP).await;
    let before = server.stored().await;
    for artefact in [&access, &refresh] {
        let answer = server.redeem(APP, artefact, &[]).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
    }
    for artefact in [&access, &code] {
        let answer = server.refresh(APP, artefact, &[]).await;
        assert_eq!(answer.error(), refused("invalid_grant"));
    }
    for artefact in [&code, &refresh] {
        assert_eq!(server.call(artefact).await, StatusCode::UNAUTHORIZED);
        // As a secret, too.
        let fields = [("grant_type", "client_credentials")];
        let answer = server
            .post_as((DAEMON, artefact), "/oauth/token", &fields)
            .await;
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
    }
    assert_eq!(server.stored().await, before);
}

// The client's own credentials.

#[tokio::test]
async fn sec_ex_01_only_configured_clients_with_a_secret_act_for_themselves() {
    let server = Server::new().await;
    let ask = [
        ("grant_type", "client_credentials"),
        ("scope", "read write admin"),
        ("resource", RESOURCE),
    ];
    let answer = server.post_as((DAEMON, SECRET), "/oauth/token", &ask).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["scope"], "read");
    assert!(answer.json().get("refresh_token").is_none());
    let token = answer.text("access_token");
    assert_eq!(server.call(&token).await, StatusCode::OK);
    let foreign = [
        ("grant_type", "client_credentials"),
        ("resource", "https://evil.example/mcp"),
    ];
    let foreign = server
        .post_as((DAEMON, SECRET), "/oauth/token", &foreign)
        .await;
    assert_eq!(foreign.error(), refused("invalid_target"));
    // Whoever registered itself for it.
    let mut client = super::world::known(("self", "http://127.0.0.1/cb"), ClientOrigin::Registered);
    client.grant_types = vec![GrantType::CLIENT_CREDENTIALS];
    server.book.put(client.clone());
    let fields = [("grant_type", "client_credentials"), ("client_id", "self")];
    let answer = server.post("/oauth/token", &fields).await;
    assert_eq!(answer.error(), refused("unauthorized_client"));
    // Be it with a secret that it was given.
    client.authentication = vec![AuthenticationMethod::ClientSecretBasic];
    client.secret = Some(SecretDigest::of(&ClientSecret::new(SECRET)));
    server.book.put(client);
    let answer = server
        .post_as(("self", SECRET), "/oauth/token", &fields[..1])
        .await;
    assert_eq!(answer.error(), refused("unauthorized_client"));
    // Nor one that proves nothing, whatever a registry says of it.
    let mut open = super::world::known(("open", "http://127.0.0.1/cb"), ClientOrigin::Configured);
    open.grant_types = vec![GrantType::CLIENT_CREDENTIALS];
    server.book.put(open);
    let fields = [("grant_type", "client_credentials"), ("client_id", "open")];
    let answer = server.post("/oauth/token", &fields).await;
    assert_eq!(answer.error(), refused("unauthorized_client"));
}

#[tokio::test]
async fn sec_ex_01_a_client_is_never_taken_for_a_user() {
    let server = Server::new().await;
    let mut client =
        super::world::known(("alice", "http://127.0.0.1/cb"), ClientOrigin::Configured);
    client.grant_types = vec![GrantType::CLIENT_CREDENTIALS];
    client.authentication = vec![AuthenticationMethod::ClientSecretBasic];
    client.secret = Some(SecretDigest::of(&ClientSecret::new(SECRET)));
    server.book.put(client);
    let fields = [("grant_type", "client_credentials")];
    let answer = server
        .post_as(("alice", SECRET), "/oauth/token", &fields)
        .await;
    assert_eq!(answer.error(), refused("unauthorized_client"));
}

#[tokio::test]
async fn authorization_is_for_clients_and_not_for_bearers() {
    let server = Server::new().await;
    let (access, _) = server.tokens(APP).await;
    let request = Request::post("/oauth/token")
        .header(HOST, "mcp.example")
        .header(AUTHORIZATION, format!("Bearer {access}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
        ]));
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn scopes_of_a_grant_follow_the_user() {
    let server = Server::new().await;
    let code = server.code_for(APP, scopes!["read", "write"]).await;
    server
        .people
        .set(|people| people.scopes = Some(scopes!["read"]));
    let answer = server.redeem(APP, &code, &[]).await;
    assert_eq!(answer.json()["scope"], "read");
}

#[tokio::test]
async fn sec_ds_08_a_client_gets_so_many_tokens_for_itself_and_no_more() {
    let server = Server::new().await;
    let fields = [("grant_type", "client_credentials")];
    let ask = || server.post_as((DAEMON, SECRET), "/oauth/token", &fields);
    let mut given = 0;
    let refused = loop {
        let answer = ask().await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        given += 1;
        assert!(given <= 1000, "nobody counts");
    };
    assert_eq!(given, 1000);
    assert_eq!(refused.error(), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(refused.headers[RETRY_AFTER], "1");
    let grants = server.context.records.count::<GrantRecord>().await.unwrap();
    assert_eq!(grants, given);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(ask().await.status, StatusCode::OK);
}
