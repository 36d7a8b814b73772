//! Servers behind that do not behave, for a while: the program stays up, and nothing is left of them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::support::{Program, Serving, send};

/// What the program holds.
#[derive(Debug, PartialEq, Eq, PartialOrd)]
struct Held {
    processes: usize,
    files: usize,
}

fn held(serving: &Serving) -> Held {
    let own = format!("/proc/{}", serving.id());
    let threads = fs::read_dir(format!("{own}/task")).unwrap();
    let children = threads.filter_map(|thread| {
        let path = thread.ok()?.path().join("children");
        Some(fs::read_to_string(path).ok()?.split_whitespace().count())
    });
    Held {
        processes: children.sum(),
        files: fs::read_dir(format!("{own}/fd")).unwrap().count(),
    }
}

/// The memory that it occupies, in KiB.
fn memory(serving: &Serving) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", serving.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

/// A server that does one bad thing after the other, a connection each.
fn bad() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            std::thread::spawn(move || misbehave(stream.unwrap(), at));
        }
    });
    url
}

fn misbehave(mut stream: TcpStream, at: usize) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let (first, more): (&str, &str) = match at % 8 {
        0 => ("", ""),
        1 => ("garbage\r\n\r\n", ""),
        2 => ("HTTP/1.1 200 OK\r\ncont", ""),
        3 => ("HTTP/1.1 200 OK\r\nx: ", "xxxxxxxxxxxxxxxx"),
        4 => ("HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}", ""),
        5 => (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}",
            "",
        ),
        6 => (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ",
            "xxxxxxxxxxxxxxxx",
        ),
        // Never answers; it sees that its client leaves.
        _ => {
            let _ = stream.read(&mut request);
            return;
        }
    };
    let _ = stream.write_all(first.as_bytes());
    let more = more.repeat(4096);
    while !more.is_empty() && stream.write_all(more.as_bytes()).is_ok() {}
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

fn call(tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#
    )
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Asks, and leaves after a while whatever came.
fn ask_and_leave(url: &str, session: &str, body: &str) {
    let (authority, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let patience = Some(Duration::from_millis(100));
    stream.set_read_timeout(patience).unwrap();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n{session}"
    );
    let length = body.len();
    let sent = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(sent.as_bytes()).unwrap();
    let mut read = [0; 4096];
    for _ in 0..8 {
        let _ = stream.read(&mut read);
    }
}

fn on_stdio(url: &str, last: &str) {
    let opened = send(url, &[JSON], Some(INITIALIZE));
    // One that keeps ending is not started again at once.
    if opened.status != 200 {
        assert!([502, 503].contains(&opened.status), "{opened:?}");
        return;
    }
    let id = opened.text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("mcp-session-id")
            .then_some(value.to_owned())
    });
    let id = id.unwrap();
    ask_and_leave(url, &format!("Mcp-Session-Id: {id}\r\n"), &call("hold"));
    let session = ("Mcp-Session-Id", &*id);
    for tool in ["garbage", "fork", last] {
        let answer = send(url, &[JSON, session], Some(&call(tool)));
        let is_clear = answer.status == 200 || answer.text.contains("incident");
        assert!(is_clear || answer.status == 404, "{tool}: {answer:?}");
    }
    let (authority, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let end = format!(
        "DELETE /{path} HTTP/1.1\r\nHost: {authority}\r\nMcp-Session-Id: {id}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(end.as_bytes()).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn sec_gw_17_servers_that_do_not_behave_leave_nothing_behind() {
    let server = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gateway/tests/it/stdio_server.py"
    );
    let toml = format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"none\"\n\
         [[upstream]]\nname = \"bad\"\npath = \"/bad\"\nurl = \"{}\"\n\
         [[upstream]]\nname = \"stdio\"\npath = \"/stdio\"\ncommand = [\"python3\", \"{server}\"]\n",
        bad()
    );
    let program = Program::new(&["run", "--log-level", "error"]).toml(&toml);
    let serving = program.serve();
    let base = serving.url();
    let base = base.rsplit_once('/').unwrap().0.to_owned();
    let (over_http, stdio) = (format!("{base}/bad"), format!("{base}/stdio"));
    let round = || {
        for _ in 0..8 {
            ask_and_leave(&over_http, "", &call("x"));
        }
        on_stdio(&stdio, "echo");
        on_stdio(&stdio, "exit");
    };
    round();
    let before = settled(&serving, None);
    let memory_before = memory(&serving);
    for _ in 0..4 {
        round();
    }
    let after = settled(&serving, Some(&before));
    assert!(after <= before, "{before:?} {after:?}");
    assert_eq!(after.processes, 0);
    let grown = memory(&serving).saturating_sub(memory_before);
    assert!(grown < 32 * 1024, "{grown} KiB");
    assert_eq!(send(&format!("{base}/livez"), &[], None).status, 200);
    assert_eq!(serving.stop().code, 0);
}

/// What it holds once all has ended, as far as that comes.
fn settled(serving: &Serving, wanted: Option<&Held>) -> Held {
    let mut last = held(serving);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(200));
        let now = held(serving);
        let is_wanted = match wanted {
            Some(wanted) => now <= *wanted,
            None => now == last,
        };
        if now.processes == 0 && is_wanted {
            return now;
        }
        last = now;
    }
    last
}
