//! Who is at the browser, and what the browser is in the middle of.

use axum::response::Response;
use http::HeaderValue;
use http::header::SET_COOKIE;
use portcullis_oauth::authorize::AuthorizationTarget;
use portcullis_oauth::form::{Form, Writer};
use portcullis_oauth::{Scope, ScopeSet};

use super::browser::BrowserRequest;
use super::fault::Fault;
use super::outage::Outage;
use super::path::AUTHORIZE;
use super::target::{ProvenTarget, see_other};
use crate::context::Context;
use crate::csrf::Csrf;
use crate::interaction::{Asked, Browser, Interaction, InteractionError};
use crate::limits::Limit;
use crate::proxy::{Broker, DepartError, LONGEST_TRANSACTION, Transaction};
use crate::session::Session;
use crate::ui::LocalPages;
use crate::ui::cookie::{CookieNames, Jar};
use crate::ui::view::ScopeView;
use crate::upstream::UpstreamError;
use crate::users::User;

/// One request of a browser, and what it is answered with.
#[derive(Debug)]
pub(super) struct Visitor<'a> {
    pub(super) context: &'a Context,
    pub(super) request: &'a BrowserRequest,
    jar: Jar<'a>,
}

/// An interaction, and the text that it was opened from.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) interaction: Interaction,
    pub(super) sealed: String,
}

/// Somebody who is signed in now.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) session: Session,
    pub(super) user: User,
}

impl SignedIn {
    /// Whether the login is recent enough.
    pub(super) fn is_enough_for(&self, interaction: &Interaction) -> bool {
        interaction.accepts(self.session.id(), self.session.authenticated_at)
    }
}

impl<'a> Visitor<'a> {
    /// Whoever sent this request.
    pub(super) fn new(context: &'a Context, request: &'a BrowserRequest) -> Self {
        Self {
            jar: context.cookies.read(request.headers()),
            context,
            request,
        }
    }

    /// The names of the cookies.
    pub(super) fn cookies(&self) -> &'a CookieNames {
        &self.context.cookies
    }

    /// The browser, if it was here before.
    pub(super) fn browser(&self) -> Option<Browser> {
        self.jar.browser.value().and_then(Browser::parse)
    }

    /// What says that somebody logged in at this device before.
    pub(super) fn device(&self) -> Option<&'a str> {
        self.jar.device.value()
    }

    /// A form of a page of ours. Its token is yet to be checked.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be read, or was sent from another site.
    pub(super) fn form(&self) -> Result<Form, Fault> {
        if !self
            .request
            .is_from_our_page(&self.context.settings.base_url)
        {
            return Err(Fault::Forged);
        }
        Ok(self.request.body()?)
    }

    /// What the browser is in the middle of, by the parameter `request`.
    ///
    /// # Errors
    /// [`Fault`] when there is nothing that this browser could go on with.
    pub(super) fn interaction(&self, form: &Form) -> Result<Opened, Fault> {
        let sealed = form.required("request")?;
        let opened = Interaction::open(
            sealed,
            self.browser().as_ref(),
            &self.context.records,
            self.context.clock.now(),
            self.context.settings.lifetimes.interaction,
        );
        match opened {
            Ok(interaction) => Ok(Opened {
                interaction,
                sealed: sealed.to_owned(),
            }),
            // Two tabs that were a browser's first ones can have got different cookies.
            Err(InteractionError::OtherBrowser) => Err(Fault::OtherBrowser {
                again: self.path_with(AUTHORIZE, AGAIN, sealed),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// What the browser was in the middle of when it was sent to the identity provider.
    ///
    /// # Errors
    /// [`Fault`] when it was another browser.
    pub(super) fn departed(&self, transaction: &Transaction) -> Result<Interaction, Fault> {
        let sealed = &transaction.interaction;
        let opened = Interaction::open(
            sealed,
            self.browser().as_ref(),
            &self.context.records,
            self.context.clock.now(),
            // The transaction has an end of its own, which counts from the approval on.
            self.context.settings.lifetimes.interaction * 2 + LONGEST_TRANSACTION,
        );
        match opened {
            Err(InteractionError::OtherBrowser) => Err(Fault::OtherBrowser {
                again: self.path_with(AUTHORIZE, AGAIN, sealed),
            }),
            opened => Ok(opened?),
        }
    }

    /// Who is signed in. A user who was removed, or whose password is another one, is not.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be said.
    pub(super) async fn signed_in(&self) -> Result<Option<SignedIn>, Fault> {
        let Some(session) = self.session().await? else {
            return Ok(None);
        };
        let user = self.context.identity.of_session(&session).await?;
        Ok(user.map(|user| SignedIn { session, user }))
    }

    /// The session that the cookie names.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be said.
    pub(super) async fn session(&self) -> Result<Option<Session>, Fault> {
        match self.jar.session.value() {
            Some(cookie) => Ok(self.context.sessions.find(cookie).await?),
            None => Ok(None),
        }
    }

    /// The client of an interaction as it is now, if it may still be answered there.
    ///
    /// # Errors
    /// [`Fault`], none of which is told to the client.
    pub(super) async fn prove(&self, asked: &Asked) -> Result<ProvenTarget, Fault> {
        let target = AuthorizationTarget::new(
            asked.client_id.clone(),
            asked.redirect_uri.clone(),
            asked.state.clone(),
        );
        ProvenTarget::prove(self.context, target, self.request.address()).await
    }

    /// The key of forms.
    pub(super) fn csrf(&self) -> &'a Csrf {
        &self.context.csrf
    }

    /// The pages, in the language of the reader.
    pub(super) fn pages(&self, asked: Option<&Asked>) -> LocalPages<'a> {
        let locales = asked.and_then(|asked| asked.ui_locales.as_deref());
        let headers = self.request.headers();
        self.context.pages.for_reader(locales, headers)
    }

    /// The address of a page of ours. It has no host: the browser stays at the name under which it
    /// came, where its cookies are.
    pub(super) fn path(&self, path: &str) -> String {
        let base = self.context.settings.base_url.path();
        format!("{}{path}", base.trim_end_matches('/'))
    }

    /// The address of a page that goes on with an interaction.
    pub(super) fn path_of(&self, path: &str, sealed: &str) -> String {
        self.path_with(path, "request", sealed)
    }

    fn path_with(&self, path: &str, name: &str, value: &str) -> String {
        let query = Writer::new().pair(name, value).finish();
        format!("{}?{query}", self.path(path))
    }

    /// Sends the browser there.
    pub(super) fn go(&self, path: &str) -> Response {
        see_other(&self.path(path))
    }

    /// Sends the browser to a page that goes on with an interaction.
    pub(super) fn go_on(&self, path: &str, sealed: &str) -> Response {
        see_other(&self.path_of(path, sealed))
    }
}

/// Sends the browser to the identity provider, for what its user has approved.
pub(super) async fn depart(
    visitor: &Visitor<'_>,
    broker: &Broker,
    (interaction, scope): (&Interaction, &ScopeSet),
) -> Result<Response, Fault> {
    // SECURITY: what is kept of each who leaves has a bound over all (CWE-770);
    // sec_ds_08_those_who_leave_for_the_provider_have_a_bound
    let address = visitor.request.address();
    visitor.context.limits.allow(Limit::Depart, address)?;
    let _waiting = broker.waiting().map_err(Fault::Unavailable)?;
    match broker.depart(interaction, scope).await {
        Ok(url) => Ok(see_other(&url)),
        Err(DepartError::Unavailable(outage)) => Err(Fault::Unavailable(outage)),
        Err(DepartError::Upstream(UpstreamError::Unavailable(unavailable))) => {
            Err(Fault::Unavailable(unavailable.into()))
        }
        Err(DepartError::Upstream(error)) => Err(Fault::Unavailable(Outage::new(error))),
    }
}

/// Scopes, in the operator's words where there are some.
pub(super) fn scope_views<'a>(context: &'a Context, scopes: &'a ScopeSet) -> Vec<ScopeView<'a>> {
    let texts = &context.settings.scope_texts;
    let view = |scope: &'a Scope| ScopeView {
        scope: scope.as_str(),
        text: texts.get(scope).map(String::as_str),
    };
    scopes.iter().map(view).collect()
}

/// The parameter by which a browser begins anew what began in another one.
pub(super) const AGAIN: &str = "again";

/// Adds cookies to an answer.
pub(super) fn with_cookies(
    mut response: Response,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
