//! `AccessToken` as an argument of rmcp's `#[tool]` and `#[prompt]` methods.
//!
//! rmcp hands the HTTP request's head to each handler; the layer has put the token into its
//! extensions. So the token is that of this very request, also within a session.

use rmcp::ErrorData;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};

use crate::AccessToken;

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

impl<C: AsRequestContext> FromContextPart<C> for MaybeAccessToken {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        Ok(Self(find(context)))
    }
}
