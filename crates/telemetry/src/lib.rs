#![forbid(unsafe_code)]
//! Who reached which tool, how often, how long it took: for people and for machines.
//!
//! Three observers of [`Auth`](portcullis_resource_server::Auth), each by itself:
//!
//! | | for whom | what it keeps |
//! |---|---|---|
//! | [`AuditLog`] | whoever must answer for access | a line of JSON for each request, in a file |
//! | [`Metrics`] | whoever is called at night | histograms and counts, for Prometheus |
//! | [`Otel`] | whoever follows a request through many services | a span for each request, and the histograms, over OTLP |
//!
//! No token, no argument and no answer is in any of them. Who the caller is stands in the audit log
//! alone.
//!
//! ```no_run
//! use portcullis_resource_server::{Auth, TokenVerifier};
//! use portcullis_telemetry::{AuditLog, Metrics};
//!
//! # fn observed(verifier: impl TokenVerifier) -> Result<Auth, Box<dyn std::error::Error>> {
//! let audit = AuditLog::open("/var/log/portcullis/audit.jsonl")?;
//! let metrics = Metrics::new().audit(&audit);
//! let auth = Auth::new(verifier).observer(audit).observer(metrics.clone());
//! // To be served where strangers do not come.
//! let admin: axum::Router = axum::Router::new().route("/metrics", metrics.route());
//! # Ok(auth)
//! # }
//! ```

mod audit;
mod metrics;
mod names;
mod otel;

pub use self::audit::{AuditError, AuditLog, AuditLogBuilder};
pub use self::metrics::Metrics;
pub use self::otel::{Otel, OtelBuilder, OtelError};
