//! Clients of revision 2024-11-05.

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use futures_util::{StreamExt as _, stream::BoxStream};
use portcullis::{AccessToken, Context, Server, Tool, ToolError, scopes};
use portcullis_oauth::json::{self, Limits, Value, json};
use tower::ServiceExt as _;

use crate::support::{Answer, Mcp, auth};

async fn whoami(token: AccessToken) -> String {
    token.subject().to_owned()
}

async fn asks_late(cx: Context) -> Result<&'static str, ToolError> {
    cx.require_scopes(&scopes!["write"])?;
    Ok("written")
}

fn server() -> Server {
    Server::new("s")
        .tool(Tool::new("whoami", whoami))
        .tool(Tool::new("writer", async || "written").require_scopes(scopes!["write"]))
        .tool(Tool::new("late", asks_late))
        .tool(Tool::new("secret", async || "seen").allow_if(|_| false))
        .auth(auth())
}

/// One client's stream.
struct Client<'a> {
    mcp: &'a Mcp,
    events: BoxStream<'static, Result<Bytes, axum::Error>>,
    endpoint: String,
}

impl<'a> Client<'a> {
    async fn connect(mcp: &'a Mcp, who: &str) -> Self {
        let request = Request::get("/sse")
            .header("host", "mcp.example.com")
            .header("authorization", format!("Bearer {who}"));
        let request = request.body(Body::empty()).unwrap();
        let response = mcp.0.clone().oneshot(request).await.unwrap();
        let mut client = Self {
            mcp,
            events: response.into_body().into_data_stream().boxed(),
            endpoint: String::new(),
        };
        client.endpoint = client.event("endpoint").await;
        let hello = json!({"protocolVersion": "2024-11-05", "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"}});
        let hello = client.ask(who, "initialize", hello).await;
        assert_eq!(hello["result"]["protocolVersion"], "2024-11-05");
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(client.post(who, &ready).await.status, StatusCode::ACCEPTED);
        client
    }

    async fn post(&self, who: &str, message: &Value) -> Answer {
        let request = Request::post(&self.endpoint)
            .header("host", "mcp.example.com")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {who}"));
        let request = request.body(Body::from(message.to_string())).unwrap();
        self.mcp.send(request).await
    }

    async fn ask(&mut self, who: &str, method: &str, params: Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        assert_eq!(self.post(who, &message).await.status, StatusCode::ACCEPTED);
        json::value(self.event("message").await.as_bytes(), Limits::MCP).unwrap()
    }

    async fn call(&mut self, who: &str, tool: &str) -> Value {
        self.ask(who, "tools/call", json!({"name": tool})).await
    }

    async fn event(&mut self, name: &str) -> String {
        let bytes = self.events.next().await.unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let data = text
            .strip_prefix(&format!("event: {name}\ndata: "))
            .unwrap();
        data.trim_end().to_owned()
    }
}

#[tokio::test]
async fn an_old_client_lists_and_calls() {
    let mcp = Mcp::new(server().legacy_sse(true));
    let mut alice = Client::connect(&mcp, "alice").await;
    let list = alice.ask("alice", "tools/list", json!({})).await;
    let tools = list["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["whoami", "writer", "late"]);
    let said = alice.call("alice", "whoami").await;
    assert_eq!(said["result"]["content"][0]["text"], "alice");
    let secret = alice.call("alice", "secret").await;
    let nobodys = alice.call("alice", "nothing").await;
    let shape = |answer: &Value, name: &str| answer.to_string().replace(name, "X");
    assert_eq!(shape(&secret, "secret"), shape(&nobodys, "nothing"));
}

#[tokio::test]
async fn sec_rs_07_a_missing_scope_is_403_for_an_old_client_too() {
    let mcp = Mcp::new(server().legacy_sse(true));
    let mut alice = Client::connect(&mcp, "alice").await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "writer"}});
    let refused = alice.post("alice", &call).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.challenge().contains(r#"scope="read write""#));
    // What a handler finds missing comes after the status, and so in the answer.
    let late = alice.call("alice", "late").await;
    assert_eq!(late["result"]["isError"], true, "{late}");
    let foreign = alice.post("root", &call).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "not root's session");
    let mut root = Client::connect(&mcp, "root").await;
    let said = root.call("root", "writer").await;
    assert_eq!(said["result"]["content"][0]["text"], "written");
}

#[tokio::test]
async fn the_old_transport_is_off_unless_asked_for() {
    let off = Mcp::new(server().route("/sse", axum::routing::get(async || "mine")));
    assert_eq!(off.get("/sse", None).await.body, "mine");
    let missing = off.get("/messages", Some("alice")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    for path in ["/sse", "/messages", "/sse/"] {
        let taken = server().legacy_sse(true);
        let taken = taken.route(path, axum::routing::get(async || "mine"));
        assert!(taken.into_router().is_err(), "{path}");
    }
    assert!(
        server()
            .legacy_sse(true)
            .mcp_path("/sse")
            .into_router()
            .is_err()
    );
}

#[tokio::test]
async fn a_server_that_stops_ends_old_streams() {
    let server = server().legacy_sse(true);
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve_with_listener(socket));
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let head = "GET /sse HTTP/1.1\r\nHost: mcp.example.com\r\nAuthorization: Bearer alice\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
        .await
        .unwrap();
    let mut bytes = [0; 64];
    assert!(
        tokio::io::AsyncReadExt::read(&mut stream, &mut bytes)
            .await
            .unwrap()
            > 0
    );
    handle.stop();
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)
        .await
        .unwrap();
    serving.await.unwrap().unwrap();
}
