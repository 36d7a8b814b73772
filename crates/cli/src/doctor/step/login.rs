//! Authorization and token endpoint, as far as they go without a person.

use portcullis_oauth::form::{Form, Limits};
use portcullis_oauth::json::Value;

use super::server::Server;
use crate::doctor::ask::PAGE;
use crate::doctor::finding::Findings;
use crate::doctor::rule;
use crate::doctor::seen::{Answer, Seen};

/// Where nobody is: a redirect URI that no client of anybody has (RFC 6761).
pub(in crate::doctor) const NOWHERE: &str = "https://portcullis-doctor.invalid/callback";

/// Requests to the authorization endpoint, and their answers.
#[derive(Debug)]
pub(in crate::doctor) struct Authorized {
    /// The redirect URI of the client.
    pub(in crate::doctor) redirect_uri: String,
    pub(in crate::doctor) good: Seen,
    /// With [`NOWHERE`].
    pub(in crate::doctor) foreign: Seen,
    /// Without `code_challenge`.
    pub(in crate::doctor) without_pkce: Seen,
}

/// An answer of the authorization endpoint that went back to a client.
struct Back {
    error: Option<String>,
    iss: Option<String>,
}

fn back(seen: &Seen, redirect_uri: &str) -> Option<Back> {
    let answer = seen.answer().filter(|answer| answer.is_redirect())?;
    let location = answer.header("location")?;
    let rest = location.strip_prefix(redirect_uri)?;
    let query = rest.strip_prefix('?').or_else(|| rest.strip_prefix('&'))?;
    let query = query.split('#').next().unwrap_or_default();
    let form = Form::parse(query.as_bytes(), Limits::new(8192, 50, 4096)).ok()?;
    let one = |name| form.one(name).ok().flatten().map(str::to_owned);
    Some(Back {
        error: one("error"),
        iss: one("iss"),
    })
}

pub(in crate::doctor) fn judge_authorize(
    server: &Server,
    authorized: &Authorized,
    findings: &mut Findings,
) {
    let at = |seen: &Seen| {
        let url = seen.url.split('?').next().unwrap_or_default();
        format!("{} {url}", seen.method)
    };
    let good = &authorized.good;
    let status = good.status();
    let alive = status.is_some_and(|status| status < 500);
    if findings.check(rule::AUZ_BROKEN, alive, &at(good), || good.brief()) {
        let went_back = back(good, &authorized.redirect_uri);
        let error = went_back.and_then(|back| back.error);
        let refused = error.is_some() || status.is_some_and(|status| status >= 400);
        findings.check(rule::AUZ_REFUSED, !refused, &at(good), || good.brief());
    }
    let foreign = &authorized.foreign;
    let location = foreign
        .answer()
        .and_then(|answer| answer.header("location"));
    let stolen = location.is_some_and(|location| location.starts_with(NOWHERE));
    findings.check(rule::AUZ_REDIRECT, !stolen, &at(foreign), || {
        foreign.brief()
    });
    let plain = &authorized.without_pkce;
    let went_back = back(plain, &authorized.redirect_uri);
    let refused = went_back.as_ref().is_some_and(|back| back.error.is_some())
        || plain.status().is_some_and(|status| status >= 400);
    findings.check(rule::AUZ_PKCE, refused, &at(plain), || plain.brief());
    let Some(back) = went_back.or_else(|| back(good, &authorized.redirect_uri)) else {
        return;
    };
    if server.says("authorization_response_iss_parameter_supported") {
        let same = back.iss.as_deref() == Some(server.metadata.issuer.as_str());
        findings.check(rule::AUZ_ISS, same, &at(plain), || {
            back.iss.unwrap_or("absent".to_owned())
        });
    }
}

/// Judges the answer of the token endpoint to a code that nobody issued.
pub(in crate::doctor) fn judge_token(seen: &Seen, findings: &mut Findings) {
    let at = seen.at();
    let alive = seen.status().is_some_and(|status| status < 500);
    if !findings.check(rule::TOK_BROKEN, alive, &at, || seen.brief()) {
        return;
    }
    let Some(answer) = seen.answer() else { return };
    let document = answer.object().unwrap_or_default();
    let given = document.get("access_token").is_some();
    if !findings.check(rule::TOK_GIVEN, !given, &at, || {
        format!("status {}", answer.status)
    }) {
        return;
    }
    let error = document.get("error").and_then(Value::as_str);
    let is_json = error.is_some() && answer.content_type() == "application/json";
    if findings.check(rule::TOK_JSON, is_json, &at, || seen.brief()) {
        let known = matches!(
            (error.unwrap_or_default(), answer.status),
            (
                "invalid_grant" | "invalid_request" | "unauthorized_client" | "invalid_target",
                400
            ) | ("invalid_client", 400 | 401)
        );
        findings.check(rule::TOK_CODE, known, &at, || seen.brief());
    }
    findings.check(rule::TOK_STORE, is_no_store(answer), &at, || {
        answer
            .header("cache-control")
            .unwrap_or("no Cache-Control")
            .to_owned()
    });
    findings.check(rule::TOK_CORS, answer.is_readable_by(PAGE), &at, || {
        "no Access-Control-Allow-Origin for it".to_owned()
    });
}

fn is_no_store(answer: &Answer) -> bool {
    let value = answer.header("cache-control").unwrap_or_default();
    value.to_ascii_lowercase().contains("no-store")
}
