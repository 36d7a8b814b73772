//! What a client meets that has a token, and what one with a wrong token does.

use portcullis_oauth::Challenge;
use portcullis_oauth::json::Value;

use crate::doctor::ask::PAGE;
use crate::doctor::finding::Findings;
use crate::doctor::rule;
use crate::doctor::seen::{Answer, Seen};

/// Calls, and their answers.
#[derive(Debug)]
pub(in crate::doctor) struct Calls {
    /// `initialize` of revision 2025-11-25.
    pub(in crate::doctor) initialize: Seen,
    /// `tools/list` in the session that it opened.
    pub(in crate::doctor) list: Option<Seen>,
    /// `tools/list` of revision 2026-07-28.
    pub(in crate::doctor) modern: Seen,
    /// GET for events, in the session.
    pub(in crate::doctor) stream: Option<Seen>,
    /// With an `Origin` that nobody has.
    pub(in crate::doctor) foreign_origin: Seen,
    /// With a `Host` that nobody has; only of servers on this machine.
    pub(in crate::doctor) foreign_host: Option<Seen>,
    pub(in crate::doctor) preflight: Seen,
}

/// Requests with a token that is none.
#[derive(Debug)]
pub(in crate::doctor) struct Wrong {
    /// A token that nobody issued.
    pub(in crate::doctor) made_up: Seen,
    /// The good token, in the query; only to servers on this machine.
    pub(in crate::doctor) in_query: Option<Seen>,
}

pub(in crate::doctor) fn judge(calls: &Calls, has_token: bool, findings: &mut Findings) {
    let first = &calls.initialize;
    if has_token {
        let refused = matches!(first.status(), Some(401 | 403));
        if !findings.check(rule::CAL_REFUSED, !refused, &first.at(), || first.brief()) {
            return;
        }
    }
    let legacy = is_answered(first) && calls.list.as_ref().is_some_and(is_answered);
    let modern = is_answered(&calls.modern);
    if modern && !is_answered(first) {
        findings.found(rule::CAL_LEGACY, &first.at(), &first.brief());
    } else {
        let failed = if is_answered(first) {
            calls.list.as_ref().unwrap_or(first)
        } else {
            first
        };
        findings.check(rule::CAL_FAILED, legacy, &failed.at(), || failed.brief());
        findings.check(rule::CAL_ERA, modern, &calls.modern.at(), || {
            calls.modern.brief()
        });
    }
    let slow = [Some(first), calls.list.as_ref(), Some(&calls.modern)];
    let slow = slow.into_iter().flatten().find(|seen| seen.is_slow());
    findings.check(rule::CAL_SLOW, slow.is_none(), &first.at(), || {
        slow.map(|seen| format!("{} ms", seen.took.as_millis()))
            .unwrap_or_default()
    });
    guards(calls, findings);
}

fn guards(calls: &Calls, findings: &mut Findings) {
    let page = &calls.foreign_origin;
    findings.check(rule::CAL_ORIGIN, !is_answered(page), &page.at(), || {
        page.brief()
    });
    if let Some(host) = &calls.foreign_host {
        findings.check(rule::CAL_HOST, !is_answered(host), &host.at(), || {
            host.brief()
        });
    }
    if let Some(stream) = &calls.stream {
        let events = stream
            .ok()
            .is_some_and(|answer| answer.content_type() == "text/event-stream");
        let fine = events || stream.status() == Some(405);
        findings.check(rule::CAL_METHOD, fine, &stream.at(), || stream.brief());
    }
    let preflight = &calls.preflight;
    let allowed = preflight
        .answer()
        .is_some_and(|answer| answer.is_readable_by(PAGE) && answer.allows_header("authorization"));
    findings.check(rule::CAL_CORS, allowed, &preflight.at(), || {
        preflight.brief()
    });
}

pub(in crate::doctor) fn judge_wrong(wrong: &Wrong, findings: &mut Findings) {
    let seen = &wrong.made_up;
    if !findings.check(rule::CAL_OPEN, !is_answered(seen), &seen.at(), || {
        seen.brief()
    }) {
        return;
    }
    if findings.check(
        rule::CAL_STATUS,
        seen.status() == Some(401),
        &seen.at(),
        || seen.brief(),
    ) {
        let header = seen
            .answer()
            .and_then(|answer| answer.header("www-authenticate"));
        let header = header.unwrap_or_default();
        let all = Challenge::parse_all(header).unwrap_or_default();
        let said = all
            .iter()
            .any(|one| one.get("error") == Some("invalid_token"));
        findings.check(rule::CAL_ERROR, said, &seen.at(), || header.to_owned());
    }
    if let Some(query) = &wrong.in_query {
        let at = query.url.split('?').next().unwrap_or_default();
        findings.check(rule::CAL_QUERY, !is_answered(query), at, || query.brief());
    }
}

/// Whether MCP answers: with a result, or that it does not know the method.
fn is_answered(seen: &Seen) -> bool {
    let answer = seen.ok().and_then(Answer::rpc);
    answer.is_some_and(|answer| {
        let code = answer.get("error").and_then(|error| error.get("code"));
        answer.get("result").is_some() || code.and_then(Value::as_i64) == Some(METHOD_NOT_FOUND)
    })
}

/// Of JSON-RPC: a server without tools has no list of them.
const METHOD_NOT_FOUND: i64 = -32_601;
