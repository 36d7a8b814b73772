//! What is logged of a provider. Its own words are shown at `DEBUG` alone, cut and escaped.

use http::StatusCode;
use portcullis_oauth::SharedClock;
use portcullis_oauth::json;
use portcullis_resource_server::Causes;
use portcullis_resource_server::observe::Limiter;

use super::UpstreamError;
use super::error::known_word;

const TARGET: &str = "portcullis::security";

/// The log of one provider's answers.
#[derive(Debug)]
pub(super) struct Log {
    provider: String,
    limiter: Limiter,
}

/// A refusal as it was answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) error: Option<String>,
    pub(super) description: Option<String>,
}

/// What gave nothing, where.
#[derive(Debug)]
pub(super) struct Failed {
    endpoint: &'static str,
    pub(super) code: &'static str,
    pub(super) error: UpstreamError,
}

impl Words {
    /// The same without secrets of ours, which a provider may repeat.
    pub(super) fn without(&self, secrets: &[&str]) -> Self {
        let clean = |text: &String| {
            // SECURITY: a log is read by many, at whatever level (CWE-532);
            // sec_px_14_words_that_repeat_a_secret_of_ours_are_cut
            let secrets = secrets.iter().filter(|secret| !secret.is_empty());
            secrets.fold(text.clone(), |text, secret| {
                text.replace(secret, "[secret]")
            })
        };
        Self {
            error: self.error.as_ref().map(clean),
            description: self.description.as_ref().map(clean),
        }
    }
}

impl Failed {
    pub(super) fn new(endpoint: &'static str, code: &'static str, error: UpstreamError) -> Self {
        Self {
            endpoint,
            code,
            error,
        }
    }
}

/// Says of an error where it was.
pub(super) trait AtEndpoint<T> {
    /// That endpoint gave it.
    fn at(self, endpoint: &'static str) -> Result<T, Failed>;
}

impl<T> AtEndpoint<T> for Result<T, UpstreamError> {
    fn at(self, endpoint: &'static str) -> Result<T, Failed> {
        self.map_err(|error| Failed::new(endpoint, "none", error))
    }
}

impl Log {
    pub(super) fn new(provider: String, clock: SharedClock) -> Self {
        Self {
            provider,
            limiter: Limiter::new(clock),
        }
    }

    /// An answer that gave nothing, of one of the provider's endpoints.
    pub(super) fn refused(
        &self,
        endpoint: &'static str,
        status: StatusCode,
        words: &Words,
        error: &UpstreamError,
    ) {
        let said = words.error.as_deref();
        tracing::debug!(
            provider = self.provider,
            endpoint,
            status = status.as_u16(),
            error = said.map(shown),
            description = words.description.as_deref().map(shown),
            "the provider's own words",
        );
        self.failed(endpoint, code_of(said), error);
    }

    /// An error that a browser brought back from the provider, or says so.
    pub(super) fn brought(&self, word: &str, error: &UpstreamError) {
        self.failed("authorization", code_of(Some(word)), error);
    }

    /// Writes it down, and hands the error on.
    pub(super) fn note(&self, failed: Failed) -> UpstreamError {
        self.failed(failed.endpoint, failed.code, &failed.error);
        failed.error
    }

    /// A request that gave nothing, or an answer that is not believed.
    pub(super) fn failed(&self, endpoint: &'static str, code: &'static str, error: &UpstreamError) {
        let reason = error.reason();
        let (allowed, left_out) = self.limiter.count((reason, endpoint));
        if !allowed {
            return;
        }
        let (provider, causes) = (&self.provider, Causes::of(error));
        match error {
            UpstreamError::Ended | UpstreamError::Denied => tracing::info!(
                target: TARGET, event = reason, provider, endpoint, code, left_out,
            ),
            UpstreamError::OurFault => tracing::error!(
                target: TARGET, event = reason, provider, endpoint, code, left_out,
                "the provider refuses this server: compare client id, secret, redirect URI and \
                 scopes with what is registered there",
            ),
            UpstreamError::Nothing(_) | UpstreamError::Nobody(_) => tracing::error!(
                target: TARGET, event = reason, provider, endpoint, code, left_out,
                %causes, "compare the URLs and claims of this provider with its documentation",
            ),
            UpstreamError::Invalid(_) | UpstreamError::Unavailable(_) => tracing::warn!(
                target: TARGET, event = reason, provider, endpoint, code, left_out,
                %causes, "the provider gives no usable answer",
            ),
        }
    }
}

/// A word that is known is one of our constants, and no text of the provider's.
fn code_of(word: Option<&str>) -> &'static str {
    word.and_then(known_word).unwrap_or("other")
}

/// A stranger's words for the eyes of people: escaped, and not many.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    json::to_visible_string(&short).unwrap_or_default()
}
