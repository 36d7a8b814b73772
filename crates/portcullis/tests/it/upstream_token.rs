//! `UpstreamToken` as an argument: of tools, prompts and resources, and what their callers are told
//! where there is none.

use std::sync::Arc;

use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use portcullis::auth::{
    Auth, BaseUrl, BearerToken, DownstreamApi, InteractionRequired, SecretString, TokenParts,
    TokenVerifier, Unavailable, UpstreamTokenError, UpstreamTokens, VerifyContext, VerifyError,
    load_upstream_tokens,
};
use portcullis::{
    AccessToken, Context, Prompt, Resource, Server, Tool, ToolError, UpstreamToken, scopes,
};
use portcullis_oauth::json::json;
use portcullis_testkit::CapturedLogs;

use crate::support::{BASE, Mcp, request};

const CANARY: &str = "upstream-canary-51c0";

/// A proxy's store, as its users' names have it.
struct Kept;

impl UpstreamTokens for Kept {
    fn load<'a>(
        &'a self,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<UpstreamToken, UpstreamTokenError>> {
        Box::pin(async move {
            match token.subject() {
                "ended" => Err(UpstreamTokenError::Ended),
                "down" => Err(Unavailable::new("the provider is out of reach").into()),
                name => Ok(UpstreamToken::new(SecretString::new(format!(
                    "{CANARY} of {name}"
                )))),
            }
        })
    }

    fn on_behalf_of<'a>(
        &'a self,
        token: &'a AccessToken,
        api: &'a DownstreamApi,
    ) -> BoxFuture<'a, Result<UpstreamToken, UpstreamTokenError>> {
        Box::pin(async move {
            match (token.subject(), api.asked_audience()) {
                ("alice", Some(api)) => Ok(UpstreamToken::new(SecretString::new(format!(
                    "{CANARY} at {api}"
                )))),
                ("bob", _) => Err(UpstreamTokenError::InteractionRequired(
                    InteractionRequired::new(Some(format!(r#"{{"{CANARY}":1}}"#))),
                )),
                ("carol", _) => Err(UpstreamTokenError::Ended),
                _ => Err(UpstreamTokenError::Refused),
            }
        })
    }
}

async fn elsewhere(token: UpstreamToken) -> Result<String, ToolError> {
    let api = DownstreamApi::new().audience("orders");
    Ok(owner(&token.on_behalf_of(api).await?))
}

/// Tokens are names; `local` comes without a provider.
struct Names;

impl TokenVerifier for Names {
    async fn verify(
        &self,
        token: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        let name = token.expose();
        let parts = TokenParts::new("https://auth.example.com", name).scopes(scopes!["read"]);
        let verified = AccessToken::assert_verified(parts);
        Ok(match name {
            "local" => verified,
            _ => verified.with_upstream_tokens(Arc::new(Kept)),
        })
    }
}

/// Whose the provider says that the token is.
fn owner(token: &UpstreamToken) -> String {
    let (_, name) = token.expose().rsplit_once(' ').unwrap();
    name.to_owned()
}

async fn late(ctx: Context, user: AccessToken) -> Result<String, ToolError> {
    ctx.report_progress(1.0, None).await;
    Ok(owner(&load_upstream_tokens(&user).await?))
}

fn mcp() -> Mcp {
    let base = BaseUrl::parse(BASE).unwrap();
    let auth = Auth::new(Names)
        .base_url(base)
        .authorization_server("https://auth.example.com");
    Mcp::new(
        Server::new("tokens")
            .tool(Tool::new("whoami", async |token: UpstreamToken| {
                owner(&token)
            }))
            .tool(Tool::new("maybe", async |token: Option<UpstreamToken>| {
                token.map_or("nobody".to_owned(), |token| owner(&token))
            }))
            .tool(Tool::new("late", late))
            .tool(Tool::new("elsewhere", elsewhere))
            .prompt(Prompt::new("whose", async |token: UpstreamToken| {
                owner(&token)
            }))
            .resource(Resource::new("user://me", async |token: UpstreamToken| {
                owner(&token)
            }))
            .auth(auth),
    )
}

#[tokio::test]
async fn a_handler_gets_the_token_of_whoever_called() {
    let mcp = mcp();
    for tool in ["whoami", "maybe", "late"] {
        let answer = mcp.call(Some("alice"), tool, json!({})).await;
        assert_eq!(
            answer.json()["result"]["content"][0]["text"],
            "alice",
            "{tool}"
        );
    }
    let answer = mcp
        .post(Some("bob"), "prompts/get", json!({"name": "whose"}))
        .await;
    assert!(answer.body.contains("bob"), "{}", answer.body);
    let answer = mcp
        .post(Some("bob"), "resources/read", json!({"uri": "user://me"}))
        .await;
    assert_eq!(answer.json()["result"]["contents"][0]["text"], "bob");
    let answer = mcp.call(Some("local"), "maybe", json!({})).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "nobody");
}

#[tokio::test]
async fn a_sign_in_that_has_ended_is_401_while_the_status_is_open() {
    let mcp = mcp();
    for (method, params) in [
        ("tools/call", json!({"name": "whoami"})),
        ("tools/call", json!({"name": "maybe"})),
        ("prompts/get", json!({"name": "whose"})),
        ("resources/read", json!({"uri": "user://me"})),
    ] {
        let answer = mcp.post(Some("ended"), method, params).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{method} {}",
            answer.body
        );
        let challenge = answer.challenge();
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{challenge}"
        );
        assert!(
            challenge.contains("oauth-protected-resource"),
            "{challenge}"
        );
    }
    // A stream that has begun keeps its 200, and the answer itself says what to do.
    for agent in ["some-client", "openai-mcp/1.0.0 (ChatGPT)"] {
        let mut draft = request(Some("ended"), "tools/call", json!({"name": "late"}));
        draft.params["_meta"]["progressToken"] = json!(1);
        let draft = draft.header("user-agent", agent);
        let answer = mcp.send(draft.body_of("tools/call")).await;
        assert_eq!(answer.status, StatusCode::OK);
        let body = &answer.body;
        assert!(
            body.contains("sign in again") && body.contains(r#""isError":true"#),
            "{body}"
        );
        let in_band = body.contains("mcp/www_authenticate") && body.contains("invalid_token");
        assert_eq!(in_band, agent.starts_with("openai"), "{body}");
    }
}

#[tokio::test]
async fn a_tool_has_a_token_of_another_api_or_its_caller_reads_why_not() {
    let logs = CapturedLogs::start();
    let mcp = mcp();
    for (caller, read) in [
        ("alice", "orders"),
        ("bob", "the identity provider asks the user for more"),
        ("dave", "the tool failed"),
    ] {
        let answer = mcp.call(Some(caller), "elsewhere", json!({})).await;
        let text = answer.json()["result"]["content"][0]["text"].clone();
        let text = text.as_str().unwrap();
        assert!(text.starts_with(read), "{caller}: {text}");
        assert!(!answer.body.contains(CANARY), "{}", answer.body);
    }
    let answer = mcp.call(Some("carol"), "elsewhere", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
    logs.assert_free_of(CANARY);
    // One that nobody loaded is nobody's.
    let made = UpstreamToken::new(SecretString::new(CANARY));
    let refused = made.on_behalf_of(DownstreamApi::new()).await.unwrap_err();
    assert!(matches!(refused, UpstreamTokenError::Unsupported));
}

#[tokio::test]
async fn a_provider_out_of_reach_is_a_failure_that_the_model_reads() {
    let mcp = mcp();
    for tool in ["whoami", "maybe", "late"] {
        let answer = mcp.call(Some("down"), tool, json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{tool}");
        let result = &answer.json()["result"];
        assert_eq!(result["isError"], true, "{tool}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("try again later"), "{tool}: {text}");
    }
}

#[tokio::test]
async fn sec_px_18_nobody_without_a_provider_behind_gets_a_token() {
    let mcp = mcp();
    // It is as protected as a tool that takes an `AccessToken`.
    let answer = mcp.call(None, "whoami", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = mcp
        .call(Some("local"), "whoami", json!({"token": CANARY}))
        .await;
    let result = &answer.json()["result"];
    assert_eq!(result["isError"], true);
    assert_eq!(result["content"][0]["text"], "the tool failed");
}

#[tokio::test]
async fn sec_px_05_no_log_has_an_upstream_token() {
    let logs = CapturedLogs::start();
    let mcp = mcp();
    for name in ["alice", "ended", "down", "local"] {
        for tool in ["whoami", "maybe", "late"] {
            let answer = mcp.call(Some(name), tool, json!({})).await;
            assert!(!answer.body.contains(CANARY), "{}", answer.body);
        }
    }
    logs.assert_free_of(CANARY);
}
