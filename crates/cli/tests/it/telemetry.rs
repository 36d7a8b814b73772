//! What the program keeps and tells of requests: the audit log, metrics, spans.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc;

use portcullis_oauth::json::{self, Limits, Value};

use crate::support::{Program, call, send, soon, upstream};

/// A file of a test's own, outside of the program's folder, which goes with it.
struct Kept(PathBuf);

impl Kept {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join(format!("audit-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&file);
        Self(file)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn lines(text: &str) -> Vec<Value> {
    let read = |line: &str| json::value(line.as_bytes(), Limits::METADATA).expect("a line of JSON");
    text.lines().map(read).collect()
}

#[test]
fn the_audit_log_says_who_reached_what() {
    let file = Kept::new("who");
    let program = Program::dev().env("PORTCULLIS_AUDIT_FILE", file.path());
    let serving = program
        .env("PORTCULLIS_ADMIN_LISTEN", "127.0.0.1:0")
        .serve();
    let (url, bob) = (serving.url(), serving.token("bob"));
    assert_eq!(call(&url, Some(&bob), "list_notes").status, 200);
    assert_eq!(call(&url, Some(&bob), "add_note").status, 403);
    assert_eq!(call(&url, None, "whoami").status, 401);
    let metrics = send(&format!("{}/metrics", serving.admin()), &[], None);
    assert_eq!(metrics.status, 200);
    let counted = r#"portcullis_requests_total{endpoint="/mcp",outcome="allowed",reason=""} 1"#;
    assert!(metrics.text.contains(counted), "{metrics:?}");
    assert!(
        metrics.text.contains("portcullis_audit_lines_total"),
        "{metrics:?}"
    );
    // The public listener knows of no metrics.
    let public = send(&url.replace("/mcp", "/metrics"), &[], None);
    assert_eq!(public.status, 404);
    assert_eq!(serving.stop().code, 0);
    let text = file.text();
    assert!(
        !text.contains(&bob) && !metrics.text.contains(&bob),
        "{text}"
    );
    let lines = lines(&text);
    let said = |name: &str| -> Vec<String> {
        let all = lines.iter().map(|line| line[name].to_string());
        all.collect()
    };
    assert_eq!(said("subject"), [r#""bob""#, r#""bob""#, "null"]);
    assert_eq!(said("target"), [r#""list_notes""#, r#""add_note""#, "null"]);
    assert_eq!(
        said("outcome"),
        [
            r#""allowed""#,
            r#""insufficient_scope""#,
            r#""unauthenticated""#
        ]
    );
    assert_eq!(said("client_address")[0], r#""127.0.0.1""#);
}

#[test]
fn sighup_opens_the_audit_log_anew() {
    let (file, moved) = (Kept::new("rotated"), Kept::new("moved"));
    let program = Program::dev().env("PORTCULLIS_AUDIT_FILE", file.path());
    let serving = program.serve();
    let url = serving.url();
    call(&url, None, "whoami");
    soon(|| file.text().ends_with('\n'));
    fs::rename(&file.0, &moved.0).unwrap();
    serving.signal("HUP");
    soon(|| file.0.exists());
    call(&url, None, "whoami");
    soon(|| file.text().ends_with('\n'));
    assert_eq!(serving.stop().code, 0);
    assert_eq!(lines(&moved.text()).len(), 1);
    assert_eq!(lines(&file.text()).len(), 1);
}

#[test]
fn sec_gw_25_a_reload_keeps_the_audit_log() {
    let file = Kept::new("reload");
    let upstream = upstream();
    let toml = |tools: &str| format!("[[upstream]]\nurl = \"{upstream}\"\n{tools}");
    let program = Program::dev_by(&toml(""));
    let mut serving = program.env("PORTCULLIS_AUDIT_FILE", file.path()).serve();
    let (url, bob) = (serving.url(), serving.token("bob"));
    assert_eq!(call(&url, Some(&bob), "write_file").status, 200);
    let rule = "[[upstream.tool]]\nmatch = \"write_*\"\nroles = [\"admin\"]\n";
    serving.rewrite("portcullis.toml", &toml(rule));
    let said = serving.reload();
    assert!(said.contains("the configuration is reloaded"), "{said}");
    call(&url, Some(&bob), "write_file");
    assert_eq!(serving.stop().code, 0);
    let lines = lines(&file.text());
    let outcomes: Vec<_> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["allowed", "hidden"]);
}

#[test]
fn lines_can_go_to_stdout() {
    let serving = Program::dev().env("PORTCULLIS_AUDIT_FILE", "-").serve();
    call(&serving.url(), None, "whoami");
    let ended = serving.stop();
    assert_eq!(lines(&ended.stdout)[0]["outcome"], "unauthenticated");
}

#[test]
fn sec_gw_25_without_its_audit_log_the_program_does_not_start() {
    for (to, said) in [
        ("/dev/null", "is no regular file"),
        ("no/such/folder/audit", "cannot be opened"),
    ] {
        let ended = Program::dev()
            .env("PORTCULLIS_AUDIT_FILE", to)
            .env("PORTCULLIS_LOG_FORMAT", "text")
            .end();
        assert_eq!(ended.code, 1, "{to}");
        assert!(ended.stderr.contains(said), "{ended:?}");
        assert!(ended.stderr.contains("hint"), "{ended:?}");
    }
}

/// A collector: what is sent to it.
fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, sent) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let told = told.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let (mut head, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if line == "\r\n" {
                            break;
                        }
                        let lower = line.to_ascii_lowercase();
                        if let Some(value) = lower.strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        head.push_str(&line);
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let _ = told.send((head, body));
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                }
            });
        }
    });
    (url, sent)
}

#[test]
fn spans_go_to_the_collector_that_the_standard_variable_names() {
    let (url, sent) = collector();
    let program = Program::dev()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=collector-secret")
        .env("OTEL_SERVICE_NAME", "notes-gate");
    let serving = program.env("PORTCULLIS_LOG_LEVEL", "trace").serve();
    let bob = serving.token("bob");
    call(&serving.url(), Some(&bob), "list_notes");
    let ended = serving.stop();
    assert_eq!(ended.code, 0, "{ended:?}");
    let has = |body: &[u8], text: &str| {
        let mut parts = body.windows(text.len());
        parts.any(|part| part == text.as_bytes())
    };
    let mut all = sent.try_iter();
    let (head, body) = all
        .find(|(head, _)| head.starts_with("POST /v1/traces"))
        .expect("the last spans are sent at the end");
    assert!(head.contains("x-key: collector-secret"), "{head}");
    assert!(has(&body, "tools/call list_notes") && has(&body, "notes-gate"));
    assert!(!has(&body, &bob));
    // SDK and client say much at this level, and not this.
    assert!(!ended.stderr.contains("collector-secret"), "{ended:?}");
    assert!(!ended.stderr.contains(&bob), "{ended:?}");
}

#[test]
fn a_collector_that_nobody_can_mean_is_a_mistake_in_the_file_alone() {
    let toml = "[auth]\nmode = \"none\"\n[otel]\nendpoint = \"ftp://collector\"\n";
    let validate = || Program::new(&["config", "validate", "--human"]);
    let ended = validate().toml(toml).end();
    assert_eq!(ended.code, 1);
    let said = "`otel.endpoint` is not the URL of a collector";
    assert!(ended.stderr.contains(said), "{ended:?}");
    let variable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let plain = validate()
        .toml("[auth]\nmode = \"none\"\n")
        .env(variable, "http://collector:4318");
    let ended = plain.end();
    assert_eq!(ended.code, 0, "it may be meant for others: {ended:?}");
    assert!(
        ended.stderr.contains("no URL that can be used"),
        "{ended:?}"
    );
}

#[test]
fn losing_lines_has_to_be_said_and_is_warned_of() {
    let validate = |audit: &str| {
        let toml = format!("[auth]\nmode = \"none\"\n[audit]\n{audit}");
        Program::new(&["config", "validate", "--human"])
            .toml(&toml)
            .end()
    };
    let ended = validate("file = \"a.jsonl\"\ndanger_drop_when_full = true\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("served and not written"), "{ended:?}");
    let ended = validate("danger_drop_when_full = true\n");
    assert_eq!(ended.code, 1, "{ended:?}");
}
