//! `list`, `call` and `inspect`, against the demo server and against what is no server.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use portcullis_oauth::json::{self, Limits, Value};

use crate::support::{Ended, Program, Serving};

const CANARY: &str = "canary-7f3a9c";

fn demo() -> Serving {
    Program::dev().serve()
}

/// Runs a command against a URL, with a token from the environment.
fn ask(url: &str, token: Option<&str>, command: &str, rest: &[&str]) -> Ended {
    let program = Program::new(&[&[command, url], rest].concat());
    match token {
        Some(token) => program.env("PORTCULLIS_TOKEN", token).end(),
        None => program.end(),
    }
}

/// What a user sees, without ports and tokens.
fn snapshot(name: &str, ended: &Ended) {
    let filters = [
        (r"(localhost|127\.0\.0\.1):\d+", "$1:PORT"),
        (r"demo \d+\.\d+\.\d+", "demo VERSION"),
    ];
    insta::with_settings!({ filters => filters.to_vec() }, {
        insta::assert_snapshot!(name, ended.seen());
    });
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    json::value(ended.stdout.as_bytes(), Limits::METADATA).unwrap()
}

#[test]
fn the_demo_server_is_listed_and_inspected() {
    let serving = demo();
    let (url, alice, bob) = (serving.url(), serving.token("alice"), serving.token("bob"));
    for (name, token, command, rest) in [
        ("list", Some(alice.as_str()), "list", "--human"),
        ("list_without_a_token", None, "list", "--human"),
        ("list_with_a_wrong_token", Some("wrong"), "list", "--human"),
        ("inspect_as_a_stranger", None, "inspect", "--human"),
        ("inspect_with_a_token", Some(&alice), "inspect", "--human"),
        (
            "inspect_with_a_wrong_token",
            Some("wrong"),
            "inspect",
            "--human",
        ),
    ] {
        snapshot(name, &ask(&url, token, command, &[rest]));
    }
    snapshot(
        "list_all",
        &ask(&url, Some(&alice), "list", &["--all", "--human"]),
    );
    let wrong_path = url.replace("/mcp", "/other");
    snapshot(
        "list_at_a_wrong_path",
        &ask(&wrong_path, Some(&alice), "list", &["--human"]),
    );
    let listed = json(&ask(&url, Some(&bob), "list", &[]));
    let tools = listed["tools"].as_array().unwrap().iter();
    let names: Vec<&str> = tools.map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["whoami", "list_notes", "add_note"],
        "bob is no administrator"
    );
    let inspected = json(&ask(&url, Some(&alice), "inspect", &[]));
    assert_eq!(inspected["server"]["offers"]["tools"], 4);
    assert_eq!(inspected["access"]["open"], false);
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn a_tool_of_the_demo_server_is_called() {
    let serving = demo();
    let (url, alice) = (serving.url(), serving.token("alice"));
    let call = |rest: &[&str]| ask(&url, Some(&alice), "call", rest);
    let ended = call(&["add_note", "text=buy milk", "--human"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(ended.stdout, "noted for alice\n");
    let ended = call(&["add_note", "--json", "{\"text\":\"7\"}"]);
    assert_eq!(json(&ended)["content"][0]["text"], "noted for alice");
    let ended = Program::new(&["call", &url, "add_note", "--json", "-", "--human"])
        .env("PORTCULLIS_TOKEN", &alice)
        .stdin("{\"text\":\"from stdin\"}")
        .end();
    assert_eq!(ended.stdout, "noted for alice\n", "{ended:?}");
    let ended = call(&["list_notes", "--human"]);
    assert_eq!(ended.stdout, "- buy milk\n- 7\n- from stdin\n", "{ended:?}");
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn each_call_that_cannot_be_made_says_why() {
    let serving = demo();
    let (url, bob) = (serving.url(), serving.token("bob"));
    for (name, rest) in [
        ("call_without_a_scope", vec!["add_note", "text=x"]),
        ("call_of_a_hidden_tool", vec!["admin_stats"]),
        ("call_of_a_misspelt_tool", vec!["add_notes", "text=x"]),
        ("call_with_a_misspelt_argument", vec!["add_note", "txt=x"]),
        ("call_without_an_argument", vec!["add_note"]),
        ("call_with_no_object", vec!["add_note", "--json", "[1]"]),
        ("call_with_no_data", vec!["whoami", "--output", "f"]),
    ] {
        let ended = ask(
            &url,
            Some(&bob),
            "call",
            &[&rest[..], &["--human"]].concat(),
        );
        assert_eq!(ended.code, 1, "{name}");
        snapshot(name, &ended);
    }
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn a_token_comes_from_a_flag_a_file_stdin_or_the_environment() {
    let serving = demo();
    let (url, token) = (serving.url(), serving.token("alice"));
    let list = |rest: &[&str]| Program::new(&[&["list", &url], rest].concat());
    for ended in [
        list(&["--token", &token]).end(),
        list(&["--token", "-"])
            .stdin(&format!("Bearer {token}\n"))
            .end(),
        list(&["--token-file", "t"]).file("t", &token).end(),
        list(&[]).env("PORTCULLIS_TOKEN", &token).end(),
        list(&[])
            .env("PORTCULLIS_TOKEN_FILE", "t")
            .file("t", &token)
            .end(),
        list(&["--token", &token])
            .env("PORTCULLIS_TOKEN", "other")
            .end(),
    ] {
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
        assert!(!ended.seen().contains(&token), "{ended:?}");
    }
    let both = list(&[])
        .env("PORTCULLIS_TOKEN", &token)
        .env("PORTCULLIS_TOKEN_FILE", "t")
        .end();
    assert_eq!(both.code, 1, "{both:?}");
    let open = list(&["--token-file", "t"])
        .file_with_mode("t", &token, 0o644)
        .end();
    assert!(
        open.code == 0 && open.stderr.contains("every user"),
        "{open:?}"
    );
}

/// A server that says the same to everybody. Its URL.
fn says(answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // The head arrives at once, and the body is not of interest.
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

fn unused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/mcp", listener.local_addr().unwrap())
}

#[test]
fn each_failure_says_why_and_what_to_do() {
    let answer =
        |head: &str| format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let html = says(&answer("200 OK\r\nContent-Type: text/html"));
    let old = says(&answer("405 Method Not Allowed"));
    let moved = says(&answer(
        "308 Permanent Redirect\r\nLocation: https://elsewhere.example/mcp?secret=x",
    ));
    let plain = says("HTTP/1.1 200 OK\r\n\r\n").replace("http:", "https:");
    let rude = says(&answer(
        "401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"no\"",
    ));
    for (name, url) in [
        ("nobody_there", unused()),
        ("a_web_page", html),
        ("an_older_transport", old),
        ("a_redirect", moved),
        ("no_tls", plain),
        ("a_refusal_with_a_reason", rude),
        ("in_clear", "http://mcp.example.com/mcp".to_owned()),
        ("no_url", "mcp.example.com".to_owned()),
        (
            "a_url_to_be_mended",
            "https://mcp.EXAMPLE.com/mcp".to_owned(),
        ),
        (
            "a_url_with_a_password",
            format!("https://me:{CANARY}@mcp.example.com/mcp"),
        ),
    ] {
        let ended = ask(&url, Some("token"), "list", &["--human"]);
        assert_eq!(ended.code, 1, "{name}: {ended:?}");
        snapshot(name, &ended);
    }
    for (name, rest) in [
        ("wrong_timeout", ["--timeout", "soon"]),
        ("two_tokens", ["--token=a", "--token-file=b"]),
        ("no_token_in_the_file", ["--token-file", "/dev/null"]),
    ] {
        let ended = ask(
            "http://localhost:1/mcp",
            None,
            "list",
            &[&rest[..], &["--human"]].concat(),
        );
        assert_eq!(ended.code, 1, "{name}: {ended:?}");
        snapshot(name, &ended);
    }
}

#[test]
fn sec_op_01_no_error_of_a_client_shows_a_secret() {
    let served =
        says("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    for url in [
        served,
        unused(),
        "http://mcp.example.com/mcp".to_owned(),
        format!("https://me:{CANARY}@mcp.example.com/mcp"),
        format!("http://mcp.example.com/mcp?key={CANARY}"),
        format!("https://MCP.example.com/mcp?key={CANARY}"),
        format!("{}?key={CANARY}", unused()),
    ] {
        for command in ["list", "inspect"] {
            for mode in ["--human", "--json"] {
                let ended = ask(&url, Some(CANARY), command, &[mode]);
                assert!(!ended.seen().contains(CANARY), "{ended:?}");
            }
        }
    }
    let ended = ask(
        "http://localhost:1/mcp",
        Some(&format!("{CANARY}\u{e9}")),
        "list",
        &[],
    );
    assert!(
        ended.code == 1 && !ended.seen().contains(CANARY),
        "{ended:?}"
    );
}

#[test]
fn sec_op_10_what_a_server_says_cannot_move_the_cursor() {
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"x","data":{"supported":["\u001b[2J"],"requested":"x"}}}"#;
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let url = says(&format!("{head}Connection: close\r\n\r\n{body}"));
    let ended = ask(&url, None, "list", &["--human"]);
    assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
    assert!(ended.stderr.contains("\\u{1b}[2J"), "{ended:?}");
}

/// Answers all but calls, as a server of revision 2026-07-28.
fn hangs(listener: &TcpListener) -> TcpStream {
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        let mut chunk = [0; 4096];
        while !request.ends_with('}') {
            let read = stream.read(&mut chunk).unwrap();
            request.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        }
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let message = json::value(body.as_bytes(), Limits::MCP).unwrap();
        let result = match message["method"].as_str().unwrap() {
            "tools/call" => return stream,
            "tools/list" => r#""tools":[{"name":"t","inputSchema":{"type":"object"}}]"#,
            _ => r#""supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}"#,
        };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"complete","ttlMs":0,"cacheScope":"private",{result}}}}}"#,
            message["id"]
        );
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    }
}

#[test]
fn ctrl_c_ends_a_call_at_the_server_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["call", &url, "t", "--human"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut call = hangs(&listener);
    let kill = format!("kill -INT {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        call.read(&mut [0; 1]).unwrap(),
        0,
        "the call's connection is closed"
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "error: the call was cancelled\n");
}
