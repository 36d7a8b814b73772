//! Why a request of a browser is not answered as its user hoped, and how it is answered instead.
//!
//! Most of it is a page of ours; a program that cannot read pages gets JSON. What is the client's to
//! hear goes to the client by a redirect, which only a [`ProvenTarget`] can make.

use std::error::Error;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue};
use portcullis_oauth::form::FormError;
use portcullis_oauth::json::json;
use portcullis_oauth::{EntropyError, OAuthError, OAuthErrorCode};
use portcullis_resource_server::{Incident, Unavailable};
use portcullis_store::StoreError;

use super::path::REGISTER;
use super::target::ProvenTarget;
use super::visitor::Visitor;
use crate::context::Context;
use crate::csrf::CsrfError;
use crate::event::Unrecorded;
use crate::interaction::InteractionError;
use crate::limits::TooMany;
use crate::ui::view::{ClientView, ErrorPage, Problem, RedirectView};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no such client, or its document cannot be had.
    UnknownClient,
    /// The client's host does not answer.
    NoDocument(Unavailable),
    /// The redirect URI is not the client's, or not allowed.
    UntrustedRedirect,
    /// The request cannot be read, and so nobody knows whose it is.
    Request(OAuthError),
    /// There is nothing to go on with.
    Interaction(InteractionError),
    /// It began in another browser, or no cookie came back. This one can begin anew there.
    OtherBrowser { again: String },
    /// The form is not from a page of ours.
    Forged,
    /// What was shown is not so any more; it can be looked at again there.
    Changed { again: String },
    /// The user has decided before.
    Answered,
    /// Too many requests.
    TooMany(TooMany),
    /// Something of ours cannot be reached.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// What makes the page panicked.
    Panicked,
    /// What the client is to be told.
    ForClient(Box<Refusal>),
}

/// What a client is to be told.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) target: ProvenTarget,
    pub(super) error: OAuthError,
    /// Whether the user has done something on our pages before.
    pub(super) after_user: bool,
}

impl Fault {
    /// What the client is to be told of its request.
    pub(super) fn of_request(target: ProvenTarget, error: OAuthError) -> Self {
        Self::ForClient(Box::new(Refusal {
            target,
            error,
            after_user: false,
        }))
    }

    /// What the client is to be told after its user acted.
    pub(super) fn after_user(target: ProvenTarget, error: OAuthError) -> Self {
        Self::ForClient(Box::new(Refusal {
            target,
            error,
            after_user: true,
        }))
    }

    /// The answer to it.
    pub(super) fn answer(&self, visitor: &Visitor<'_>) -> Response {
        let incident = Incident::new();
        self.log(&incident);
        match self {
            Self::ForClient(refusal) => refusal.answer(visitor, &incident),
            _ if visitor.request.accepts_html() => self.page(visitor, &incident),
            _ => self.json(visitor, &incident),
        }
    }

    fn page(&self, visitor: &Visitor<'_>, incident: &Incident) -> Response {
        let mut page = ErrorPage::new(self.problem()).incident(incident);
        match self {
            Self::Request(error) => page = page.error(error),
            Self::Changed { again } | Self::OtherBrowser { again } => page = page.retry(again),
            _ => {}
        }
        visitor.pages(None).error(&page)
    }

    /// For programs, with what they need to register anew.
    fn json(&self, visitor: &Visitor<'_>, incident: &Incident) -> Response {
        let error = self.error();
        let mut body = json!({
            "error": error.code.as_str(),
            "error_description": error.description,
            "incident": incident.as_str(),
        });
        let (metadata, desk) = match self {
            Self::UnknownClient => places(visitor.context),
            _ => (None, None),
        };
        if let Some(body) = body.as_object_mut() {
            body.extend(metadata.map(|url| ("authorization_server_metadata".into(), url.into())));
            let desk = desk.clone();
            body.extend(desk.map(|url| ("registration_endpoint".into(), url.into())));
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.problem().status();
        let headers = response.headers_mut();
        for (name, value) in JSON_HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(link) = desk.and_then(|desk| registration_link(&desk)) {
            headers.insert(LINK, link);
        }
        if let Self::TooMany(TooMany { retry_after }) = self {
            headers.insert(RETRY_AFTER, retry_after.as_secs().into());
        }
        response.extensions_mut().insert(incident.clone());
        response
    }

    fn problem(&self) -> Problem {
        match self {
            Self::UnknownClient => Problem::UnknownClient,
            Self::UntrustedRedirect => Problem::UntrustedRedirect,
            Self::Request(_) | Self::ForClient(_) => Problem::BadRequest,
            Self::OtherBrowser { .. } => Problem::OtherBrowser,
            Self::Interaction(InteractionError::Store(_))
            | Self::NoDocument(_)
            | Self::Unavailable(_) => Problem::Unavailable,
            Self::Interaction(_) => Problem::Expired,
            Self::Panicked => Problem::Internal,
            Self::Forged => Problem::Forged,
            Self::Changed { .. } => Problem::Changed,
            Self::Answered => Problem::Answered,
            Self::TooMany(TooMany { retry_after }) => Problem::TooMany { wait: *retry_after },
        }
    }

    fn error(&self) -> OAuthError {
        match self {
            Self::Request(error) => *error,
            Self::UnknownClient => UNKNOWN_CLIENT,
            Self::UntrustedRedirect => UNTRUSTED_REDIRECT,
            Self::ForClient(refusal) => refusal.error,
            Self::OtherBrowser { .. } => OTHER_BROWSER,
            Self::Interaction(InteractionError::Store(_)) | Self::Unavailable(_) => UNAVAILABLE,
            Self::NoDocument(_) => NO_DOCUMENT,
            Self::Interaction(_) => ENDED,
            Self::Panicked => PANICKED,
            Self::Forged => FORGED,
            Self::Changed { .. } => CHANGED,
            Self::Answered => ANSWERED,
            Self::TooMany(_) => TOO_MANY,
        }
    }

    /// Only what strangers cannot cause is loud.
    fn log(&self, incident: &Incident) {
        let cause: &dyn Error = match self {
            Self::Unavailable(cause) => &**cause,
            Self::Interaction(InteractionError::Store(cause)) => cause,
            Self::Panicked => {
                tracing::error!(%incident, "a page panicked");
                return;
            }
            Self::NoDocument(cause) => {
                let cause: &dyn Error = cause;
                tracing::debug!(%incident, cause, "a client's host does not answer");
                return;
            }
            _ => {
                let problem = self.problem();
                tracing::debug!(%incident, ?problem, "a request of a browser is refused");
                return;
            }
        };
        tracing::error!(%incident, cause, "a request of a browser cannot be answered");
    }
}

impl Refusal {
    fn answer(&self, visitor: &Visitor<'_>, incident: &Incident) -> Response {
        let issuer = &visitor.context.settings.issuer;
        // SECURITY: a link to us must not be a link to anywhere: before the user did something here,
        // only clients that the operator knows are redirected to (OAuth 2.1 section 7.12.2). A caller
        // that reads no pages is no browser that could be led astray;
        // sec_ru_22_nobody_is_sent_on_to_a_stranger
        let browses = visitor.request.accepts_html();
        if self.after_user || self.target.is_trusted() || !browses {
            return self.target.with_error(issuer, self.error);
        }
        let client = ClientView::of(self.target.client());
        let redirect = RedirectView::of(self.target.redirect_uri(), &client);
        let href = self.target.error_location(issuer, self.error);
        let page = ErrorPage::new(Problem::BadRequest)
            .error(&self.error)
            .incident(incident)
            .return_to(redirect, &href);
        visitor.pages(None).error(&page)
    }
}

impl From<FormError> for Fault {
    fn from(error: FormError) -> Self {
        Self::Request(error.into())
    }
}

impl From<OAuthError> for Fault {
    fn from(error: OAuthError) -> Self {
        Self::Request(error)
    }
}

impl From<InteractionError> for Fault {
    fn from(error: InteractionError) -> Self {
        Self::Interaction(error)
    }
}

impl From<CsrfError> for Fault {
    fn from(_: CsrfError) -> Self {
        Self::Forged
    }
}

impl From<TooMany> for Fault {
    fn from(error: TooMany) -> Self {
        Self::TooMany(error)
    }
}

macro_rules! unavailable {
    ($($error:ty),+) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Unavailable(error.into())
            }
        }
    )+};
}
unavailable!(StoreError, Unavailable, EntropyError, Unrecorded);

/// Where a client that lost its registration finds our metadata, and where it registers anew, if it
/// can.
fn places(context: &Context) -> (Option<String>, Option<String>) {
    let base = &context.settings.base_url;
    let may_register = context.clients.takes_registrations();
    (
        Some(base.join("/.well-known/oauth-authorization-server")),
        may_register.then(|| base.join(REGISTER)),
    )
}

/// Where to register, as some clients look for it.
fn registration_link(desk: &str) -> Option<HeaderValue> {
    let relation = "http://oauth.net/core/2.1/#registration";
    HeaderValue::try_from(format!("<{desk}>; rel=\"{relation}\"")).ok()
}

const JSON_HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "application/json"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

const fn invalid_request(description: &'static str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidRequest, description)
}

const UNKNOWN_CLIENT: OAuthError =
    invalid_request("this client is not known here: register it anew, then try again");
const UNTRUSTED_REDIRECT: OAuthError =
    invalid_request("redirect_uri is not one that this client may use");
const OTHER_BROWSER: OAuthError =
    invalid_request("the request began in another browser, or cookies are off");
const ENDED: OAuthError = invalid_request("the request has ended: begin anew");
const FORGED: OAuthError = invalid_request("the form was not sent from a page of this server");
const CHANGED: OAuthError = invalid_request("what the form is about has changed");
const ANSWERED: OAuthError = invalid_request("the request was answered before");
const TOO_MANY: OAuthError =
    OAuthError::new(OAuthErrorCode::TemporarilyUnavailable, "too many requests");
const PANICKED: OAuthError = OAuthError::new(OAuthErrorCode::ServerError, "the server failed");
const NO_DOCUMENT: OAuthError = OAuthError::new(
    OAuthErrorCode::TemporarilyUnavailable,
    "the host of the client's metadata document does not answer",
);
const UNAVAILABLE: OAuthError = OAuthError::new(
    OAuthErrorCode::TemporarilyUnavailable,
    "the server cannot answer now",
);
