//! The doctor, as its users meet it.

use portcullis_testkit::FakeIdp;

use crate::support::{Program, upstream};

fn dev() -> Program {
    Program::dev()
}

#[test]
fn a_try_out_lets_in_whoever_has_its_token() {
    let serving = dev().serve();
    let (url, token) = (serving.url(), serving.token("alice"));
    let doctor = Program::new(&["doctor", &url, "--token", "-", "--human"]);
    let ended = doctor.stdin(&token).end();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.seen().contains(&token), "{ended:?}");
    insta::with_settings!({ filters => vec![(r"localhost:\d+", "localhost:PORT")] }, {
        insta::assert_snapshot!("doctor_try_out", ended.seen());
    });
    assert_eq!(serving.stop().code, 0);
}

/// Auth of our own keeps nobody out whose authorization server does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ours_is_healthy_in_front_of_a_healthy_issuer() {
    let idp = FakeIdp::start().await;
    let origin = idp.issuer().as_str().trim_end_matches('/').to_owned();
    idp.edit_metadata(|metadata| {
        let list = |one: &str| serde_json::json!([one]);
        metadata.insert("code_challenge_methods_supported".into(), list("S256"));
        metadata.insert("response_types_supported".into(), list("code"));
        metadata.insert(
            "grant_types_supported".into(),
            serde_json::json!(["authorization_code", "refresh_token"]),
        );
        metadata.insert(
            "authorization_endpoint".into(),
            format!("{origin}/authorize").into(),
        );
        metadata.insert("token_endpoint".into(), format!("{origin}/token").into());
        metadata.insert(
            "token_endpoint_auth_methods_supported".into(),
            serde_json::json!(["none", "private_key_jwt"]),
        );
        metadata.insert("client_id_metadata_document_supported".into(), true.into());
        metadata.insert(
            "registration_endpoint".into(),
            format!("{origin}/register").into(),
        );
    });
    let issuer = idp.issuer().as_str();
    let upstream = upstream();
    let arguments = [
        "run",
        "--auth",
        "remote",
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
    ];
    let serving = Program::new(&arguments)
        .toml(&format!(
            "[auth]\nmode = \"remote\"\nauthorization_server = \"{issuer}\"\nrequired_scopes = [\"notes:read\"]\n"
        ))
        .serve();
    let url = serving.url();
    let token = idp
        .token()
        .audience(url.as_str())
        .scope("notes:read")
        .sign();
    let doctor = Program::new(&["doctor", &url, "--json"]).env("PORTCULLIS_TOKEN", &token);
    let ended = doctor.end();
    assert!(!ended.seen().contains(&token), "{ended:?}");
    let report = portcullis_oauth::json::value(
        ended.stdout.as_bytes(),
        portcullis_oauth::json::Limits::METADATA,
    );
    let report = report.unwrap();
    let found = report["findings"].as_array().unwrap().iter();
    let wrong: Vec<_> = found
        .filter(|finding| !matches!(finding["severity"].as_str(), Some("ok" | "note")))
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    // What the issuer of the tests does not do: pages of others, and a token endpoint.
    assert_eq!(
        wrong,
        ["ASM-21", "TOK-02", "TOK-04", "TOK-05"],
        "{}",
        ended.stdout
    );
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn an_open_server_keeps_nobody_out_and_is_named() {
    let ended = Program::new(&["doctor", &upstream(), "--human", "--as", "claude,vscode"]).end();
    assert_eq!(ended.code, 0, "{ended:?}");
    let filters = vec![(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT")];
    insta::with_settings!({ filters => filters }, {
        insta::assert_snapshot!("doctor_open", ended.seen());
    });
}

#[test]
fn what_keeps_clients_out_is_an_error() {
    let json = Program::new(&[
        "doctor",
        "http://127.0.0.1:1/mcp",
        "--json",
        "--as",
        "codex",
    ])
    .end();
    assert_eq!(json.code, 1, "{json:?}");
    insta::assert_snapshot!("doctor_down_json", json.seen());
    let http = Program::new(&["doctor", "http://mcp.example.com/mcp", "--human"]).end();
    assert_eq!(http.code, 1, "{http:?}");
    insta::assert_snapshot!("doctor_insecure", http.seen());
}

#[test]
fn mistakes_are_told_before_anything_is_asked() {
    for (arguments, said) in [
        (vec!["doctor", "mcp.example.com"], "no URL of an MCP server"),
        (
            vec!["doctor", "https://a.example", "--as", "netscape"],
            "netscape",
        ),
        (
            vec![
                "doctor",
                "https://a.example",
                "--redirect-uri",
                "https://b.example",
            ],
            "--client-id",
        ),
    ] {
        let ended = Program::new(&arguments).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
    let both = Program::new(&["doctor", "https://a.example"])
        .env("PORTCULLIS_TOKEN", "a")
        .env("PORTCULLIS_TOKEN_FILE", "b")
        .end();
    assert_eq!(both.code, 1);
    assert!(both.stderr.contains("are both set"), "{both:?}");
}

#[test]
fn sec_op_01_a_server_that_repeats_everything_does_not_get_the_token_into_the_report() {
    const CANARY: &str = "canary-7f3a9c";

    let echo = echo();
    for mode in ["--human", "--json"] {
        let doctor = Program::new(&["doctor", &echo, mode, "--verbose"]);
        let ended = doctor.env("PORTCULLIS_TOKEN", CANARY).end();
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.seen().contains("[redacted]"), "{ended:?}");
        assert!(!ended.seen().contains(CANARY), "{ended:?}");
    }
}

/// A server that refuses whoever comes, with all that they sent. Its URL.
fn echo() -> String {
    use std::io::{Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or_default();
            let sent = String::from_utf8_lossy(&head[..read]).into_owned();
            let status = if sent.to_ascii_lowercase().contains("bearer") {
                403
            } else {
                401
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} No\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{sent}",
                sent.len()
            );
        }
    });
    url
}
