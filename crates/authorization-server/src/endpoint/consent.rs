//! `GET` and `POST /oauth/consent`: what is granted, and to whom.
//!
//! It is asked every time. Users of our own log in before; those of an identity provider are asked
//! first, and sent there once they have approved. What the page shows is bound to its form, so what is approved is what was
//! displayed, by the user to whom it was displayed: when the client, the scopes, the user or the
//! session is another one meanwhile, nothing is granted, and the question is asked anew. An
//! interaction is answered once, whichever the answer; whoever says yes again, because the answer got
//! lost, is sent to the client with the same code.

use axum::response::Response;
use portcullis_oauth::{OAuthError, OAuthErrorCode, ScopeSet};

use super::fault::Fault;
use super::outage::Outage;
use super::path::{ACCOUNT, CONSENT, LOGIN, LOGOUT, SHOWN};
use super::target::ProvenTarget;
use super::visitor::{Opened, SignedIn, Visitor, depart, scope_views};
use crate::csrf::{self, Csrf, CsrfError, FormPage, Shown};
use crate::event::{Event, EventKind};
use crate::grant::scope::may_refresh;
use crate::grant::{Approval, ApproveError};
use crate::interaction::{Asked, Interaction};
use crate::limits::{Limit, TooMany};
use crate::proxy::Broker;
use crate::session::Session;
use crate::ui::view::{ClientView, ConsentPage, RedirectView, ResourceView, WhoseView};
use crate::users::User;

/// All that an answer depends on.
struct Question<'a> {
    interaction: &'a Interaction,
    asked: &'a Asked,
    who: Who<'a>,
    target: ProvenTarget,
    scope: ScopeSet,
    /// The scope, with all that it implies.
    covers: ScopeSet,
}

/// Who decides.
enum Who<'a> {
    /// Somebody who is signed in.
    SignedIn(Box<SignedIn>),
    /// Whoever is at the browser, and signs in at the identity provider afterwards.
    SignsInAt(&'a Broker),
}

/// `GET /oauth/consent`
pub(super) async fn get(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let opened = visitor.interaction(&visitor.request.query()?)?;
    let Some(who) = who(visitor, &opened.interaction).await? else {
        return Ok(visitor.go_on(LOGIN, &opened.sealed));
    };
    let question = match Question::of(visitor, &opened, who).await? {
        Ok(question) => question,
        Err((target, error)) => return Err(Fault::of_request(target, error)),
    };
    Ok(question.page(visitor, &opened.sealed))
}

/// `POST /oauth/consent`
pub(super) async fn post(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let form = visitor.form()?;
    let action = Action::parse(form.required("action")?)?;
    let opened = visitor.interaction(&form)?;
    // SECURITY: who was logged out, or has become somebody else, decides nothing;
    // sec_az_17_nobody_approves_for_another_user
    let Some(who) = who(visitor, &opened.interaction).await? else {
        return Ok(visitor.go_on(LOGIN, &opened.sealed));
    };
    let (csrf, token) = (visitor.csrf(), form.one("csrf")?);
    csrf.check_holder(&who.form(&opened.interaction), token)?;
    let question = match Question::of(visitor, &opened, who).await? {
        Ok(question) => question,
        Err((target, error)) => return Err(Fault::after_user(target, error)),
    };
    question.count(visitor)?;
    match action {
        Action::Deny => question.deny(visitor).await,
        Action::Approve => {
            question.is_as_shown(csrf, token, || visitor.path_of(CONSENT, &opened.sealed))?;
            question.approve(visitor).await
        }
    }
}

/// Who decides; nobody where a login is missing.
async fn who<'a>(
    visitor: &Visitor<'a>,
    interaction: &Interaction,
) -> Result<Option<Who<'a>>, Fault> {
    if let Some(broker) = visitor.context.identity.broker() {
        return Ok(Some(Who::SignsInAt(broker)));
    }
    let signed_in = visitor.signed_in().await?;
    // Only a login that is recent enough counts.
    let signed_in = signed_in.filter(|who| who.is_enough_for(interaction));
    Ok(signed_in.map(Box::new).map(Who::SignedIn))
}

impl Who<'_> {
    /// The user, if it is known who that is.
    fn user(&self) -> Option<&User> {
        match self {
            Self::SignedIn(signed_in) => Some(&signed_in.user),
            Self::SignsInAt(_) => None,
        }
    }

    /// A form of this page belongs to the session to which it was shown, or to the browser.
    fn form<'b>(&'b self, interaction: &'b Interaction) -> csrf::Form<'b> {
        match self {
            Self::SignedIn(signed_in) => whose(interaction, &signed_in.session),
            Self::SignsInAt(_) => csrf::Form {
                page: FormPage::Consent,
                interaction: Some(interaction.id()),
                holder: interaction.browser().as_bytes(),
            },
        }
    }
}

/// A client, and what it has to be told instead of a question.
type Told = (ProvenTarget, OAuthError);

impl<'a> Question<'a> {
    /// What there is to decide, as of now.
    async fn of(
        visitor: &Visitor<'_>,
        opened: &'a Opened,
        who: Who<'a>,
    ) -> Result<Result<Self, Told>, Fault> {
        let interaction = &opened.interaction;
        let asked = interaction.asked().ok_or(NOT_FOR_A_CLIENT)?;
        let target = visitor.prove(asked).await?;
        let catalogue = visitor.context.catalogue();
        let default = visitor.context.resources.default_at(&asked.resource);
        let whose = (target.client(), who.user());
        let granted = catalogue.grant(&asked.scope, default.as_ref(), whose);
        Ok(match granted {
            Ok(scope) => Ok(Self {
                interaction,
                asked,
                who,
                target,
                covers: catalogue.hierarchy.expand(&scope),
                scope,
            }),
            Err(error) => Err((target, error)),
        })
    }

    fn page(&self, visitor: &Visitor<'_>, sealed: &str) -> Response {
        let context = visitor.context;
        let client = ClientView::of(self.target.client());
        let scopes = scope_views(context, &self.covers);
        let resource_name = context.resources.name_of(&self.asked.resource);
        let token = visitor.csrf().token(&self.whose(), &self.shown());
        visitor.pages(Some(self.asked)).consent(&ConsentPage {
            action: &visitor.path(CONSENT),
            sign_out: &visitor.path(LOGOUT),
            account: &visitor.path(ACCOUNT),
            shown: &visitor.path(SHOWN),
            request: sealed,
            csrf: &token,
            redirect: RedirectView::of(self.target.redirect_uri(), &client),
            client,
            scopes: &scopes,
            resource: ResourceView {
                url: &self.asked.resource,
                name: resource_name.as_deref(),
            },
            whose: match &self.who {
                Who::SignedIn(signed_in) => WhoseView::User(&signed_in.user.name),
                Who::SignsInAt(broker) => WhoseView::Provider(broker.name()),
            },
        })
    }

    /// Counts a decision.
    fn count(&self, visitor: &Visitor<'_>) -> Result<(), TooMany> {
        let limits = &visitor.context.limits;
        // SECURITY: what is decided is kept for a while, and nobody's script fills the disk with it
        // (CWE-770); sec_ds_08_a_user_decides_so_often_and_no_more,
        // sec_ds_08_a_browser_is_sent_upstream_so_often_and_no_more
        match self.who.user() {
            Some(user) => limits.allow_known(Limit::Decision, user.subject.as_str()),
            None => limits.allow(Limit::Decision, visitor.request.address()),
        }
    }

    fn is_as_shown(
        &self,
        csrf: &Csrf,
        token: Option<&str>,
        again: impl FnOnce() -> String,
    ) -> Result<(), Fault> {
        match csrf.check(&self.whose(), &self.shown(), token) {
            Ok(()) => Ok(()),
            Err(CsrfError::Forged) => Err(Fault::Forged),
            Err(CsrfError::Changed) => Err(Fault::Changed { again: again() }),
        }
    }

    async fn approve(self, visitor: &Visitor<'_>) -> Result<Response, Fault> {
        let context = visitor.context;
        let signed_in = match &self.who {
            Who::SignedIn(signed_in) => signed_in,
            Who::SignsInAt(broker) => {
                let id = *self.interaction.id().as_bytes();
                if context.ledger.is_decided(&id).await? {
                    return Err(Fault::Answered);
                }
                return depart(visitor, broker, (self.interaction, &self.scope)).await;
            }
        };
        let approval = self.approval(visitor, signed_in);
        let code = context.ledger.approve(&approval, None).await?;
        Ok(self.target.with_code(&context.settings.issuer, code))
    }

    async fn deny(self, visitor: &Visitor<'_>) -> Result<Response, Fault> {
        let denied = Event::new(EventKind::ConsentDenied)
            .of_client(self.target.client().id.as_str())
            .of_resource(self.asked.resource.as_str())
            .from_address(visitor.request.address());
        let denied = match self.who.user() {
            Some(user) => denied.of_user(user.subject.as_str()),
            None => denied,
        };
        let interaction = *self.interaction.id().as_bytes();
        visitor.context.ledger.deny(interaction, denied).await?;
        Err(Fault::after_user(self.target, DENIED))
    }

    fn approval(&self, visitor: &Visitor<'_>, signed_in: &SignedIn) -> Approval {
        let client = self.target.client();
        let SignedIn { session, user } = signed_in;
        Approval {
            interaction: *self.interaction.id().as_bytes(),
            session: *session.id(),
            client: client.id.clone(),
            redirect_uri: self.target.redirect_uri().clone(),
            code_challenge: self.asked.code_challenge.clone(),
            scope: self.scope.clone(),
            resource: self.asked.resource.clone(),
            subject: user.subject.clone(),
            // SECURITY: the session's, not the user's: a password that is changed at this moment ends
            // what comes of this login (OWASP session management);
            // sec_az_17_a_password_that_changes_meanwhile_ends_the_approval
            generation: session.generation,
            authenticated_at: session.authenticated_at,
            refresh: may_refresh(client),
            address: visitor.request.address(),
        }
    }

    fn whose(&self) -> csrf::Form<'_> {
        self.who.form(self.interaction)
    }

    /// All that the page displays, and all that a grant is made of.
    fn shown(&self) -> Shown {
        let client = self.target.client();
        let (digest, scope) = (client.digest(), self.scope.to_string());
        let covers = self.covers.to_string();
        let (user, name) = match &self.who {
            Who::SignedIn(signed_in) => (
                signed_in.user.subject.as_str(),
                signed_in.user.name.as_str(),
            ),
            Who::SignsInAt(broker) => ("", broker.name()),
        };
        let shown: [&[u8]; 8] = [
            client.id.as_str().as_bytes(),
            &digest,
            self.target.redirect_uri().as_str().as_bytes(),
            scope.as_bytes(),
            covers.as_bytes(),
            self.asked.resource.as_str().as_bytes(),
            user.as_bytes(),
            name.as_bytes(),
        ];
        Shown::of(shown)
    }
}

/// A form of this page belongs to the session to which it was shown.
pub(super) fn whose<'a>(interaction: &Interaction, session: &'a Session) -> csrf::Form<'a> {
    csrf::Form {
        page: FormPage::Consent,
        interaction: Some(interaction.id()),
        holder: session.id(),
    }
}

/// What the user decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Approve,
    Deny,
}

impl Action {
    fn parse(text: &str) -> Result<Self, OAuthError> {
        // SECURITY: what is no approval to the letter is none; sec_cn_12_nothing_but_approve_approves
        match text {
            "approve" => Ok(Self::Approve),
            "deny" => Ok(Self::Deny),
            _ => Err(ACTION),
        }
    }
}

impl From<ApproveError> for Fault {
    fn from(error: ApproveError) -> Self {
        match error {
            ApproveError::Already => Self::Answered,
            other => Self::Unavailable(Outage::new(other)),
        }
    }
}

const ACTION: OAuthError =
    OAuthError::new(OAuthErrorCode::InvalidRequest, "action is approve or deny");
const NOT_FOR_A_CLIENT: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "no client asks for anything",
);
const DENIED: OAuthError =
    OAuthError::new(OAuthErrorCode::AccessDenied, "the user denied the request");
