//! Protected resource metadata.

use portcullis_oauth::Issuer;
use portcullis_oauth::json::Value;
use portcullis_oauth::metadata::ProtectedResourceMetadata;

use super::{lists, texts, written};
use crate::doctor::ask::PAGE;
use crate::doctor::finding::Findings;
use crate::doctor::rule;
use crate::doctor::seen::{Seen, empty_members};
use crate::doctor::target::Target;

/// Where the document was looked for.
#[derive(Debug)]
pub(in crate::doctor) struct Documents {
    /// Where the challenge says.
    pub(in crate::doctor) told: Option<Seen>,
    /// Where the server's path follows the well-known part.
    pub(in crate::doctor) path: Seen,
    /// At the root, if the server has a path.
    pub(in crate::doctor) root: Option<Seen>,
}

impl Documents {
    /// The one that clients use: of the challenge, else of the path, else of the root.
    pub(in crate::doctor) fn used(&self) -> Option<&Seen> {
        let all = [self.told.as_ref(), Some(&self.path), self.root.as_ref()];
        all.into_iter().flatten().find(|seen| seen.ok().is_some())
    }
}

/// What is left of a document for the steps to come.
#[derive(Debug)]
pub(in crate::doctor) struct Resource {
    pub(in crate::doctor) issuers: Vec<Issuer>,
    /// The first of them that is in the document is usable.
    pub(in crate::doctor) first_is_usable: bool,
    pub(in crate::doctor) scopes: Vec<String>,
    /// What clients send as `resource`.
    pub(in crate::doctor) name: String,
}

/// Judges where the documents are, and the one that clients use.
pub(in crate::doctor) fn judge(
    target: &Target,
    documents: &Documents,
    findings: &mut Findings,
) -> Option<Resource> {
    if let Some(told) = &documents.told {
        findings.check(rule::PRM_DEAD, told.ok().is_some(), &told.at(), || {
            told.brief()
        });
    }
    let used = documents.used()?;
    let path = &documents.path;
    findings.check(rule::PRM_PATH, path.ok().is_some(), &path.at(), || {
        path.brief()
    });
    let answer = used.ok()?;
    let at = used.at();
    let object = answer.object();
    if !findings.check(rule::PRM_JSON, object.is_some(), &at, || used.brief()) {
        return None;
    }
    let document = object?;
    let kind = answer.content_type();
    findings.check(rule::PRM_TYPE, kind == "application/json", &at, || {
        kind.clone()
    });
    if let Some(other) = path.ok().filter(|_| path.url != used.url) {
        let other = other.object().unwrap_or_default();
        let same = ["resource", "authorization_servers"]
            .iter()
            .all(|member| document.get(member) == other.get(member));
        findings.check(rule::PRM_DIFFER, same, &path.at(), || path.brief());
    }
    members(target, &at, &document, findings);
    let issuers = servers(&at, &document, findings);
    let first = texts(&document, "authorization_servers").next();
    Some(Resource {
        first_is_usable: issuers.first().map(Issuer::as_str) == first,
        issuers,
        scopes: texts(&document, "scopes_supported")
            .map(str::to_owned)
            .collect(),
        name: written(&document, "resource"),
    })
}

fn members(target: &Target, at: &str, document: &Value, findings: &mut Findings) {
    let place = |member: &str| format!("{member} of {at}");
    let resource = document.get("resource").and_then(Value::as_str);
    if findings.check(
        rule::PRM_ABSENT,
        resource.is_some(),
        &place("resource"),
        || written(document, "resource"),
    ) {
        compare(target, &place("resource"), document, findings);
    }
    let at_scopes = place("scopes_supported");
    let has_scopes = texts(document, "scopes_supported").next().is_some();
    if findings.check(rule::PRM_SCOPES, has_scopes, &at_scopes, String::new) {
        let offline = lists(document, "scopes_supported", "offline_access");
        findings.check(rule::PRM_OFFLINE, !offline, &at_scopes, || {
            written(document, "scopes_supported")
        });
    }
    let methods = document.get("bearer_methods_supported");
    let header = methods.is_none() || lists(document, "bearer_methods_supported", "header");
    findings.check(
        rule::PRM_BEARER,
        header,
        &place("bearer_methods_supported"),
        || written(document, "bearer_methods_supported"),
    );
    let mut empty = empty_members(document);
    // These have findings of their own.
    empty.retain(|name| !matches!(name.as_str(), "resource" | "authorization_servers"));
    empty.retain(|name| !matches!(name.as_str(), "bearer_methods_supported"));
    findings.check(rule::PRM_EMPTY, empty.is_empty(), at, || empty.join(", "));
}

fn compare(target: &Target, at: &str, document: &Value, findings: &mut Findings) {
    let resource = written(document, "resource");
    if resource == target.url.as_str() {
        findings.fine(rule::PRM_RESOURCE, at);
        return;
    }
    let parsed = ProtectedResourceMetadata::parse(
        portcullis_oauth::json::json!({ "resource": resource })
            .to_string()
            .as_bytes(),
    );
    let clients = findings.clients().iter();
    let refusing = clients.filter(|client| match &parsed {
        Ok(parsed) => !client.resource.accepts(&target.url, parsed),
        Err(_) => true,
    });
    let refusing: Vec<_> = refusing.map(|client| client.name).collect();
    findings.found_for(rule::PRM_RESOURCE, &refusing, at, &resource);
}

fn servers(at: &str, document: &Value, findings: &mut Findings) -> Vec<Issuer> {
    let at = format!("authorization_servers of {at}");
    let named: Vec<_> = texts(document, "authorization_servers").collect();
    if !findings.check(rule::PRM_SERVERS, !named.is_empty(), &at, || {
        written(document, "authorization_servers")
    }) {
        return Vec::new();
    }
    findings.check(rule::PRM_MANY, named.len() == 1, &at, || named.join(", "));
    let mut issuers = Vec::new();
    for (place, text) in named.into_iter().enumerate() {
        findings.in_second_place(place > 0);
        let issuer = Issuer::parse(text);
        let reason = issuer.as_ref().err().map(ToString::to_string);
        findings.check(rule::PRM_ISSUER, issuer.is_ok(), &at, || {
            format!("{text}: {}", reason.unwrap_or_default())
        });
        issuers.extend(issuer);
    }
    findings.in_second_place(false);
    issuers
}

/// Judges whether a page can read the document, and an SDK that sends its revision.
pub(in crate::doctor) fn judge_pages(page: &Seen, preflight: &Seen, findings: &mut Findings) {
    let there = page.ok().is_some();
    if findings.check(rule::PRM_HEADER, there, &page.at(), || page.brief()) {
        let readable = page.ok().is_some_and(|answer| answer.is_readable_by(PAGE));
        findings.check(rule::PRM_CORS, readable, &page.at(), || {
            "no Access-Control-Allow-Origin for it".to_owned()
        });
    }
    let allowed = preflight
        .answer()
        .is_some_and(|answer| answer.allows_header("mcp-protocol-version"));
    findings.check(rule::PRM_PREFLIGHT, allowed, &preflight.at(), || {
        preflight.brief()
    });
}
