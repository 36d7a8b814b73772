//! A client, and where its answer goes: the only thing from which a redirect to a client is made.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use portcullis_oauth::authorize::{AuthorizationResponse, AuthorizationTarget};
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{Issuer, OAuthError, RedirectUri, SecretString};
use portcullis_resource_server::ClientAddress;

use super::fault::Fault;
use crate::client::{Client, ClientOrigin};
use crate::context::Context;

/// A client that is known now, and a redirect URI that is its own and allowed now.
///
/// Errors before there is one are shown on the spot; errors after it are the client's to hear (RFC
/// 6749 section 4.1.2.1). It lives no longer than a request, so whatever is redirected to was checked
/// in that request, against the client as it is.
#[derive(Debug)]
pub(super) struct ProvenTarget {
    client: Arc<Client>,
    redirect_uri: RedirectUri,
    state: Option<SecretString>,
}

impl ProvenTarget {
    /// Looks the client up, and compares the redirect URI with those that are its own.
    ///
    /// # Errors
    /// [`Fault`], none of which is told to the client.
    pub(super) async fn prove(
        context: &Context,
        target: AuthorizationTarget,
        from: Option<ClientAddress>,
    ) -> Result<Self, Fault> {
        let standing = context.standing(&target.client_id, from)?;
        let found = context.clients.find_for(&target.client_id, standing);
        let found = found.await;
        let client = match found {
            Ok(found) => found.ok_or(Fault::UnknownClient)?,
            Err(error) if context.clients.has_document(&target.client_id) => {
                return Err(Fault::NoDocument(error));
            }
            Err(error) => return Err(error.into()),
        };
        // SECURITY: a code goes where its client's owner said, as of now, and nowhere else (RFC 9700
        // section 4.1); sec_ru_01_an_unregistered_redirect_is_shown_and_not_followed,
        // sec_ru_18_a_redirect_that_is_gone_is_not_followed
        if !context.clients.may_redirect(&client, &target.redirect_uri) {
            return Err(Fault::UntrustedRedirect);
        }
        Ok(Self {
            client,
            redirect_uri: target.redirect_uri,
            state: target.state,
        })
    }

    /// The client.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Where its answer goes.
    pub(super) fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    /// What it wants to find again in the answer.
    pub(super) fn state(&self) -> Option<&SecretString> {
        self.state.as_ref()
    }

    /// Whether a redirect there needs no act of the user's. Anybody can register a client with a
    /// redirect URI, and then send people from our address to that one (OAuth 2.1 section 7.12.2).
    pub(super) fn is_trusted(&self) -> bool {
        self.client.origin == ClientOrigin::Configured
    }

    /// The redirect with a code.
    pub(super) fn with_code(&self, issuer: &Issuer, code: AuthorizationCode) -> Response {
        let response = AuthorizationResponse::code(issuer, self.state.clone(), code);
        see_other(&response.to_location(&self.redirect_uri))
    }

    /// The redirect with an error.
    pub(super) fn with_error(&self, issuer: &Issuer, error: OAuthError) -> Response {
        see_other(&self.error_location(issuer, error))
    }

    /// The URL of the redirect with an error.
    pub(super) fn error_location(&self, issuer: &Issuer, error: OAuthError) -> String {
        let response = AuthorizationResponse::error(issuer, self.state.clone(), error);
        response.to_location(&self.redirect_uri)
    }
}

/// A redirect that is always followed by `GET`, leaves no trace of where it came from, and is kept by
/// nobody.
pub(super) fn see_other(location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    let Ok(mut location) = HeaderValue::try_from(location) else {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    location.set_sensitive(true);
    // SECURITY: 307 would send a password on to the client (RFC 9700 section 4.12);
    // sec_ru_20_redirects_are_303_and_private
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
