//! Log lines, on stderr.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::LogSettings;
use crate::report::{Format, Report};

/// Whether a text says what to log.
pub(crate) fn is_filter(text: &str) -> bool {
    !text.trim().is_empty() && EnvFilter::try_new(text).is_ok()
}

/// Writes log lines from here on.
pub(crate) fn start(settings: &LogSettings, report: Report) {
    let Ok(filter) = EnvFilter::try_new(&settings.filter) else {
        return;
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // SECURITY: a line that cannot be written is lost, and not the request that it tells of, nor
        // the server: the complaint about it would go to the same place, and panic (CWE-754);
        // sec_st_14_logs_that_cannot_be_written_stop_nothing
        .log_internal_errors(false)
        .with_ansi(false);
    // A second start in one process keeps the first one's lines.
    let _ = match settings.format.unwrap_or(report.messages()) {
        Format::Human => lines.with_target(false).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_a_list() {
        for fine in ["info", "warn,portcullis=debug", "off"] {
            assert!(is_filter(fine), "{fine}");
        }
        for wrong in ["", " ", "portcullis=loud", "a=b=c"] {
            assert!(!is_filter(wrong), "{wrong}");
        }
    }
}
