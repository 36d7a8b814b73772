//! One request as a span.

use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;
use portcullis_resource_server::observe::Exchange;

use super::parent;
use crate::names::{Labels, error};

/// Sends the span of an exchange whose answer ended.
pub(super) fn send(
    tracer: &SdkTracer,
    exchange: &Exchange,
    labels: Option<&Labels>,
    lasted: Duration,
) {
    let start = SystemTime::UNIX_EPOCH + exchange.started_at();
    let mut span = tracer
        .span_builder(name(exchange, labels))
        .with_kind(SpanKind::Server)
        .with_start_time(start)
        .with_attributes(attributes(exchange))
        .start_with_context(tracer, &parent::of(exchange));
    // What a caller did wrong is no error of the server (OpenTelemetry, HTTP spans).
    if exchange
        .status()
        .is_some_and(|status| status.is_server_error())
    {
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(start + lasted);
}

/// `tools/call add_note`, or what the request was by HTTP where nobody read an operation.
fn name(exchange: &Exchange, labels: Option<&Labels>) -> String {
    let Some(labels) = labels else {
        return known_method(exchange).to_owned();
    };
    match labels.tool.as_ref().or(labels.prompt.as_ref()) {
        Some(target) => format!("{} {target}", labels.method),
        None => labels.method.to_owned(),
    }
}

/// What was sent may be any word.
fn known_method(exchange: &Exchange) -> &'static str {
    match exchange.http_method().as_str() {
        "POST" => "POST",
        "GET" => "GET",
        "DELETE" => "DELETE",
        _ => "HTTP",
    }
}

fn attributes(exchange: &Exchange) -> Vec<KeyValue> {
    let mut all = vec![
        KeyValue::new("network.transport", "tcp"),
        KeyValue::new("network.protocol.name", "http"),
        KeyValue::new("http.request.method", known_method(exchange)),
        KeyValue::new("portcullis.endpoint", exchange.endpoint().to_owned()),
        KeyValue::new("portcullis.outcome", exchange.outcome().word()),
        KeyValue::new("portcullis.id", exchange.correlation().to_owned()),
    ];
    let mut add = |name: &'static str, value: Option<String>| {
        all.extend(value.map(|value| KeyValue::new(name, value)));
    };
    add("mcp.method.name", exchange.method().map(str::to_owned));
    add(
        "mcp.protocol.version",
        exchange.protocol_version().map(str::to_owned),
    );
    add(
        "portcullis.reason",
        exchange.outcome().reason().map(str::to_owned),
    );
    add("error.type", error(exchange));
    add(
        "client.address",
        exchange.client_address().map(|address| address.to_string()),
    );
    if let Some((kind, name)) = exchange.target() {
        let attribute = match kind {
            "tool" => "gen_ai.tool.name",
            "prompt" => "gen_ai.prompt.name",
            "resource" => "mcp.resource.uri",
            _ => "portcullis.target",
        };
        all.push(KeyValue::new(attribute, name.to_owned()));
        if kind == "tool" {
            all.push(KeyValue::new("gen_ai.operation.name", "execute_tool"));
        }
    }
    if let Some(status) = exchange.status() {
        let status = i64::from(status.as_u16());
        all.push(KeyValue::new("http.response.status_code", status));
    }
    all
}
