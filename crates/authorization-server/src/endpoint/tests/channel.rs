//! What holds for every answer of the token endpoint, and for every body that comes to it.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use portcullis_oauth::json::{Value, json};
use portcullis_testkit::CapturedLogs;
use portcullis_testkit::store::Fault;

use super::server::{APP, Answer, DAEMON, OTHER, SECRET, Server, body};
use super::world::RESOURCE;

const FORM: &str = "application/x-www-form-urlencoded";

fn refused(error: &str) -> (u16, String) {
    (400, error.to_owned())
}

/// A request to the token endpoint.
fn request(method: Method, media: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri("/oauth/token");
    let request = request
        .header(HOST, "mcp.example")
        .header(CONTENT_TYPE, media);
    request.body(body.into()).unwrap()
}

#[track_caller]
fn assert_private(answer: &Answer, what: &str) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
    ] {
        let said = answer.headers.get(name).and_then(|v| v.to_str().ok());
        assert_eq!(said, Some(value), "{what}: {name}");
    }
    assert!(answer.json().is_object(), "{what}");
}

#[tokio::test]
async fn sec_tk_05_no_refusal_is_kept_either() {
    let server = Server::new().await;
    let fields = [("grant_type", "client_credentials")];
    let unauthorized = server.post_as((DAEMON, "x"), "/oauth/token", &fields).await;
    assert_eq!(unauthorized.status, StatusCode::UNAUTHORIZED);
    assert_private(&unauthorized, "a wrong secret");
    let long = "a".repeat(64 * 1024 + 1);
    for (request, status) in [
        (request(Method::GET, FORM, ""), 405),
        (request(Method::POST, "application/json", "{}"), 415),
        (request(Method::POST, FORM, long), 413),
        (request(Method::POST, FORM, "%zz"), 400),
    ] {
        let answer = server.send(request).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_private(&answer, answer.status.as_str());
    }
    let code = server.code(APP).await;
    server.store.fail_from(0, Fault::Refused);
    let unavailable = server.redeem(APP, &code, &[]).await;
    assert_eq!(unavailable.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_private(&unavailable, "a store that fails");
    server.store.heal();
    let junk = [
        ("grant_type", "refresh_token"),
        ("client_id", APP),
        ("refresh_token", "junk"),
    ];
    let mut last = server.post_from("192.0.2.1", &junk).await;
    for _ in 0..1000 {
        if last.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        last = server.post_from("192.0.2.1", &junk).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_private(&last, "too many requests");
}

/// Clients begin anew after 400 `invalid_grant`, and register anew after 401 `invalid_client`.
#[tokio::test]
async fn sec_tk_06_each_refusal_has_the_status_that_clients_know() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let wrong = "w".repeat(43);
    for (field, value) in [
        ("code", "junk"),
        ("redirect_uri", "https://other.example/"),
        ("code_verifier", wrong.as_str()),
        ("code_verifier", ""),
    ] {
        let answer = server.redeem(APP, &code, &[(field, value)]).await;
        assert_eq!(answer.error(), refused("invalid_grant"), "{field}");
        assert!(!answer.headers.contains_key("www-authenticate"));
    }
    let foreign = server.redeem(OTHER, &code, &[]).await;
    assert_eq!(foreign.error(), refused("invalid_grant"));
    let refresh = server.refresh(APP, "junk", &[]).await;
    assert_eq!(refresh.error(), refused("invalid_grant"));
    let unknown = server.refresh("nobody", "junk", &[]).await;
    assert_eq!(unknown.error(), (401, "invalid_client".to_owned()));
    assert!(!unknown.headers.contains_key("www-authenticate"));
    let fields = [("grant_type", "client_credentials")];
    let basic = server.post_as((DAEMON, "x"), "/oauth/token", &fields).await;
    assert_eq!(basic.error(), (401, "invalid_client".to_owned()));
    assert_eq!(basic.headers["www-authenticate"], "Basic realm=\"client\"");
}

#[tokio::test]
async fn sec_tk_07_parameters_have_bounds() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let before = server.stored().await;
    let names: Vec<String> = (0..60).map(|n| format!("x{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(
        server.redeem(APP, &code, &many).await.error(),
        refused("invalid_request"),
        "65 parameters"
    );
    let long = "x".repeat(16 * 1024 + 1);
    assert_eq!(
        server.redeem(APP, &code, &[("x", &long)]).await.error(),
        refused("invalid_request")
    );
    assert_eq!(server.stored().await, before);
    let most = &many[..many.len() - 1];
    assert_eq!(server.redeem(APP, &code, most).await.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_ds_01_no_packed_body_is_read() {
    let server = Server::new().await;
    let before = server.stored().await;
    let post = |path: &str, encodings: &[&str]| {
        let media = if path.ends_with("register") {
            "application/json"
        } else {
            FORM
        };
        let request = Request::post(path).header(HOST, "mcp.example");
        let request = encodings.iter().fold(request, |request, encoding| {
            request.header("content-encoding", *encoding)
        });
        let request = request.header(CONTENT_TYPE, media).body(Body::from("{}"));
        server.send(request.unwrap())
    };
    for path in [
        "/oauth/token",
        "/token",
        "/oauth/register",
        "/register",
        "/oauth/revoke",
        "/oauth/authorize",
        "/oauth/login",
        "/oauth/consent",
        "/oauth/logout",
        "/account",
    ] {
        for encodings in [
            &["gzip"][..],
            &["identity", "br"],
            &["gzip, identity"],
            &["x"],
            &[""],
        ] {
            let answer = post(path, encodings).await;
            let expected = (415, "invalid_request".to_owned());
            assert_eq!(answer.error(), expected, "{path} {encodings:?}");
        }
        for encodings in [&[][..], &["identity"], &["Identity"]] {
            let answer = post(path, encodings).await;
            assert_ne!(answer.status.as_u16(), 415, "{path} {encodings:?}");
        }
    }
    assert_eq!(server.stored().await, before);
}

#[tokio::test]
async fn sec_tk_03_a_secret_in_a_url_is_refused_and_in_no_log() {
    let logs = CapturedLogs::start();
    let server = Server::new().await;
    for name in ["client_secret", "code", "code_verifier", "refresh_token"] {
        let request = Request::post(format!("/oauth/token?{name}=canary-51c2"))
            .header(HOST, "mcp.example")
            .header(CONTENT_TYPE, FORM)
            .body(body(&[("grant_type", "refresh_token"), ("client_id", APP)]));
        let answer = server.send(request.unwrap()).await;
        assert_eq!(answer.error(), refused("invalid_request"), "{name}");
    }
    assert!(logs.text().contains("refused"), "{}", logs.text());
    logs.assert_free_of("canary-51c2");
}

#[tokio::test]
async fn sec_tk_02_nine_resources_are_too_many() {
    let server = Server::new().await;
    let code = server.code(APP).await;
    let mut fields = vec![("grant_type", "authorization_code"), ("client_id", APP)];
    let verifier = super::server::verifier();
    fields.extend([
        ("code", code.as_str()),
        ("code_verifier", verifier.expose()),
    ]);
    let with = |count| [fields.clone(), vec![("resource", RESOURCE); count]].concat();
    let nine = server.post("/oauth/token", &with(9)).await;
    assert_eq!(nine.error(), refused("invalid_target"));
    let eight = server.post("/oauth/token", &with(8)).await;
    assert_eq!(eight.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_ca_04_a_broken_header_is_answered_with_a_challenge() {
    let server = Server::new().await;
    for value in [
        "Basic",
        "Basic ?",
        "Basic Og==",
        "Basic eDo=",
        "Digest x",
        "DPoP x",
    ] {
        let mut request = request(
            Method::POST,
            FORM,
            body(&[("grant_type", "client_credentials")]),
        );
        request
            .headers_mut()
            .insert(AUTHORIZATION, value.parse().unwrap());
        let answer = server.send(request).await;
        assert_eq!(
            answer.error(),
            (401, "invalid_client".to_owned()),
            "{value}"
        );
        assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"client\"");
    }
}

async fn metadata(server: &Server) -> Value {
    let request = Request::get("/.well-known/oauth-authorization-server");
    let request = request.header(HOST, "mcp.example").body(Body::empty());
    server.send(request.unwrap()).await.json()
}

#[tokio::test]
async fn sec_ca_11_no_symmetric_assertion_is_offered() {
    let server = Server::new().await;
    let offered = metadata(&server).await;
    let methods = &offered["token_endpoint_auth_methods_supported"];
    assert_eq!(
        *methods,
        json!([
            "none",
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt"
        ])
    );
    let algorithms = &offered["token_endpoint_auth_signing_alg_values_supported"];
    let algorithms = algorithms.as_array().unwrap();
    assert!(algorithms.contains(&json!("ES256")) && algorithms.contains(&json!("EdDSA")));
    for algorithm in algorithms {
        let algorithm = algorithm.as_str().unwrap();
        assert!(
            algorithm != "none" && !algorithm.starts_with("HS"),
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn sec_ex_20_there_is_no_grant_that_metadata_does_not_tell_of() {
    let server = Server::new().await;
    let offered = metadata(&server).await;
    assert_eq!(
        offered["grant_types_supported"],
        json!(["authorization_code", "refresh_token", "client_credentials"])
    );
    let before = server.stored().await;
    let (access, _) = server.tokens(APP).await;
    let after = server.stored().await;
    assert_ne!(before, after);
    for grant in [
        "implicit",
        "password",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:openid:params:grant-type:ciba",
    ] {
        let fields = [
            ("grant_type", grant),
            ("assertion", access.as_str()),
            ("subject_token", access.as_str()),
            (
                "subject_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("device_code", "x"),
            ("username", "alice"),
            ("password", "alice's own password"),
        ];
        let answer = server
            .post_as((DAEMON, SECRET), "/oauth/token", &fields)
            .await;
        assert_eq!(answer.error(), refused("unsupported_grant_type"), "{grant}");
    }
    assert_eq!(server.stored().await, after);
    assert_eq!(server.people.asked(), 0);
}
