//! What a collector gets: a server that keeps the bodies that it is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::HeaderMap;
use portcullis_oauth::EndpointUrl;
use portcullis_telemetry::Otel;

use crate::support::{CANARY, Endpoint, auth};

/// A collector. Protobuf keeps texts as they are, and bytes of ids too, so a test can look for
/// them.
#[derive(Clone, Default)]
struct Collector {
    traces: Arc<Mutex<Vec<u8>>>,
    metrics: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> (Self, EndpointUrl) {
        fn keep(place: &Mutex<Vec<u8>>, headers: &HeaderMap, body: &Bytes) -> &'static str {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            place.lock().unwrap().extend_from_slice(body);
            ""
        }
        let collector = Self::default();
        let app = Router::new()
            .route(
                "/v1/traces",
                post(|State(this): State<Self>, headers, body| async move {
                    keep(&this.traces, &headers, &body)
                }),
            )
            .route(
                "/v1/metrics",
                post(|State(this): State<Self>, headers, body| async move {
                    keep(&this.metrics, &headers, &body)
                }),
            )
            .with_state(collector.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (collector, EndpointUrl::parse(&url).unwrap())
    }

    fn traces(&self) -> Vec<u8> {
        self.traces.lock().unwrap().clone()
    }

    fn metrics(&self) -> Vec<u8> {
        self.metrics.lock().unwrap().clone()
    }
}

fn has(bytes: &[u8], part: impl AsRef<[u8]>) -> bool {
    let part = part.as_ref();
    bytes.windows(part.len()).any(|window| window == part)
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: [u8; 16] = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
const PARENT: [u8; 8] = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_below_its_callers() {
    let (collector, url) = Collector::start().await;
    let otel = Otel::builder(url).build().unwrap();
    let auth = auth().endpoint_name("notes").observer(otel.clone());
    let endpoint = Endpoint::new(&auth);
    endpoint.call("alice", "add_note").await;
    endpoint
        .post("alice", LIST, &[("traceparent", TRACE)])
        .await;
    otel.shutdown().await;
    let traces = collector.traces();
    for text in [
        "tools/call add_note",
        "tools/list",
        "mcp.method.name",
        "gen_ai.tool.name",
        "execute_tool",
        "portcullis.outcome",
        "allowed",
        "192.0.2.7",
        "service.name",
        "portcullis",
    ] {
        assert!(has(&traces, text), "{text}");
    }
    assert!(has(&traces, TRACE_ID) && has(&traces, PARENT));
    let metrics = collector.metrics();
    for text in ["mcp.server.operation.duration", "add_note", "notes"] {
        assert!(has(&metrics, text), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_op_01_a_strangers_trace_is_not_joined() {
    let (collector, url) = Collector::start().await;
    let otel = Otel::builder(url).build().unwrap();
    let endpoint = Endpoint::new(&auth().observer(otel.clone()));
    for who in ["nobody", "stranger"] {
        endpoint.post(who, LIST, &[("traceparent", TRACE)]).await;
        let unsampled = TRACE.replace("-01", "-00");
        endpoint
            .post(who, LIST, &[("traceparent", &unsampled)])
            .await;
    }
    otel.shutdown().await;
    let traces = collector.traces();
    assert!(has(&traces, "unauthenticated"));
    assert!(!has(&traces, TRACE_ID) && !has(&traces, PARENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_op_01_no_secret_is_in_a_span() {
    let (collector, url) = Collector::start().await;
    let otel = Otel::builder(url).build().unwrap();
    let endpoint = Endpoint::new(&auth().observer(otel.clone()));
    let read = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"file:///a?k={CANARY}"}}}}"#
    );
    let open = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    for who in ["alice", "bob", "stranger", "nobody"] {
        endpoint.call(who, "add_note").await;
        endpoint.post(who, &read, &[("traceparent", CANARY)]).await;
        endpoint.post(who, open, &[]).await;
        endpoint
            .post(who, LIST, &[("mcp-session-id", CANARY)])
            .await;
    }
    otel.shutdown().await;
    for sent in [collector.traces(), collector.metrics()] {
        assert!(!sent.is_empty());
        assert!(!has(&sent, CANARY));
        for person in ["alice", "bob", "cli"] {
            // `cli` is part of `client.address`.
            let is_there = has(&sent, person) && person != "cli";
            assert!(!is_there, "{person}");
        }
    }
    assert!(has(&collector.traces(), "file:///a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_costs_no_request() {
    let gone = EndpointUrl::parse("http://127.0.0.1:9").unwrap();
    let otel = Otel::builder(gone).build().unwrap();
    let endpoint = Endpoint::new(&auth().observer(otel.clone()));
    let calls = async {
        for _ in 0..200 {
            assert!(endpoint.call("alice", "add_note").await.is_success());
        }
    };
    tokio::time::timeout(Duration::from_secs(20), calls)
        .await
        .expect("nobody waits for it");
    otel.shutdown().await;
}
