//! What a token endpoint answers, in whatever way providers write it (RFC 6749 section 5).

use http::header::CONTENT_TYPE;
use portcullis_fetch::Fetched;
use portcullis_oauth::form::{self, Form};
use portcullis_oauth::json::{self, Limits, Map, Value};
use portcullis_oauth::token::{TokenResponse, TokenResponseError};

use super::UpstreamError;
use super::error::is_outage;
use super::event::Words;

/// The longest answer, in bytes.
pub(super) const LONGEST: usize = 1024 * 1024;
/// How large a document of a provider may be.
pub(super) const LIMITS: Limits = Limits::new(LONGEST, 16, 20_000);
const FORM: form::Limits = form::Limits::new(LONGEST, 64, LONGEST);

/// An answer without tokens.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) words: Words,
    pub(super) error: UpstreamError,
}

impl From<UpstreamError> for Refusal {
    fn from(error: UpstreamError) -> Self {
        Self {
            words: Words::default(),
            error,
        }
    }
}

/// The tokens of an answer.
pub(super) fn read(answer: &Fetched, bearer_unless_said: bool) -> Result<TokenResponse, Refusal> {
    if is_outage(answer.status) {
        return Err(refusal(answer, Words::default()));
    }
    let Some(mut members) = members(answer)? else {
        return Err(refusal(answer, Words::default()));
    };
    // SECURITY: an error is one whatever the status (RFC 6749 section 5.2);
    // r_35_an_error_with_status_200_is_an_error
    if members.get("error").is_some_and(|error| !error.is_null()) || !answer.status.is_success() {
        return Err(refusal(answer, words(&members)));
    }
    if bearer_unless_said && !members.contains_key("token_type") {
        members.insert("token_type".to_owned(), "Bearer".into());
    }
    join_scopes(&mut members);
    let tokens = TokenResponse::from_members(&members).map_err(|error| {
        UpstreamError::Invalid(match error {
            TokenResponseError::Member(member) => member,
            _ => "the token response",
        })
    })?;
    // SECURITY: what would break a header is no token (RFC 6750 section 2.1);
    // sec_px_11_a_token_that_no_header_can_carry_is_refused
    if !tokens
        .access_token
        .expose()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        return Err(UpstreamError::Invalid("access_token").into());
    }
    let is_over = tokens.expires_in.is_some_and(|lifetime| lifetime.is_zero());
    if is_over && tokens.refresh_token.is_none() {
        return Err(UpstreamError::Invalid("the access token has expired already").into());
    }
    Ok(tokens)
}

/// The members of an answer that is JSON or a form; nothing where it is neither.
pub(super) fn members(answer: &Fetched) -> Result<Option<Map<String, Value>>, UpstreamError> {
    let body = answer.body.trim_ascii();
    if body.first() == Some(&b'{') {
        // SECURITY: two parsers read a repeated member differently (RFC 8259 section 4);
        // sec_px_11_a_repeated_member_is_refused
        let read = json::from_slice(body, LIMITS);
        return read
            .map(Some)
            .map_err(|_| UpstreamError::Invalid("the answer is not JSON that can be read"));
    }
    let kind = answer.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind
        .to_ascii_lowercase()
        .starts_with("application/x-www-form-urlencoded")
    {
        return Ok(None);
    }
    let form = Form::parse(body, FORM)
        .and_then(|form| form.refuse_repeats_except(&[]).map(|()| form))
        .map_err(|_| UpstreamError::Invalid("the answer is not a form that can be read"))?;
    let pairs = form.iter().filter(|(_, value)| !value.is_empty());
    Ok(Some(
        pairs
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect(),
    ))
}

/// Some write a list of scopes.
fn join_scopes(members: &mut Map<String, Value>) {
    if let Some(Value::Array(scopes)) = members.get("scope") {
        let words: Vec<_> = scopes.iter().filter_map(Value::as_str).collect();
        let text = words.join(" ");
        members.insert("scope".to_owned(), text.into());
    }
}

fn words(members: &Map<String, Value>) -> Words {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    Words {
        error: text("error"),
        description: text("error_description"),
    }
}

fn refusal(answer: &Fetched, words: Words) -> Refusal {
    let word = words.error.as_deref();
    let error = UpstreamError::of_refusal(answer.status, &answer.headers, word);
    Refusal { words, error }
}
