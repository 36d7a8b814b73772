//! The calls of the tool, in both protocol eras.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header, request::Builder};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use crate::{
    host::Host,
    load::{
        Target,
        web::{self, begin, once},
    },
};

/// What the tool takes.
#[derive(serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Echo {
    /// What to say again.
    pub(crate) text: String,
}

pub(crate) const TEXT: &str = "the quick brown fox jumps over the lazy dog";

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

/// A target whose every connection calls `echo`, in a session of its own where there are sessions.
pub(crate) async fn target(
    host: &Host,
    era: Era,
    token: Option<&str>,
    connections: usize,
) -> Result<Target> {
    let calls = match era {
        Era::Modern => vec![modern_call(token, ECHO)?],
        Era::Legacy => {
            let mut calls = Vec::new();
            for _ in 0..connections {
                let session = open_session(host, token).await?;
                calls.push(legacy_call(token, &session, ECHO)?);
            }
            calls
        }
    };
    Ok(Target::Http(web::Target::new(host, calls, TEXT)?))
}

/// A target whose connections call `echo`, each with a token of its own.
pub(crate) async fn with_tokens(host: &Host, era: Era, tokens: &[String]) -> Result<Target> {
    let mut calls = Vec::new();
    for token in tokens {
        let token = Some(token.as_str());
        calls.push(match era {
            Era::Modern => modern_call(token, ECHO)?,
            Era::Legacy => legacy_call(token, &open_session(host, token).await?, ECHO)?,
        });
    }
    Ok(Target::Http(web::Target::new(host, calls, TEXT)?))
}

/// A target whose every connection lists the tools; the answer contains `expected`.
pub(crate) fn lists(host: &Host, token: Option<&str>, expected: &'static str) -> Result<Target> {
    let request = post(Era::Modern, token).header("mcp-method", "tools/list");
    let params = json!({"_meta": meta()});
    let request = with_body(request, &message("tools/list", &params))?;
    Ok(Target::Http(web::Target::new(host, [request], expected)?))
}

/// The tool that says again what it is told.
pub(crate) const ECHO: &str = "echo";

/// A call of a tool that stands alone.
pub(crate) fn modern_call(token: Option<&str>, tool: &str) -> Result<Request<Full<Bytes>>> {
    let request = post(Era::Modern, token)
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    with_body(request, &message("tools/call", &modern_params(tool)))
}

/// What a call says in revision 2026-07-28.
pub(crate) fn modern_params(tool: &str) -> Value {
    json!({"name": tool, "arguments": {"text": TEXT}, "_meta": meta()})
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": Era::Modern.revision(),
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A call of a tool in a session.
pub(crate) fn legacy_call(
    token: Option<&str>,
    session: &HeaderValue,
    tool: &str,
) -> Result<Request<Full<Bytes>>> {
    let request = post(Era::Legacy, token).header("mcp-session-id", session);
    let params = json!({"name": tool, "arguments": {"text": TEXT}});
    with_body(request, &message("tools/call", &params))
}

/// The handshake; the answer is the session's id.
async fn open_session(host: &Host, token: Option<&str>) -> Result<HeaderValue> {
    match try_session(host, token).await? {
        Ok(session) => Ok(session),
        Err(status) => bail!("the server opens no session: status {status}"),
    }
}

/// The same, where a refusal is no surprise: its status.
pub(crate) async fn try_session(
    host: &Host,
    token: Option<&str>,
) -> Result<Result<HeaderValue, StatusCode>> {
    let params = json!({
        "protocolVersion": Era::Legacy.revision(),
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    });
    let hello = with_body(post(Era::Legacy, token), &message("initialize", &params))?;
    let answer = begin(host, hello).await?;
    if !answer.status().is_success() {
        return Ok(Err(answer.status()));
    }
    let session = answer.headers().get("mcp-session-id");
    let session = session.context("the server opened no session")?.clone();
    answer.into_body().collect().await?;
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let request = post(Era::Legacy, token).header("mcp-session-id", &session);
    once(host, with_body(request, &ready)?).await?;
    Ok(Ok(session))
}

fn message(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
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
