//! The calls of the tool, in both protocol eras.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderValue, Request, header, request::Builder};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    host::Host,
    load::{Target, once},
};

/// What the tool takes.
#[derive(serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Echo {
    /// What to say again.
    pub(crate) text: String,
}

const TEXT: &str = "the quick brown fox jumps over the lazy dog";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Era {
    Modern,
    Legacy,
}

impl Era {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        }
    }

    fn revision(self) -> &'static str {
        match self {
            Self::Modern => "2026-07-28",
            Self::Legacy => "2025-11-25",
        }
    }
}

/// A target whose every connection calls the tool, in a session of its own where there are sessions.
pub(crate) async fn target(
    host: &Host,
    era: Era,
    token: Option<&str>,
    connections: usize,
) -> Result<Target> {
    let calls = match era {
        Era::Modern => vec![modern_call(token)?],
        Era::Legacy => {
            let mut calls = Vec::new();
            for _ in 0..connections {
                let session = open_session(host, token).await?;
                calls.push(legacy_call(token, &session)?);
            }
            calls
        }
    };
    Target::new(host, calls, TEXT)
}

fn modern_call(token: Option<&str>) -> Result<Request<Full<Bytes>>> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": Era::Modern.revision(),
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let request = post(Era::Modern, token)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "echo");
    let params = json!({"name": "echo", "arguments": {"text": TEXT}, "_meta": meta});
    with_body(request, &call(&params))
}

fn legacy_call(token: Option<&str>, session: &HeaderValue) -> Result<Request<Full<Bytes>>> {
    let request = post(Era::Legacy, token).header("mcp-session-id", session);
    let params = json!({"name": "echo", "arguments": {"text": TEXT}});
    with_body(request, &call(&params))
}

/// The handshake; the answer is the session's id.
async fn open_session(host: &Host, token: Option<&str>) -> Result<HeaderValue> {
    let params = json!({
        "protocolVersion": Era::Legacy.revision(),
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    });
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let answer = once(host, with_body(post(Era::Legacy, token), &hello)?).await?;
    let session = answer.headers().get("mcp-session-id");
    let session = session.context("the server opened no session")?.clone();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let request = post(Era::Legacy, token).header("mcp-session-id", &session);
    once(host, with_body(request, &ready)?).await?;
    Ok(session)
}

fn call(params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
}

fn post(era: Era, token: Option<&str>) -> Builder {
    let request = Request::post("/mcp")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header("mcp-protocol-version", era.revision());
    match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    }
}

fn with_body(request: Builder, message: &Value) -> Result<Request<Full<Bytes>>> {
    request
        .body(Full::from(message.to_string()))
        .context("this is no request")
}
