//! Security events of the verifiers. Their names, and the words in `reason`, are stable. Nothing
//! of a token is in them but its key id, escaped and shortened.

use std::error::Error;
use std::fmt;

use crate::{Incident, Rejection, Unavailable};

/// A verifier refused a token. The layer logs the denial; this says why in detail.
pub(crate) fn token_rejected(verifier: &'static str, rejection: Rejection, detail: Detail<'_>) {
    tracing::debug!(
        target: "portcullis::security",
        event = "token_rejected",
        verifier,
        reason = rejection.reason(),
        detail = detail.fault,
        kid = detail.kid.map(Shown).map(tracing::field::display),
        "token rejected",
    );
}

/// What a rejection's event tells beyond its reason.
#[derive(Clone, Copy, Default)]
pub(crate) struct Detail<'a> {
    /// A stable word for the exact fault.
    pub(crate) fault: Option<&'static str>,
    /// The key id in the token's header.
    pub(crate) kid: Option<&'a str>,
}

/// A verifier could not tell whether a token is valid. The layer warns; this says who it was.
pub(crate) fn verifier_unavailable(verifier: &'static str, fault: &Unavailable) {
    tracing::debug!(
        target: "portcullis::security",
        event = "verifier_unavailable",
        verifier,
        error = %Chain(fault),
        "a token cannot be verified now",
    );
}

/// Nobody could tell whether a token is valid: 503.
pub(crate) fn token_unverified(incident: &Incident, fault: &Unavailable) {
    tracing::warn!(
        target: "portcullis::security",
        event = "token_unverified",
        %incident,
        error = %Chain(fault),
        "a token could not be verified",
    );
}

/// What is asked about a token, or told of it, panicked: 500.
pub(crate) fn verification_failed(incident: &Incident, reason: &'static str) {
    tracing::error!(
        target: "portcullis::security",
        event = "verification_failed",
        %incident,
        reason,
        "a token could not be verified",
    );
}

/// A request was refused. A client without a token is on its way to one, which is no news.
pub(crate) fn denied(reason: &'static str, is_news: bool) {
    const TARGET: &str = "portcullis::security";
    if is_news {
        tracing::info!(target: TARGET, event = "denied", reason, "denied");
    } else {
        tracing::debug!(target: TARGET, event = "denied", reason, "denied");
    }
}

/// An issuer's keys were fetched for the first time, or are others than before.
pub(crate) fn key_set_changed(issuer: &str, keys: usize, skipped: usize, generation: u64) {
    tracing::info!(
        target: "portcullis::security",
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
        target: "portcullis::security",
        event = "key_set_empty",
        issuer,
        skipped,
        "the issuer publishes no usable key",
    );
}

/// An issuer's keys could not be fetched. `usable` says whether older ones still serve.
pub(crate) fn key_set_unavailable(issuer: &str, error: &(dyn Error + 'static), usable: bool) {
    tracing::warn!(
        target: "portcullis::security",
        event = "key_set_unavailable",
        issuer,
        usable,
        error = %Chain(error),
        "the issuer's keys cannot be fetched",
    );
}

/// An issuer's keys can be fetched again.
pub(crate) fn key_set_recovered(issuer: &str) {
    tracing::info!(
        target: "portcullis::security",
        event = "key_set_recovered",
        issuer,
        "the issuer's keys can be fetched again",
    );
}

/// A setting that opens a hole is in force. Logged whenever a verifier is built with it.
pub(crate) fn dangerous(verifier: &'static str, setting: &'static str, consequence: &'static str) {
    tracing::warn!(
        target: "portcullis::security",
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

/// An error and what caused it, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
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
