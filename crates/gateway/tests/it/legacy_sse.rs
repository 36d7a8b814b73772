//! Clients that speak HTTP+SSE in front of servers of every kind.

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use portcullis_gateway::stdio::StdioTransportBuilder;
use portcullis_gateway::{HttpServer, Identity, Needs, Rules, Upstream};
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_oauth::scopes;
use tower::ServiceExt as _;

use crate::http_sse_server::{Manner, Old};
use crate::stdio_support::{eventually, is_alive, notification, request as rpc, tool, transport};
use crate::support::{Answer, Behind, front, request, send, with_type};

/// A client with its stream.
struct Client {
    app: Router,
    token: String,
    stream: Body,
    text: String,
    endpoint: String,
}

impl Client {
    async fn open(app: &Router, token: &str) -> Self {
        let get = request("GET", "/sse", token, &[], "");
        let response = app.clone().oneshot(get).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut client = Self {
            app: app.clone(),
            token: token.to_owned(),
            stream: response.into_body(),
            text: String::new(),
            endpoint: String::new(),
        };
        let (kind, endpoint) = client.event().await.unwrap();
        assert_eq!(kind, "endpoint");
        client.endpoint = endpoint;
        client
    }

    async fn handshake(&mut self) {
        let params = json!({"protocolVersion": "2024-11-05", "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"}});
        self.post(&rpc(&json!(0), "initialize", &params)).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], 0, "{answer}");
        assert!(answer["result"].is_object(), "{answer}");
        self.post(&notification("notifications/initialized", &json!({})))
            .await;
    }

    async fn post(&self, message: &Value) {
        let answer = self.post_as(&self.token, message).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    async fn post_as(&self, token: &str, message: &Value) -> Answer {
        let post = request("POST", &self.endpoint, token, &[], &message.to_string());
        send(&self.app, post).await
    }

    /// The next event; `None` when the stream ended.
    async fn event(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| line.strip_prefix(name).map(|it| it.trim().to_owned()))
                };
                let found = Some((field("event:").unwrap_or_default(), field("data:")));
                self.text = rest.to_owned();
                if let Some((kind, Some(data))) = found {
                    return Some((kind, data));
                }
                continue;
            }
            let frame = self.stream.frame().await?.unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn next(&mut self) -> Value {
        let (kind, data) = self.event().await.unwrap();
        assert_eq!(kind, "message");
        json::value(data.as_bytes(), Limits::MCP).unwrap()
    }

    async fn call(&mut self, id: i32, name: &str, args: &Value) -> Value {
        self.post(&tool(&json!(id), name, args)).await;
        self.answer(id).await
    }

    /// The answer to a request; what comes unasked before it does not matter.
    async fn answer(&mut self, id: i32) -> Value {
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
        }
    }
}

fn said(answer: &Value) -> Value {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    json::value(text.as_bytes(), Limits::MCP).unwrap()
}

fn in_front(server: Upstream) -> Router {
    front(server.legacy_sse("/sse", "/messages"))
}

fn stdio(server: StdioTransportBuilder) -> Router {
    in_front(Upstream::stdio(server))
}

#[tokio::test]
async fn a_program_on_stdio_serves_old_clients() {
    let app = stdio(transport(&[]));
    let mut alice = Client::open(&app, "alice").await;
    alice.handshake().await;
    let one = said(&alice.call(1, "echo", &json!({"say": "hi"})).await);
    assert_eq!(one["said"], "hi");
    let mut bob = Client::open(&app, "bob").await;
    bob.handshake().await;
    let other = said(&bob.call(1, "echo", &json!({"say": 2})).await);
    assert_ne!(one["pid"], other["pid"]);
    // A call that waits keeps no other from its answer.
    alice.post(&tool(&json!(5), "hold", &json!({}))).await;
    alice.post(&tool(&json!(6), "release", &json!({}))).await;
    let mut held = json!(null);
    while held["id"] != 5 {
        held = alice.next().await;
    }
    assert_eq!(said(&held), "released");
    drop(alice);
    eventually("its process ends", async || !is_alive(&one["pid"])).await;
    assert!(is_alive(&other["pid"]));
}

#[tokio::test]
async fn an_old_server_serves_old_clients() {
    let old = Old::start(Manner::Good).await;
    let app = in_front(Upstream::http_sse("old", old.url()));
    let mut alice = Client::open(&app, "alice").await;
    alice.handshake().await;
    let answer = said(&alice.call(1, "echo", &json!({"say": "hi"})).await);
    assert_eq!(answer["said"], "hi");
    drop(alice);
    eventually("its connection closes", async || old.connections() == 0).await;
}

#[tokio::test]
async fn sec_rs_16_a_legacy_message_is_its_senders() {
    let behind = Behind::start().await;
    let identity = Identity::new().header("X-Scope", "{scope}").unwrap();
    let server = HttpServer::new(behind.url()).identity(identity);
    let app = in_front(Upstream::http("behind", server));
    let mut alice = Client::open(&app, "alice.a").await;
    let mut initialized = with_type(
        "application/json",
        Body::from(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#),
    );
    let id = "session-of-the-server".parse().unwrap();
    initialized.headers_mut().insert("mcp-session-id", id);
    behind.answers(initialized);
    alice.post(&rpc(&json!(0), "initialize", &json!({}))).await;
    assert_eq!(alice.next().await["id"], 0);
    eventually("its stream is asked for", async || behind.seen().len() == 2).await;
    let events = ": hello\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":1}}\n\n";
    behind.answers(with_type("text/event-stream", Body::from(events)));
    // The same principal, with another token.
    let call = tool(&json!(1), "x", &json!({}));
    assert_eq!(alice.post_as("alice.b", &call).await.status, 202);
    assert_eq!(alice.next().await["result"]["x"], 1);
    let seen = behind.seen();
    let scopes: Vec<_> = seen.iter().map(|seen| &seen.headers["x-scope"]).collect();
    assert_eq!(scopes, ["a", "a", "b"]);
    assert_eq!(seen[2].headers["mcp-session-id"], "session-of-the-server");
    assert!(seen.iter().all(|seen| seen.target == "/mcp"), "{seen:?}");
    // Another one's message is for a session that does not exist.
    assert_eq!(alice.post_as("bob.a", &call).await.status, 404);
    assert_eq!(alice.post_as("", &call).await.status, 401);
    assert_eq!(behind.seen().len(), 3);
    drop(alice);
    eventually("its session ends", async || behind.seen().len() == 4).await;
}

#[tokio::test]
async fn sec_gw_13_rules_hold_for_old_clients() {
    let rules = Rules::new();
    let rules = rules.tool("echo", Needs::scopes(scopes!["write"])).unwrap();
    let rules = rules.tool("hold", Needs::roles(["admin"])).unwrap();
    let app = in_front(Upstream::stdio(transport(&[])).rules(rules));
    let mut alice = Client::open(&app, "alice").await;
    alice.handshake().await;
    let echo = tool(&json!(1), "echo", &json!({}));
    let refused = alice.post_as("alice", &echo).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(
        refused
            .header("www-authenticate")
            .unwrap()
            .contains("write")
    );
    // What is hidden is unknown, and said on the stream.
    alice.post(&tool(&json!(2), "hold", &json!({}))).await;
    let unknown = alice.answer(2).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    alice.post(&rpc(&json!(3), "tools/list", &json!({}))).await;
    let list = alice.answer(3).await;
    assert!(!list.to_string().contains("\"hold\""), "{list}");
    assert_eq!(alice.post_as("alice.write", &echo).await.status, 202);
    assert!(alice.answer(1).await["result"].is_object());
}

#[tokio::test]
async fn a_server_that_ends_ends_the_stream() {
    let app = stdio(transport(&[]));
    let mut alice = Client::open(&app, "alice").await;
    alice.handshake().await;
    let answer = alice.call(1, "exit", &json!({})).await;
    assert_eq!(answer["error"]["code"], -32000, "{answer}");
    let echo = tool(&json!(2), "echo", &json!({}));
    alice.post_as("alice", &echo).await;
    assert_eq!(alice.event().await, None);
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_on_the_stream() {
    let behind = Behind::start().await;
    behind.answers(crate::support::with_status(500, "secret of the server"));
    let app = in_front(behind.upstream());
    let mut alice = Client::open(&app, "alice").await;
    alice
        .post(&rpc(&json!("i"), "initialize", &json!({})))
        .await;
    let answer = alice.next().await;
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&json!("i"), &json!(-32000))
    );
    assert!(!answer.to_string().contains("secret"), "{answer}");
}
