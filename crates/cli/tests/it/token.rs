//! `token decode` and `token verify`.

use portcullis_testkit::FakeIdp;

use crate::support::{Ended, Program};

/// RFC 7515 appendix A.1.
const JOE: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[test]
fn decode_shows_what_a_token_says_and_what_was_not_checked() {
    let filters = [(r"\d+ d ago", "N d ago")];
    for (name, mode) in [
        ("decoded_for_people", "--human"),
        ("decoded_as_json", "--json"),
    ] {
        let ended = Program::new(&["token", "decode", "-", mode])
            .stdin(&format!("Bearer {JOE}\n"))
            .end();
        insta::with_settings!({ filters => filters.to_vec() }, {
            insta::assert_snapshot!(name, ended.seen());
        });
    }
}

#[test]
fn a_token_comes_from_an_argument_stdin_or_a_file() {
    let from_stdin = Program::new(&["token", "decode", "-"]).stdin(JOE).end();
    let from_argument = Program::new(&["token", "decode", JOE]).end();
    let from_file = Program::new(&["token", "decode", "--file", "t"])
        .file("t", JOE)
        .end();
    assert_eq!(from_stdin.code, 0);
    assert_eq!(from_stdin.stdout, from_argument.stdout);
    assert_eq!(from_stdin.stdout, from_file.stdout);
}

#[test]
fn sec_op_10_what_a_token_says_cannot_move_the_cursor() {
    use portcullis_oauth::crypto::base64url::encode;

    let token = format!(
        "{}.{}.x",
        encode(b"{\"alg\":\"ES256\"}"),
        encode(b"{\"sub\":\"a\\u001b[2J\\u202eb\"}")
    );
    let ended = Program::new(&["token", "decode", "-", "--human"])
        .stdin(&token)
        .end();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("a\\u{1b}[2J\\u{202e}b"), "{ended:?}");
}

const AUDIENCE: &str = "https://mcp.example.com/mcp";

fn verify(idp: &FakeIdp, token: &str) -> Ended {
    let issuer = idp.issuer().as_str();
    let arguments = [
        "token",
        "verify",
        "-",
        "--human",
        "--issuer",
        issuer,
        "--audience",
        AUDIENCE,
    ];
    Program::new(&arguments).stdin(token).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_each_check_that_failed() {
    use std::time::Duration;

    let idp = FakeIdp::start().await;
    let good = || idp.token().audience(AUDIENCE);
    let ended = verify(&idp, &good().sign());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.ends_with("\nvalid\n"), "{ended:?}");

    let mut tampered = good().sign();
    tampered.truncate(tampered.len() - 4);
    tampered.push_str("AAAA");
    let past = portcullis_oauth::Timestamp::from_secs(1_000_000_000);
    for (token, failed, reason) in [
        (
            idp.token().audience("https://other.example").sign(),
            vec!["audience"],
            "wrong_audience",
        ),
        (
            good()
                .issued_at(past)
                .expires_in(Duration::from_secs(60))
                .expires_at(past)
                .sign(),
            vec!["expiry"],
            "expired",
        ),
        (good().typ("JWT").sign(), vec!["type"], "wrong_type"),
        (
            good().issuer("https://other.example").sign(),
            vec!["issuer"],
            "wrong_issuer",
        ),
        (tampered, vec!["signature"], "bad_signature"),
    ] {
        let ended = verify(&idp, &token);
        assert_eq!(ended.code, 1, "{reason}: {ended:?}");
        let named: Vec<&str> = ended
            .stdout
            .lines()
            .filter(|line| line.contains("FAILED"))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(named, failed, "{ended:?}");
        assert!(
            ended.stdout.ends_with(&format!("not valid: {reason}\n")),
            "{ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_measures_by_the_configuration() {
    let idp = FakeIdp::start().await;
    let toml = format!(
        "base_url = \"https://mcp.example.com\"\n[auth]\nmode = \"jwt\"\nissuer = \"{}\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n",
        idp.issuer()
    );
    let verify = |token: &str| {
        Program::new(&["token", "verify", "-"])
            .toml(&toml)
            .stdin(token)
            .end()
    };
    assert_eq!(verify(&idp.token().audience(AUDIENCE).sign()).code, 0);
    let ended = verify(&idp.token().audience("https://other.example").sign());
    assert_eq!(ended.code, 1);
    assert!(
        ended.stdout.contains(r#""reason":"wrong_audience""#),
        "{ended:?}"
    );
}

#[test]
fn keys_that_cannot_be_had_are_no_verdict() {
    let arguments = [
        "token",
        "verify",
        "-",
        "--issuer",
        "https://127.0.0.1:1",
        "--audience",
        AUDIENCE,
    ];
    let header = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9";
    let claims = portcullis_oauth::crypto::base64url::encode(br#"{"iss":"https://127.0.0.1:1"}"#);
    let token = format!("{header}.{claims}.{}", "A".repeat(86));
    let ended = Program::new(&arguments).stdin(&token).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("nobody can tell"), "{ended:?}");
}
