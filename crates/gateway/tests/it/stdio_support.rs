//! A client of a stdio upstream, in process, and the server that is behind it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_gateway::stdio::{StdioCommand, StdioLimits, StdioTransport, StdioTransportBuilder};
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_oauth::{MockClock, SharedClock};
use portcullis_resource_server::{AccessToken, TokenParts};
use tower::ServiceExt as _;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/stdio_server.py");

/// The test server with these flags.
pub(crate) fn command(flags: &[&str]) -> StdioCommand {
    StdioCommand::new("python3")
        .arg(SERVER)
        .args(flags.iter().copied())
}

pub(crate) fn limits() -> StdioLimits {
    StdioLimits::default().grace(Duration::from_millis(300), Duration::from_millis(300))
}

pub(crate) fn transport(flags: &[&str]) -> StdioTransportBuilder {
    StdioTransport::builder("test", command(flags)).limits(limits())
}

/// A clock that a test moves, in both of its shapes.
pub(crate) fn clock() -> (Arc<MockClock>, SharedClock) {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    (Arc::clone(&clock), clock)
}

pub(crate) fn token(subject: &str, claims: &Value) -> AccessToken {
    let claims = claims.as_object().cloned().unwrap_or_default();
    let parts = TokenParts::new("https://auth.example.com", subject).client_id("cli");
    AccessToken::assert_verified(parts.claims(claims))
}

/// What came back: the status and all messages.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) session: Option<String>,
    pub(crate) is_stream: bool,
    pub(crate) retry_after: Option<String>,
    pub(crate) text: String,
    pub(crate) messages: Vec<Value>,
}

impl Answer {
    pub(crate) fn last(&self) -> &Value {
        self.messages.last().unwrap()
    }

    pub(crate) fn code(&self) -> i64 {
        self.last()["error"]["code"].as_i64().unwrap()
    }

    /// What a tool said.
    pub(crate) fn said(&self) -> Value {
        let text = self.last()["result"]["content"][0]["text"].as_str();
        let text = text.unwrap_or_else(|| unreachable!("{self:?}"));
        json::value(text.as_bytes(), Limits::MCP).unwrap()
    }

    pub(crate) fn methods(&self) -> Vec<&str> {
        self.messages
            .iter()
            .filter_map(|message| message["method"].as_str())
            .collect()
    }
}

pub(crate) async fn read(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let header = |name: &str| {
        let value = parts.headers.get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let is_stream = header("content-type").is_some_and(|it| it == "text/event-stream");
    let session = header("mcp-session-id");
    let retry_after = header("retry-after");
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer {
        status: parts.status,
        session,
        is_stream,
        retry_after,
        messages: messages(&text),
        text,
    }
}

/// The messages of a body, one of JSON or a stream of events.
pub(crate) fn messages(text: &str) -> Vec<Value> {
    let parse = |line: &str| json::value(line.as_bytes(), Limits::MCP).ok();
    if let Some(message) = parse(text) {
        return vec![message];
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(|line| parse(line).unwrap()).collect()
}

/// A stream that is read bit by bit.
pub(crate) struct Stream(pub(crate) Body);

impl Stream {
    /// The messages of the next piece.
    pub(crate) async fn next(&mut self) -> Vec<Value> {
        loop {
            let Some(frame) = self.0.frame().await else {
                return Vec::new();
            };
            let data = frame.unwrap().into_data().unwrap();
            let found = messages(std::str::from_utf8(&data).unwrap());
            if !found.is_empty() {
                return found;
            }
        }
    }
}

/// Somebody with a token, and a session where there is one.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) transport: StdioTransport,
    pub(crate) token: Option<AccessToken>,
    pub(crate) session: Option<String>,
}

impl Client {
    pub(crate) fn new(transport: &StdioTransport, subject: &str) -> Self {
        Self::with(transport, Some(token(subject, &json!({}))))
    }

    pub(crate) fn with(transport: &StdioTransport, token: Option<AccessToken>) -> Self {
        Self {
            transport: transport.clone(),
            token,
            session: None,
        }
    }

    /// With a session of its own.
    pub(crate) async fn open(transport: &StdioTransport, subject: &str) -> Self {
        let mut client = Self::new(transport, subject);
        let answer = client.initialize().await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert!(client.session.is_some(), "{answer:?}");
        client
    }

    pub(crate) async fn initialize(&mut self) -> Answer {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "client", "version": "1"}});
        let answer = read(
            self.post(&request(&json!("init"), "initialize", &params))
                .await,
        )
        .await;
        self.session.clone_from(&answer.session);
        answer
    }

    pub(crate) async fn post(&self, message: &Value) -> Response<Body> {
        self.post_raw(message.to_string(), &[]).await
    }

    pub(crate) async fn post_raw(
        &self,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Response<Body> {
        self.send("POST", body.into(), headers).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        body: Body,
        headers: &[(&str, &str)],
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri("/mcp");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).unwrap();
        request
            .extensions_mut()
            .extend(self.token.clone().map(extensions).unwrap_or_default());
        self.transport.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn tool(&self, id: &Value, name: &str, args: &Value) -> Answer {
        read(self.post(&tool(id, name, args)).await).await
    }

    /// What a tool says, under id 1.
    pub(crate) async fn said(&self, name: &str, args: &Value) -> Value {
        self.tool(&json!(1), name, args).await.said()
    }

    /// The session's own stream.
    pub(crate) async fn listen(&self) -> Stream {
        let response = self.send("GET", Body::empty(), &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        Stream(response.into_body())
    }

    /// A request of 2026-07-28, with all its headers.
    pub(crate) async fn alone(&self, message: &Value) -> Response<Body> {
        let method = message["method"].as_str().unwrap();
        let mut headers = vec![
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        if let Some(name) = message["params"]["name"].as_str() {
            headers.push(("mcp-name", name));
        }
        self.post_raw(message.to_string(), &headers).await
    }
}

fn extensions(token: AccessToken) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    extensions.insert(token);
    extensions
}

pub(crate) fn request(id: &Value, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

pub(crate) fn tool(id: &Value, name: &str, args: &Value) -> Value {
    request(id, "tools/call", &json!({"name": name, "arguments": args}))
}

/// A tool's call of 2026-07-28.
pub(crate) fn tool_alone(id: &Value, name: &str, args: &Value) -> Value {
    with_meta(tool(id, name, args))
}

pub(crate) fn with_meta(mut message: Value) -> Value {
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "client", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    message
}

pub(crate) fn notification(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// Tries until it holds; for what another process does in its own time.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("never: {what}");
}

/// Whether a process runs.
pub(crate) fn is_alive(pid: &Value) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
