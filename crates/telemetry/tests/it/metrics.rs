//! What Prometheus reads.

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_telemetry::{AuditLog, Metrics};
use tower::ServiceExt as _;

use crate::support::{CANARY, Endpoint, auth};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;

fn observed() -> (Endpoint, Metrics) {
    let metrics = Metrics::new();
    let auth = auth().endpoint_name("notes").observer(metrics.clone());
    (Endpoint::new(&auth), metrics)
}

/// The value of the one series that begins so.
#[track_caller]
fn value(text: &str, series: &str) -> String {
    let found: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix(series))
        .collect();
    assert_eq!(found.len(), 1, "{series}\n{text}");
    found[0].trim().to_owned()
}

#[tokio::test]
async fn each_request_is_counted_by_what_became_of_it() {
    let (endpoint, metrics) = observed();
    endpoint.call("alice", "add_note").await;
    endpoint.call("alice", "add_note").await;
    endpoint.call("bob", "add_note").await;
    endpoint.call("nobody", "add_note").await;
    endpoint.call("alice", "fail").await;
    let text = metrics.encode().unwrap();
    for (series, count) in [
        (r#"outcome="allowed",reason="""#, "2"),
        (r#"outcome="insufficient_scope",reason="""#, "1"),
        (r#"outcome="unauthenticated",reason="missing_token""#, "1"),
        (r#"outcome="upstream_failed",reason="""#, "1"),
    ] {
        let series = format!(r#"portcullis_requests_total{{endpoint="notes",{series}}}"#);
        assert_eq!(value(&text, &series), count, "{text}");
    }
    let series = concat!(
        r#"mcp_server_operation_duration_seconds_count{endpoint="notes","#,
        r#"mcp_method_name="tools/call",gen_ai_tool_name="add_note"}"#
    );
    assert_eq!(value(&text, series), "2");
    let series = concat!(
        r#"mcp_server_operation_duration_seconds_count{endpoint="notes","#,
        r#"mcp_method_name="tools/call",gen_ai_tool_name="_other",error_type="upstream_failed"}"#
    );
    assert_eq!(value(&text, series), "1");
    assert!(
        text.contains(r#"le="0.01""#) && text.contains(r#"le="300.0""#),
        "{text}"
    );
    assert!(text.contains("process_start_time_seconds"), "{text}");
    assert!(
        text.contains("portcullis_build_info{version=\"0."),
        "{text}"
    );
}

#[tokio::test]
async fn sessions_are_a_gauge_and_a_histogram() {
    let (endpoint, metrics) = observed();
    endpoint.post("alice", INITIALIZE, &[]).await;
    let text = metrics.encode().unwrap();
    assert_eq!(
        value(&text, r#"portcullis_open_sessions{endpoint="notes"}"#),
        "1"
    );
    drop(endpoint);
    let text = metrics.encode().unwrap();
    assert_eq!(
        value(&text, r#"portcullis_open_sessions{endpoint="notes"}"#),
        "0"
    );
    let series = r#"mcp_server_session_duration_seconds_count{endpoint="notes"}"#;
    assert_eq!(value(&text, series), "1");
}

#[tokio::test]
async fn sec_ds_12_invented_names_make_no_series() {
    let (endpoint, metrics) = observed();
    for n in 0..500 {
        // Refused, so it may be anything.
        endpoint.call("nobody", &format!("stranger_{n}")).await;
        let method = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"invented/{n}"}}"#);
        let revision = format!("2099-01-{n:02}");
        let revision = [("mcp-protocol-version", revision.as_str())];
        endpoint.post("bob", &method, &revision).await;
        // Read, and without success.
        let failing = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"failing_{n}","arguments":{{"x":"fail"}}}}}}"#
        );
        let status = endpoint.post("bob", &failing, &[]).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        // Allowed, and still of somebody's invention.
        endpoint.call("bob", &format!("name_{n}")).await;
    }
    let text = metrics.encode().unwrap();
    assert!(!text.contains("stranger_"), "{text}");
    assert!(!text.contains("failing_"), "{text}");
    assert!(!text.contains("invented/"), "{text}");
    assert!(!text.contains("2099-"), "{text}");
    let named = text
        .lines()
        .filter(|line| line.contains("duration_seconds_count") && line.contains("name_"))
        .filter(|line| line.contains(r#"gen_ai_tool_name="name_"#))
        .count();
    assert_eq!(named, 200);
}

#[tokio::test]
async fn sec_op_01_no_secret_is_in_metrics() {
    let (endpoint, metrics) = observed();
    for who in ["alice", "bob", "stranger", "nobody"] {
        endpoint.call(who, "add_note").await;
        endpoint.post(who, INITIALIZE, &[]).await;
        endpoint
            .post(who, INITIALIZE, &[("mcp-protocol-version", CANARY)])
            .await;
    }
    let text = metrics.encode().unwrap();
    for secret in [CANARY, "alice", "bob", "auth.example.com", "192.0.2.7"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
}

async fn read(app: &Router, accept: &str) -> (Response<()>, String) {
    let request = Request::get("/metrics").header("accept", accept);
    let request = request.body(Body::empty()).unwrap();
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (Response::from_parts(parts, ()), text)
}

#[tokio::test]
async fn a_route_answers_in_the_format_that_is_asked_for() {
    let log = AuditLog::builder().write_to(std::io::sink()).unwrap();
    let metrics = Metrics::new();
    let shared = metrics.clone();
    let metrics = metrics.audit(&log);
    let endpoint = Endpoint::new(&auth().observer(log.clone()).observer(metrics.clone()));
    endpoint.call("alice", "add_note").await;
    log.flush().await.unwrap();
    let app = Router::new().route("/metrics", shared.route());
    let scraper = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3,*/*;q=0.2";
    let (response, text) = read(&app, scraper).await;
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(value(&text, "portcullis_audit_lines_total"), "1");
    assert_eq!(value(&text, "portcullis_audit_lost_total"), "0");
    assert_eq!(value(&text, "portcullis_audit_stuck"), "0");
    let (response, text) = read(&app, "*/*").await;
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let kinds = text.lines().filter(|line| line.starts_with("# TYPE "));
    for kind in kinds.filter_map(|line| line.split(' ').nth(3)) {
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
    }
}

#[tokio::test]
async fn a_label_is_escaped() {
    let metrics = Metrics::new();
    let auth = auth().endpoint_name("a\"b\\c\nd").observer(metrics.clone());
    let endpoint = Endpoint::new(&auth);
    endpoint.call("alice", "x\\\"}\\n 1").await;
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"endpoint="a\"b\\c\nd""#), "{text}");
    assert!(text.contains(r#"gen_ai_tool_name="x\"}\n 1""#), "{text}");
}
