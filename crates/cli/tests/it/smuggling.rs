//! Requests that two readers divide differently, on sockets, with a server behind that writes down
//! every byte.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Program, Serving};

/// What the server behind read, request by request.
type Seen = Arc<Mutex<Vec<String>>>;

fn behind() -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let seen = Seen::default();
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || echo(stream.unwrap(), &shared));
        }
    });
    (url, seen)
}

/// Reads by `Content-Length` alone, as the gateway writes it.
fn echo(mut stream: TcpStream, seen: &Seen) {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower
                .lines()
                .find_map(|it| it.strip_prefix("content-length: "));
            let length = length.map_or(0, |it| it.parse::<usize>().unwrap());
            if body.len() >= length {
                let whole = head.len() + 4 + length;
                let request: Vec<u8> = read.drain(..whole).collect();
                let request = String::from_utf8(request).unwrap();
                seen.lock().unwrap().push(request);
                let said = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
                stream.write_all(said.as_bytes()).unwrap();
                continue;
            }
        }
        match stream.read(&mut piece) {
            Ok(count @ 1..) => read.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
}

fn call(tool: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
}

struct Front {
    host: String,
    seen: Seen,
    _serving: Serving,
}

impl Front {
    fn start() -> Self {
        let (url, seen) = behind();
        let arguments = [
            "run",
            "--auth",
            "none",
            "--upstream",
            &url,
            "--listen",
            "127.0.0.1:0",
        ];
        let serving = Program::new(&arguments).serve();
        let url = serving.url();
        let host = url.strip_prefix("http://").unwrap();
        let host = host.strip_suffix("/mcp").unwrap().to_owned();
        Self {
            host,
            seen,
            _serving: serving,
        }
    }

    /// A whole request that nobody should find behind another one.
    fn hidden(&self) -> String {
        let body = call("hidden");
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nX-Hidden: 1\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
    }

    /// Sends bytes; what came back, and what the server behind read.
    fn send(&self, bytes: &[u8]) -> (String, Vec<String>) {
        self.seen.lock().unwrap().clear();
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(700)))
            .unwrap();
        // What is refused early is not read to its end.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            answer.extend_from_slice(&piece[..count]);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer, self.seen.lock().unwrap().clone())
    }

    fn request(&self, fields: &str, body: &str) -> Vec<u8> {
        let host = &self.host;
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{fields}\r\n{body}"
        )
        .into()
    }
}

/// At most one request went on, it is the one that is in sight, and nothing of the other is in it.
fn at_most_one(name: &str, (answer, seen): &(String, Vec<String>)) {
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{name}: {answer}");
    assert!(seen.len() <= 1, "{name}: {seen:?}");
    for seen in seen {
        let lower = seen.to_ascii_lowercase();
        let is_whole = seen.ends_with(&call("seen")) || seen.ends_with("\r\n\r\n");
        assert!(is_whole, "{name}: {seen}");
        for trace in ["hidden", "transfer-encoding", "upgrade", "trailer"] {
            assert!(!lower.contains(trace), "{name}: {seen}");
        }
    }
}

#[test]
fn sec_gw_06_one_request_in_front_is_one_behind() {
    let front = Front::start();
    let (visible, hidden) = (call("seen"), front.hidden());
    let n = visible.len();
    let chunks = format!("{n:x}\r\n{visible}\r\n0\r\n\r\n{hidden}");
    let plain = format!("{visible}{hidden}");
    for coding in [
        format!("Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {n}\r\n"),
        format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
            chunks.len()
        ),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Transfer-Encoding: identity, chunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding: \x0bchunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\x0b\r\n".to_owned(),
        "Transfer-Encoding:\r\n chunked\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
        "Transfer_Encoding: chunked\r\nTransfer-Encoding: gzip\r\n".to_owned(),
        format!("X: y\nTransfer-Encoding: chunked\r\nContent-Length: {n}\r\n"),
        format!("X: y\rTransfer-Encoding: chunked\r\nContent-Length: {n}\r\n"),
    ] {
        let sent = front.request(&coding, &chunks);
        at_most_one(&coding, &front.send(&sent));
    }
    for length in [
        format!("Content-Length: {n}\r\nContent-Length: 0\r\n"),
        format!("Content-Length: 0\r\nContent-Length: {n}\r\n"),
        format!("Content-Length: +{n}\r\n"),
        format!("Content-Length: -{n}\r\n"),
        format!("Content-Length: 0x{n:x}\r\n"),
        format!("Content-Length: {n}, {n}\r\n"),
        format!("Content-Length: {n} {n}\r\n"),
        format!("Content-Length : {n}\r\n"),
        format!("Content-Length:\r\n {n}\r\n"),
        "Content-Length: 99999999999999999999999\r\n".to_owned(),
        "Content-Length: \r\n".to_owned(),
    ] {
        let sent = front.request(&length, &plain);
        let outcome = front.send(&sent);
        assert!(outcome.1.is_empty(), "{length}: {outcome:?}");
        at_most_one(&length, &outcome);
    }
}

#[test]
fn sec_gw_06_chunks_and_trailers_hide_nothing() {
    let front = Front::start();
    let (visible, hidden) = (call("seen"), front.hidden());
    let n = visible.len();
    for body in [
        format!("{n:x};a\nb\r\n{visible}\r\n0\r\n\r\n{hidden}"),
        format!("{n:x}\n{visible}\n0\n\n{hidden}"),
        format!("{n:x} {n:x}\r\n{visible}\r\n0\r\n\r\n{hidden}"),
        format!("0x{n:x}\r\n{visible}\r\n0\r\n\r\n{hidden}"),
        format!("+{n:x}\r\n{visible}\r\n0\r\n\r\n{hidden}"),
        format!("{n:x}\r\n{visible}xx0\r\n\r\n{hidden}"),
        format!("ffffffffffffffffff{n:x}\r\n{visible}\r\n0\r\n\r\n{hidden}"),
        format!("-1\r\n{hidden}"),
    ] {
        let sent = front.request("Transfer-Encoding: chunked\r\n", &body);
        at_most_one(&body, &front.send(&sent));
    }
    let trailers = "Content-Length: 0\r\nTransfer-Encoding: chunked\r\nMcp-Session-Id: hidden\r\n";
    let body = format!("{n:x};x=y\r\n{visible}\r\n0\r\n{trailers}\r\n");
    let sent = front.request("Transfer-Encoding: chunked\r\n", &body);
    let outcome = front.send(&sent);
    assert_eq!(outcome.1.len(), 1, "{outcome:?}");
    at_most_one("trailers", &outcome);
}

#[test]
fn sec_gw_06_neither_old_nor_new_protocols_hide_a_request() {
    let front = Front::start();
    let (visible, hidden) = (call("seen"), front.hidden());
    let (n, host) = (visible.len(), front.host.clone());
    let fields = format!("Host: {host}\r\nContent-Type: application/json\r\n");
    let chunks = format!("{n:x}\r\n{visible}\r\n0\r\n\r\n{hidden}");
    for (name, sent) in [
        (
            "HTTP/1.0 with chunks",
            format!(
                "POST /mcp HTTP/1.0\r\n{fields}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
            ),
        ),
        ("HTTP/0.9", format!("POST /mcp\r\n{hidden}")),
        (
            "GET with a body",
            format!(
                "GET /mcp HTTP/1.1\r\n{fields}Content-Length: {}\r\n\r\n{hidden}",
                hidden.len()
            ),
        ),
        (
            "DELETE with chunks",
            format!(
                "DELETE /mcp HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n",
                hidden.len()
            ),
        ),
        (
            "CONNECT",
            format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        ),
        (
            "a line that is no field",
            format!("POST /mcp HTTP/1.1\r\n{fields}x\r\nContent-Length: {n}\r\n\r\n{visible}"),
        ),
        (
            "a fold before all fields",
            format!(
                "POST /mcp HTTP/1.1\r\n X-Hidden: 1\r\n{fields}Content-Length: {n}\r\n\r\n{visible}"
            ),
        ),
    ] {
        at_most_one(name, &front.send(sent.as_bytes()));
    }
    // Bytes behind an upgrade that nobody granted are a request like any other, or none: they never
    // go on as they are.
    let upgrade = format!("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {n}\r\n");
    let (answer, seen) = front.send(&front.request(&upgrade, &format!("{visible}{hidden}")));
    assert!(!answer.contains(" 101 "), "{answer}");
    for seen in seen {
        let lower = seen.to_ascii_lowercase();
        assert!(
            !lower.contains("x-hidden") && !lower.contains("upgrade"),
            "{seen}"
        );
    }
    let (_, seen) = front.send(&over_http2(&host));
    assert!(seen.is_empty(), "{seen:?}");
}

/// A request of HTTP/2 whose field would be two in HTTP/1.1 (RFC 9113 section 8.2.1).
fn over_http2(host: &str) -> Vec<u8> {
    let literal = |index: u8, text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        [&[index, length], text.as_bytes()].concat()
    };
    let mut block = vec![0x83, 0x86];
    block.extend(literal(0x04, "/mcp"));
    block.extend(literal(0x01, host));
    block.extend(literal(0x00, "content-type"));
    block.extend(literal(0x00, "application/json").split_off(1));
    block.extend(literal(0x00, "accept"));
    block.extend(literal(0x00, "a\r\nX-Hidden: 1\r\n\r\nGET /hidden HTTP/1.1").split_off(1));
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(4, 0, 0, &[]));
    sent.extend(frame(1, 4, 1, &block));
    sent.extend(frame(0, 1, 1, call("seen").as_bytes()));
    sent
}
