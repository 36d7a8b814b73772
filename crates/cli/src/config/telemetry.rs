//! What is kept and sent about requests.

use std::path::PathBuf;

use portcullis_oauth::EndpointUrl;

use super::Loaded;
use super::origin::Origin;

/// The variable of OpenTelemetry's specification.
const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const OTEL_DISABLED: &str = "OTEL_SDK_DISABLED";

/// What is kept and sent about requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TelemetrySettings {
    pub(crate) audit: Option<AuditSettings>,
    /// The base URL of a collector.
    pub(crate) otel: Option<EndpointUrl>,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditSettings {
    pub(crate) to: AuditTo,
    /// Serves also what it cannot take.
    pub(crate) may_drop: bool,
}

/// Where lines of the audit log go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuditTo {
    Stdout,
    File(PathBuf),
}

/// Where the audit log is, if there is one.
pub(super) fn audit(loaded: &Loaded) -> Option<AuditSettings> {
    let to = match loaded.raw.audit.file.as_deref()? {
        "-" => AuditTo::Stdout,
        file => AuditTo::File(loaded.path("audit.file", file)),
    };
    let may_drop = loaded.raw.audit.danger_drop_when_full;
    Some(AuditSettings { to, may_drop })
}

pub(super) fn settings(loaded: &mut Loaded) -> TelemetrySettings {
    let audit = audit(loaded);
    let may_drop = loaded.raw.audit.danger_drop_when_full;
    if may_drop {
        let key = "audit.danger_drop_when_full";
        if audit.is_none() {
            let problem = loaded.problem(key, "has no effect");
            loaded.problems.push(problem.hint("set `audit.file`, too"));
        } else {
            let what = "is set: what the audit log cannot take is served and not written down";
            let problem = loaded.problem(key, what);
            loaded.warnings.push(problem);
        }
    }
    TelemetrySettings {
        audit,
        otel: collector(loaded),
    }
}

/// By the key, or by the variable that every program with OpenTelemetry reads.
fn collector(loaded: &mut Loaded) -> Option<EndpointUrl> {
    const HINT: &str =
        "write `https://..`, or `http://127.0.0.1:4318` for an agent on this machine";
    if let Some(text) = loaded.raw.otel.endpoint.clone() {
        return match EndpointUrl::parse(text.trim_end_matches('/')) {
            Ok(url) => Some(url),
            Err(error) => {
                let problem = loaded.problem("otel.endpoint", "is not the URL of a collector");
                loaded.problems.push(problem.because(error).hint(HINT));
                None
            }
        };
    }
    let is = |name, value: &str| {
        let found = loaded.environment.find(name);
        found.is_some_and(|(text, _)| text.trim().eq_ignore_ascii_case(value))
    };
    if is(OTEL_DISABLED, "true") {
        return None;
    }
    let (text, _) = loaded.environment.find(OTLP_ENDPOINT)?;
    match EndpointUrl::parse(text.trim().trim_end_matches('/')) {
        Ok(url) => Some(url),
        Err(error) => {
            // It may be meant for every program of a machine, so it does not keep this one down.
            let what = format!("`{OTLP_ENDPOINT}` is no URL that can be used: nothing is sent");
            let origin = Origin::Variable(OTLP_ENDPOINT.to_owned());
            let problem = crate::report::Problem::new(what).at(Some(&origin));
            loaded.warnings.push(problem.because(error).hint(HINT));
            None
        }
    }
}
