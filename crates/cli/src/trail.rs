//! What commands change beside a server, in its audit log.

use portcullis_oauth::SharedClock;
use portcullis_resource_server::observe::{AuthorizationEvent, Observer as _};
use portcullis_telemetry::AuditLog;

use crate::config::{AuditSettings, AuditTo};
use crate::report::{Failure, Problem};
use crate::telemetry;

/// The audit log of a configuration, for what one command does. A server may append to it meanwhile:
/// lines of both are whole.
pub(crate) struct Trail {
    log: Option<AuditLog>,
    clock: SharedClock,
}

impl Trail {
    /// Opens the file before anything is changed. The stdout of a server is out of reach.
    pub(crate) fn open(audit: Option<&AuditSettings>, clock: SharedClock) -> Result<Self, Failure> {
        let file = audit.filter(|audit| matches!(audit.to, AuditTo::File(_)));
        // SECURITY: what cannot be written down is not done (fail closed);
        // sec_gw_25_commands_leave_lines_too
        let log = file.map(telemetry::open).transpose()?;
        Ok(Self { log, clock })
    }

    /// Says what was done.
    pub(crate) fn note(&self, event: AuthorizationEvent) {
        if let Some(log) = &self.log {
            log.authorization(&event.at(self.clock.since_epoch()));
        }
    }

    /// Waits until it is written.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let stands = "what was changed stands: write it down elsewhere, and make room for the log";
        let said = |problem: Problem| problem.hint(stands);
        let written = telemetry::finish(log).await;
        written.map_err(|Failure(problems)| Failure(problems.into_iter().map(said).collect()))
    }
}
