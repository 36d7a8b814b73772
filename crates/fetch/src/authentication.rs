//! How we show another server who we are.

use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, SecretString, form};

/// Credentials of a request that we send (RFC 6749 section 2.3.1, RFC 6750 section 2.1).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// `client_secret_basic`: id and secret, each form-encoded, in the `Authorization` header.
    Basic {
        /// The client's id.
        id: ClientId,
        /// The client's secret.
        secret: ClientSecret,
    },
    /// `client_secret_post`: id and secret as the parameters `client_id` and `client_secret`.
    Post {
        /// The client's id.
        id: ClientId,
        /// The client's secret.
        secret: ClientSecret,
    },
    /// A token in the `Authorization` header, as some introspection endpoints want it (RFC 7662
    /// section 2.1).
    Bearer(SecretString),
}

impl ClientAuthentication {
    /// Adds the credentials to a request with the form `body`.
    pub(crate) fn apply(
        &self,
        request: reqwest::RequestBuilder,
        body: String,
    ) -> reqwest::RequestBuilder {
        match self {
            Self::Basic { id, secret } => request
                .basic_auth(encoded(id.as_str()), Some(encoded(secret.expose())))
                .body(body),
            Self::Post { id, secret } => {
                let credentials = form::encode(&[
                    ("client_id", id.as_str()),
                    ("client_secret", secret.expose()),
                ]);
                let separator = if body.is_empty() { "" } else { "&" };
                request.body(body + separator + &credentials)
            }
            Self::Bearer(token) => request.bearer_auth(token.expose()).body(body),
        }
    }
}

/// One value by the rules of `application/x-www-form-urlencoded` (RFC 6749 appendix B).
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
