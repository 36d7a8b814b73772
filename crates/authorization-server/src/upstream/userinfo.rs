//! What a provider says of a user when it is asked with the user's access token (OpenID Connect Core
//! section 5.3), and endpoints of providers' own that do the same.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_fetch::Fetched;
use portcullis_oauth::crypto::base64;
use portcullis_oauth::json::{self, Map, Value, json};

use super::UpstreamError;
use super::answer::LIMITS;
use super::check::{Settings, TokenCheckSettings};
use super::claims::texts;
use super::error::{is_outage, out_of_reach};
use super::pages;
use super::site::Endpoint;

/// The user's claims at the userinfo endpoint.
pub(super) async fn profile(
    settings: &Settings,
    at: &Endpoint,
    token: &str,
) -> Result<Map<String, Value>, UpstreamError> {
    let headers = bearer(token)?;
    let answer = match &settings.userinfo.query {
        Some(query) => post(at, headers, Bytes::from(query.clone())).await?,
        None => at.fetcher.get_with(&at.url, headers).await?,
    };
    let answer = document(&answer)?;
    let user = match &settings.userinfo.at {
        Some(pointer) => pointer.all_in(&answer).first().copied().cloned(),
        None => Some(answer),
    };
    match user {
        Some(Value::Object(claims)) => Ok(claims),
        _ => Err(UpstreamError::Invalid("userinfo")),
    }
}

/// Adds the user's primary address, and whether it is verified.
pub(super) async fn add_email(
    settings: &Settings,
    token: &str,
    profile: &mut Map<String, Value>,
) -> Result<(), UpstreamError> {
    let Some(at) = &settings.userinfo.emails else {
        return Ok(());
    };
    let answer = document(&at.fetcher.get_with(&at.url, bearer(token)?).await?)?;
    let addresses = answer.as_array().map_or(&[][..], Vec::as_slice);
    let primary = addresses
        .iter()
        .find(|address| address.get("primary") == Some(&Value::Bool(true)));
    // SECURITY: an address that only the profile names is anybody's word (nOAuth);
    // sec_px_09_an_address_counts_when_the_provider_has_verified_it
    profile.remove("email_verified");
    if let Some(address) = primary
        && let Some(email) = address.get("email").and_then(Value::as_str)
    {
        let verified = address.get("verified") == Some(&Value::Bool(true));
        profile.insert("email".to_owned(), email.into());
        profile.insert("email_verified".to_owned(), verified.into());
    }
    Ok(())
}

/// The names of the user's organisations, as far as endpoints tell them: on all pages of a list.
pub(super) async fn organisations(
    settings: &Settings,
    token: &str,
) -> Result<Vec<String>, UpstreamError> {
    let mut all = Vec::new();
    for (at, pointer) in &settings.userinfo.organisations {
        let mut url = at.url.clone();
        for _ in 0..MOST_PAGES {
            let answer = at.fetcher.get_with(&url, bearer(token)?).await?;
            all.extend(texts(pointer.all_in(&document(&answer)?)));
            match pages::next(&url, &answer.headers)? {
                Some(next) => url = next,
                None => break,
            }
        }
    }
    Ok(all)
}

/// Whether an access token is still good, and ours.
pub(super) async fn check_token(
    settings: &Settings,
    check: &TokenCheckSettings,
    token: &str,
) -> Result<(), UpstreamError> {
    let at = &check.endpoint;
    let answer = if check.by_client {
        let headers = basic(settings)?;
        let body = json!({"access_token": token}).to_string();
        let answer = post(at, headers, Bytes::from(body)).await?;
        if matches!(
            answer.status,
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY
        ) {
            return Err(UpstreamError::Ended);
        }
        // Here it is we whom the provider does not know.
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(UpstreamError::OurFault);
        }
        answer
    } else {
        at.fetcher.get_with(&at.url, bearer(token)?).await?
    };
    let answer = document(&answer)?;
    let client = texts(check.client.all_in(&answer));
    // SECURITY: a token that another client was given says nothing of our user (RFC 9700 section 4.10);
    // sec_px_17_a_token_of_another_client_is_no_proof
    if client == [settings.client_id.as_str()] {
        Ok(())
    } else {
        Err(UpstreamError::Ended)
    }
}

async fn post(at: &Endpoint, headers: HeaderMap, body: Bytes) -> Result<Fetched, UpstreamError> {
    Ok(at.fetcher.post(&at.url, with_json(headers), body).await?)
}

fn with_json(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn bearer(token: &str) -> Result<HeaderMap, UpstreamError> {
    headers(format!("Bearer {token}"))
}

/// Our id and secret (RFC 7617), which providers' own endpoints take as they are.
fn basic(settings: &Settings) -> Result<HeaderMap, UpstreamError> {
    let id = &settings.client_id;
    let secret = settings.authentication.secret();
    let secret = secret.ok_or(UpstreamError::OurFault)?;
    let pair = format!("{id}:{}", secret.expose());
    headers(format!("Basic {}", base64::encode(pair)))
}

fn headers(authorization: String) -> Result<HeaderMap, UpstreamError> {
    let value = HeaderValue::try_from(authorization);
    let mut value = value.map_err(|_| UpstreamError::Invalid("access_token"))?;
    value.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Ok(headers)
}

/// The JSON of an answer to an access token.
fn document(answer: &Fetched) -> Result<Value, UpstreamError> {
    let status = answer.status;
    if status == StatusCode::UNAUTHORIZED {
        return Err(UpstreamError::Ended);
    }
    // Also where a limit of requests is reached, at GitHub for one; a token that ended is 401.
    if is_outage(status) || status == StatusCode::FORBIDDEN {
        return Err(out_of_reach(
            "the provider does not tell of the user now",
            &answer.headers,
        ));
    }
    if status != StatusCode::OK {
        return Err(UpstreamError::Nothing(status));
    }
    let value = json::value(&answer.body, LIMITS);
    let value = value.map_err(|_| UpstreamError::Invalid("userinfo"))?;
    // SECURITY: Slack tells of a token that ended with status 200, and who takes that for an answer
    // keeps its user (RFC 6750 section 3.1); r_35_an_error_with_status_200_ends_a_login_at_slack
    match value.get("error").and_then(Value::as_str) {
        Some(word) => Err(UpstreamError::of_word(word)),
        None => Ok(value),
    }
}

/// Gives an access token back under our own name. One that is not there any more is as good as given
/// back.
pub(super) async fn delete_token(
    settings: &Settings,
    at: &Endpoint,
    token: &str,
) -> Result<(), UpstreamError> {
    let body = Bytes::from(json!({"access_token": token}).to_string());
    let headers = with_json(basic(settings)?);
    let answer = at.fetcher.delete(&at.url, headers, body).await?;
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => Ok(()),
        status if status.is_success() => Ok(()),
        status => Err(UpstreamError::of_refusal(status, &answer.headers, None)),
    }
}

/// How many pages a list of organisations may have: a thousand of them, where pages are small.
const MOST_PAGES: usize = 50;
