//! What the inner layers find out about a request, for whoever tells it outside.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request, StatusCode};
use portcullis_oauth::crypto::{hex, sha256};

use super::outcome::Outcome;
use crate::AccessToken;
use crate::mcp::access::{Operation, Target};
use crate::mcp::peek::Message;

/// Characters of a text that a stranger chose.
const MOST: usize = 256;

/// A way to note what is found out, or none where nobody observes. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Option<Arc<Mutex<Facts>>>);

/// What was found out.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) caller: Option<AccessToken>,
    pub(super) method: Option<Box<str>>,
    pub(super) target: Option<(&'static str, Box<str>)>,
    pub(super) is_notification: bool,
    pub(super) revision: Option<Box<str>>,
    pub(super) session: Option<String>,
    pub(super) was_dispatched: bool,
    pub(super) outcome: Option<Outcome>,
}

impl Notes {
    pub(super) fn begin() -> Self {
        Self(Some(Arc::default()))
    }

    /// Those that came with a request, where anybody put some there.
    pub(crate) fn of<B>(request: &Request<B>, is_observed: bool) -> Self {
        if !is_observed {
            return Self::default();
        }
        let notes = request.extensions().get::<Self>().cloned();
        let notes = notes.unwrap_or_default();
        notes.note(|facts| {
            facts.caller = request.extensions().get::<AccessToken>().cloned();
            facts.revision = named_revision(request.headers());
        });
        notes
    }

    /// The session that the request names, and that is its caller's own.
    pub(crate) fn session(&self, id: Option<&str>) {
        self.note(|facts| facts.session = id.map(fingerprint));
    }

    /// What the body asks for.
    pub(crate) fn message(&self, message: &Message<'_>) {
        self.note(|facts| {
            if let Some(operation) = message.operation() {
                facts.method = Some(cut(operation.method()));
                facts.target = target(operation);
            }
            facts.is_notification = matches!(message, Message::Notification { .. });
            if let Message::Request {
                revision: Some(revision),
                ..
            } = message
            {
                facts.revision = is_revision(revision).then(|| revision.as_ref().into());
            }
        });
    }

    /// It was decided that there is no such thing for this caller.
    pub(crate) fn hidden(&self) {
        self.note(|facts| facts.outcome = Some(Outcome::Hidden));
    }

    /// It goes on to the server.
    pub(crate) fn dispatched(&self) {
        self.note(|facts| {
            facts.was_dispatched = facts.outcome.is_none();
            facts.outcome.get_or_insert(Outcome::Allowed);
        });
    }

    /// It goes no further.
    pub(crate) fn refused(&self, status: StatusCode) {
        self.note(|facts| {
            facts
                .outcome
                .get_or_insert_with(|| Outcome::of_refusal(status));
        });
    }

    pub(super) fn take(&self) -> Facts {
        self.0
            .as_ref()
            .map(|facts| std::mem::take(&mut *lock(facts)))
            .unwrap_or_default()
    }

    fn note(&self, note: impl FnOnce(&mut Facts)) {
        if let Some(facts) = &self.0 {
            note(&mut lock(facts));
        }
    }
}

fn lock(facts: &Mutex<Facts>) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name for a session that opens nothing.
pub(super) fn fingerprint(id: &str) -> String {
    let digest = sha256(id.as_bytes());
    // SECURITY: a session id is a secret of its caller's, so a log has only what tells two of them
    // apart (MCP security best practices, session hijacking); sec_op_01_no_secret_is_in_an_exchange
    hex::encode(digest.get(..8).unwrap_or_default())
}

/// A URI without its query, its fragment and its user.
fn without_secrets(uri: &str) -> Cow<'_, str> {
    // SECURITY: what comes after the path of a URI is as good as an argument, and who stands before
    // its host has a password: both may be secrets (CWE-598, RFC 3986 section 3.2.1);
    // sec_op_01_no_secret_is_in_an_exchange
    let plain = uri.split(['?', '#']).next().unwrap_or_default();
    let named = plain.split_once("//").map(|(scheme, rest)| {
        let end = rest.find('/').unwrap_or(rest.len());
        (scheme, rest.split_at(end))
    });
    match named {
        Some((scheme, (authority, path))) if authority.contains('@') => {
            let host = authority.rsplit('@').next().unwrap_or_default();
            Cow::Owned(format!("{scheme}//{host}{path}"))
        }
        _ => Cow::Borrowed(plain),
    }
}

fn target(operation: &Operation<'_>) -> Option<(&'static str, Box<str>)> {
    match operation.target() {
        Target::None => None,
        Target::Tool(name) => Some(("tool", cut(name))),
        Target::Prompt(name) => Some(("prompt", cut(name))),
        Target::Resource(uri) => Some(("resource", cut(&without_secrets(uri)))),
        Target::Task(id) => Some(("task", fingerprint(id).into())),
    }
}

/// As much of a text as a log has room for.
fn cut(text: &str) -> Box<str> {
    match text.char_indices().nth(MOST) {
        // SECURITY: a name of megabytes would fill a disk line by line (CWE-779);
        // sec_ds_12_a_long_name_is_cut
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

fn named_revision(headers: &HeaderMap) -> Option<Box<str>> {
    let revision = headers.get("mcp-protocol-version")?.to_str().ok()?;
    is_revision(revision).then(|| revision.into())
}

/// Revisions are dates.
fn is_revision(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_ds_12_a_long_name_is_cut() {
        let long = "é".repeat(100_000);
        let cut = cut(&long);
        assert_eq!(cut.chars().count(), MOST + 3);
        assert!(cut.ends_with("é..."));
        assert_eq!(&*super::cut("short"), "short");
    }

    #[test]
    fn a_revision_is_a_date() {
        for (text, is) in [
            ("2025-11-25", true),
            ("2026-07-28", true),
            ("DRAFT-2026", false),
            ("2025-11-25 ", false),
            ("", false),
        ] {
            assert_eq!(is_revision(text), is, "{text}");
        }
    }
}
