//! A document as its server answered it, and the client that it describes.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use portcullis_fetch::{Accept, FetchError, Fetcher, Refusal, cache_control};
use portcullis_oauth::json::{Limits, Value};
use portcullis_oauth::metadata::ClientMetadata;
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::register::RegistrationRequest;
use portcullis_oauth::{ClientId, ScopeSet};

use super::DocumentId;
use crate::client::metadata::{self, MetadataFault};
use crate::client::{AuthenticationMethod, Client, ClientOrigin};

/// A document that was fetched.
pub(super) struct Described {
    pub(super) client: Client,
    pub(super) freshness: Freshness,
}

/// How long a document counts, from when it was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    /// As it is.
    pub(super) good_for: Duration,
    /// While there is no newer one; at least as long.
    pub(super) usable_for: Duration,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum DocumentFault {
    /// It could not be fetched, which may be otherwise soon.
    #[error("the document cannot be fetched now")]
    Unavailable(#[source] FetchError),
    /// It is not there, or not there for us.
    #[error("the document is not there")]
    Absent(#[source] FetchError),
    #[error("the document is no JSON by its media type")]
    MediaType,
    #[error("the document is longer than it may be")]
    TooLong,
    #[error("the document is no JSON object with client metadata")]
    Malformed,
    #[error("the document names another client")]
    WrongId,
    #[error("the document has a secret")]
    Secret,
    #[error("the document has no name for the client")]
    NoName,
    #[error("the document has no redirect URI, or too many")]
    RedirectUris,
    #[error(transparent)]
    Metadata(#[from] MetadataFault),
}

impl DocumentFault {
    /// A stable word for logs.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Absent(_) => "absent",
            Self::MediaType => "media_type",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::WrongId => "wrong_id",
            Self::Secret => "secret",
            Self::NoName => "no_name",
            Self::RedirectUris => "redirect_uris",
            Self::Metadata(fault) => fault.reason(),
        }
    }
}

/// What a document is read by.
#[derive(Debug)]
pub(super) struct Reader {
    /// The longest document in bytes.
    pub(super) longest: usize,
    /// Whether keys may come from this machine in clear.
    pub(super) loopback: bool,
    /// The schemes of apps that are allowed.
    pub(super) schemes: Vec<String>,
}

impl Reader {
    /// Fetches and reads a document.
    pub(super) async fn fetch(
        &self,
        fetcher: &Fetcher,
        document: &DocumentId,
    ) -> Result<Described, DocumentFault> {
        let answer = fetcher.get(&document.url, Accept::Json).await;
        let answer = answer.map_err(sorted)?;
        // SECURITY: an error page is no document, whatever it says
        // (draft-ietf-oauth-client-id-metadata-document section 4);
        // sec_ci_05_c7_only_a_short_json_answer_is_a_document
        let answer = answer.require_ok().map_err(sorted)?;
        if !is_json(&answer.headers) {
            return Err(DocumentFault::MediaType);
        }
        Ok(Described {
            client: self.client(&document.client, &answer.body)?,
            freshness: Freshness::of(&answer.headers),
        })
    }

    /// The client that a document describes.
    fn client(&self, id: &ClientId, document: &[u8]) -> Result<Client, DocumentFault> {
        let said = ClientMetadata::parse(document, Limits::new(self.longest, 8, 500))
            .map_err(|_| DocumentFault::Malformed)?;
        // SECURITY: a document speaks for its own URL alone, byte for byte
        // (draft-ietf-oauth-client-id-metadata-document section 4.1);
        // sec_ci_01_c7_a_document_names_its_own_url
        if said.extra.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
            return Err(DocumentFault::WrongId);
        }
        // SECURITY: what is published is no secret (draft-ietf-oauth-client-id-metadata-document section
        // 4.1); sec_ci_06_a_document_has_no_secret
        if said
            .extra
            .keys()
            .any(|name| name.starts_with("client_secret"))
        {
            return Err(DocumentFault::Secret);
        }
        let name = metadata::display_text(said.client_name.as_deref());
        let authentication = methods(&said)?;
        let keys = metadata::keys(&said, self.loopback)?;
        metadata::check_methods(&authentication, keys.as_ref())?;
        metadata::check_response_types(&said)?;
        Ok(Client {
            name: Some(name.ok_or(DocumentFault::NoName)?),
            uri: metadata::shown_url(said.client_uri.as_deref()),
            redirect_uris: redirect_uris(&said, &self.schemes)?,
            authentication,
            assertion_algorithm: metadata::assertion_algorithm(&said)?,
            keys,
            grant_types: metadata::grant_types(&said),
            scope: said.scope.as_deref().map(ScopeSet::parse_lenient),
            ..Client::new(id.clone(), ClientOrigin::MetadataDocument)
        })
    }
}

/// Sorts what may pass from what is as it is.
fn sorted(error: FetchError) -> DocumentFault {
    match &error {
        FetchError::TooLarge { .. } => DocumentFault::TooLong,
        // SECURITY: a name of our own network and one that nobody has are answered alike, or anybody
        // could ask us which names there are (CWE-203);
        // sec_ci_04_a_name_inside_is_like_one_that_nobody_has
        FetchError::Refused(Refusal::Address(_)) => DocumentFault::Unavailable(error),
        FetchError::Refused(_) => DocumentFault::Absent(error),
        FetchError::Status(status) if !is_passing(*status) => DocumentFault::Absent(error),
        _ => DocumentFault::Unavailable(error),
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// `application/json`, or another type in JSON (RFC 6839 section 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

impl Freshness {
    /// What headers say, as far as it is believed.
    fn of(headers: &HeaderMap) -> Self {
        let good_for = good_for(headers);
        let usable_for = if cache_control::forbids_stale(headers) {
            (good_for + GRACE).min(OLDEST)
        } else {
            OLDEST
        };
        Self {
            good_for,
            usable_for,
        }
    }
}

/// How old a document may get that cannot be fetched again.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long one is used after its time whose server wants to be asked before: a short outage of its
/// host, which hosts forbid by default and without a thought, does not end its client.
const GRACE: Duration = Duration::from_secs(5 * 60);

/// Between a minute and a day; an hour where the server does not say.
fn good_for(headers: &HeaderMap) -> Duration {
    const SHORTEST: Duration = Duration::from_secs(60);
    const USUAL: Duration = Duration::from_secs(60 * 60);
    if cache_control::no_store(headers) {
        return SHORTEST;
    }
    cache_control::freshness(headers).map_or(USUAL, |age| age.clamp(SHORTEST, OLDEST))
}

/// Those that can be read. One that cannot be is as good as none, and spoils nothing.
fn redirect_uris(
    said: &ClientMetadata,
    schemes: &[String],
) -> Result<Vec<RedirectUri>, DocumentFault> {
    if said.redirect_uris.len() > RegistrationRequest::MOST_REDIRECT_URIS {
        return Err(DocumentFault::RedirectUris);
    }
    let schemes: Vec<&str> = schemes.iter().map(String::as_str).collect();
    let readable: Vec<RedirectUri> = said
        .redirect_uris
        .iter()
        .filter_map(|uri| RedirectUri::parse_allowing(uri, &schemes).ok())
        .collect();
    if readable.is_empty() {
        return Err(DocumentFault::RedirectUris);
    }
    Ok(readable)
}

/// The one method, or any of the several, that a document names; `none` if it names none.
fn methods(said: &ClientMetadata) -> Result<Vec<AuthenticationMethod>, MetadataFault> {
    let one = said.token_endpoint_auth_method.as_deref();
    let several = said.token_endpoint_auth_methods_supported.iter();
    let named: Vec<&str> = several.map(String::as_str).chain(one).collect();
    if named.is_empty() {
        return Ok(vec![AuthenticationMethod::None]);
    }
    // SECURITY: a secret that both sides know cannot come from a public document
    // (draft-ietf-oauth-client-id-metadata-document section 4.1);
    // sec_ci_06_a_document_has_no_secret
    if named.iter().any(|name| name.starts_with("client_secret")) {
        return Err(MetadataFault::SharedSecret);
    }
    let mut methods: Vec<AuthenticationMethod> = Vec::new();
    for method in named.into_iter().filter_map(AuthenticationMethod::parse) {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    if methods.is_empty() {
        // SECURITY: a client that can prove who it is, in a way that we do not know, is never taken
        // for one that cannot (RFC 7591 section 2); sec_ci_06_an_unknown_method_is_not_none
        return Err(MetadataFault::Method);
    }
    Ok(methods)
}

#[cfg(test)]
mod tests {
    use portcullis_fetch::address::Verdict;

    use super::*;

    #[test]
    fn sec_ci_04_a_name_inside_is_like_one_that_nobody_has() {
        for error in [
            FetchError::Unresolved,
            FetchError::Timeout,
            Refusal::Address(Verdict::Private).into(),
            Refusal::Address(Verdict::Loopback).into(),
        ] {
            assert!(matches!(sorted(error), DocumentFault::Unavailable(_)));
        }
        assert!(matches!(
            sorted(Refusal::Redirect.into()),
            DocumentFault::Absent(_)
        ));
    }
}
