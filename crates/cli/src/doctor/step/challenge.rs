//! What a client without a token is told.

use http::header::WWW_AUTHENTICATE;
use portcullis_oauth::{Challenge, ScopeSet};

use crate::doctor::finding::Findings;
use crate::doctor::rule;
use crate::doctor::seen::{Answer, Seen};
use crate::doctor::target::Target;

/// Requests without a token, and their answers.
#[derive(Debug)]
pub(in crate::doctor) struct Anonymous {
    /// `initialize` of revision 2025-11-25.
    pub(in crate::doctor) first: Seen,
    /// `tools/list` of revision 2026-07-28.
    pub(in crate::doctor) modern: Seen,
    pub(in crate::doctor) get: Seen,
    /// A body that is no JSON.
    pub(in crate::doctor) garbage: Seen,
}

/// What the challenge says.
#[derive(Debug, Default)]
pub(in crate::doctor) struct Told {
    /// Where the metadata is.
    pub(in crate::doctor) metadata: Option<String>,
    /// The scopes that are needed.
    pub(in crate::doctor) scopes: ScopeSet,
}

pub(in crate::doctor) fn judge(
    target: &Target,
    anonymous: &Anonymous,
    findings: &mut Findings,
) -> Told {
    let first = &anonymous.first;
    let refused = |seen: &Seen| seen.status() == Some(401);
    if !findings.check(rule::CHL_STATUS, refused(first), &first.at(), || {
        first.brief()
    }) {
        return first
            .answer()
            .map_or_else(Told::default, |answer| told(answer).unwrap_or_default());
    }
    for (seen, rule) in [
        (&anonymous.modern, rule::CHL_ERA),
        (&anonymous.garbage, rule::CHL_LATE),
    ] {
        findings.check(rule, refused(seen), &seen.at(), || seen.brief());
    }
    let get = &anonymous.get;
    let asks = refused(get) && (has_challenge(get) || !has_challenge(first));
    findings.check(rule::CHL_GET, asks, &get.at(), || get.brief());
    match first.answer() {
        Some(answer) => challenge(target, &first.at(), answer, findings),
        None => Told::default(),
    }
}

fn has_challenge(seen: &Seen) -> bool {
    let answer = seen.answer();
    answer.is_some_and(|answer| answer.headers.contains_key(WWW_AUTHENTICATE))
}

/// The `Bearer` challenge of an answer, read without judging it.
fn told(answer: &Answer) -> Option<Told> {
    let challenge = bearer(answer)?;
    Some(Told {
        metadata: challenge.get("resource_metadata").map(str::to_owned),
        scopes: challenge.scopes(),
    })
}

fn bearer(answer: &Answer) -> Option<Challenge> {
    let header = answer.header(WWW_AUTHENTICATE.as_str())?;
    let all = Challenge::parse_all(header).ok()?;
    all.into_iter().find(Challenge::is_bearer)
}

fn challenge(target: &Target, at: &str, answer: &Answer, findings: &mut Findings) -> Told {
    findings.check(rule::CHL_BODY, answer.object().is_some(), at, || {
        format!("Content-Type: {}", answer.content_type())
    });
    let at = format!("WWW-Authenticate of {at}");
    let count = answer.headers.get_all(WWW_AUTHENTICATE).iter().count();
    if !findings.check(rule::CHL_ABSENT, count > 0, &at, String::new) {
        return Told::default();
    }
    findings.check(rule::CHL_TWICE, count == 1, &at, || {
        format!("{count} header fields")
    });
    let header = answer.header(WWW_AUTHENTICATE.as_str()).unwrap_or_default();
    if let Some(url) = unquoted(header) {
        findings.found(rule::CHL_UNQUOTED, &at, header);
        return Told {
            metadata: Some(url.to_owned()),
            scopes: ScopeSet::new(),
        };
    }
    findings.fine(rule::CHL_UNQUOTED, &at);
    let all = Challenge::parse_all(header);
    let reason = all.as_ref().err().map(ToString::to_string);
    if !findings.check(rule::CHL_GRAMMAR, all.is_ok(), &at, || {
        format!("{}: {header}", reason.unwrap_or_default())
    }) {
        return Told::default();
    }
    if !findings.check(rule::CHL_SCHEME, bearer(answer).is_some(), &at, || {
        header.to_owned()
    }) {
        return Told::default();
    }
    let Some(challenge) = bearer(answer) else {
        return Told::default();
    };
    parameters(target, &at, (&challenge, header), findings);
    told(answer).unwrap_or_default()
}

/// `resource_metadata` without the quotes that the grammar wants around a URL. Some clients read it
/// all the same.
fn unquoted(header: &str) -> Option<&str> {
    let (_, value) = header.split_once("resource_metadata=")?;
    let value = value.split([',', ' ']).next().unwrap_or_default();
    (!value.starts_with('"')).then_some(value)
}

fn parameters(target: &Target, at: &str, said: (&Challenge, &str), findings: &mut Findings) {
    let (challenge, header) = said;
    let pointer = challenge.get("resource_metadata");
    if findings.check(rule::CHL_POINTER, pointer.is_some(), at, || {
        header.to_owned()
    }) {
        let url = pointer.unwrap_or_default();
        let down = target.is_https() && url.starts_with("http:");
        if findings.check(rule::CHL_DOWNGRADE, !down, at, || url.to_owned()) {
            let below = url.strip_prefix(&target.url.origin());
            let same = below.is_some_and(|rest| rest.starts_with('/'));
            findings.check(rule::CHL_ORIGIN, same, at, || url.to_owned());
        }
    }
    let error = challenge.get("error");
    findings.check(rule::CHL_ERROR, error.is_none(), at, || {
        error.unwrap_or_default().to_owned()
    });
    let scopes = challenge.scopes();
    // Without metadata there is nobody to ask for scopes.
    let named = !scopes.is_empty() || pointer.is_none();
    if findings.check(rule::CHL_SCOPE, named, at, String::new) {
        let offline = scopes.contains_str("offline_access");
        findings.check(rule::CHL_OFFLINE, !offline, at, || scopes.to_string());
    }
}
