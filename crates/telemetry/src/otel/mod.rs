//! [`Otel`]: a span for each request, and the histograms, over OTLP.
//!
//! Spans and metrics are those of OpenTelemetry's semantic conventions for MCP. They go as protobuf
//! over HTTP (`{endpoint}/v1/traces`, `{endpoint}/v1/metrics`), from threads of their own: a
//! collector that is slow or gone costs spans, and no request its answer.
//!
//! The variables of OpenTelemetry's specification that tune all this are read by its SDK when an
//! exporter is built: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_METRIC_EXPORT_INTERVAL`.

mod client;
mod parent;
mod span;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::{Histogram, MeterProvider as _, UpDownCounter};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use portcullis_fetch::{FetchError, Fetcher};
use portcullis_oauth::EndpointUrl;
use portcullis_resource_server::observe::{Exchange, Observer};

use self::client::Client;
use crate::names::{BUCKETS, Labels, Names};

/// How long the last batch may take.
const FLUSH: Duration = Duration::from_secs(5);

/// What names the code that makes spans.
const SCOPE: &str = "portcullis";

/// Sends spans and metrics to an OpenTelemetry collector. Cloning shares it.
#[derive(Clone)]
pub struct Otel(Arc<Shared>);

struct Shared {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    tracer: SdkTracer,
    operations: Histogram<f64>,
    sessions: Histogram<f64>,
    open_sessions: UpDownCounter<i64>,
    names: Names,
}

/// The export cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtelError {
    /// The HTTP client cannot be made.
    #[error("there is no HTTP client")]
    Client(#[from] FetchError),
    /// The exporter does not take a setting.
    #[error("the OTLP exporter cannot be built")]
    Exporter(#[from] ExporterBuildError),
    /// There is no tokio runtime to send by.
    #[error("there is no tokio runtime")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
}

/// Settings of an [`Otel`].
#[derive(Debug)]
#[must_use]
pub struct OtelBuilder {
    endpoint: EndpointUrl,
    fetcher: Option<Fetcher>,
    interval: Option<Duration>,
}

impl Otel {
    /// Exports to the collector at this base URL: `https`, or `http` on loopback, where agents listen
    /// (`http://127.0.0.1:4318`).
    pub fn builder(endpoint: EndpointUrl) -> OtelBuilder {
        OtelBuilder {
            endpoint,
            fetcher: None,
            interval: None,
        }
    }

    /// Sends what is left, and nothing more; it may take 5 seconds.
    pub async fn shutdown(&self) {
        let shared = Arc::clone(&self.0);
        // Both wait for threads of the SDK's.
        let ending = tokio::task::spawn_blocking(move || {
            let traces = shared.traces.shutdown_with_timeout(FLUSH);
            let metrics = shared.metrics.shutdown_with_timeout(FLUSH);
            traces.and(metrics)
        });
        match tokio::time::timeout(FLUSH, ending).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans were not sent"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last spans were not sent in time"),
        }
    }

    fn record(&self, labels: &Labels, lasted: Duration) {
        self.0
            .operations
            .record(lasted.as_secs_f64(), &attributes(labels));
    }
}

impl OtelBuilder {
    /// The client that sends; one for configured URLs unless set.
    pub fn fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// How often metrics are sent; each minute unless set here or by
    /// `OTEL_METRIC_EXPORT_INTERVAL`.
    pub fn metric_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Starts to export. To be called within a tokio runtime, which then sends.
    ///
    /// # Errors
    /// [`OtelError`].
    pub fn build(self) -> Result<Otel, OtelError> {
        let client = Arc::new(Client::new(self.fetcher)?);
        let place = |signal| {
            let base = self.endpoint.as_str().trim_end_matches('/');
            format!("{base}/v1/{signal}")
        };
        let spans = SpanExporter::builder()
            .with_http()
            .with_shared_http_client(Arc::clone(&client) as Arc<_>)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(place("traces"))
            .build()?;
        let measures = MetricExporter::builder()
            .with_http()
            .with_shared_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(place("metrics"))
            .build()?;
        let mut reader = PeriodicReader::builder(measures);
        if let Some(interval) = self.interval {
            reader = reader.with_interval(interval);
        }
        let traces = SdkTracerProvider::builder()
            .with_batch_exporter(spans)
            .with_resource(resource())
            .build();
        let metrics = SdkMeterProvider::builder()
            .with_reader(reader.build())
            .with_resource(resource())
            .build();
        Ok(Otel(Arc::new(Shared::new(traces, metrics))))
    }
}

impl Shared {
    fn new(traces: SdkTracerProvider, metrics: SdkMeterProvider) -> Self {
        let meter = metrics.meter(SCOPE);
        let duration = |name, description| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(BUCKETS.to_vec())
                .build()
        };
        Self {
            tracer: traces.tracer(SCOPE),
            operations: duration(
                "mcp.server.operation.duration",
                "How long a request or notification took until its answer ended",
            ),
            sessions: duration("mcp.server.session.duration", "How long a session lasted"),
            open_sessions: meter
                .i64_up_down_counter("portcullis.open_sessions")
                .with_description("Sessions that are open")
                .build(),
            names: Names::default(),
            traces,
            metrics,
        }
    }
}

impl Observer for Otel {
    fn answered(&self, _: &Exchange) {}

    fn ended(&self, exchange: &Exchange, lasted: Duration) {
        let labels = self.0.names.labels(exchange);
        span::send(&self.0.tracer, exchange, labels.as_ref(), lasted);
        if let Some(labels) = labels {
            self.record(&labels, lasted);
        }
    }

    fn session_opened(&self, endpoint: &str) {
        self.0.open_sessions.add(1, &[at(endpoint)]);
    }

    fn session_ended(&self, endpoint: &str, lasted: Duration) {
        self.0.open_sessions.add(-1, &[at(endpoint)]);
        self.0
            .sessions
            .record(lasted.as_secs_f64(), &[at(endpoint)]);
    }
}

fn at(endpoint: &str) -> KeyValue {
    KeyValue::new("portcullis.endpoint", endpoint.to_owned())
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    let mut all = vec![
        at(&labels.endpoint),
        KeyValue::new("mcp.method.name", labels.method),
        KeyValue::new("network.transport", "tcp"),
    ];
    let mut add = |name: &'static str, value: Option<String>| {
        all.extend(value.map(|value| KeyValue::new(name, value)));
    };
    let owned = |name: &Arc<str>| name.as_ref().to_owned();
    add("gen_ai.tool.name", labels.tool.as_ref().map(owned));
    add("gen_ai.prompt.name", labels.prompt.as_ref().map(owned));
    add("mcp.protocol.version", labels.revision.map(str::to_owned));
    add("error.type", labels.error.clone());
    all
}

/// Who sends: as the environment says it, and else our own name.
fn resource() -> Resource {
    let named = Resource::builder().build();
    let is_named = named
        .get(&Key::new("service.name"))
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut builder = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if !is_named {
        builder = builder.with_service_name("portcullis");
    }
    builder.build()
}

impl fmt::Debug for Otel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otel")
    }
}
