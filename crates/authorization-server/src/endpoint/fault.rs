//! Why a request of a browser is not answered as its user hoped, and how it is answered instead.
//!
//! Most of it is a page of ours; a program that cannot read pages gets JSON. What is the client's to
//! hear goes to the client by a redirect, which only a [`ProvenTarget`] can make.

use std::error::Error;
use std::time::Duration;

use axum::response::Response;
use http::HeaderValue;
use http::header::LINK;
use portcullis_oauth::form::FormError;
use portcullis_oauth::{EntropyError, OAuthError, OAuthErrorCode};
use portcullis_resource_server::{Incident, Unavailable};
use portcullis_store::StoreError;

use super::outage::{Outage, unavailable};
use super::path::REGISTER;
use super::target::ProvenTarget;
use super::visitor::Visitor;
use super::wire::Wire;
use crate::context::Context;
use crate::csrf::CsrfError;
use crate::event::Unrecorded;
use crate::interaction::InteractionError;
use crate::limits::TooMany;
use crate::retry::SHORTLY;
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
    /// The identity provider did not say who the user is.
    NotSignedIn,
    /// The user is none of those who may come.
    NotAllowed,
    /// Too many requests.
    TooMany(TooMany),
    /// Something of ours cannot be reached.
    Unavailable(Outage),
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
    /// What the user is told of it, where there is a page.
    pub(super) problem: Problem,
}

impl Fault {
    /// What the client is to be told of its request.
    pub(super) fn of_request(target: ProvenTarget, error: OAuthError) -> Self {
        Self::ForClient(Box::new(Refusal {
            target,
            error,
            after_user: false,
            problem: Problem::BadRequest,
        }))
    }

    /// What the client is to be told after its user acted.
    pub(super) fn after_user(target: ProvenTarget, error: OAuthError) -> Self {
        Self::ForClient(Box::new(Refusal {
            target,
            error,
            after_user: true,
            problem: Problem::BadRequest,
        }))
    }

    /// Who came back from an identity provider is none of those who may come. The user hears of it
    /// first: the client cannot know which account it was.
    pub(super) fn not_allowed(target: ProvenTarget, error: OAuthError) -> Self {
        Self::ForClient(Box::new(Refusal {
            target,
            error,
            after_user: true,
            problem: Problem::NotAllowed,
        }))
    }

    /// The answer to it.
    pub(super) fn answer(&self, visitor: &Visitor<'_>) -> Response {
        let incident = Incident::new();
        self.log(&incident);
        match self {
            Self::ForClient(refusal) => refusal.answer(visitor, &incident),
            _ if visitor.request.accepts_html() => self.page(visitor, &incident),
            _ => self.json(visitor, incident),
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
    fn json(&self, visitor: &Visitor<'_>, incident: Incident) -> Response {
        let wire = Wire::new(self.problem().status(), self.error()).wait(self.wait());
        let wire = match self {
            Self::UnknownClient => with_places(wire, visitor.context),
            _ => wire,
        };
        wire.into_response(incident)
    }

    /// When to try again, where that is known.
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::TooMany(TooMany { retry_after }) => Some(*retry_after),
            Self::NoDocument(unavailable) => Some(unavailable.wait()),
            Self::Unavailable(outage) => outage.wait(),
            _ => None,
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::UnknownClient => Problem::UnknownClient,
            Self::UntrustedRedirect => Problem::UntrustedRedirect,
            Self::Request(_) => Problem::BadRequest,
            Self::ForClient(refusal) => refusal.problem,
            Self::OtherBrowser { .. } => Problem::OtherBrowser,
            Self::Interaction(InteractionError::Store(_))
            | Self::NoDocument(_)
            | Self::Unavailable(_) => Problem::Unavailable {
                wait: self.wait().unwrap_or(SHORTLY),
            },
            Self::Interaction(_) => Problem::Expired,
            Self::Panicked => Problem::Internal,
            Self::Forged => Problem::Forged,
            Self::Changed { .. } => Problem::Changed,
            Self::Answered => Problem::Answered,
            Self::NotSignedIn => Problem::NotSignedIn,
            Self::NotAllowed => Problem::NotAllowed,
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
            Self::NotSignedIn => NOT_SIGNED_IN,
            Self::NotAllowed => NOT_ALLOWED,
            Self::TooMany(_) => TOO_MANY,
        }
    }

    /// Only what strangers cannot cause is loud.
    fn log(&self, incident: &Incident) {
        if let Problem::NotAllowed = self.problem() {
            tracing::info!(%incident, "an account that may not come in came back from the identity provider");
            return;
        }
        let cause: &dyn Error = match self {
            Self::Unavailable(outage) => outage.cause(),
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
        let is_led = self.after_user || self.target.is_trusted();
        if !browses || (is_led && self.problem == Problem::BadRequest) {
            return self.target.with_error(issuer, self.error);
        }
        let client = ClientView::of(self.target.client());
        let redirect = RedirectView::of(self.target.redirect_uri(), &client);
        let href = self.target.error_location(issuer, self.error);
        let page = ErrorPage::new(self.problem)
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

impl From<Outage> for Fault {
    fn from(outage: Outage) -> Self {
        Self::Unavailable(outage)
    }
}

unavailable!(Fault: EntropyError, StoreError, Unavailable, Unrecorded);

/// With where a client that lost its registration finds our metadata, and where it registers anew, if
/// it can.
fn with_places(wire: Wire, context: &Context) -> Wire {
    let base = &context.settings.base_url;
    let metadata = context.settings.metadata_url();
    let wire = wire.member("authorization_server_metadata", metadata);
    if !context.clients.takes_registrations() {
        return wire;
    }
    let desk = base.join(REGISTER);
    let relation = "http://oauth.net/core/2.1/#registration";
    let link = HeaderValue::try_from(format!("<{desk}>; rel=\"{relation}\""));
    let wire = wire.member("registration_endpoint", desk);
    link.into_iter()
        .fold(wire, |wire, link| wire.header(LINK, link))
}

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
const NOT_SIGNED_IN: OAuthError = OAuthError::new(
    OAuthErrorCode::AccessDenied,
    "the identity provider did not say who the user is",
);
/// For whoever is none of those who may come.
pub(super) const NOT_ALLOWED: OAuthError = OAuthError::new(
    OAuthErrorCode::AccessDenied,
    "this account is not let in here",
);
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
