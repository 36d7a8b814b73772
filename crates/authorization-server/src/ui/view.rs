//! What a page shows, as plain data. A page adds no decision to it.
//!
//! `request` and `csrf` are opaque: whoever made them gets them back from the form.

use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::id::is_loopback_host;
use portcullis_oauth::redirect::{RedirectUri, SchemeKind};
use portcullis_oauth::{ClientId, EndpointUrl, OAuthError, ResourceUrl, Timestamp};
use portcullis_resource_server::Incident;

use crate::client::{Client, ClientOrigin};

/// Who wants access, as it describes itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientView<'a> {
    /// Its name: a claim, unless the client is configured.
    pub(crate) name: Option<&'a str>,
    /// Its id.
    pub(crate) id: &'a str,
    /// The `host[:port]` that serves its metadata document. This is proven.
    pub(crate) host: Option<&'a str>,
    /// How it became known.
    pub(crate) origin: ClientOrigin,
    /// Its home page: a claim.
    pub(crate) uri: Option<&'a str>,
}

impl<'a> ClientView<'a> {
    pub(crate) fn of(client: &'a Client) -> Self {
        let id = client.id.as_str();
        let host = (client.origin == ClientOrigin::MetadataDocument
            && EndpointUrl::parse(id).is_ok())
        .then(|| authority(id))
        .flatten();
        Self {
            name: client.name.as_deref(),
            id,
            host,
            origin: client.origin,
            uri: client.uri.as_deref(),
        }
    }

    /// One of which nothing is known but its id: it is gone, or its document is not at hand.
    pub(crate) fn unknown(id: &'a ClientId) -> Self {
        let id = id.as_str();
        let host = EndpointUrl::parse(id).ok().and_then(|_| authority(id));
        let origin = match host {
            Some(_) => ClientOrigin::MetadataDocument,
            None => ClientOrigin::Registered,
        };
        Self {
            name: None,
            id,
            host,
            origin,
            uri: None,
        }
    }
}

/// Where the browser is sent with the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RedirectView<'a> {
    /// The whole URI.
    pub(crate) uri: &'a str,
    /// What of it says who gets the answer: `host[:port]`, or the scheme of an app.
    pub(crate) place: &'a str,
    /// Who listens there.
    pub(crate) kind: RedirectKind,
    /// Whether that is another host than the one which serves the client's metadata document.
    pub(crate) is_foreign: bool,
}

/// Who listens at a redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    /// A web server, or an app that claimed its address.
    Https,
    /// Some program on the user's machine.
    Loopback,
    /// Some app that claims a scheme.
    PrivateUse,
}

impl<'a> RedirectView<'a> {
    pub(crate) fn of(uri: &'a RedirectUri, client: &ClientView<'_>) -> Self {
        let kind = match uri.scheme_kind() {
            SchemeKind::Https if !uri.is_loopback() => RedirectKind::Https,
            SchemeKind::Https | SchemeKind::LoopbackHttp => RedirectKind::Loopback,
            // A kind that is not known yet is warned of as the least trusted one.
            _ => RedirectKind::PrivateUse,
        };
        let text = uri.as_str();
        let place = match kind {
            RedirectKind::PrivateUse => text.split(':').next(),
            RedirectKind::Https | RedirectKind::Loopback => authority(text),
        };
        let place = place.unwrap_or(text);
        let is_foreign =
            kind == RedirectKind::Https && client.host.is_some_and(|host| host != place);
        Self {
            uri: text,
            place,
            kind,
            is_foreign,
        }
    }
}

/// A scope that would be granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopeView<'a> {
    /// The scope itself.
    pub(crate) scope: &'a str,
    /// What the operator says of it.
    pub(crate) text: Option<&'a str>,
}

/// What would be accessed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceView<'a> {
    /// Its URL.
    pub(crate) url: &'a ResourceUrl,
    /// Its name, where it has one.
    pub(crate) name: Option<&'a str>,
}

/// The login page. Its form posts `request`, `csrf`, `username` and `password`, or a click on a
/// persona `request`, `csrf` and `persona`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginPage<'a> {
    pub(crate) action: &'a str,
    pub(crate) request: &'a str,
    pub(crate) csrf: &'a str,
    /// Who the login is for; nobody when it leads to the user's own page.
    pub(crate) client: Option<ClientView<'a>>,
    /// What was typed before, or is known of the user.
    pub(crate) username: &'a str,
    pub(crate) fault: Option<LoginFault>,
    /// Users to choose from without a password, for development alone.
    pub(crate) personas: &'a [PersonaView<'a>],
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginFault {
    /// The name is unknown or the password wrong; which of the two, nobody learns.
    Wrong,
    TooMany {
        wait: Duration,
    },
    Unavailable {
        wait: Duration,
    },
}

impl LoginFault {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            // No 401: that one asks for a header, which pages do not have (RFC 9110 section 15.5.2).
            Self::Wrong => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When to try again.
    pub(crate) fn wait(self) -> Option<Duration> {
        match self {
            Self::Wrong => None,
            Self::TooMany { wait } | Self::Unavailable { wait } => Some(wait),
        }
    }
}

/// A user whom a click signs in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PersonaView<'a> {
    /// What the form posts as `persona`.
    pub(crate) value: &'a str,
    pub(crate) name: &'a str,
    pub(crate) role: Option<&'a str>,
}

/// The consent page. Its form posts `request`, `csrf` and `action`, which is `approve` or `deny`; the
/// button for somebody else posts `request` and `csrf` to `sign_out`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsentPage<'a> {
    pub(crate) action: &'a str,
    pub(crate) sign_out: &'a str,
    /// Where the user can take back what was granted.
    pub(crate) account: &'a str,
    /// What is fetched when the page is shown.
    pub(crate) shown: &'a str,
    pub(crate) request: &'a str,
    pub(crate) csrf: &'a str,
    pub(crate) client: ClientView<'a>,
    pub(crate) redirect: RedirectView<'a>,
    pub(crate) scopes: &'a [ScopeView<'a>],
    pub(crate) resource: ResourceView<'a>,
    pub(crate) whose: WhoseView<'a>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WhoseView<'a> {
    /// Somebody who is signed in, by this name.
    User(&'a str),
    /// Whoever signs in at this identity provider next.
    Provider(&'a str),
}

/// *My connections*. Each form posts `csrf` and either `action` = `revoke` with `grant`, or `action` =
/// `revoke_client` with `client`; the last one posts `csrf` to `sign_out`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccountPage<'a> {
    pub(crate) action: &'a str,
    pub(crate) sign_out: &'a str,
    pub(crate) csrf: &'a str,
    /// What the user is called.
    pub(crate) user: &'a str,
    /// In any order; those of one client are shown together.
    pub(crate) connections: &'a [ConnectionView<'a>],
    /// Whether the user has just removed one.
    pub(crate) removed: bool,
    /// Where the next ones are, when these are not all.
    pub(crate) more: Option<&'a str>,
}

/// One grant of the user's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionView<'a> {
    /// What the form posts as `grant`.
    pub(crate) grant: &'a str,
    pub(crate) client: ClientView<'a>,
    pub(crate) scopes: &'a [ScopeView<'a>],
    pub(crate) resource: ResourceView<'a>,
    pub(crate) granted_at: Timestamp,
    pub(crate) last_used: Option<Timestamp>,
}

/// A page for what cannot go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorPage<'a> {
    pub(crate) problem: Problem,
    /// What the client is told of it, for whoever makes the client.
    pub(crate) error: Option<&'a OAuthError>,
    /// The name of the failure in the log.
    pub(crate) incident: Option<&'a Incident>,
    /// The way back to a client that nobody trusts yet.
    pub(crate) return_to: Option<ReturnView<'a>>,
    /// Where it can be tried again.
    pub(crate) retry: Option<&'a str>,
}

impl<'a> ErrorPage<'a> {
    pub(crate) fn new(problem: Problem) -> Self {
        Self {
            problem,
            error: None,
            incident: None,
            return_to: None,
            retry: None,
        }
    }

    pub(crate) fn error(self, error: &'a OAuthError) -> Self {
        Self {
            error: Some(error),
            ..self
        }
    }

    pub(crate) fn incident(self, incident: &'a Incident) -> Self {
        Self {
            incident: Some(incident),
            ..self
        }
    }

    pub(crate) fn return_to(self, redirect: RedirectView<'a>, href: &'a str) -> Self {
        Self {
            return_to: Some(ReturnView { redirect, href }),
            ..self
        }
    }

    pub(crate) fn retry(self, href: &'a str) -> Self {
        Self {
            retry: Some(href),
            ..self
        }
    }
}

/// A link that the user may follow where a redirect would be an open one (OAuth 2.1 section 7.12.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReturnView<'a> {
    pub(crate) redirect: RedirectView<'a>,
    /// The redirect URI with the response appended. Anything else is not linked to.
    pub(crate) href: &'a str,
}

/// What went wrong, in the words of the user's part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    UnknownClient,
    /// The redirect URI is not the client's, or not allowed here.
    UntrustedRedirect,
    BadRequest,
    /// The interaction is too old, or its seal does not open.
    Expired,
    /// The cookie of the browser in which it began is not there.
    OtherBrowser,
    /// The interaction was approved or denied before.
    Answered,
    /// The form is another site's, or another session's.
    Forged,
    /// The client is not any more what was shown.
    Changed,
    /// The identity provider did not say who the user is.
    NotSignedIn,
    /// The user is none of those who may come.
    NotAllowed,
    TooMany {
        wait: Duration,
    },
    Unavailable {
        wait: Duration,
    },
    /// A fault of ours.
    Internal,
}

impl Problem {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::UnknownClient | Self::UntrustedRedirect | Self::BadRequest | Self::Expired => {
                StatusCode::BAD_REQUEST
            }
            Self::OtherBrowser | Self::Forged | Self::NotSignedIn | Self::NotAllowed => {
                StatusCode::FORBIDDEN
            }
            Self::Answered | Self::Changed => StatusCode::CONFLICT,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When to try again.
    pub(crate) fn wait(self) -> Option<Duration> {
        match self {
            Self::TooMany { wait } | Self::Unavailable { wait } => Some(wait),
            _ => None,
        }
    }
}

/// The page after signing out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SignedOutPage<'a> {
    /// Where one signs in again.
    pub(crate) sign_in: Option<&'a str>,
}

/// The `host[:port]` of a URL that was parsed before, so that it has no user name.
pub(super) fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

/// Whether a `host[:port]` has a label that stands for letters beyond ASCII (RFC 5890 section
/// 2.3.2.1).
pub(super) fn has_foreign_letters(host: &str) -> bool {
    let is_loopback = is_loopback_host(host);
    !is_loopback
        && host.split('.').any(|label| {
            label
                .get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case("xn--"))
        })
}
