//! Rules: what a caller sees is what a caller may call.

use axum::Router;
use axum::body::{Body, Bytes};
use portcullis_gateway::{Gateway, Needs, Rules};
use portcullis_oauth::json::json;
use portcullis_oauth::scopes;
use portcullis_testkit::CapturedLogs;
use proptest::prelude::*;

use crate::support::{Behind, auth, call, front, open, post, request, send, with_type};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const TOOLS: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"},{"name":"admin_reset"},{"name":"write_file"}]}}"#;
const SHOWN: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"},{"name":"write_file"}]}}"#;

fn ruled(behind: &Behind) -> Router {
    let rules = Rules::new()
        .tool("write_*", Needs::scopes(scopes!["write"]))
        .unwrap()
        .tool("admin_*", Needs::roles(["admin"]))
        .unwrap();
    front(behind.upstream().rules(rules))
}

#[tokio::test]
async fn m4_a_list_shows_what_a_call_allows() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    for token in ["alice", "admin", "alice.write"] {
        behind.answers_json(TOOLS);
        let list = post(&app, token, LIST).await;
        assert_eq!(list.status, 200);
        for tool in ["read", "admin_reset", "write_file"] {
            let before = behind.seen().len();
            let called = post(&app, token, &call(tool)).await;
            let is_unknown = called.body.contains("-32602");
            assert_eq!(list.body.contains(tool), !is_unknown, "{token} {tool}");
            let went_through = behind.seen().len() > before;
            assert_eq!(went_through, called.status == 200 && !is_unknown);
        }
    }
}

#[tokio::test]
async fn m4_a_list_shows_nothing_that_the_caller_can_never_get() {
    let behind = Behind::start().await;
    let rules = Rules::new()
        .tool("write_*", Needs::scopes(scopes!["write"]))
        .unwrap();
    let nobody_writes = auth()
        .scopes_supported(scopes!["read"])
        .only_supported_scopes();
    let gateway = Gateway::new(nobody_writes)
        .unwrap()
        .upstream(behind.upstream().rules(rules));
    let app = gateway.build().unwrap().router();
    behind.answers_json(TOOLS);
    let list = post(&app, "alice", LIST).await;
    assert!(list.body.contains("admin_reset"), "{list:?}");
    assert!(!list.body.contains("write_file"), "{list:?}");
    let called = post(&app, "alice", &call("write_file")).await;
    assert!(called.body.contains("-32602"), "{called:?}");
}

#[tokio::test]
async fn a_rule_that_matches_no_tool_is_told_once() {
    let logs = CapturedLogs::start();
    let behind = Behind::start().await;
    let rules = Rules::new()
        .tool("write_*", Needs::scopes(scopes!["write"]))
        .unwrap()
        .tool("delte_*", Needs::roles(["admin"]))
        .unwrap();
    let app = front(behind.upstream().rules(rules));
    let page = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"}],"nextCursor":"a"}}"#;
    for answer in [page, TOOLS, TOOLS] {
        behind.answers_json(answer);
        assert_eq!(post(&app, "alice", LIST).await.status, 200);
        let is_told = logs.text().contains("delte_");
        assert_eq!(is_told, answer == TOOLS, "only once all was seen");
    }
    let text = logs.text();
    assert_eq!(text.matches("matches no tool").count(), 1, "{text}");
}

const NAMES: [&str; 6] = ["a", "ab", "Ab", "b", "abc", "xb"];

/// Rules of one to four patterns, that `alice`, `admin` and somebody without a token meet or not.
fn rules() -> impl Strategy<Value = Rules> {
    let pattern = prop::sample::select(vec!["*", "a*", "*b", "ab", "A*", "x?b", "b"]);
    let needs = (0..6).prop_map(|kind| match kind {
        0 => Needs::nothing(),
        1 => Needs::scopes(scopes!["write"]),
        2 => Needs::scopes(scopes!["nobodys"]),
        3 => Needs::roles(["admin"]),
        4 => Needs::scopes(scopes!["write"]).and_roles(["alice"]),
        _ => Needs::no_token(),
    });
    let each = prop::collection::vec((pattern, needs), 1..5);
    (each, any::<bool>()).prop_map(|(each, denies)| {
        let rules = each
            .into_iter()
            .fold(Rules::new(), |rules, (pattern, needs)| {
                rules.tool(pattern, needs).unwrap()
            });
        if denies { rules.deny_others() } else { rules }
    })
}

/// What became of a call.
#[derive(Debug, PartialEq)]
enum Called {
    Ran,
    Challenged,
    Unknown,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whoever sees a tool gets to it, or is told what is missing; for others there is none.
    #[test]
    fn m4_whatever_the_rules_are_a_list_shows_what_a_call_allows(
        rules in rules(),
        anonymous in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let behind = Behind::start().await;
            let auth = if anonymous { auth().anonymous_per_component() } else { auth() };
            let gateway = Gateway::new(auth).unwrap().upstream(behind.upstream().rules(rules));
            let app = gateway.build().unwrap().router();
            let tokens = ["alice", "alice.write", "admin", "admin.write", ""];
            let tokens = tokens.into_iter().filter(|token| anonymous || !token.is_empty());
            for token in tokens {
                let tools: Vec<_> = NAMES.iter().map(|name| json!({"name": name})).collect();
                let all = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}});
                behind.answers_json(&all.to_string());
                let listed = post(&app, token, LIST).await;
                for name in NAMES {
                    let before = behind.seen().len();
                    let answer = post(&app, token, &call(name)).await;
                    let called = match answer.status {
                        401 | 403 => Called::Challenged,
                        _ if answer.body.contains("-32602") => Called::Unknown,
                        _ => Called::Ran,
                    };
                    let is_listed = listed.body.contains(&format!(r#""name":"{name}""#));
                    prop_assert_eq!(is_listed, called != Called::Unknown, "{} {}", token, name);
                    prop_assert_eq!(behind.seen().len() > before, called == Called::Ran);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn m3_tools_without_a_token_list_and_run() {
    let behind = Behind::start().await;
    let rules = Rules::new().tool("read", Needs::no_token()).unwrap();
    let rules = rules.tool("admin_*", Needs::roles(["admin"])).unwrap();
    let app = Gateway::new(auth().anonymous_per_component())
        .unwrap()
        .upstream(behind.upstream().rules(rules))
        .build()
        .unwrap()
        .router();
    behind.answers_json(TOOLS);
    let list = post(&app, "", LIST).await;
    let needs = |schemes: &str| {
        format!(r#""securitySchemes":[{schemes}],"_meta":{{"securitySchemes":[{schemes}]}},"#)
    };
    let (read, write) = (needs(r#"{"type":"noauth"}"#), needs(r#"{"type":"oauth2"}"#));
    let shown = SHOWN.replace(r#"{"name":"read"#, &format!(r#"{{{read}"name":"read"#));
    let shown = shown.replace(r#"{"name":"write"#, &format!(r#"{{{write}"name":"write"#));
    assert_eq!((list.status, list.body), (200, shown));
    assert_eq!(post(&app, "", &call("read")).await.status, 200);
    assert_eq!(post(&app, "", &call("write_file")).await.status, 401);
    let hidden = post(&app, "", &call("admin_reset")).await;
    assert!(hidden.body.contains("-32602"), "{hidden:?}");
    assert_eq!(post(&app, "bad token", &call("read")).await.status, 401);
    assert_eq!(behind.seen().len(), 2);
}

#[tokio::test]
async fn m1_a_missing_scope_is_403_with_what_is_needed() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let answer = post(&app, "alice.notes", &call("write_file")).await;
    assert_eq!(answer.status, 403);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.contains(r#"error="insufficient_scope""#),
        "{challenge}"
    );
    assert!(challenge.contains(r#"scope="notes write""#), "{challenge}");
    assert!(behind.seen().is_empty());
    assert_eq!(
        post(&app, "alice.write", &call("write_file")).await.status,
        200
    );
}

#[tokio::test]
async fn m2_chatgpt_is_asked_for_more_inside_the_answer() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let by_status = post(&app, "alice.notes", &call("write_file")).await;
    let agent = [("user-agent", "openai-mcp/1.0.0 (ChatGPT)")];
    let called = request("POST", "/mcp", "alice.notes", &agent, &call("write_file"));
    let answer = send(&app, called).await;
    assert_eq!(answer.status, 200);
    let challenge = by_status.header("www-authenticate").unwrap();
    let told = format!(
        r#""mcp/www_authenticate":["{}"]"#,
        challenge.replace('"', r#"\""#)
    );
    assert!(answer.body.contains(&told), "{answer:?}");
    assert!(
        answer
            .body
            .starts_with(r#"{"jsonrpc":"2.0","id":7,"result":{"#)
    );
    let hidden = request("POST", "/mcp", "alice", &agent, &call("admin_reset"));
    assert!(send(&app, hidden).await.body.contains("-32602"));
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn m3_where_every_tool_needs_a_token_only_chatgpt_is_told() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let spaced = TOOLS.replace("},{", "} ,\n {");
    behind.answers_json(&spaced);
    let others = post(&app, "admin.write", LIST).await;
    assert_eq!(others.body, spaced);
    behind.answers_json(&spaced);
    let agent = [("user-agent", "openai-mcp/1.0.0 (ChatGPT)")];
    let list = request("POST", "/mcp", "admin.write", &agent, LIST);
    let told = send(&app, list).await.body;
    let said = |schemes: &str| {
        format!(r#""securitySchemes":[{schemes}],"_meta":{{"securitySchemes":[{schemes}]}},"#)
    };
    let (any, write) = (
        said(r#"{"type":"oauth2"}"#),
        said(r#"{"scopes":["write"],"type":"oauth2"}"#),
    );
    assert!(told.contains(&write), "{told}");
    // Without what was added, it is what the server behind said.
    assert_eq!(told.replace(&any, "").replace(&write, ""), spaced);
}

#[tokio::test]
async fn sec_gw_13_a_hidden_tool_never_reaches_the_server_behind() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    for name in [
        "admin_reset",
        "ADMIN_RESET",
        "admin_reset ",
        "\\u0061dmin_reset",
    ] {
        let answer = post(&app, "alice.write", &call(name)).await;
        assert!(answer.body.contains("-32602"), "{name}: {answer:?}");
    }
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn sec_gw_14_a_body_that_two_readers_see_differently_is_refused() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"admin_reset"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","name":"admin_reset"}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"admin_reset"}}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}} {}"#,
    ] {
        assert_eq!(post(&app, "alice", body).await.status, 400, "{body}");
    }
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn m6_an_unknown_method_is_404_where_the_revision_says_so() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let meta = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    for (params, status) in [(meta, 404), ("{}", 200)] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/run","params":{params}}}"#);
        let answer = post(&app, "alice", &body).await;
        assert_eq!(answer.status, status, "{params}");
        assert!(answer.body.contains("-32601"), "{answer:?}");
    }
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn a_list_in_a_stream_is_filtered_and_other_events_keep_their_bytes() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let progress = "event: message\r\nid: 1\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{ \"x\":1.0 }}\r\n\r\n";
    let stream = format!("{progress}: ping\n\nid: 2\ndata: {TOOLS}\n\n");
    // In pieces that end in the middle of everything.
    let pieces: Vec<_> = stream
        .as_bytes()
        .chunks(7)
        .map(Bytes::copy_from_slice)
        .collect();
    let pieces = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
    behind.answers(with_type("text/event-stream", Body::from_stream(pieces)));
    let answer = post(&app, "alice", LIST).await;
    assert_eq!(
        answer.body,
        format!("{progress}: ping\n\nid: 2\ndata: {SHOWN}\n\n")
    );
}

#[tokio::test]
async fn sec_gw_15_a_redelivered_list_is_filtered() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let session = open(&behind, &app, "alice").await;
    let stream = Body::from(format!("id: 2\ndata: {TOOLS}\n\n"));
    behind.answers(with_type("text/event-stream", stream));
    let headers = [("mcp-session-id", &*session), ("last-event-id", "1")];
    let again = request("GET", "/mcp", "alice", &headers, "");
    assert_eq!(
        send(&app, again).await.body,
        format!("id: 2\ndata: {SHOWN}\n\n")
    );
}

#[tokio::test]
async fn sec_gw_15_an_answer_of_another_type_is_no_list() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    for kind in [
        "text/plain",
        "application/xml",
        "application/json-seq",
        "application/json; charset=utf-16",
    ] {
        behind.answers(with_type(kind, Body::from(TOOLS)));
        let answer = post(&app, "alice", LIST).await;
        assert_eq!(answer.status, 502, "{kind}");
        assert!(!answer.body.contains("admin_reset"));
    }
}

#[tokio::test]
async fn sec_gw_14_an_answer_that_cannot_be_read_is_no_list() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let twice =
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"admin_reset"}]}}"#;
    behind.answers_json(twice);
    let answer = post(&app, "alice", LIST).await;
    assert_eq!(answer.status, 502);
    assert!(!answer.body.contains("admin_reset"));
}

#[tokio::test]
async fn sec_gw_17_a_list_without_an_end_is_502() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 65_536]))
    });
    behind.answers(with_type("application/json", Body::from_stream(endless)));
    assert_eq!(post(&app, "alice", LIST).await.status, 502);
}

#[tokio::test]
async fn sec_gw_14_a_member_in_other_letters_never_reaches_the_server_behind() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","Name":"admin_reset"}}"#;
    assert_eq!(post(&app, "alice", body).await.status, 400);
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn sec_gw_13_headers_that_disagree_with_the_body_are_refused() {
    let behind = Behind::start().await;
    let app = ruled(&behind);
    let version = ("mcp-protocol-version", "2026-07-28");
    let body = call("read");
    for headers in [
        &[
            version,
            ("mcp-method", "tools/call"),
            ("mcp-name", "admin_reset"),
        ][..],
        &[version, ("mcp-method", "ping"), ("mcp-name", "read")],
        &[version, ("mcp-method", "TOOLS/CALL")],
        &[
            version,
            ("mcp-method", "tools/call"),
            ("mcp-method", "ping"),
        ],
        &[version, ("mcp-name", "read"), ("mcp-name", "admin_reset")],
        &[("mcp-name", "=?base64?YWRtaW5fcmVzZXQ=?=")],
        &[("mcp-name", "=?base64?!?=")],
        &[version, ("mcp-protocol-version", "2025-11-25")],
    ] {
        let answer = send(&app, request("POST", "/mcp", "alice", headers, &body)).await;
        assert_eq!(answer.status, 400, "{headers:?}");
        assert!(answer.body.contains("-32020"), "{answer:?}");
    }
    assert!(behind.seen().is_empty());
    for headers in [
        &[version, ("mcp-method", "tools/call"), ("mcp-name", "read")][..],
        &[
            version,
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?cmVhZA==?="),
        ],
        &[],
    ] {
        let answer = send(&app, request("POST", "/mcp", "alice", headers, &body)).await;
        assert_eq!(answer.status, 200, "{headers:?}");
    }
}

fn with_resources(behind: &Behind) -> Router {
    let rules = Rules::new()
        .resource("secret:*", Needs::roles(["admin"]))
        .unwrap()
        .resource("paid:*", Needs::scopes(scopes!["paid"]))
        .unwrap();
    front(behind.upstream().rules(rules))
}

fn listen(notifications: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{{"notifications":{notifications}}}}}"#
    )
}

#[tokio::test]
async fn sec_gw_13_a_subscription_is_decided_for_each_resource() {
    let behind = Behind::start().await;
    let app = with_resources(&behind);
    let asks = async |token: &str, uris: &str| {
        let body = listen(&format!(r#"{{"resourceSubscriptions":{uris}}}"#));
        let answer = post(&app, token, &body).await;
        let refused = answer.body.contains("-32002") || answer.body.contains("-32602");
        (answer.status, refused)
    };
    assert_eq!(asks("alice", r#"["open:a"]"#).await, (200, false));
    assert_eq!(behind.seen().len(), 1);
    assert_eq!(asks("alice", r#"["open:a","secret:a"]"#).await, (200, true));
    assert_eq!(asks("alice", r#"["open:a","paid:a"]"#).await, (403, false));
    assert_eq!(asks("alice", r#"["\u0073ecret:a"]"#).await, (200, true));
    assert_eq!(asks("alice", r#""secret:a""#).await, (400, true));
    assert_eq!(asks("alice", r#"[["secret:a"]]"#).await, (400, true));
    assert_eq!(behind.seen().len(), 1);
    assert_eq!(
        asks("admin.paid", r#"["secret:a","paid:a"]"#).await,
        (200, false)
    );
    assert_eq!(behind.seen().len(), 2);
}

#[tokio::test]
async fn sec_gw_15_changes_of_hidden_resources_are_not_told() {
    let behind = Behind::start().await;
    let app = with_resources(&behind);
    let told = |uri: &str| {
        format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{{\"uri\":\"{uri}\"}}}}\n\n"
        )
    };
    let odd = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/resources/updated\",\"params\":[\"secret:b\"]}\n\n";
    let answer = "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n";
    let stream = [
        &told("secret:a"),
        &told("open:a"),
        &told("paid:a"),
        odd,
        answer,
    ]
    .concat();
    for (token, method, body, seen) in [
        ("alice", "POST", call("x"), ["open:a", "result"].as_slice()),
        (
            "alice",
            "POST",
            listen(r#"{"resourceSubscriptions":["open:a"]}"#),
            &["open:a", "result"],
        ),
        ("alice", "GET", String::new(), &["open:a", "result"]),
        (
            "admin.paid",
            "POST",
            call("x"),
            &["secret:a", "open:a", "paid:a", "result"],
        ),
    ] {
        behind.answers(with_type("text/event-stream", Body::from(stream.clone())));
        let answer = send(&app, request(method, "/mcp", token, &[], &body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let all = ["secret:a", "open:a", "paid:a", "secret:b", "result"];
        let found: Vec<_> = all
            .into_iter()
            .filter(|it| answer.body.contains(it))
            .collect();
        assert_eq!(found, seen, "{token} {method} {body}");
    }
}
