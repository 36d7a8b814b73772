//! What the user's token says, if it is one that says anything.

use portcullis_oauth::json::Value;
use portcullis_oauth::{ResourceUrl, ScopeSet, Timestamp};

use super::{texts, written};
use crate::doctor::finding::Findings;
use crate::doctor::rule;

/// What a token is held against.
#[derive(Debug)]
pub(in crate::doctor) struct Measure<'a> {
    pub(in crate::doctor) server: &'a ResourceUrl,
    /// Issuers that the metadata names; none where there is no metadata.
    pub(in crate::doctor) issuers: &'a [&'a str],
    /// Scopes that the challenge names.
    pub(in crate::doctor) scopes: &'a ScopeSet,
    pub(in crate::doctor) now: Timestamp,
}

const AT: &str = "the token";

/// Judges claims that nobody has verified: they are the server's business, and a hint here.
pub(in crate::doctor) fn judge(
    claims: Option<&Value>,
    measure: &Measure<'_>,
    findings: &mut Findings,
) {
    let Some(claims) = claims else {
        findings.found(rule::TKN_OPAQUE, AT, "");
        return;
    };
    findings.fine(rule::TKN_OPAQUE, AT);
    let ends = claims
        .get("exp")
        .and_then(Value::as_i64)
        .map(Timestamp::from_secs);
    let alive = ends.is_none_or(|end| measure.now < end);
    findings.check(rule::TKN_EXPIRED, alive, "exp of the token", || {
        ends.map(crate::time::utc).unwrap_or_default()
    });
    let audience = claims.get("aud").and_then(Value::as_str);
    let mut audiences = audience.into_iter().chain(texts(claims, "aud"));
    let ours = audiences.any(|one| measure.server.is_same_resource(one));
    findings.check(rule::TKN_AUDIENCE, ours, "aud of the token", || {
        written(claims, "aud")
    });
    let issuer = claims
        .get("iss")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !measure.issuers.is_empty() {
        let known = measure.issuers.contains(&issuer);
        findings.check(rule::TKN_ISSUER, known, "iss of the token", || {
            written(claims, "iss")
        });
    }
    let granted = ["scope", "scp"]
        .iter()
        .filter_map(|name| claims.get(*name).and_then(Value::as_str))
        .fold(ScopeSet::new(), |all, text| {
            all.union(&ScopeSet::parse_lenient(text))
        });
    let listed = texts(claims, "scp").chain(texts(claims, "scope"));
    let granted = listed.fold(granted, |all, text| {
        all.union(&ScopeSet::parse_lenient(text))
    });
    let missing = measure.scopes.difference(&granted);
    findings.check(
        rule::TKN_SCOPE,
        missing.is_empty(),
        "scope of the token",
        || format!("missing: {missing}"),
    );
}
