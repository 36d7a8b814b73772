//! How clients are told that a tool needs more: by the status, or inside the answer (ChatGPT).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use portcullis_oauth::challenge::Challenge;
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_oauth::scopes;
use portcullis_resource_server::mcp::{ChallengeStyle, SecuritySchemes, StepUp};
use portcullis_resource_server::{AccessToken, Auth};
use tower::service_fn;

use crate::mcp::{Endpoint, INITIALIZE, LIST, auth, bearer, call};
use crate::support::{Answer, Tokens, request, send, with_required};

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

fn post(headers: &[(&str, &str)], body: &str) -> Request<Body> {
    request("POST", "/mcp", headers, body)
}

/// A call by a client that says in the message who it is.
fn call_by(client: &str, tool: &str) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": client, "version": "1.0.0"},
    });
    let params = json!({"name": tool, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params}).to_string()
}

/// The challenge inside an answer.
#[track_caller]
fn told_in_band(answer: &Answer) -> (Value, String) {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("www-authenticate"), None);
    let body = json::value(answer.body.as_bytes(), Limits::MCP).unwrap();
    assert_eq!(body["jsonrpc"], "2.0");
    let result = &body["result"];
    assert_eq!(result["isError"], true, "{body}");
    assert_eq!(result["content"][0]["type"], "text");
    let told = result["_meta"]["mcp/www_authenticate"].as_array().unwrap();
    assert_eq!(told.len(), 1);
    let challenge = told[0].as_str().unwrap().to_owned();
    let read = &Challenge::parse_all(&challenge).unwrap()[0];
    assert!(read.is_bearer());
    assert_eq!(read.get("resource_metadata"), Some(METADATA));
    assert!(read.get("error_description").is_some(), "{challenge}");
    (body, challenge)
}

#[tokio::test]
async fn m2_chatgpt_is_told_inside_the_answer() {
    let endpoint = Endpoint::protected();
    let by_status = endpoint.post("alice", &call("write_file")).await;
    assert_eq!(by_status.status, StatusCode::FORBIDDEN);
    let answer = endpoint.post("chatgpt", &call("write_file")).await;
    let (body, challenge) = told_in_band(&answer);
    assert_eq!(body["id"], 7);
    assert_eq!(challenge, by_status.challenge());
    assert!(challenge.contains(r#"error="insufficient_scope""#));
    assert!(challenge.contains(r#"scope="mcp:read files:write files:read""#));
    assert!(body["result"].get("resultType").is_none(), "{body}");

    let alice = bearer("alice");
    let alice = ("authorization", &*alice);
    let modern = call_by("openai-mcp(ChatGPT)", "write_file");
    let (body, same) = told_in_band(&endpoint.send(post(&[alice], &modern)).await);
    assert_eq!((&body["id"], &*same), (&json!("a"), by_status.challenge()));
    assert_eq!(body["result"]["resultType"], "complete");

    let agent = ("user-agent", "openai-mcp/1.0.0 (ChatGPT)");
    let answer = endpoint
        .send(post(&[alice, agent], &call("write_file")))
        .await;
    assert_eq!(told_in_band(&answer).1, by_status.challenge());
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn m2_other_clients_are_told_by_the_status() {
    let endpoint = Endpoint::protected();
    let codex = endpoint.post("codex", &call("write_file")).await;
    assert_eq!(codex.status, StatusCode::FORBIDDEN);
    let alice = bearer("alice");
    let alice = ("authorization", &*alice);
    for agent in ["Claude-User", "codex-mcp-client/0.161.0", "not openai-mcp"] {
        let headers = [alice, ("user-agent", agent)];
        let answer = endpoint.send(post(&headers, &call("write_file"))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{agent}");
        let answer = endpoint
            .send(post(&[alice], &call_by(agent, "write_file")))
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{agent}");
    }
}

#[tokio::test]
async fn m2_a_session_knows_who_opened_it() {
    let handshake = INITIALIZE.replace(
        r#""params":{}"#,
        r#""params":{"protocolVersion":"2025-11-25","clientInfo":{"name":"openai-mcp","version":"1.0.0"}}"#,
    );
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = service_fn(move |_: Request<Body>| {
        let id = format!("session-{}", counted.fetch_add(1, Ordering::SeqCst));
        let answer = Response::builder().header("mcp-session-id", id);
        async move { Ok::<_, Infallible>(answer.body(Body::empty()).unwrap()) }
    });
    let app = auth(with_required()).protect("/mcp", server).unwrap();
    let alice = bearer("alice");
    let alice = ("authorization", &*alice);
    for (opening, status) in [
        (&*handshake, StatusCode::OK),
        (INITIALIZE, StatusCode::FORBIDDEN),
    ] {
        let opened = send(app.clone(), post(&[alice], opening)).await;
        let session = ("mcp-session-id", opened.header("mcp-session-id").unwrap());
        let within = post(&[alice, session], &call("write_file"));
        assert_eq!(send(app.clone(), within).await.status, status, "{opening}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn m2_a_tool_that_needs_a_token_asks_chatgpt_to_sign_in() {
    let endpoint = Endpoint::new(&auth(Tokens::default()).anonymous_per_component());
    let agent = [("user-agent", "openai-mcp/1.0.0 (ChatGPT)")];
    let answer = endpoint.send(post(&agent, &call("write_file"))).await;
    let (_, challenge) = told_in_band(&answer);
    // It offers to sign in only where there is an error.
    assert!(challenge.contains(r#"error="insufficient_scope""#));
    assert!(challenge.contains(r#"scope="files:write files:read""#));
    let other = endpoint.send(post(&[], &call("write_file"))).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
    assert!(!other.challenge().contains("error="));
    assert_eq!(endpoint.calls(), 0);
    let free = endpoint.send(post(&agent, &call("read_file"))).await;
    assert_eq!((free.status, endpoint.calls()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn m2_only_an_answer_to_a_call_can_hold_a_challenge() {
    let style = ChallengeStyle::InBand;
    let endpoint = Endpoint::new(&auth(with_required()).challenge_style(style));
    let note = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"write_file"}}"#;
    let answer = endpoint.post("chatgpt", note).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    // At the door nobody has read what is asked for.
    let body = call("write_file");
    let agent = ("user-agent", "openai-mcp/1.0.0");
    for (token, status) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("Bearer expired"), StatusCode::UNAUTHORIZED),
        (Some("Bearer chatgpt.other"), StatusCode::FORBIDDEN),
    ] {
        let token = token.map(|token| ("authorization", token));
        let headers: Vec<_> = token.into_iter().chain([agent]).collect();
        let answer = endpoint.send(post(&headers, &body)).await;
        assert_eq!(answer.status, status);
        assert!(!answer.challenge().is_empty());
    }
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn m2_configuration_overrides_both() {
    let always = auth(with_required()).challenge_style(ChallengeStyle::InBand);
    let body = call("write_file");
    told_in_band(&Endpoint::new(&always).post("alice", &body).await);
    let never = auth(with_required()).challenge_style(ChallengeStyle::Http);
    let answer = Endpoint::new(&never).post("chatgpt", &body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

/// A server whose handlers find out late that a scope is missing.
fn late(auth: &Auth) -> Router {
    let server = service_fn(|request: Request<Body>| async move {
        let wish = request.extensions().get::<StepUp>().unwrap();
        wish.ask(scopes!["pay"]);
        let answer = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(answer.body(Body::from("{}")).unwrap())
    });
    auth.protect("/mcp", server).unwrap()
}

#[tokio::test]
async fn m2_a_scope_found_missing_while_a_call_runs_is_told_in_the_same_way() {
    let app = late(&auth(with_required()));
    let by = |who: &str, body: &str| {
        let token = bearer(who);
        send(app.clone(), post(&[("authorization", &*token)], body))
    };
    let by_status = by("alice", &call("pay")).await;
    assert_eq!(by_status.status, StatusCode::FORBIDDEN);
    let (body, challenge) = told_in_band(&by("chatgpt", &call("pay")).await);
    assert_eq!(body["id"], 7);
    assert_eq!(challenge, by_status.challenge());
    assert_eq!(by("chatgpt", LIST).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn sec_rs_07_who_passes_for_chatgpt_is_refused_all_the_same() {
    for style in [ChallengeStyle::Auto, ChallengeStyle::InBand] {
        let bounded = auth(with_required())
            .challenge_style(style)
            .grantable(|_: &AccessToken| scopes!["mcp:read"]);
        for (endpoint, needs) in [
            (
                Endpoint::new(&auth(with_required()).challenge_style(style)),
                "write_file",
            ),
            // Nobody can get it, so it is not there, in whatever words.
            (Endpoint::new(&bounded), "write_file"),
            (Endpoint::protected(), "secret"),
        ] {
            for who in ["chatgpt", "alice"] {
                let token = bearer(who);
                let headers = [
                    ("authorization", &*token),
                    ("user-agent", "openai-mcp/1.0.0"),
                ];
                for body in [call(needs), call_by("openai-mcp", needs)] {
                    let answer = endpoint.send(post(&headers, &body)).await;
                    let is_error = answer.body.contains(r#""isError":true"#);
                    let is_unknown = answer.body.contains("-32602");
                    assert!(is_error || is_unknown, "{answer:?}");
                }
            }
            assert_eq!(endpoint.calls(), 0, "{needs}");
        }
        let hidden = Endpoint::new(&bounded);
        let answer = hidden.post("chatgpt", &call("write_file")).await;
        assert!(answer.body.contains("Unknown tool"), "{answer:?}");
    }
}

/// Says what a list is to say of a tool.
fn listing(auth: &Auth) -> Router {
    let server = service_fn(|request: Request<Body>| async move {
        let schemes = request.extensions().get::<SecuritySchemes>();
        let said = schemes.map(|schemes| {
            let write = schemes.of_tool(Some(&scopes!["write"]));
            format!("{} {write}", schemes.of_tool(None))
        });
        let said = said.unwrap_or_else(|| "nothing".to_owned());
        Ok::<_, Infallible>(Response::new(Body::from(said)))
    });
    auth.protect("/mcp", server).unwrap()
}

#[tokio::test]
async fn m3_a_list_says_what_tools_need_to_those_who_ask_before_they_call() {
    let closed = listing(&auth(with_required()));
    let by = |app: &Router, who: &str, body: &str| {
        let token = bearer(who);
        send(app.clone(), post(&[("authorization", &*token)], body))
    };
    assert_eq!(by(&closed, "alice", LIST).await.body, "nothing");
    let told = r#"[{"scopes":["mcp:read"],"type":"oauth2"}] [{"scopes":["mcp:read","write"],"type":"oauth2"}]"#;
    assert_eq!(by(&closed, "chatgpt", LIST).await.body, told);
    assert_eq!(
        by(&closed, "chatgpt", &call("read_file")).await.body,
        "nothing"
    );
    let http = auth(with_required()).challenge_style(ChallengeStyle::Http);
    assert_eq!(by(&listing(&http), "chatgpt", LIST).await.body, "nothing");

    let open = listing(&auth(Tokens::default()).anonymous_per_component());
    let answer = send(open.clone(), post(&[], LIST)).await;
    let told = r#"[{"type":"noauth"}] [{"scopes":["write"],"type":"oauth2"}]"#;
    assert_eq!(answer.body, told);
    assert_eq!(by(&open, "alice", LIST).await.body, told);
}
