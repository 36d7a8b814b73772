//! A case for each rule: what is broken, and whom that keeps out.

mod discovery;
mod login;

use portcullis_oauth::json::Value;

use super::site::{Asked, Change, Reply};
use crate::doctor::Examination;

/// One thing that is broken.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: &'static str,
    pub(super) change: Change,
    pub(super) given: fn(&mut Examination),
    /// Rules that cannot but come along.
    pub(super) also: &'static [&'static str],
    pub(super) keeps_out: &'static [&'static str],
}

impl Case {
    pub(super) const fn well() -> Self {
        Self::new("", &[], |_, _| {})
    }

    const fn new(id: &'static str, keeps_out: &'static [&'static str], change: Change) -> Self {
        Self {
            id,
            change,
            given: |_| {},
            also: &[],
            keeps_out,
        }
    }

    const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    const fn given(self, given: fn(&mut Examination)) -> Self {
        Self { given, ..self }
    }
}

/// Tested where what they look at is: the URL alone, time, names, a network.
pub(super) const ELSEWHERE: &[&str] = &[
    "URL-01", "URL-02", "URL-03", "URL-04", "NET-01", "NET-03", "NET-08", "NET-09", "CHL-09",
    "ASM-03", "ASM-18", "CAL-13",
];

const ALL: &[&str] = &[
    "claude", "chatgpt", "cursor", "vscode", "gemini", "goose", "codex",
];
const NOBODY: &[&str] = &[];

fn is_resource(asked: &Asked) -> bool {
    asked
        .path
        .starts_with("/.well-known/oauth-protected-resource")
}

fn is_server(asked: &Asked) -> bool {
    asked.path == "/.well-known/oauth-authorization-server"
}

fn put(reply: &mut Reply, member: &str, value: Value) {
    reply.edit(|document| {
        document.insert(member.to_owned(), value);
    });
}

fn take(reply: &mut Reply, member: &str) {
    reply.edit(|document| {
        document.remove(member);
    });
}

/// A claim of the token that the user gave, changed.
fn claim(examination: &mut Examination, name: &str, value: Value) {
    if let Some(claims) = examination.claims.as_mut().and_then(Value::as_object_mut) {
        claims.insert(name.to_owned(), value);
    }
}

fn no_token(examination: &mut Examination) {
    examination.token = None;
    examination.claims = None;
}

/// Whether this is the call of a user with the good token.
fn is_call(asked: &Asked) -> bool {
    asked.path == "/mcp"
        && asked
            .header("authorization")
            .is_some_and(|value| value.contains("good"))
}

fn has_made_up(asked: &Asked) -> bool {
    asked
        .header("authorization")
        .is_some_and(|value| value.contains("made-this-up"))
}

fn is_stateless(asked: &Asked) -> bool {
    asked.header("mcp-protocol-version") == Some("2026-07-28")
}

macro_rules! case {
    ($id:literal, $keeps_out:expr, |$asked:ident, $reply:ident| $if:expr => $then:expr) => {
        Case::new($id, $keeps_out, |$asked, $reply| {
            if $if {
                $then;
            }
        })
    };
}
use case;

/// All cases.
pub(super) fn cases() -> impl Iterator<Item = &'static Case> {
    discovery::CASES.iter().chain(login::CASES)
}
