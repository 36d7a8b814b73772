//! `key` and `token mint`, and statements on callers that are signed with those keys.

use std::sync::mpsc::Receiver;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_testkit::FakeIdp;

use crate::support::{Program, Serving, call, send, upstream_that_tells};

/// A server in front of one that is told who is calling, its keys in a file.
fn serve(idp: &FakeIdp, identity: &str) -> (Serving, Receiver<String>, String) {
    let (behind, told) = upstream_that_tells();
    let toml = format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"jwt\"\nissuer = \"{}\"\n\
         [store]\nurl = \"sqlite:state.db\"\n\
         [[upstream]]\nurl = \"{behind}\"\n[upstream.identity]\njwt = true\n{identity}\n",
        idp.issuer()
    );
    let arguments = ["run", "--config", "portcullis.toml"];
    let serving = Program::new(&arguments).toml(&toml).serve();
    (serving, told, behind)
}

/// The value of a field in the next request that comes in behind.
fn field(told: &Receiver<String>, name: &str) -> Option<String> {
    let head = told.recv().unwrap();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = lines
        .by_ref()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name));
    let value = values.next().map(|(_, value)| value.to_owned());
    assert!(values.next().is_none(), "{head}");
    value
}

fn jwks(serving: &Serving) -> String {
    let url = serving.url().replace("/mcp", "/oauth/jwks");
    let answer = send(&url, &[], None);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn part(jwt: &str, at: usize) -> Value {
    let bytes = base64url::decode_strict(jwt.split('.').nth(at).unwrap()).unwrap();
    json::value(&bytes, Limits::JOSE).unwrap()
}

fn listed(text: &str) -> Vec<Value> {
    let keys = json::value(text.as_bytes(), Limits::METADATA).unwrap();
    keys.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_gw_02_a_server_behind_can_check_who_is_calling() {
    let idp = FakeIdp::start().await;
    let (serving, told, behind) = serve(&idp, "");
    let url = serving.url();
    let token = idp.token().audience(url.as_str()).subject("alice");
    let token = token.scope("read").claim("roles", vec!["admin"]).sign();
    let answer = call(&url, Some(&token), "x");
    assert_eq!(answer.status, 200, "{answer:?}");
    let jwt = field(&told, "x-portcullis-identity").unwrap();
    assert_eq!(part(&jwt, 0)["typ"], "portcullis-identity+jwt");
    let said = part(&jwt, 1);
    assert_eq!(said["iss"], url.replace("/mcp", ""));
    assert_eq!(said["aud"], behind);
    assert_eq!(
        (&said["sub"], &said["scope"]),
        (&"alice".into(), &"read".into())
    );
    assert_eq!(said["roles"], json::json!(["admin"]));
    assert_eq!(said["sub_id"]["iss"], idp.issuer().as_str());
    let set = JwkSet::parse(jwks(&serving).as_bytes()).unwrap();
    let jws = CompactJws::parse(&jwt).unwrap();
    let algorithm = jws.header().algorithm();
    let key = set
        .candidates(jws.header().kid(), algorithm)
        .next()
        .unwrap();
    assert!(jws.verify(key.key(), algorithm).is_ok());
    // Whoever has it cannot come in by it.
    assert_eq!(call(&url, Some(&jwt), "x").status, 401);
    assert_eq!(serving.stop().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_gw_02_no_client_says_who_it_is_in_the_gateways_place() {
    let idp = FakeIdp::start().await;
    let (serving, told, _) = serve(&idp, "jwt_header = \"X-Who\"\njwt_audience = \"files\"");
    let url = serving.url();
    let token = idp.token().audience(url.as_str()).subject("alice").sign();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("X-Who", "mallory"),
        ("x_who", "mallory"),
        ("X.Who", "mallory"),
        ("X-Portcullis-Identity", "mallory"),
    ];
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    assert_eq!(send(&url, &headers, Some(body)).status, 200);
    let head = told.recv().unwrap();
    assert!(!head.contains("mallory"), "{head}");
    let who = head.lines().find_map(|line| line.strip_prefix("x-who: "));
    assert_eq!(part(who.unwrap(), 1)["aud"], "files");
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_key_15_keys_are_exchanged_while_the_server_runs() {
    let idp = FakeIdp::start().await;
    let (serving, told, _) = serve(&idp, "");
    let run = |arguments: &[&str]| {
        let ended = Program::beside(&serving, arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        listed(&ended.stdout)
    };
    let first = run(&["key", "list", "--json"]);
    assert_eq!((first.len(), &first[0]["state"]), (1, &"active".into()));
    let made = run(&["key", "rotate", "--json"]);
    assert_eq!(made[0]["state"], "next");
    let published = JwkSet::parse(jwks(&serving).as_bytes()).unwrap();
    assert_eq!(published.len(), 2, "the running server follows at once");
    let again = Program::beside(&serving, &["key", "rotate", "--human"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("signs from"), "{again:?}");
    let only = run(&["key", "rotate", "--revoke", "--json"]);
    assert_eq!(run(&["key", "list", "--json"]), only);
    let published = JwkSet::parse(jwks(&serving).as_bytes()).unwrap();
    let ids: Vec<_> = published
        .keys()
        .iter()
        .filter_map(|key| key.kid())
        .collect();
    assert_eq!(ids, [only[0]["id"].as_str().unwrap()]);
    let url = serving.url();
    let token = idp.token().audience(url.as_str()).sign();
    assert_eq!(call(&url, Some(&token), "x").status, 200);
    let jwt = field(&told, "x-portcullis-identity").unwrap();
    assert_eq!(part(&jwt, 0)["kid"], only[0]["id"]);
    assert_eq!(serving.stop().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_without_a_login() {
    let idp = FakeIdp::start().await;
    let (serving, ..) = serve(&idp, "");
    let ended = Program::beside(
        &serving,
        &[
            "token",
            "mint",
            "alice",
            "--scope",
            "read,write",
            "--claim",
            "role=admin",
            "--claim",
            "level=7",
            "--lifetime",
            "5m",
            "--json",
        ],
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    let made = json::value(ended.stdout.as_bytes(), Limits::METADATA).unwrap();
    assert_eq!(made["expires_in"], 300);
    let jwt = made["access_token"].as_str().unwrap();
    assert_eq!(part(jwt, 0)["typ"], "at+jwt");
    let said = part(jwt, 1);
    assert_eq!(
        (&said["sub"], &said["scope"]),
        (&"alice".into(), &"read write".into())
    );
    assert_eq!(
        (&said["role"], &said["level"]),
        (&"admin".into(), &7.into())
    );
    assert_eq!(said["aud"], made["resource"]);
    let list = Program::beside(&serving, &["key", "list", "--json"]);
    assert_eq!(part(jwt, 0)["kid"], listed(&list.stdout)[0]["id"]);
    for wrong in [
        &["token", "mint", "alice", "--lifetime", "25h"][..],
        &["token", "mint", "alice", "--lifetime", "soon"],
        &["token", "mint", "alice", "--claim", "role"],
        &["token", "mint", "alice", "--audience", "files"],
        &["token", "mint", "a\nb"],
    ] {
        let ended = Program::beside(&serving, wrong);
        assert_eq!(ended.code, 1, "{wrong:?}: {ended:?}");
    }
}

#[test]
fn statements_are_for_servers_that_can_check_them() {
    for (upstream, told) in [
        (
            "command = [\"true\"]\n[upstream.identity]\njwt = true",
            "`upstream[0].identity.jwt` has no effect for a program",
        ),
        (
            "url = \"http://127.0.0.1:1/sse\"\ntransport = \"sse\"\n[upstream.identity]\njwt = true",
            "`upstream[0].identity.jwt` has no effect over HTTP+SSE",
        ),
        (
            "url = \"http://127.0.0.1:1/mcp\"\n[upstream.identity]\njwt_header = \"X-Who\"",
            "`upstream[0].identity.jwt_header` has no effect",
        ),
        (
            "url = \"http://127.0.0.1:1/mcp\"\n[upstream.identity]\njwt = true\njwt_header = \"Cookie\"",
            "has a meaning of its own",
        ),
    ] {
        let toml = format!(
            "[auth]\nmode = \"jwt\"\nissuer = \"https://i.example\"\n[[upstream]]\n{upstream}\n"
        );
        let program = Program::new(&["config", "validate", "--human"]);
        let ended = program.toml(&toml).end();
        assert_eq!(ended.code, 1, "{ended:?}");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&ended.stderr).contains(told), "{ended:?}");
    }
}

#[test]
fn keys_in_memory_are_nobody_elses() {
    let program = Program::new(&["key", "list", "--human"]);
    let ended = program.toml("[auth]\nmode = \"none\"\n").end();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("store.url"), "{ended:?}");
}
