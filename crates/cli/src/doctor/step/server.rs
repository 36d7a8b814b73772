//! Authorization server metadata, and the keys that it names.

use portcullis_oauth::Issuer;
use portcullis_oauth::id::EndpointUrl;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::metadata::server::Endpoint;
use portcullis_oauth::metadata::{AuthorizationServerMetadata, MetadataError};

use super::{lists, written};
use crate::doctor::ask::PAGE;
use crate::doctor::finding::Findings;
use crate::doctor::rule::{self, Rule};
use crate::doctor::seen::{Answer, Seen, Trouble, empty_members};

/// Where the document of one issuer was looked for.
#[derive(Debug)]
pub(in crate::doctor) struct Documents {
    /// Where clients look, in their order.
    pub(in crate::doctor) places: Vec<Seen>,
    /// Where servers put it by mistake.
    pub(in crate::doctor) elsewhere: Vec<Seen>,
}

/// A document of which the steps to come can make use.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Server {
    pub(in crate::doctor) metadata: AuthorizationServerMetadata,
    /// The same as it was written.
    pub(in crate::doctor) document: Value,
    /// Where it is.
    pub(in crate::doctor) url: String,
}

impl Server {
    pub(in crate::doctor) fn endpoint(&self, endpoint: Endpoint) -> Option<EndpointUrl> {
        self.metadata.endpoint(endpoint).ok()
    }

    /// Whether this flag of the document is on.
    pub(in crate::doctor) fn says(&self, member: &str) -> bool {
        self.document.get(member) == Some(&Value::Bool(true))
    }

    /// Whether this list of the document has this text.
    pub(in crate::doctor) fn lists(&self, member: &str, text: &str) -> bool {
        lists(&self.document, member, text)
    }
}

pub(in crate::doctor) fn judge(
    issuer: &Issuer,
    documents: &Documents,
    findings: &mut Findings,
) -> Option<Server> {
    let (index, seen, answer) = find(issuer, documents, findings)?;
    let at = seen.at();
    findings.check(rule::ASM_FIRST, index == 0, &at, String::new);
    let object = answer.object();
    if !findings.check(rule::ASM_JSON, object.is_some(), &at, || seen.brief()) {
        return None;
    }
    let document = object?;
    let kind = answer.content_type();
    findings.check(rule::ASM_TYPE, kind == "application/json", &at, || {
        kind.clone()
    });
    let metadata = named(issuer, &at, answer, findings)?;
    let server = Server {
        metadata,
        document,
        url: seen.url.clone(),
    };
    endpoints(issuer, &at, &server, findings);
    abilities(&at, &server, findings);
    let empty = empty_members(&server.document);
    findings.check(rule::ASM_EMPTY, empty.is_empty(), &at, || empty.join(", "));
    Some(server)
}

/// The first place with a document.
fn find<'a>(
    issuer: &Issuer,
    documents: &'a Documents,
    findings: &mut Findings,
) -> Option<(usize, &'a Seen, &'a Answer)> {
    let mut places = documents.places.iter().enumerate();
    let found = places.find_map(|(index, seen)| Some((index, seen, seen.ok()?)));
    if found.is_some() {
        findings.fine(rule::ASM_NONE, issuer.as_str());
        return found;
    }
    let first = documents.places.first()?;
    let refused = |seen: &Seen| matches!(seen.result, Err(Trouble::Refused(_)));
    let down = |seen: &Seen| seen.status().is_none_or(|status| status >= 500);
    let rule = if documents.places.iter().any(refused) {
        rule::ASM_REFUSED
    } else if documents.places.iter().all(down) {
        rule::ASM_DOWN
    } else if let Some(seen) = documents.elsewhere.iter().find(|seen| is_metadata(seen)) {
        findings.found(rule::ASM_ELSEWHERE, &seen.at(), "");
        return None;
    } else {
        rule::ASM_NONE
    };
    findings.found(rule, &first.at(), &first.brief());
    None
}

/// Whether this is authorization server metadata.
pub(in crate::doctor) fn is_metadata(seen: &Seen) -> bool {
    let object = seen.ok().and_then(Answer::object);
    object.is_some_and(|object| object.get("token_endpoint").is_some())
}

/// The document, whose `issuer` is held against the one it was fetched for.
fn named(
    issuer: &Issuer,
    at: &str,
    answer: &Answer,
    findings: &mut Findings,
) -> Option<AuthorizationServerMetadata> {
    let at_issuer = format!("issuer of {at}");
    let said = written(&answer.object()?, "issuer");
    let (rule, why) = match AuthorizationServerMetadata::parse_for(issuer, &answer.body) {
        Ok(metadata) => {
            findings.fine(rule::ASM_ISSUER, &at_issuer);
            return Some(metadata);
        }
        Err(MetadataError::IssuerSlash) => {
            (rule::ASM_SLASH, format!("{said} for {}", issuer.as_str()))
        }
        Err(MetadataError::WrongIssuer) => {
            (rule::ASM_ISSUER, format!("{said} for {}", issuer.as_str()))
        }
        Err(_) if said == "absent" => (rule::ASM_ISSUER, said),
        Err(error) => (rule::ASM_JSON, error.to_string()),
    };
    findings.found(rule, &at_issuer, &why);
    // The rest is worth a look all the same.
    json::from_slice(&answer.body, Limits::METADATA).ok()
}

fn endpoints(issuer: &Issuer, at: &str, server: &Server, findings: &mut Findings) {
    let mut foreign = Vec::new();
    for (endpoint, rule) in [
        (Endpoint::Authorization, Some(rule::ASM_AUTHORIZE)),
        (Endpoint::Token, Some(rule::ASM_TOKEN)),
        (Endpoint::Registration, None),
    ] {
        let url = server.metadata.endpoint(endpoint);
        if let Some(rule) = rule {
            let reason = url.as_ref().err().map(ToString::to_string);
            let at = format!("{} of {at}", endpoint.member());
            findings.check(rule, url.is_ok(), &at, || {
                let said = written(&server.document, endpoint.member());
                format!("{said}: {}", reason.unwrap_or_default())
            });
        }
        if url.is_ok_and(|url| url.origin() != issuer.origin()) {
            foreign.push(endpoint.member());
        }
    }
    let says_iss = server.says("authorization_response_iss_parameter_supported");
    let mixup = !says_iss && foreign.contains(&"authorization_endpoint");
    let url = || written(&server.document, "authorization_endpoint");
    findings.check(rule::ASM_MIXUP, !mixup, at, url);
    if !mixup {
        findings.check(rule::ASM_ORIGIN, foreign.is_empty(), at, || {
            foreign.join(", ")
        });
        findings.check(rule::ASM_NO_ISS, says_iss, at, String::new);
    }
    findings.check(
        rule::ASM_ISS,
        !(says_iss && findings.concerns(rule::ASM_ISS)),
        at,
        String::new,
    );
}

fn abilities(at: &str, server: &Server, findings: &mut Findings) {
    let document = &server.document;
    let mut listed = |rule: &'static Rule, member: &str, text: &str, if_absent: bool| {
        let holds = match document.get(member) {
            None => if_absent,
            Some(_) => lists(document, member, text),
        };
        findings.check(rule, holds, &format!("{member} of {at}"), || {
            written(document, member)
        });
    };
    listed(
        rule::ASM_S256,
        "code_challenge_methods_supported",
        "S256",
        false,
    );
    listed(rule::ASM_CODE, "response_types_supported", "code", false);
    // Absent, these stand for the code grant alone and for `client_secret_basic` (RFC 8414).
    listed(
        rule::ASM_GRANT,
        "grant_types_supported",
        "authorization_code",
        true,
    );
    listed(
        rule::ASM_REFRESH,
        "grant_types_supported",
        "refresh_token",
        false,
    );
    listed(
        rule::ASM_PUBLIC,
        "token_endpoint_auth_methods_supported",
        "none",
        false,
    );
    listed(
        rule::ASM_OFFLINE,
        "scopes_supported",
        "offline_access",
        false,
    );
}

/// Judges whether a page can read the document.
pub(in crate::doctor) fn judge_page(page: &Seen, findings: &mut Findings) {
    let readable = page.ok().is_some_and(|answer| answer.is_readable_by(PAGE));
    findings.check(rule::ASM_CORS, readable, &page.at(), || {
        "no Access-Control-Allow-Origin for it".to_owned()
    });
}

/// Judges that a document names keys at all.
pub(in crate::doctor) fn judge_keys_place(server: &Server, findings: &mut Findings) {
    let usable = server.endpoint(Endpoint::Jwks).is_some();
    let at = format!("jwks_uri of GET {}", server.url);
    findings.check(rule::JWK_NONE, usable, &at, || {
        written(&server.document, "jwks_uri")
    });
}

pub(in crate::doctor) fn judge_keys(seen: &Seen, findings: &mut Findings) {
    let at = seen.at();
    let set = seen
        .ok()
        .and_then(|answer| JwkSet::parse(&answer.body).ok());
    if !findings.check(rule::JWK_DOWN, set.is_some(), &at, || seen.brief()) {
        return;
    }
    let Some(set) = set else { return };
    let document = seen.ok().and_then(Answer::object).unwrap_or_default();
    let keys = document.get("keys").and_then(Value::as_array);
    let keys = keys.into_iter().flatten();
    let is_private = |key: &Value| {
        ["d", "k", "p"]
            .iter()
            .any(|member| key.get(member).is_some())
    };
    let private: Vec<_> = keys.filter(|key| is_private(key)).collect();
    let ids: Vec<_> = private.iter().map(|key| written(key, "kid")).collect();
    findings.check(rule::JWK_PRIVATE, private.is_empty(), &at, || {
        ids.join(", ")
    });
    findings.check(
        rule::JWK_EMPTY,
        !set.is_empty() || !private.is_empty(),
        &at,
        String::new,
    );
    let odd = set.skipped().len().saturating_sub(private.len());
    if !set.is_empty() {
        findings.check(rule::JWK_ODD, odd == 0, &at, || format!("{odd} keys"));
    }
}
