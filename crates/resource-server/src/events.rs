//! Security events. Their names, and the words in `reason`, are stable. Nothing
//! of a token is in them but its key id, escaped and shortened.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::SharedClock;

use crate::observe::Limiter;
use crate::{Causes, Incident, Rejection, Unavailable};

const TARGET: &str = "portcullis::security";

/// Where the events go that strangers can cause, so many of each kind a second. Cloning shares the
/// count.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Limiter>);

impl Default for Journal {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock::new()))
    }
}

impl Journal {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self(Arc::new(Limiter::new(clock)))
    }

    /// Whether an event may be written. Says first how many of its kind were not.
    fn allows(&self, event: &'static str, reason: &'static str) -> bool {
        let (allowed, left_out) = self.0.count((event, reason));
        if left_out > 0 {
            tracing::warn!(
                target: TARGET,
                event = "events_left_out",
                of = event,
                reason,
                count = left_out,
                "too many events of one kind",
            );
        }
        allowed
    }

    /// A verifier refused a token. The layer logs the denial; this says why in detail.
    pub(crate) fn token_rejected(
        &self,
        verifier: &'static str,
        rejection: Rejection,
        detail: Detail<'_>,
    ) {
        let reason = rejection.reason();
        if !self.allows("token_rejected", reason) {
            return;
        }
        if let Some(expected) = detail.expected {
            tracing::info!(
                target: TARGET,
                event = "token_rejected",
                verifier,
                reason,
                expected,
                "the token is for somebody else",
            );
        } else {
            tracing::debug!(
                target: TARGET,
                event = "token_rejected",
                verifier,
                reason,
                detail = detail.fault,
                kid = detail.kid.map(Shown).map(tracing::field::display),
                "token rejected",
            );
        }
    }

    /// A verifier could not tell whether a token is valid. The layer warns; this says who it was.
    pub(crate) fn verifier_unavailable(&self, verifier: &'static str, fault: &Unavailable) {
        if self.allows("verifier_unavailable", verifier) {
            tracing::debug!(
                target: TARGET,
                event = "verifier_unavailable",
                verifier,
                error = %Causes::of(fault),
                "a token cannot be verified now",
            );
        }
    }

    /// One of several sources of tokens could not tell.
    pub(crate) fn source_unavailable(&self, source: &str) {
        if self.allows("source_unavailable", "") {
            tracing::debug!(
                target: TARGET,
                event = "source_unavailable",
                source,
                "a source cannot tell",
            );
        }
    }

    /// Nobody could tell whether a token is valid: 503.
    pub(crate) fn token_unverified(&self, incident: &Incident, fault: &Unavailable) {
        if self.allows("token_unverified", "") {
            tracing::warn!(
                target: TARGET,
                event = "token_unverified",
                %incident,
                error = %Causes::of(fault),
                "a token could not be verified",
            );
        }
    }

    /// What is asked about a token, or told of it, panicked: 500.
    pub(crate) fn verification_failed(&self, incident: &Incident, reason: &'static str) {
        if self.allows("verification_failed", reason) {
            tracing::error!(
                target: TARGET,
                event = "verification_failed",
                %incident,
                reason,
                "a token could not be verified",
            );
        }
    }

    /// A request was refused. A client without a token is on its way to one, which is no news.
    pub(crate) fn denied(&self, reason: &'static str, is_news: bool) {
        if !self.allows("denied", reason) {
            return;
        }
        if is_news {
            tracing::info!(target: TARGET, event = "denied", reason, "denied");
        } else {
            tracing::debug!(target: TARGET, event = "denied", reason, "denied");
        }
    }

    /// A request for another host, or from a page that may not ask.
    pub(crate) fn stray(&self, reason: &'static str) {
        if self.allows("stray_refused", reason) {
            tracing::info!(target: TARGET, event = "stray_refused", reason, "refused");
        }
    }

    /// A session of another principal was named, or one that does not exist.
    pub(crate) fn session_refused(&self) {
        if self.allows("session_refused", "") {
            tracing::info!(
                target: TARGET,
                event = "session_refused",
                "session of another principal, or none",
            );
        }
    }

    /// The server behind did not end a session that ended here, and may hold its memory.
    pub(crate) fn session_not_ended(&self, status: StatusCode) {
        if self.allows("session_not_ended", "") {
            tracing::warn!(
                target: TARGET,
                event = "session_not_ended",
                status = status.as_u16(),
                "the server behind did not end a session",
            );
        }
    }

    /// The access policy panicked: 500.
    pub(crate) fn policy_failed(&self, incident: &Incident) {
        if self.allows("policy_failed", "") {
            tracing::error!(
                target: TARGET,
                event = "policy_failed",
                %incident,
                "the access policy panicked",
            );
        }
    }
}

/// What a rejection's event tells beyond its reason.
#[derive(Clone, Copy, Default)]
pub(crate) struct Detail<'a> {
    /// A stable word for the exact fault.
    pub(crate) fault: Option<&'static str>,
    /// The key id in the token's header.
    pub(crate) kid: Option<&'a str>,
    /// What is configured and was not met, where most who meet this fault have to change it.
    pub(crate) expected: Option<&'a str>,
}

/// An issuer's keys were fetched for the first time, or are others than before.
pub(crate) fn key_set_changed(issuer: &str, keys: usize, skipped: usize, generation: u64) {
    tracing::info!(
        target: TARGET,
        event = "key_set_changed",
        issuer,
        keys,
        skipped,
        generation,
        "the issuer's keys are new",
    );
}

/// An issuer publishes no key that could be used.
pub(crate) fn key_set_empty(issuer: &str, skipped: usize) {
    tracing::warn!(
        target: TARGET,
        event = "key_set_empty",
        issuer,
        skipped,
        "the issuer publishes no usable key",
    );
}

/// An issuer's keys could not be fetched. `usable` says whether older ones still serve.
pub(crate) fn key_set_unavailable(issuer: &str, error: &(dyn Error + 'static), usable: bool) {
    tracing::warn!(
        target: TARGET,
        event = "key_set_unavailable",
        issuer,
        usable,
        error = %Causes::of(error),
        "the issuer's keys cannot be fetched",
    );
}

/// An issuer's keys can be fetched again.
pub(crate) fn key_set_recovered(issuer: &str) {
    tracing::info!(
        target: TARGET,
        event = "key_set_recovered",
        issuer,
        "the issuer's keys can be fetched again",
    );
}

/// A setting that opens a hole is in force. Logged whenever a verifier is built with it.
pub(crate) fn dangerous(verifier: &'static str, setting: &'static str, consequence: &'static str) {
    tracing::warn!(
        target: TARGET,
        event = "dangerous_setting",
        verifier,
        setting,
        "{consequence}",
    );
}

/// A text that a stranger chose: escaped, and cut after 64 characters.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(64) {
            // SECURITY: a line break or an escape sequence would forge log lines (CWE-117);
            // sec_jwt_30_a_key_id_is_shown_escaped_and_cut
            write!(f, "{}", character.escape_default())?;
        }
        if characters.next().is_some() {
            f.write_str("...")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_jwt_30_a_key_id_is_shown_escaped_and_cut() {
        assert_eq!(
            Shown("a\n\u{1b}[31mb\0").to_string(),
            "a\\n\\u{1b}[31mb\\u{0}"
        );
        let long = Shown(&"k".repeat(65_536)).to_string();
        assert_eq!(long.len(), 67);
        assert!(long.ends_with("..."));
        assert_eq!(Shown(&"k".repeat(64)).to_string().len(), 64);
    }
}
