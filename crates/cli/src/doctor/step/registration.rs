//! How clients get an id here, and how it went for those that registered.

use portcullis_oauth::json::{self, Value, json};
use portcullis_oauth::metadata::server::Endpoint;
use portcullis_oauth::{ClientId, SecretString};

use super::server::Server;
use super::{texts, written};
use crate::doctor::client::{Client, Way};
use crate::doctor::finding::Findings;
use crate::doctor::rule;
use crate::doctor::seen::Seen;

/// By what the clients that are left behind are known.
const NAME: &str = "portcullis doctor";

/// A client that was registered.
#[derive(Debug)]
pub(in crate::doctor) struct Registered {
    pub(in crate::doctor) client_id: ClientId,
    /// One of its redirect URIs.
    pub(in crate::doctor) redirect_uri: String,
    /// Where it can be removed, and by which token (RFC 7592).
    pub(in crate::doctor) management: Option<(String, SecretString)>,
}

/// Judges which clients have a way to an id, without asking for one.
pub(in crate::doctor) fn judge(server: &Server, findings: &mut Findings) {
    let at = format!("GET {}", server.url);
    let documents = server.says("client_id_metadata_document_supported");
    findings.check(rule::REG_DOCUMENTS, documents, &at, String::new);
    let endpoint = server.document.get("registration_endpoint");
    let registers = server.endpoint(Endpoint::Registration).is_some();
    if endpoint.is_some() {
        findings.check(rule::REG_ENDPOINT, registers, &at, || {
            written(&server.document, "registration_endpoint")
        });
    }
    let methods = "token_endpoint_auth_methods_supported";
    let signed = documents && server.lists(methods, "private_key_jwt");
    let open = documents && server.lists(methods, "none");
    if documents {
        findings.check(rule::REG_PUBLIC, open, &at, || {
            written(&server.document, methods)
        });
        let by_assertion = |client: &&Client| client.ways.contains(&Way::SignedDocument);
        if findings
            .clients()
            .iter()
            .copied()
            .any(|client| by_assertion(&client))
        {
            let seen = || written(&server.document, methods);
            findings.check(rule::REG_ASSERTION, signed, &at, seen);
        }
    }
    let has_way = |client: &Client| {
        client.ways.iter().any(|way| match way {
            Way::Document => open,
            Way::SignedDocument => signed,
            Way::Register => registers,
        })
    };
    let clients = findings.clients().iter();
    let none: Vec<_> = clients
        .filter(|client| !has_way(client))
        .map(|client| client.name)
        .collect();
    if none.is_empty() {
        findings.fine(rule::REG_NONE, &at);
    } else {
        findings.found_for(rule::REG_NONE, &none, &at, "");
    }
}

/// What `client` would send, under a name that says who it was.
pub(in crate::doctor) fn body(client: &Client, scopes: &[String]) -> Option<String> {
    let mut body = json::value(
        json::to_string(&client.registration).ok()?.as_bytes(),
        json::Limits::METADATA,
    )
    .ok()?;
    let name = format!("{NAME} (as {})", client.title);
    let members = body.as_object_mut()?;
    members.insert("client_name".to_owned(), json!(name));
    if !client.registration.says_scopes {
        members.insert("scope".to_owned(), json!(""));
    } else if !scopes.is_empty() {
        members.insert("scope".to_owned(), json!(scopes.join(" ")));
    }
    Some(body.to_string())
}

/// Judges one registration.
pub(in crate::doctor) fn judge_answer(
    client: &Client,
    seen: &Seen,
    findings: &mut Findings,
) -> Option<Registered> {
    let at = format!("{} as {}", seen.at(), client.name);
    let status = seen.status().unwrap_or_default();
    if !(200..300).contains(&status) {
        findings.found_for(rule::REG_REFUSED, &[client.name], &at, &seen.brief());
        return None;
    }
    findings.fine(rule::REG_REFUSED, &at);
    let document = seen.answer()?.object().unwrap_or_default();
    // What it says may hold secrets, so it is kept to the names of its members.
    let registered = registered(client, &document, findings);
    if registered.is_none() || !matches!(status, 200 | 201) {
        let names: Vec<_> = document.as_object().into_iter().flatten().collect();
        let names: Vec<_> = names.into_iter().map(|(name, _)| name.as_str()).collect();
        let said = format!("status {status}, members: {}", names.join(", "));
        findings.found_for(rule::REG_ANSWER, &[client.name], &at, &said);
        return registered;
    }
    findings.fine(rule::REG_ANSWER, &at);
    let empty = unset(&document);
    if empty.is_empty() {
        findings.fine(rule::REG_EMPTY, &at);
    } else {
        let minding: &[_] = if client.minds(rule::REG_EMPTY) {
            &[client.name]
        } else {
            &[]
        };
        findings.found_for(rule::REG_EMPTY, minding, &at, &empty.join(", "));
    }
    let kept: Vec<_> = texts(&document, "redirect_uris").collect();
    let asked = client.registration.redirect_uris;
    let all = asked.iter().all(|uri| kept.contains(uri));
    findings.check(rule::REG_CHANGED, all, &at, || kept.join(", "));
    registered
}

/// Members that are null, or an empty text. An empty scope is what one client asked for.
fn unset(document: &Value) -> Vec<&str> {
    let members = document.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| value.is_null() || (**value == "" && *name != "scope"))
        .map(|(name, _)| name.as_str())
        .collect()
}

fn registered(client: &Client, document: &Value, findings: &mut Findings) -> Option<Registered> {
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    for secret in ["client_secret", "registration_access_token"] {
        if let Some(secret) = text(secret).filter(|secret| !secret.is_empty()) {
            findings.keep_secret(SecretString::new(secret));
        }
    }
    let kept = texts(document, "redirect_uris").next().map(str::to_owned);
    let first = client.registration.redirect_uris.first().copied();
    let token = text("registration_access_token").map(SecretString::new);
    Some(Registered {
        client_id: ClientId::parse(text("client_id")?).ok()?,
        redirect_uri: kept.unwrap_or_else(|| first.unwrap_or_default().to_owned()),
        management: text("registration_client_uri")
            .map(str::to_owned)
            .zip(token),
    })
}

/// Tells which registered clients could not be removed, and why.
pub(in crate::doctor) fn judge_removal(at: &str, left: &[String], findings: &mut Findings) {
    findings.check(rule::REG_LEFT, left.is_empty(), at, || left.join(", "));
}
