//! Tokens, given and taken back.

use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::CodeVerifier;
use portcullis_oauth::crypto::{base64url, sha256};
use portcullis_oauth::json::{self, Limits, Map, Value, json};

use super::Seen;
use super::answer::{Answer, Shared};
use super::book::{Book, Grant};
use super::fault::Kind;

/// `POST /token`
pub(super) fn post(shared: &Shared, seen: &Seen, faults: &[Kind]) -> Answer {
    let mut book = shared.book();
    if !is_client(shared, &book, seen) {
        return Answer::error("invalid_client");
    }
    let grant = match seen.field("grant_type") {
        Some("authorization_code") => redeem(shared, &mut book, seen),
        Some("refresh_token") => {
            let token = seen.field("refresh_token").unwrap_or_default();
            book.spend_refresh(token)
        }
        Some(ON_BEHALF_OF) if seen.field("requested_token_use") == Some("on_behalf_of") => {
            return exchange(shared, &mut book, (seen, "assertion"));
        }
        Some(TOKEN_EXCHANGE) if seen.field("subject_token_type") == Some(ACCESS_TOKEN) => {
            return exchange(shared, &mut book, (seen, "subject_token"));
        }
        _ => return Answer::error("unsupported_grant_type"),
    };
    match grant {
        Some(grant) => Answer::Json(
            StatusCode::OK,
            give(shared, &mut book, (grant, seen), faults),
        ),
        None => Answer::error("invalid_grant"),
    }
}

/// `POST /revoke`: whatever the token was, the answer is 200 (RFC 7009 section 2.2).
pub(super) fn revoke(shared: &Shared, seen: &Seen) -> Answer {
    let mut book = shared.book();
    if !is_client(shared, &book, seen) {
        return Answer::error("invalid_client");
    }
    book.revoke(seen.field("token").unwrap_or_default(), false);
    Answer::Json(StatusCode::OK, json!({}))
}

/// `DELETE /applications/token` and `/applications/grant`, as GitHub has them: an access token, or all
/// that its user gave the client.
pub(super) fn delete(shared: &Shared, seen: &Seen, body: &[u8], all: bool) -> Answer {
    let mut book = shared.book();
    if !is_client(shared, &book, seen) {
        return Answer::status(StatusCode::UNAUTHORIZED);
    }
    let document = json::value(body, Limits::METADATA).unwrap_or_default();
    match document.get("access_token").and_then(Value::as_str) {
        Some(token) if book.revoke(token, all) => Answer::status(StatusCode::NO_CONTENT),
        Some(_) => Answer::status(StatusCode::NOT_FOUND),
        None => Answer::status(StatusCode::UNPROCESSABLE_ENTITY),
    }
}

fn is_client(shared: &Shared, book: &Book, seen: &Seen) -> bool {
    let (rules, idp) = (&book.rules, &shared.idp);
    let request = (&seen.headers, &seen.form);
    let now = idp.clock.now();
    rules
        .proof
        .is_from(&rules.client_id, request, &idp.issuer, now)
}

/// The grant of a code that is good: first its form, and then it is spent.
fn redeem(shared: &Shared, book: &mut Book, seen: &Seen) -> Option<usize> {
    let text = seen.field("code")?;
    let code = book.code(text)?.clone();
    let verifier = seen.field("code_verifier").map(CodeVerifier::parse);
    let proven = match (&code.challenge, verifier) {
        (Some(challenge), Some(Ok(verifier))) => challenge.verify(&verifier),
        (None, None) => true,
        _ => false,
    };
    let is_right = proven
        && seen.field("redirect_uri") == Some(&code.redirect_uri)
        && shared.idp.clock.now() < code.expires_at;
    let first = is_right && book.spend_code(text);
    first.then_some(code.grant)
}

fn give(
    shared: &Shared,
    book: &mut Book,
    (number, seen): (usize, &Seen),
    faults: &[Kind],
) -> Value {
    let Some(grant) = book.live(number).cloned() else {
        return Value::Null;
    };
    let lifetime = book.rules.lifetime;
    let access = access_token(shared, book, &grant);
    let until = shared.idp.clock.now().saturating_add(lifetime);
    book.add_access(&access, number, until);
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    add("token_type", "Bearer".into());
    add("expires_in", lifetime.as_secs().into());
    add("scope", grant.scope.as_str().into());
    let refreshes = seen.field("grant_type") == Some("refresh_token");
    if book.rules.refresh_tokens && (book.rules.rotates || !refreshes) {
        let refresh = book.draw("refresh", shared.port);
        book.add_refresh(&refresh, number);
        add("refresh_token", refresh.into());
    }
    if book.rules.is_openid(&grant.scope) {
        // OpenID Connect Core 1.0 section 12.2: there is no nonce after a refresh.
        let nonce = grant.nonce.as_deref().filter(|_| !refreshes);
        let token = id_token(shared, book, (&grant, nonce, &access), faults);
        book.given.push(token.clone());
        add("id_token", token.into());
    }
    add("access_token", access.into());
    Value::Object(members)
}

/// A token of another API for the user of an access token: as Microsoft gives it on behalf of a user, or
/// by RFC 8693. It is opened by the provider's APIs, and `scope` says for what it was asked.
fn exchange(shared: &Shared, book: &mut Book, (seen, member): (&Seen, &str)) -> Answer {
    let now = shared.idp.clock.now();
    let subject = seen.field(member).unwrap_or_default();
    let Some(grant) = book.grant_of(subject, now) else {
        return Answer::error("invalid_grant");
    };
    let token = book.draw("exchanged", shared.port);
    let lifetime = book.rules.lifetime;
    book.add_access(&token, grant, now.saturating_add(lifetime));
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    add("access_token", token.into());
    add("token_type", "Bearer".into());
    add("expires_in", lifetime.as_secs().into());
    add("scope", seen.field("scope").unwrap_or_default().into());
    if member == "subject_token" {
        add("issued_token_type", ACCESS_TOKEN.into());
    }
    Answer::Json(StatusCode::OK, Value::Object(members))
}

fn access_token(shared: &Shared, book: &mut Book, grant: &Grant) -> String {
    if !book.rules.jwt_access_tokens {
        return book.draw("access", shared.port);
    }
    let claims = book.users.get(&grant.user).cloned().unwrap_or_default();
    let token = shared.idp.token().client_id(&book.rules.client_id);
    let token = token
        .audience("https://api.provider.example")
        .scope(&grant.scope)
        .expires_in(book.rules.lifetime);
    let token = claims
        .into_iter()
        .fold(token, |token, (name, value)| token.claim(&name, value));
    let token = token.sign();
    book.given.push(token.clone());
    token
}

/// OpenID Connect Core 1.0 section 2, with `at_hash` of section 3.1.3.6.
fn id_token(
    shared: &Shared,
    book: &Book,
    (grant, nonce, access): (&Grant, Option<&str>, &str),
    faults: &[Kind],
) -> String {
    let token = shared.idp.token().typ("JWT").without("client_id");
    let mut token = token
        .without("jti")
        .audience(book.rules.client_id.as_str())
        .expires_in(ID_TOKEN_LIFETIME);
    for (name, value) in book.users.get(&grant.user).into_iter().flatten() {
        token = token.claim(name, value.clone());
    }
    if let Some(nonce) = nonce {
        token = token.claim("nonce", nonce);
    }
    let digest = sha256(access.as_bytes());
    let half = digest.first_chunk::<16>().copied().unwrap_or_default();
    token = token.claim("at_hash", base64url::encode(half));
    for fault in faults {
        if let Kind::IdToken(change) = fault {
            token = change(token);
        }
    }
    token.sign()
}

const ID_TOKEN_LIFETIME: Duration = Duration::from_secs(300);
const ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
