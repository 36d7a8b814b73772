//! Why a provider gave nothing.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use portcullis_fetch::FetchError;
use portcullis_oauth::{EntropyError, OAuthErrorCode};
use portcullis_resource_server::Unavailable;

/// Why a provider gave nothing, by who has to act. It carries none of the provider's words.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// The user has to sign in again: what the provider gave is over.
    #[error("the provider has ended the grant")]
    Ended,
    /// The user or the provider does not want it.
    #[error("the provider denies the login")]
    Denied,
    /// The operator has to: the provider does not take what this server sends, or who it is.
    #[error("the provider does not accept this server's request")]
    OurFault,
    /// The operator has to: nothing that can be used is at a URL.
    #[error("nothing of the kind is at that URL of the provider: it answers with status {}", .0.as_u16())]
    Nothing(StatusCode),
    /// The operator has to: what the provider says of a user has no such claim.
    #[error(
        "nothing says who the user is: the claim `{0}` is neither in an ID token, nor at the userinfo \
         endpoint, nor in the access token"
    )]
    Nobody(String),
    /// The provider's answer is not what it has to be.
    #[error("the provider's answer cannot be believed: {0}")]
    Invalid(&'static str),
    /// Nobody: it may work in a moment. Nothing is over.
    #[error("the provider is out of reach")]
    Unavailable(#[from] Unavailable),
}

impl UpstreamError {
    /// A stable word for logs and metrics.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Ended => "upstream_ended",
            Self::Denied => "upstream_denied",
            Self::OurFault => "upstream_refuses_us",
            Self::Invalid(_) | Self::Nothing(_) | Self::Nobody(_) => "upstream_invalid",
            Self::Unavailable(_) => "upstream_unavailable",
        }
    }

    /// What the `error` of an authorization response means (RFC 6749 section 4.1.2.1).
    pub(crate) fn of_callback(word: &str) -> Self {
        match Self::of_word(word) {
            // No grant was there that could have ended.
            Self::Ended => Self::OurFault,
            other => other,
        }
    }

    /// What a refusal means: its status, then its word.
    pub(super) fn of_refusal(status: StatusCode, headers: &HeaderMap, word: Option<&str>) -> Self {
        // SECURITY: a server in trouble says nothing about a grant, whatever its body says (RFC 9110
        // section 15.6); sec_px_17_an_outage_ends_nothing
        if is_outage(status) {
            return out_of_reach("the provider answers with an error of its own", headers);
        }
        match (word, status) {
            (Some(word), _) => Self::of_word(word),
            // Somebody in between, as often as not.
            (None, StatusCode::FORBIDDEN) => out_of_reach("the provider's door is shut", headers),
            (None, status) if status.is_success() => {
                Self::Invalid("the answer is neither a token nor an error")
            }
            (None, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE) => {
                Self::Nothing(status)
            }
            (None, _) => Self::OurFault,
        }
    }

    pub(super) fn of_word(word: &str) -> Self {
        let is_one_of = |words: &[&str]| words.contains(&word);
        if is_one_of(ENDED) {
            Self::Ended
        } else if is_one_of(DENIED) {
            Self::Denied
        } else if is_one_of(BUSY) {
            Self::Unavailable(Unavailable::new("the provider asks for patience"))
        } else {
            Self::OurFault
        }
    }
}

/// One of our own constants for a word that is known, for logs.
pub(super) fn known_word(word: &str) -> Option<&'static str> {
    let registered = OAuthErrorCode::parse(word).map(OAuthErrorCode::as_str);
    let of_providers = [ENDED, DENIED, BUSY, OUR_FAULT].into_iter().flatten();
    registered.or_else(|| of_providers.copied().find(|known| *known == word))
}

impl From<FetchError> for UpstreamError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Setting { .. } | FetchError::Refused(_) => Self::OurFault,
            FetchError::TooLarge { .. } => Self::Invalid("the answer is too long"),
            error => Unavailable::new("the provider cannot be reached")
                .caused_by(error)
                .into(),
        }
    }
}

impl From<EntropyError> for UpstreamError {
    fn from(error: EntropyError) -> Self {
        Unavailable::new("there is no randomness")
            .caused_by(error)
            .into()
    }
}

/// Whether the status says that it may work later.
pub(super) fn is_outage(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// Out of reach, for as long as its answer says: whole seconds, and at most an hour.
pub(super) fn out_of_reach(what: &'static str, headers: &HeaderMap) -> UpstreamError {
    let unavailable = Unavailable::new(what);
    let wait = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
    match wait.and_then(|wait| wait.trim().parse().ok()) {
        Some(seconds) => unavailable.retry_after(Duration::from_secs(seconds).min(LONGEST_WAIT)),
        None => unavailable,
    }
    .into()
}

const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What it gave is over, or never was: RFC 6749 section 5.2, then words of GitHub's and Slack's.
const ENDED: &[&str] = &[
    "invalid_grant",
    "bad_verification_code",
    "bad_refresh_token",
    "account_inactive",
    "code_already_used",
    "invalid_auth",
    "invalid_code",
    "invalid_refresh_token",
    "invalid_token",
    "token_expired",
    "token_revoked",
];

/// RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, then GitHub's.
const DENIED: &[&str] = &[
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "login_required",
    "unverified_user_email",
];

/// RFC 6749 section 4.1.2.1, RFC 8628 section 3.5, then Slack's.
const BUSY: &[&str] = &[
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "ratelimited",
];

/// What the operator gave is not what is registered there: words of GitHub's, Google's and Slack's, for
/// logs. Whatever else is not known means the same.
const OUR_FAULT: &[&str] = &[
    "application_suspended",
    "bad_client_secret",
    "bad_redirect_uri",
    "incorrect_client_credentials",
    "invalid_client_id",
    "redirect_uri_mismatch",
];
