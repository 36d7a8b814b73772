//! Who watches what is served: the audit log, the metrics, the export.

use std::io;
use std::time::Duration;

use axum::Router;
use portcullis_resource_server::{Auth, Causes};
use portcullis_telemetry::{AuditError, AuditLog, Metrics, Otel};

use crate::config::{AuditSettings, AuditTo, TelemetrySettings};
use crate::report::{Failure, Problem};

/// How long the last lines of the audit log may take.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Everything that observes requests. Each part is there only where somebody asked for it.
#[derive(Clone)]
pub(crate) struct Telemetry {
    audit: Option<AuditLog>,
    metrics: Option<Metrics>,
    otel: Option<Otel>,
}

impl Telemetry {
    /// Opens and starts what is asked for. `has_admin`: whether there is a place for metrics.
    pub(crate) fn start(settings: &TelemetrySettings, has_admin: bool) -> Result<Self, Failure> {
        let audit = settings.audit.as_ref().map(open).transpose()?;
        let metrics = has_admin.then(|| match &audit {
            Some(audit) => Metrics::new().audit(audit),
            None => Metrics::new(),
        });
        let otel = settings.otel.clone().map(|url| {
            let built = Otel::builder(url).build();
            built.map_err(|error| Problem::new("spans cannot be sent").because(error))
        });
        Ok(Self {
            audit,
            metrics,
            otel: otel.transpose()?,
        })
    }

    /// Has all requests watched.
    pub(crate) fn observe(&self, mut auth: Auth) -> Auth {
        if let Some(metrics) = &self.metrics {
            auth = auth.observer(metrics.clone());
        }
        if let Some(audit) = &self.audit {
            auth = auth.observer(audit.clone());
        }
        if let Some(otel) = &self.otel {
            auth = auth.observer(otel.clone());
        }
        auth
    }

    /// What the admin listener serves beside probes.
    pub(crate) fn routes(&self) -> Router {
        match &self.metrics {
            Some(metrics) => Router::new().route("/metrics", metrics.route()),
            None => Router::new(),
        }
    }

    /// Opens the audit log anew, as programs that rotate logs expect.
    pub(crate) async fn reopen(&self) {
        if let Some(audit) = &self.audit
            && let Err(error) = audit.reopen().await
        {
            tracing::error!(%error, "the audit log goes on in its old file");
        }
    }

    /// Writes and sends what is left.
    pub(crate) async fn stop(&self) -> Result<(), Failure> {
        let written = match &self.audit {
            Some(audit) => finish(audit).await,
            None => Ok(()),
        };
        if let Some(otel) = &self.otel {
            otel.shutdown().await;
        }
        written
    }
}

/// Writes the last lines, as far as somebody takes them.
pub(crate) async fn finish(audit: &AuditLog) -> Result<(), Failure> {
    // SECURITY: whoever stops reading the log does not keep the process from its end, and what it
    // loses is told (CWE-778); sec_gw_25_lines_that_nobody_takes_are_told_at_the_end
    let flushed = tokio::time::timeout(LAST_LINES, audit.flush()).await;
    let because = match flushed {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => Causes::of(&error).to_string(),
        Err(_) => format!("nobody took them in {} seconds", LAST_LINES.as_secs()),
    };
    let lost = audit.waiting();
    tracing::error!(lost, because, "the last lines of the audit log are lost");
    let lines = if lost == 1 { "line" } else { "lines" };
    let problem = Problem::new(format!("{lost} {lines} of the audit log are lost"));
    Err(problem.because(because).into())
}

/// Opens an audit log.
pub(crate) fn open(settings: &AuditSettings) -> Result<AuditLog, Problem> {
    let mut builder = AuditLog::builder();
    if settings.may_drop {
        builder = builder.dangerous_drop_when_full();
    }
    let opened = match &settings.to {
        AuditTo::Stdout => builder.write_to(io::stdout()),
        AuditTo::File(path) => builder.open(path),
    };
    opened.map_err(|error| {
        let problem = Problem::new(error.to_string());
        match &error {
            AuditError::NoFile { .. } => {
                problem.hint("name a file itself: no link, no folder, no device")
            }
            AuditError::Open { source, .. } => problem
                .because(source)
                .hint("name a file in `audit.file` that this user may write"),
            _ => problem,
        }
    })
}
