//! Who may do what, seen from outside.

use axum::http::StatusCode;
use portcullis::{
    AccessToken, Args, Background, Context, Elicited, Server, Tool, ToolError,
    access::{Rule, check, require_all, require_any, require_role, require_scopes},
    scopes,
};
use portcullis_oauth::json::{Value, json};
use proptest::prelude::*;

use crate::support::{Mcp, auth, request};

fn tools() -> Server {
    Server::new("s")
        .tool(Tool::new("whoami", async |token: AccessToken| {
            token.subject().to_owned()
        }))
        .tool(Tool::new("write", async || "written").require_scopes(scopes!["write"]))
        .tool(Tool::new("admin", async || "ruled").authorize(require_role("admin")))
        .auth(auth())
}

#[tokio::test]
async fn sec_rs_01_no_token_is_401_before_everything() {
    let mcp = Mcp::new(tools());
    let answer = mcp.call(None, "whoami", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
    assert!(
        answer.challenge().contains(metadata),
        "{}",
        answer.challenge()
    );
    assert_eq!(mcp.get("/mcp", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        mcp.get("/mcp/", None).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        mcp.call(Some("eve"), "whoami", json!({})).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn lists_and_calls_follow_one_predicate() {
    let mcp = Mcp::new(tools());
    assert_eq!(mcp.names(Some("alice"), "tools").await, ["whoami", "write"]);
    assert_eq!(
        mcp.names(Some("root"), "tools").await,
        ["whoami", "write", "admin"]
    );
    let answer = mcp.call(Some("root"), "admin", json!({})).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "ruled");
    let answer = mcp.call(Some("alice"), "whoami", json!({})).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "alice");
}

#[tokio::test]
async fn sec_rs_07_missing_scopes_are_403_with_all_that_is_needed() {
    let mcp = Mcp::new(tools());
    let answer = mcp.call(Some("alice"), "write", json!({})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let challenge = answer.challenge();
    assert!(
        challenge.contains(r#"error="insufficient_scope""#),
        "{challenge}"
    );
    assert!(challenge.contains(r#"scope="read write""#), "{challenge}");
    let answer = mcp.call(Some("root"), "write", json!({})).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_rs_07_scopes_found_missing_at_run_time_are_403_while_the_status_is_open() {
    async fn pay(ctx: Context) -> Result<&'static str, ToolError> {
        ctx.require_scopes(&scopes!["write"])?;
        Ok("paid")
    }
    async fn talk_and_pay(ctx: Context) -> Result<&'static str, ToolError> {
        ctx.report_progress(1.0, None).await;
        pay(ctx).await
    }
    let server = tools()
        .tool(Tool::new("pay", pay))
        .tool(Tool::new("talk_and_pay", talk_and_pay));
    let mcp = Mcp::new(server);
    let answer = mcp.call(Some("alice"), "pay", json!({})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
    let challenge = answer.challenge();
    assert!(challenge.contains(r#"scope="read write""#), "{challenge}");
    let answer = mcp.call(Some("root"), "pay", json!({})).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "paid");

    // A stream that has begun keeps its 200, and the answer itself says what is missing.
    let mut draft = request(Some("alice"), "tools/call", json!({"name": "talk_and_pay"}));
    draft.params["_meta"]["progressToken"] = json!(1);
    let answer = mcp.send(draft.body_of("tools/call")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.body.contains(r#""scope":"read write""#),
        "{}",
        answer.body
    );
    assert!(!answer.body.contains("www_authenticate"), "{}", answer.body);

    // There ChatGPT looks for the challenge, before a stream began and after.
    for tool in ["pay", "talk_and_pay"] {
        let mut draft = request(Some("alice"), "tools/call", json!({"name": tool}));
        draft.params["_meta"]["progressToken"] = json!(1);
        let draft = draft.header("user-agent", "openai-mcp/1.0.0 (ChatGPT)");
        let answer = mcp.send(draft.body_of("tools/call")).await;
        assert_eq!(answer.status, StatusCode::OK);
        let escaped = challenge.replace('"', r#"\""#);
        let told = format!(r#""mcp/www_authenticate":["{escaped}"]"#);
        assert!(answer.body.contains(&told), "{}", answer.body);
    }
}

#[tokio::test]
async fn m2_chatgpt_is_asked_to_sign_in_inside_the_answer() {
    let mcp = Mcp::new(tools());
    let by_status = mcp.call(Some("alice"), "write", json!({})).await;
    let draft = request(Some("alice"), "tools/call", json!({"name": "write"}));
    let draft = draft.header("user-agent", "openai-mcp/1.0.0 (ChatGPT)");
    let answer = mcp.send(draft.body_of("tools/call")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let result = &answer.json()["result"];
    assert_eq!(
        (&result["isError"], &result["resultType"]),
        (&json!(true), &json!("complete"))
    );
    let told = &result["_meta"]["mcp/www_authenticate"];
    assert_eq!(told, &json!([by_status.challenge()]));
}

#[tokio::test]
async fn sec_hidden_tool_is_unknown_by_its_headers() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Secret {
        #[expect(dead_code, reason = "only its header matters")]
        value: String,
    }
    let schema = json!({
        "type": "object",
        "properties": {"value": {"type": "string", "x-mcp-header": "Value"}},
    });
    let hidden = Tool::new("hidden", async |_: Args<Secret>| "").input_schema(schema);
    let mcp = Mcp::new(tools().tool(hidden.authorize(require_role("admin"))));
    let mut answers = Vec::new();
    for (token, tool) in [
        ("alice", "hidden"),
        ("alice", "nothing"),
        ("root", "hidden"),
    ] {
        let params = json!({"name": tool, "arguments": {"value": "a"}});
        let draft = request(Some(token), "tools/call", params).header("mcp-param-value", "b");
        answers.push(mcp.send(draft.body_of("tools/call")).await);
    }
    assert_eq!(answers[0].status, answers[1].status);
    assert_eq!(answers[0].body, answers[1].body);
    // The check itself is there, for those who see the tool.
    assert_eq!(answers[2].json()["error"]["code"], -32020);
}

#[tokio::test]
async fn sec_rs_19_request_state_is_bound_to_its_caller() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Name {
        name: String,
    }
    async fn ask(ctx: Context) -> Result<String, ToolError> {
        match ctx.elicit::<Name>("who", "Name?").await? {
            Elicited::Accepted(Name { name }) => Ok(name),
            _ => Err(ToolError::new("no name")),
        }
    }
    let mcp = Mcp::new(tools().tool(Tool::new("ask", ask)));
    let asked = mcp.call(Some("alice"), "ask", json!({})).await.json();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let again = json!({
        "name": "ask",
        "arguments": {},
        "requestState": asked["result"]["requestState"],
        "inputResponses": {"who": {"action": "accept", "content": {"name": "Ann"}}},
    });
    let own = mcp
        .post(Some("alice"), "tools/call", again.clone())
        .await
        .json();
    assert_eq!(own["result"]["content"][0]["text"], "Ann");
    let other = mcp.post(Some("bob"), "tools/call", again).await.json();
    assert_eq!(other["error"]["code"], -32602, "{other}");
}

#[tokio::test]
async fn sec_task_of_another_caller_is_unknown() {
    let job = Tool::new("job", async || "done").background(Background::Required);
    let mcp = Mcp::new(tools().tool(job));
    let task = mcp.call(Some("alice"), "job", json!({})).await.json();
    let id = task["result"]["taskId"].as_str().unwrap().to_owned();
    let unknown = {
        let params = json!({"taskId": "00000000-0000-4000-8000-000000000000"});
        mcp.post(Some("bob"), "tasks/get", params).await.body
    };
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let params = |id: &str| json!({"taskId": id, "inputResponses": {}});
        let foreign = mcp.post(Some("bob"), method, params(&id)).await;
        assert_eq!(foreign.body, unknown, "{method}");
        let own: Value = mcp.post(Some("alice"), method, params(&id)).await.json();
        assert!(own["error"].is_null(), "{method}: {own}");
    }
}

#[tokio::test]
async fn anonymous_tools_run_without_a_token_where_auth_allows_it() {
    let server = Server::new("s")
        .tool(Tool::new("open", async || "").anonymous())
        .tool(Tool::new("closed", async || ""));
    let mcp = Mcp::new(server.auth(auth().anonymous_per_component()));
    assert_eq!(mcp.names(None, "tools").await, ["open"]);
    assert_eq!(mcp.names(Some("alice"), "tools").await, ["open", "closed"]);
    assert_eq!(
        mcp.call(None, "open", json!({})).await.status,
        StatusCode::OK
    );
    let refused = mcp.call(None, "closed", json!({})).await;
    assert_eq!(
        refused.status,
        StatusCode::UNAUTHORIZED,
        "a client can log in now"
    );
    assert!(
        refused.challenge().contains("resource_metadata="),
        "{refused:?}"
    );
    assert!(!refused.challenge().contains("error="), "{refused:?}");
    let unknown = mcp.call(None, "nothing", json!({})).await;
    assert_eq!(refused, unknown);
}

#[tokio::test]
async fn a_mounted_server_with_auth_stays_closed_in_an_open_one() {
    let inner = Server::new("inner")
        .tool(Tool::new("t", async || ""))
        .auth(auth());
    let outer = Server::new("outer")
        .tool(Tool::new("free", async || ""))
        .mount("in", inner)
        .base_url(crate::support::BASE);
    let mcp = Mcp::new(outer.dangerous().allow_anonymous());
    assert_eq!(mcp.names(None, "tools").await, ["free"]);
    let closed = mcp.call(None, "in_t", json!({})).await;
    assert_eq!(closed.body, mcp.call(None, "nothing", json!({})).await.body);
}

#[tokio::test]
async fn no_credential_reaches_a_tool() {
    async fn dump(ctx: Context) -> String {
        format!("{:?}", ctx.http())
    }
    let mcp = Mcp::new(tools().tool(Tool::new("dump", dump)));
    let draft = request(Some("alice"), "tools/call", json!({"name": "dump"}));
    let request = draft
        .header("cookie", "sid=canary-cookie")
        .body_of("tools/call");
    let answer = mcp.send(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.body.contains("mcp-protocol-version"),
        "{}",
        answer.body
    );
    for secret in ["Bearer", "canary-cookie"] {
        assert!(!answer.body.contains(secret), "{secret}: {}", answer.body);
    }
}

#[tokio::test]
async fn m3_tools_say_what_they_need_where_some_need_no_token() {
    let tools = |auth| {
        Server::new("s")
            .tool(Tool::new("free", async || "free").anonymous())
            .tool(Tool::new("mine", async |_: AccessToken| ""))
            .tool(Tool::new("write", async || "").authorize(require_any([
                require_role("admin"),
                require_scopes(scopes!["write"]),
            ])))
            .auth(auth)
    };
    let mcp = Mcp::new(tools(auth().anonymous_per_component()));
    let told = async |token| {
        let answer = mcp.post(token, "tools/list", json!({})).await.json();
        let tools = answer["result"]["tools"].as_array().unwrap().clone();
        let said = |tool: &Value| {
            (
                tool["name"].clone(),
                tool["_meta"]["securitySchemes"].clone(),
            )
        };
        tools.iter().map(said).collect::<Vec<_>>()
    };
    let free = (json!("free"), json!([{"type": "noauth"}]));
    assert_eq!(told(None).await, std::slice::from_ref(&free));
    assert_eq!(
        told(Some("alice")).await,
        [
            free,
            (json!("mine"), json!([{"type": "oauth2"}])),
            (
                json!("write"),
                json!([{"type": "oauth2", "scopes": ["write"]}])
            ),
        ]
    );
}

#[tokio::test]
async fn m3_where_every_tool_needs_a_token_only_chatgpt_is_told() {
    let mcp = Mcp::new(tools());
    let list = mcp.post(Some("alice"), "tools/list", json!({})).await;
    assert!(!list.body.contains("securitySchemes"), "{}", list.body);
    let draft = request(Some("alice"), "tools/list", json!({}));
    let draft = draft.header("user-agent", "openai-mcp/1.0.0 (ChatGPT)");
    let list = mcp.send(draft.body_of("tools/list")).await.json();
    let write = &list["result"]["tools"][1];
    assert_eq!(write["name"], "write");
    let told = json!([{"type": "oauth2", "scopes": ["write"]}]);
    assert_eq!(write["_meta"]["securitySchemes"], told);
}

/// Rules that `alice` (may read), `bob` (too) and `root` (an admin, may do everything) meet or not.
fn rules() -> impl Strategy<Value = Rule> {
    let one = (0..5).prop_map(|kind| match kind {
        0 => require_scopes(scopes!["read"]),
        1 => require_scopes(scopes!["write"]),
        2 => require_scopes(scopes!["nobodys"]),
        3 => require_role("admin"),
        _ => check(|token| token.subject() == "bob"),
    });
    one.prop_recursive(2, 6, 3, |rule| {
        prop_oneof![
            prop::collection::vec(rule.clone(), 1..3).prop_map(require_all),
            prop::collection::vec(rule, 1..3).prop_map(require_any),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever sees a tool gets to it, or is told what is missing; for others there is none.
    #[test]
    fn m4_a_list_shows_what_a_call_allows(
        each in prop::collection::vec(prop::collection::vec(rules(), 0..3), 1..5),
        anonymous in any::<bool>(),
    ) {
        let mut server = Server::new("s").auth(auth().anonymous_per_component());
        for (at, rules) in each.iter().enumerate() {
            let tool = Tool::new(format!("tool{at}"), async || "ran");
            let is_open = rules.is_empty() && anonymous;
            let tool = if is_open { tool.anonymous() } else { tool };
            server = server.tool(rules.iter().cloned().fold(tool, Tool::authorize));
        }
        let mcp = Mcp::new(server);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for token in [None, Some("alice"), Some("bob"), Some("root")] {
                let listed = mcp.names(token, "tools").await;
                for at in 0..each.len() {
                    let name = format!("tool{at}");
                    let called = mcp.call(token, &name, json!({})).await;
                    let has_run = called.body.contains(r#""text":"ran""#);
                    let is_challenged = matches!(called.status.as_u16(), 401 | 403);
                    let is_unknown = called.body.contains("-32602");
                    let what_happened = [has_run, is_challenged, is_unknown];
                    prop_assert_eq!(what_happened.into_iter().filter(|it| *it).count(), 1);
                    // Without a token a challenge says nothing of what there is.
                    let may_see = if token.is_some() { !is_unknown } else { has_run };
                    prop_assert_eq!(listed.contains(&name), may_see, "{:?} {}", token, called.body);
                }
            }
            Ok(())
        })?;
    }
}
