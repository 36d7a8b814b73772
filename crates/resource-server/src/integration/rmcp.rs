//! `AccessToken` as an argument of rmcp's `#[tool]` and `#[prompt]` methods.
//!
//! rmcp hands the HTTP request's head to each handler; the layer has put the token into its
//! extensions. So the token is that of this very request, also within a session.

use portcullis_oauth::json::json;
use rmcp::ErrorData;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};

use crate::{AccessToken, Causes, UpstreamTokenError};

/// The token of a request that may come without one.
///
/// rmcp cannot take an `Option` as an argument; this is one in its place.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "it is what it holds")]
pub struct MaybeAccessToken(pub Option<AccessToken>);

fn find<C: AsRequestContext>(context: &C) -> Option<AccessToken> {
    let parts = context
        .as_request_context()
        .extensions
        .get::<http::request::Parts>()?;
    parts.extensions.get::<AccessToken>().cloned()
}

impl<C: AsRequestContext> FromContextPart<C> for AccessToken {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        // SECURITY: a forgotten layer, or a transport without HTTP, fails closed;
        // sec_rs_09_a_forgotten_layer_fails_closed
        find(context).ok_or_else(|| ErrorData::invalid_request("an access token is required", None))
    }
}

/// For `load_upstream_tokens(&token).await?` in a method that answers with `ErrorData`. A sign-in that
/// has ended is told in `data`, as `invalid_token`: the status of the answer is rmcp's own.
impl From<UpstreamTokenError> for ErrorData {
    fn from(error: UpstreamTokenError) -> Self {
        match &error {
            UpstreamTokenError::Ended => {
                let what = "the sign-in at the identity provider has ended: sign in again";
                Self::invalid_request(what, Some(json!({"error": "invalid_token"})))
            }
            UpstreamTokenError::Unavailable(unavailable) => {
                tracing::warn!(
                    error = %Causes::of(unavailable),
                    "the identity provider's token cannot be had now"
                );
                let what = "the identity provider cannot be reached now, try again later";
                Self::internal_error(what, None)
            }
            UpstreamTokenError::InteractionRequired(_) => {
                let data = json!({"error": "interaction_required"});
                Self::invalid_request(MORE_OF_THE_USER, Some(data))
            }
            UpstreamTokenError::Absent
            | UpstreamTokenError::Refused
            | UpstreamTokenError::Unsupported => {
                tracing::error!(%error, "there is no token of the identity provider");
                Self::internal_error("the server failed", None)
            }
        }
    }
}

/// What is told where the identity provider wants something of the user.
const MORE_OF_THE_USER: &str =
    "the identity provider asks the user for more, such as consent or a second factor";

impl<C: AsRequestContext> FromContextPart<C> for MaybeAccessToken {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Ok(Self(find(context)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unavailable;

    #[test]
    fn a_missing_upstream_token_is_told_as_far_as_it_is_the_callers_business() {
        let told = |error: UpstreamTokenError| {
            let ErrorData { message, data, .. } = error.into();
            (message, data)
        };
        let (message, data) = told(UpstreamTokenError::Ended);
        assert!(message.contains("sign in again"));
        assert_eq!(data, Some(json!({"error": "invalid_token"})));
        let (message, data) = told(Unavailable::new("10.0.0.7 does not answer").into());
        assert!(message.contains("later") && !message.contains("10.0.0.7") && data.is_none());
        let claims = Some(r#"{"access_token":{"canary":1}}"#.to_owned());
        let (message, data) = told(UpstreamTokenError::InteractionRequired(
            crate::InteractionRequired::new(claims),
        ));
        assert!(message.contains("consent") && !message.contains("canary"));
        assert_eq!(data, Some(json!({"error": "interaction_required"})));
        for ours in [
            UpstreamTokenError::Absent,
            UpstreamTokenError::Refused,
            UpstreamTokenError::Unsupported,
        ] {
            let (message, data) = told(ours);
            assert!(message == "the server failed" && data.is_none());
        }
    }
}
