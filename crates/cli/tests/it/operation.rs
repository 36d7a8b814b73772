//! The program as its operator meets it: probes, the second listener, and how it ends.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::support::{Program, Serving, call, send, upstream};

/// A configuration with an admin listener in front of one server.
fn with_admin(upstream: &str, more: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\n{more}[auth]\nmode = \"none\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         allowed_hosts = [\"metrics.internal\"]\n[[upstream]]\nurl = \"{upstream}\"\n"
    )
}

#[test]
fn probes_move_to_the_admin_listener() {
    let serving = Program::new(&["run"])
        .toml(&with_admin(&upstream(), ""))
        .serve();
    let (url, admin) = (serving.url(), serving.admin());
    for probe in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(send(&format!("{admin}{probe}"), &[], None).status, 200);
        let public = url.replace("/mcp", probe);
        assert_eq!(send(&public, &[], None).status, 404, "{probe}");
    }
    assert_eq!(send(&format!("{admin}/mcp"), &[], None).status, 404);
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn the_demo_server_s_probes_move_too() {
    let program = Program::dev();
    let serving = program
        .env("PORTCULLIS_ADMIN_LISTEN", "127.0.0.1:0")
        .serve();
    let ready = format!("{}/readyz", serving.admin());
    assert_eq!(send(&ready, &[], None).status, 200);
    let public = serving.url().replace("/mcp", "/readyz");
    assert_eq!(send(&public, &[], None).status, 404);
}

#[test]
fn sec_gw_23_the_admin_listener_answers_to_its_own_names() {
    let serving = Program::new(&["run"])
        .toml(&with_admin(&upstream(), ""))
        .serve();
    let admin = serving.admin();
    let asks = |path: &str, host: &str| {
        let authority = admin.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(authority).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    for ours in ["127.0.0.1", "localhost:1", "metrics.internal"] {
        assert_eq!(asks("/nothing", ours), 404, "{ours}");
    }
    for theirs in ["evil.example", "127.0.0.1.evil.example:9090"] {
        assert_eq!(asks("/nothing", theirs), 403, "{theirs}");
        assert_eq!(asks("/readyz", theirs), 200, "{theirs}");
    }
}

/// A server that answers one request once it is told to. It says what arrives.
fn slow_upstream() -> (String, mpsc::Receiver<String>, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let ((arrived, arrival), (release, released)) = (mpsc::channel(), mpsc::channel());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        let head = String::from_utf8_lossy(&buffer[..read]);
        arrived.send(head.to_ascii_lowercase()).unwrap();
        let _ = released.recv();
        let said = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{said}",
            said.len()
        );
        let _ = released.recv();
    });
    (url, arrival, release)
}

#[test]
fn while_it_drains_it_is_alive_and_not_ready() {
    let (upstream, arrival, release) = slow_upstream();
    let toml = with_admin(&upstream, "drain = \"1h\"\n");
    let serving = Program::new(&["run"]).toml(&toml).serve();
    let (url, admin) = (serving.url(), serving.admin());
    let calling = std::thread::spawn(move || call(&url, None, "slow"));
    arrival.recv().unwrap();
    serving.signal("TERM");
    let probe = |path: &str| send(&format!("{admin}{path}"), &[], None).status;
    while probe("/readyz") == 200 {
        std::thread::yield_now();
    }
    assert_eq!(probe("/readyz"), 503);
    assert_eq!(probe("/livez"), 200);
    release.send(()).unwrap();
    assert_eq!(calling.join().unwrap().status, 200);
    let ended = serving.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_second_signal_does_not_wait_for_the_drain() {
    let (upstream, arrival, _release) = slow_upstream();
    let toml = with_admin(&upstream, "drain = \"1h\"\n");
    let serving = Program::new(&["run"]).toml(&toml).serve();
    let (url, admin) = (serving.url(), serving.admin());
    let calling = std::thread::spawn(move || {
        let _ = std::panic::catch_unwind(|| call(&url, None, "slow"));
    });
    arrival.recv().unwrap();
    serving.signal("TERM");
    while send(&format!("{admin}/readyz"), &[], None).status == 200 {
        std::thread::yield_now();
    }
    serving.signal("TERM");
    let ended = serving.ended();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("stopped before all"), "{ended:?}");
    calling.join().unwrap();
}

#[test]
fn mistakes_about_the_second_listener_are_found() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let toml = with_admin("http://127.0.0.1:1/mcp", "");
    let ended = Program::new(&["run", "--human"])
        .toml(&toml)
        .env("PORTCULLIS_ADMIN_LISTEN", &address)
        .end();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("another port in `admin.listen`"),
        "{ended:?}"
    );
    for (toml, fault) in [
        ("[admin]\nlisten = \"127.0.0.1:8000\"\n", "has the port of"),
        ("[admin]\nallowed_hosts = [\"a\"]\n", "has no effect"),
    ] {
        let ended = Program::new(&["config", "validate", "--human"])
            .toml(&format!("[auth]\nmode = \"none\"\n{toml}"))
            .end();
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains(fault), "{ended:?}");
    }
}

/// A call through one proxy, and what arrives at the server behind.
fn call_through_a_proxy(trusted: &str, headers: &[(&str, &str)]) -> String {
    let (upstream, arrival, release) = slow_upstream();
    let toml = format!(
        "listen = \"127.0.0.1:0\"\ntrusted_proxies = [\"{trusted}\"]\n\
         danger_allow_anonymous = true\n[auth]\nmode = \"none\"\n\
         [[upstream]]\nurl = \"{upstream}\"\nidentity = {{ forwarded = true }}\n"
    );
    let serving = Program::new(&["run"]).toml(&toml).serve();
    release.send(()).unwrap();
    let url = serving.url();
    let mut all = vec![
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ];
    all.extend(headers);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(send(&url, &all, Some(body)).status, 200);
    arrival.recv().unwrap()
}

#[test]
fn sec_gw_08_only_a_trusted_proxy_says_for_whom_it_calls() {
    let spoofed = [
        ("X-Forwarded-For", "6.6.6.6, 203.0.113.9"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Real-IP", "6.6.6.6"),
    ];
    let by_a_proxy = call_through_a_proxy("127.0.0.1", &spoofed);
    assert!(
        by_a_proxy.contains("\r\nx-forwarded-for: 203.0.113.9\r\n"),
        "{by_a_proxy}"
    );
    let by_a_stranger = call_through_a_proxy("10.0.0.0/8", &spoofed);
    assert!(
        by_a_stranger.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"),
        "{by_a_stranger}"
    );
    for seen in [by_a_proxy, by_a_stranger] {
        assert!(seen.contains("\r\nx-forwarded-proto: http\r\n"), "{seen}");
        assert!(seen.contains("\r\nx-forwarded-host: localhost:"), "{seen}");
        for word in ["evil", "gopher", "6.6.6.6"] {
            assert!(!seen.contains(word), "{word}: {seen}");
        }
    }
}

/// Not even a trusted proxy says under which URL this server is reached.
#[test]
fn sec_gw_08_no_url_is_made_of_a_forwarded_header() {
    let toml = format!(
        "listen = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n[auth]\nmode = \"server\"\n\
         [[upstream]]\nurl = \"{}\"\n",
        upstream()
    );
    let serving = Program::new(&["run"]).toml(&toml).serve();
    let headers = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=127.0.0.1;proto=https;host=evil.example"),
    ];
    let answer = send(&serving.url(), &headers, Some("{}"));
    assert_eq!(answer.status, 401);
    assert!(!answer.text.contains("evil"), "{answer:?}");
    let metadata = serving
        .url()
        .replace("/mcp", "/.well-known/oauth-protected-resource/mcp");
    let answer = send(&metadata, &headers, None);
    assert!(!answer.text.contains("evil"), "{answer:?}");
}

#[test]
fn sec_st_14_logs_that_cannot_be_written_stop_nothing() {
    let mut serving = crate::login::server("");
    serving.read_no_more();
    let base = serving.url().replace("/mcp", "");
    for _ in 0..3 {
        let asked = r#"{"redirect_uris":["http://127.0.0.1/cb"],"client_name":"c"}"#;
        let json = ("Content-Type", "application/json");
        let registered = send(&format!("{base}/oauth/register"), &[json], Some(asked));
        assert_eq!(registered.status, 201);
    }
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn sec_st_14_a_full_disk_under_the_logs_stops_no_start() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let program = Program::dev();
    let serving = program
        .env("PORTCULLIS_LOG_FILTER", "trace")
        .serve_logging_to(full.into());
    let token = serving.token("alice");
    assert_eq!(call(&serving.url(), Some(&token), "whoami").status, 200);
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn sec_gw_08_a_proxy_that_nobody_trusts_is_told_of_once() {
    let serving = crate::login::server("");
    for client in ["203.0.113.9", "203.0.113.10"] {
        for field in ["X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP"] {
            assert_eq!(send(&serving.url(), &[(field, client)], None).status, 401);
        }
    }
    let ended = serving.stop();
    let told = ended
        .stderr
        .matches("until it is among the trusted proxies");
    assert_eq!(told.count(), 3, "each field once: {}", ended.stderr);
}

/// A tunnel connects from this machine, under the host that it likes.
#[test]
fn sec_gw_09_what_a_proxy_passed_on_is_refused() {
    let open = |more: &str| {
        let toml = format!(
            "listen = \"127.0.0.1:0\"\n{more}[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"{}\"\n",
            upstream()
        );
        Program::new(&["run"]).toml(&toml).serve()
    };
    let json = ("Content-Type", "application/json");
    let accept = ("Accept", "application/json, text/event-stream");
    let ping = Some(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    let tunnel = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", "mcp.example.com"),
        ("Forwarded", "for=203.0.113.9"),
        ("X-Real-IP", "203.0.113.9"),
        ("Via", "1.1 tunnel"),
        ("CF-Connecting-IP", "203.0.113.9"),
        ("True-Client-IP", "203.0.113.9"),
    ];
    let dev = Program::dev().serve();
    let none = open("");
    let asked = open("danger_allow_anonymous = true\n");
    for field in tunnel {
        let post = |serving: &Serving| send(&serving.url(), &[json, accept, field], ping);
        for serving in [&dev, &none] {
            let refused = post(serving);
            assert_eq!(refused.status, 403, "{field:?}");
            assert!(refused.text.contains("\"error\":\"access_denied\""));
        }
        assert_eq!(post(&asked).status, 200, "{field:?}");
        let page = dev.url().replace("/mcp", "/oauth/login");
        let page = send(&page, &[("Accept", "text/html"), field], None);
        assert_eq!(page.status, 403);
        assert!(page.text.contains("choose another auth mode"), "{page:?}");
    }
    assert_eq!(send(&none.url(), &[json, accept], ping).status, 200);
    let alice = dev.token("alice");
    assert_eq!(call(&dev.url(), Some(&alice), "whoami").status, 200);
}
