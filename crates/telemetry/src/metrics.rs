//! [`Metrics`]: what a Prometheus server reads.
//!
//! The names are those of OpenTelemetry's semantic conventions for MCP where these have one, in the
//! spelling of Prometheus.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::routing::{MethodRouter, get};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::Clock as _;
use portcullis_resource_server::observe::{AuthorizationEvent, Exchange, Observer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, LabelSetEncoder, text,
};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::AuditLog;
use crate::names::{BUCKETS, Labels, Names};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counts and histograms of all endpoints that it observes. Cloning shares them.
///
/// Neither who called nor an invented name is a label: tools and prompts have one once they were
/// used with success, 200 of them at most, and the rest is `_other`.
#[derive(Clone)]
pub struct Metrics(Arc<Shared>);

struct Shared {
    registry: Registry,
    names: Names,
    operations: Family<Labels, Histogram, fn() -> Histogram>,
    requests: Family<Decided, Counter>,
    sessions: Family<AtEndpoint, Histogram, fn() -> Histogram>,
    open_sessions: Family<AtEndpoint, Gauge>,
    events: Family<Happened, Counter>,
    audit: Arc<OnceLock<AuditLog>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    endpoint: String,
    outcome: &'static str,
    reason: &'static str,
}

/// An event of the authorization server, in words of which there are few.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Happened {
    event: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AtEndpoint {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        [
            ("endpoint", &*self.endpoint),
            ("mcp_method_name", self.method),
        ]
        .encode(encoder)?;
        for (name, value) in [
            ("gen_ai_tool_name", self.tool.as_deref()),
            ("gen_ai_prompt_name", self.prompt.as_deref()),
            ("mcp_protocol_version", self.revision),
            ("error_type", self.error.as_deref()),
        ] {
            if let Some(value) = value {
                [(name, value)].encode(encoder)?;
            }
        }
        Ok(())
    }
}

impl Metrics {
    /// Everything is zero, and this process starts now.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "it reads the clock, which a default does not"
    )]
    pub fn new() -> Self {
        let durations: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut shared = Shared {
            registry: Registry::default(),
            names: Names::default(),
            operations: Family::new_with_constructor(durations),
            requests: Family::default(),
            sessions: Family::new_with_constructor(durations),
            open_sessions: Family::default(),
            events: Family::default(),
            audit: Arc::default(),
        };
        shared.register();
        Self(Arc::new(shared))
    }

    /// Also tells how an audit log is: the first one that it is given.
    #[must_use]
    pub fn audit(self, log: &AuditLog) -> Self {
        let _ = self.0.audit.set(log.clone());
        self
    }

    /// A route that answers with all of it, for a listener that strangers do not reach: it tells
    /// what a server offers and how much it is used.
    pub fn route(&self) -> MethodRouter {
        let metrics = self.clone();
        get(move |headers: HeaderMap| {
            let wants = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let is_open = wants.is_some_and(|wants| wants.contains("application/openmetrics-text"));
            let kind = if is_open { OPEN_METRICS } else { PLAIN };
            let answer = metrics.encode().map(|text| {
                let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")];
                (headers, text)
            });
            async move { answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR) }
        })
    }

    /// All of it, as `OpenMetrics` text.
    ///
    /// # Errors
    /// [`fmt::Error`], when a value cannot be written as text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Shared {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "mcp_server_operation_duration",
            "How long a request or notification took until its answer ended",
            Unit::Seconds,
            self.operations.clone(),
        );
        registry.register_with_unit(
            "mcp_server_session_duration",
            "How long a session lasted",
            Unit::Seconds,
            self.sessions.clone(),
        );
        registry.register(
            "portcullis_open_sessions",
            "Sessions that are open",
            self.open_sessions.clone(),
        );
        registry.register(
            "portcullis_requests",
            "Requests to an endpoint, by what became of them",
            self.requests.clone(),
        );
        registry.register(
            "portcullis_authorization_events",
            "What happened at the authorization server",
            self.events.clone(),
        );
        // Not of the type `info`, which the older text format does not have.
        let build: Family<Build, Gauge> = Family::default();
        let version = env!("CARGO_PKG_VERSION");
        build.get_or_create(&Build { version }).set(1);
        registry.register("portcullis_build_info", "This program", build);
        let start: Gauge<f64, AtomicU64> = Gauge::default();
        start.set(SystemClock::new().since_epoch().as_secs_f64());
        registry.register_with_unit(
            "process_start_time",
            "When this process started, since 1970-01-01T00:00:00Z",
            Unit::Seconds,
            start,
        );
        let about = AboutAudit(Arc::clone(&self.audit));
        registry.register_collector(Box::new(about));
    }
}

impl Observer for Metrics {
    fn answered(&self, exchange: &Exchange) {
        let outcome = exchange.outcome();
        let decided = Decided {
            endpoint: exchange.endpoint().to_owned(),
            outcome: outcome.word(),
            reason: outcome.reason().unwrap_or_default(),
        };
        self.0.requests.get_or_create(&decided).inc();
    }

    fn ended(&self, exchange: &Exchange, lasted: Duration) {
        if let Some(labels) = self.0.names.labels(exchange) {
            let operations = self.0.operations.get_or_create(&labels);
            operations.observe(lasted.as_secs_f64());
        }
    }

    fn session_opened(&self, endpoint: &str) {
        self.0.open_sessions.get_or_create(&at(endpoint)).inc();
    }

    fn session_ended(&self, endpoint: &str, lasted: Duration) {
        self.0.open_sessions.get_or_create(&at(endpoint)).dec();
        let sessions = self.0.sessions.get_or_create(&at(endpoint));
        sessions.observe(lasted.as_secs_f64());
    }

    fn authorization(&self, event: &AuthorizationEvent) {
        let happened = Happened {
            event: event.kind().word(),
            reason: event.reason().unwrap_or_default(),
        };
        self.0.events.get_or_create(&happened).inc();
    }
}

fn at(endpoint: &str) -> AtEndpoint {
    AtEndpoint {
        endpoint: endpoint.to_owned(),
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// How an audit log is, if there is one, asked when somebody reads it.
#[derive(Debug)]
struct AboutAudit(Arc<OnceLock<AuditLog>>);

impl Collector for AboutAudit {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(log) = self.0.get() else {
            return Ok(());
        };
        for (name, help, value) in [
            (
                "portcullis_audit_lines",
                "Lines written to the audit log",
                log.written(),
            ),
            (
                "portcullis_audit_lost",
                "Requests that are in no line of the audit log",
                log.lost(),
            ),
        ] {
            let counter = ConstCounter::new(value);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        let is_stuck = ConstGauge::new(i64::from(log.is_stuck()));
        let help = "Whether the audit log takes no lines now";
        let kind = is_stuck.metric_type();
        is_stuck.encode(encoder.encode_descriptor("portcullis_audit_stuck", help, None, kind)?)
    }
}
