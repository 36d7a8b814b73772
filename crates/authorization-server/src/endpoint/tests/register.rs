//! Registration, under attack.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use http::{Method, Request, StatusCode};
use portcullis_oauth::SecretString;
use portcullis_oauth::json::json;
use portcullis_resource_server::ClientAddress;
use portcullis_resource_server::observe::{Exchange, Observer, Observers};
use portcullis_testkit::store::Fault;

use super::server::{Answer, DAEMON, SECRET, Server};
use crate::client::RegistrationPolicy;

const REGISTER: &str = "/oauth/register";
const BODY: &str = r#"{"redirect_uris":["http://127.0.0.1/cb"],"client_name":"A client"}"#;

fn request(method: Method, path: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    request
        .header(HOST, "mcp.example")
        .header(CONTENT_TYPE, "application/json")
}

async fn register(server: &Server, body: impl Into<Body>) -> Answer {
    let request = request(Method::POST, REGISTER);
    server.send(request.body(body.into()).unwrap()).await
}

/// Registers with one header more.
async fn register_with(server: &Server, name: &str, value: &str) -> Answer {
    let request = request(Method::POST, REGISTER).header(name, value);
    server.send(request.body(Body::from(BODY)).unwrap()).await
}

async fn server(policy: RegistrationPolicy) -> Server {
    Server::with(|builder| builder.registration(policy)).await
}

#[tokio::test]
async fn a_registration_is_answered_with_201_and_kept_nowhere() {
    let answer = register(&Server::new().await, BODY).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
    assert_eq!(
        answer.json()["redirect_uris"],
        json!(["http://127.0.0.1/cb"])
    );
}

#[tokio::test]
async fn sec_dr_02_a_body_is_short_json() {
    let server = Server::new().await;
    for media in [
        None,
        Some("application/x-www-form-urlencoded"),
        Some("text/plain"),
    ] {
        let request = Request::post(REGISTER).header(HOST, "mcp.example");
        let request = media.into_iter().fold(request, |request, media| {
            request.header(CONTENT_TYPE, media)
        });
        let answer = server.send(request.body(Body::from(BODY)).unwrap()).await;
        assert_eq!(answer.error(), (415, "invalid_client_metadata".to_owned()));
    }
    for body in ["", "[]", "{}"] {
        assert_eq!(register(&server, body).await.status.as_u16(), 400, "{body}");
    }
    let long = register(&server, "x".repeat(64 * 1024 + 1)).await;
    assert_eq!(long.error(), (413, "invalid_request".to_owned()));
}

#[tokio::test]
async fn r9_a_bad_redirect_uri_is_told_as_rfc_7591_says_and_not_repeated() {
    let body = r#"{"redirect_uris":["javascript:canary"]}"#;
    let answer = register(&Server::new().await, body).await;
    assert_eq!(answer.error(), (400, "invalid_redirect_uri".to_owned()));
    assert!(!answer.json().to_string().contains("canary"));
}

#[tokio::test]
async fn sec_dr_10_without_its_token_a_registration_is_401() {
    let token = SecretString::from("let-me-in-for-I-am-thirty-two-bytes");
    let server = server(RegistrationPolicy::new().initial_access_token(token)).await;
    let answer = register(&server, BODY).await;
    assert_eq!(answer.error(), (401, "invalid_token".to_owned()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    for (value, expected) in [
        ("Bearer wrong", 401),
        ("Basic let-me-in-for-I-am-thirty-two-bytes", 401),
        ("bearer let-me-in-for-I-am-thirty-two-bytes", 201),
    ] {
        let answer = register_with(&server, "authorization", value).await;
        assert_eq!(answer.status.as_u16(), expected, "{value}");
    }
}

#[tokio::test]
async fn where_nobody_registers_it_is_403() {
    let server = server(RegistrationPolicy::disabled()).await;
    let answer = register(&server, BODY).await;
    assert_eq!(answer.error(), (403, "access_denied".to_owned()));
}

#[tokio::test]
async fn sec_dr_01_an_address_registers_only_so_often() {
    let server = Server::new().await;
    let from = ClientAddress::new("198.51.100.7".parse().unwrap());
    for _ in 0..500 {
        let mut request = request(Method::POST, REGISTER)
            .body(Body::from(BODY))
            .unwrap();
        request.extensions_mut().insert(from);
        let answer = server.send(request).await;
        if answer.status != StatusCode::CREATED {
            assert_eq!(answer.error(), (429, "temporarily_unavailable".to_owned()));
            let wait = answer.headers["retry-after"].to_str().unwrap();
            assert!(wait.parse::<u64>().unwrap() >= 1);
            return;
        }
    }
    panic!("there is no limit");
}

#[tokio::test]
async fn without_room_it_is_503_with_an_incident() {
    let server = server(RegistrationPolicy::new().limit(0)).await;
    let answer = register(&server, BODY).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.text("incident").len(), 16);
}

#[tokio::test]
async fn sec_dr_02_what_is_long_deep_or_ambiguous_is_not_kept() {
    let server = Server::new().await;
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let members = |members: &str| BODY.replacen('{', &format!("{{{members},"), 1).into_bytes();
    let five_megabytes = Bytes::from(vec![b' '; 5 << 20]);
    let pieces = futures_util::stream::iter((0..100).map(|_| {
        let piece = Bytes::from(vec![b' '; 1024]);
        Ok::<_, std::io::Error>(piece)
    }));
    for (body, status) in [
        (Body::from(five_megabytes), 413),
        // One that does not say how long it is.
        (Body::from_stream(pieces), 413),
        (Body::from(members(&format!("\"x\":{deep}"))), 400),
        (Body::from(members("\"client_name\":\"Another\"")), 400),
        (
            Body::from(members("\"client\\u005fname\":\"Another\"")),
            400,
        ),
        (Body::from([BODY.as_bytes(), b"{}"].concat()), 400),
        (
            Body::from(["\u{feff}".as_bytes(), BODY.as_bytes()].concat()),
            400,
        ),
        (
            Body::from(BODY.replace("A client", "\u{7f}").replace('\u{7f}', "\n")),
            400,
        ),
        (Body::from([BODY.as_bytes(), b"\xff"].concat()), 400),
    ] {
        let answer = register(&server, body).await;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert!(server.stored().await.is_empty(), "{answer:?}");
    }
    assert_eq!(register(&server, BODY).await.status, StatusCode::CREATED);
    assert_eq!(server.stored().await.len(), 1);
}

#[tokio::test]
async fn sec_dr_04_an_answer_is_of_the_new_client_alone() {
    let server = Server::new().await;
    // It calls itself what the operator's client is called, and asks for a secret.
    let asked = format!(
        r#"{{"client_id":"{DAEMON}","client_name":"{DAEMON}","redirect_uris":["http://127.0.0.1/cb"],
            "token_endpoint_auth_method":"client_secret_basic","software_statement":"a.b.c"}}"#
    );
    let answer = register(&server, asked).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_ne!(answer.text("client_id"), DAEMON);
    assert_ne!(answer.text("client_secret"), SECRET);
    assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET));
    let known = [
        "application_type",
        "client_id",
        "client_id_issued_at",
        "client_name",
        "client_secret",
        "client_secret_expires_at",
        "grant_types",
        "redirect_uris",
        "response_types",
        "token_endpoint_auth_method",
    ];
    let mut members: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    members.sort_unstable();
    assert_eq!(members, known);
    // And the operator's client is what it was.
    let fields = [("grant_type", "client_credentials")];
    let token = server.post_as((DAEMON, SECRET), "/oauth/token", &fields);
    assert_eq!(token.await.status, StatusCode::OK);
    let imposter = (answer.text("client_id"), answer.text("client_secret"));
    let token = server.post_as((&imposter.0, &imposter.1), "/oauth/token", &fields);
    assert_eq!(token.await.error(), (400, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn sec_dr_11_nobody_reads_or_changes_a_registration() {
    let server = Server::new().await;
    let answer = register(&server, BODY).await;
    for name in ["registration_access_token", "registration_client_uri"] {
        assert!(answer.json().get(name).is_none(), "{name}");
    }
    let id = answer.text("client_id");
    let before = server.stored().await;
    for path in [
        format!("{REGISTER}/{id}"),
        format!("{REGISTER}?client_id={id}"),
        REGISTER.to_owned(),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = request(method, &path).header(AUTHORIZATION, format!("Bearer {id}"));
            let request = request.body(Body::from(BODY)).unwrap();
            let answer = server.send(request).await;
            assert!(matches!(answer.status.as_u16(), 404 | 405), "{answer:?}");
            assert!(!String::from_utf8_lossy(&answer.body).contains(&id));
        }
    }
    assert_eq!(server.stored().await, before);
}

#[tokio::test]
async fn sec_dr_13_a_page_registers_without_what_its_visitor_has() {
    let server = Server::new().await;
    let preflight = request(Method::OPTIONS, REGISTER)
        .header(ORIGIN, "https://inspector.example")
        .header("access-control-request-method", "POST");
    let post = request(Method::POST, REGISTER)
        .header(ORIGIN, "https://inspector.example")
        .header(COOKIE, "__Host-portcullis-session=x");
    for request in [preflight, post] {
        let answer = server.send(request.body(Body::from(BODY)).unwrap()).await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        let credentials = "access-control-allow-credentials";
        assert!(!answer.headers.contains_key(credentials));
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let answer = server.send(request(Method::GET, REGISTER).body(Body::empty()).unwrap());
    assert_eq!(answer.await.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// An observer that has no room, or is broken.
struct Hook {
    is_broken: bool,
}

impl Observer for Hook {
    fn answered(&self, _: &Exchange) {}

    fn reserve_event(&self) -> bool {
        assert!(!self.is_broken, "a bug of the observer's");
        false
    }
}

#[tokio::test]
async fn sec_dr_14_what_fails_on_the_way_leaves_no_client_behind() {
    let server = Server::new().await;
    for is_broken in [true, false] {
        let hook: Arc<dyn Observer> = Arc::new(Hook { is_broken });
        let observers = Observers::new([hook]);
        server.context.events.observed_by(observers);
        let answer = register(&server, BODY).await;
        assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
        assert!(!String::from_utf8_lossy(&answer.body).contains("bug"));
        assert!(server.stored().await.is_empty());
    }
    server.context.events.observed_by(Observers::default());
    let mut failures = 0;
    for later in 0.. {
        server.store.fail(later, Fault::Refused);
        let answer = register(&server, BODY).await;
        server.store.heal();
        if answer.status == StatusCode::CREATED {
            break;
        }
        failures += 1;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(server.stored().await.is_empty());
    }
    assert!(failures >= 2, "{failures}");
}
