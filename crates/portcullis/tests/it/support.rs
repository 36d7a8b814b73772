//! A client made of requests, and tokens that are names.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode},
};
use http_body_util::BodyExt as _;
use portcullis::scopes;
use portcullis::{
    AccessToken, Server,
    auth::{
        Auth, BaseUrl, BearerToken, Rejection, TokenParts, TokenVerifier, VerifyContext,
        VerifyError,
    },
};
use portcullis_oauth::json::{self, Limits, Value, json};
use tower::ServiceExt as _;

pub(crate) const BASE: &str = "https://mcp.example.com";

/// `alice` may read, `bob` too, `root` is an administrator who may do everything.
pub(crate) struct Names;

impl TokenVerifier for Names {
    async fn verify(
        &self,
        token: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        let name = token.expose();
        let parts = TokenParts::new("https://auth.example.com", name).client_id("cli");
        let parts = match name {
            "alice" | "bob" => parts.scopes(scopes!["read"]),
            "root" => {
                let claims = json!({"role": "admin"})
                    .as_object()
                    .cloned()
                    .unwrap_or_default();
                parts.scopes(scopes!["read", "write"]).claims(claims)
            }
            _ => return Err(Rejection::Unknown.into()),
        };
        Ok(AccessToken::assert_verified(parts))
    }
}

pub(crate) fn auth() -> Auth {
    let base = BaseUrl::parse(BASE).unwrap();
    Auth::new(Names)
        .base_url(base)
        .authorization_server("https://auth.example.com")
}

pub(crate) fn parsed(text: &str) -> Value {
    json::value(text.as_bytes(), Limits::MCP).unwrap()
}

/// What came back.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        parsed(&self.body)
    }

    pub(crate) fn challenge(&self) -> &str {
        self.headers
            .get("www-authenticate")
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) struct Mcp(pub(crate) Router);

impl Mcp {
    pub(crate) fn new(server: Server) -> Self {
        Self(server.into_router().unwrap())
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        answer(self.0.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path).header("host", "mcp.example.com");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// One request of revision 2026-07-28.
    pub(crate) async fn post(&self, token: Option<&str>, method: &str, params: Value) -> Answer {
        self.send(request(token, method, params).body_of(method))
            .await
    }

    /// The names in a list.
    pub(crate) async fn names(&self, token: Option<&str>, list: &str) -> Vec<String> {
        let answer = self.post(token, &format!("{list}/list"), json!({})).await;
        let items = answer.json()["result"][list].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn call(&self, token: Option<&str>, tool: &str, arguments: Value) -> Answer {
        self.post(
            token,
            "tools/call",
            json!({"name": tool, "arguments": arguments}),
        )
        .await
    }
}

/// A request in the making.
pub(crate) struct Draft {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) params: Value,
}

pub(crate) fn request(token: Option<&str>, method: &str, mut params: Value) -> Draft {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {
            "elicitation": {},
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        },
    });
    let mut headers = vec![
        ("host".to_owned(), "mcp.example.com".to_owned()),
        (
            "accept".to_owned(),
            "application/json, text/event-stream".to_owned(),
        ),
        ("content-type".to_owned(), "application/json".to_owned()),
        ("mcp-protocol-version".to_owned(), "2026-07-28".to_owned()),
        ("mcp-method".to_owned(), method.to_owned()),
    ];
    let name = ["name", "uri", "taskId"]
        .iter()
        .find_map(|member| params.get(*member));
    if let Some(name) = name.and_then(Value::as_str) {
        headers.push(("mcp-name".to_owned(), name.to_owned()));
    }
    if let Some(token) = token {
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    Draft { headers, params }
}

impl Draft {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body_of(self, method: &str) -> Request<Body> {
        let mut request = Request::post("/mcp");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": self.params});
        request.body(Body::from(body.to_string())).unwrap()
    }
}

async fn answer(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}
