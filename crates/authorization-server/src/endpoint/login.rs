//! `GET` and `POST /oauth/login`: who is at the browser.
//!
//! Whoever is signed in already, and recently enough, is sent on. A wrong password and an unknown name
//! are one answer. Each login makes a new session, and the old one of this browser ends.

use axum::response::Response;
use http::HeaderValue;
use portcullis_oauth::SecretString;
use portcullis_oauth::form::Form;

use super::fault::Fault;
use super::path::{ACCOUNT, CONSENT, LOGIN};
use super::target::ProvenTarget;
use super::visitor::{Opened, Visitor, with_cookies};
use crate::csrf::{self, FormPage, Shown};
use crate::event::{Event, EventKind};
use crate::identity::Identity;
use crate::interaction::Interaction;
use crate::limits::Limit;
use crate::limits::login::DeviceCookie;
use crate::session::SessionCookie;
use crate::ui::view::{ClientView, LoginFault, LoginPage, PersonaView};
use crate::users::{Attempt, Authentication, SharedUsers, User};

/// `GET /oauth/login`
pub(super) async fn get(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let opened = visitor.interaction(&visitor.request.query()?)?;
    let signed_in = visitor.signed_in().await?;
    if signed_in.is_some_and(|who| who.is_enough_for(&opened.interaction)) {
        return Ok(go_on(visitor, &opened.interaction, &opened.sealed));
    }
    let hint = opened
        .interaction
        .asked()
        .and_then(|asked| asked.login_hint.as_deref());
    page(visitor, &opened, hint.unwrap_or_default(), None).await
}

/// `POST /oauth/login`
pub(super) async fn post(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let (context, from) = (visitor.context, visitor.request.address());
    let users = users_of(visitor)?;
    let form = visitor.form()?;
    let opened = visitor.interaction(&form)?;
    let csrf = visitor.csrf();
    csrf.check(
        &whose(&opened.interaction),
        &Shown::NOTHING,
        form.one("csrf")?,
    )?;
    let entered = Entered::read(&form)?;
    let again = |fault| page(visitor, &opened, entered.username, Some(fault));

    // SECURITY: guesses are counted before they are looked at, so that a flood of them learns nothing
    // and costs little (NIST SP 800-63B section 5.2.2); sec_op_14_guesses_are_counted
    let device = visitor.device();
    let permit = context.limits.allow(Limit::Login, from);
    let permit = permit.and_then(|()| context.limits.guard().check(entered.username, from, device));
    let permit = match permit {
        Ok(permit) => permit,
        Err(too_many) => {
            let wait = too_many.retry_after;
            context.events.note(failed(visitor, "too_many_attempts"));
            return again(LoginFault::TooMany { wait }).await;
        }
    };
    let attempt = Attempt {
        username: entered.username,
        password: &entered.password,
        address: from,
    };
    let user = match users.authenticate(&attempt).await {
        Ok(Authentication::Complete(user)) => user,
        Ok(_) => {
            permit.failed();
            context.events.note(failed(visitor, "wrong_credentials"));
            return again(LoginFault::Wrong).await;
        }
        Err(unavailable) => {
            permit.undecided();
            tracing::error!(
                cause = &unavailable as &dyn std::error::Error,
                "nobody can log in"
            );
            context.events.note(failed(visitor, "unavailable"));
            let wait = unavailable.wait();
            return again(LoginFault::Unavailable { wait }).await;
        }
    };
    let device = permit.succeeded()?;
    sign_in(visitor, opened.interaction, &user, &device).await
}

/// Those who log in here.
fn users_of<'a>(visitor: &Visitor<'a>) -> Result<&'a SharedUsers, Fault> {
    match &visitor.context.identity {
        Identity::Users(users) => Ok(users),
        // There is no such page.
        Identity::Upstream(_) => Err(Fault::Forged),
    }
}

/// A new session, whatever there was before.
async fn sign_in(
    visitor: &Visitor<'_>,
    interaction: Interaction,
    user: &User,
    device: &DeviceCookie,
) -> Result<Response, Fault> {
    let session = open_session(visitor, user, None).await?;
    let interaction = interaction.logged_in(session.id());
    let sealed = interaction.seal(&visitor.context.records)?;
    let age = Some(DeviceCookie::LIFETIME);
    let device = visitor.cookies().device.set(device.expose(), age);
    let set = [in_browser(visitor, &session), device.ok()];
    let response = go_on(visitor, &interaction, &sealed);
    Ok(with_cookies(response, set.into_iter().flatten()))
}

/// Opens a session in this browser. `name` is what the user is called, where nobody can be asked later.
pub(super) async fn open_session(
    visitor: &Visitor<'_>,
    user: &User,
    name: Option<&str>,
) -> Result<SessionCookie, Fault> {
    let context = visitor.context;
    let room = context.events.reserve()?;
    // SECURITY: a session that somebody planted before the login is worth nothing after it (OWASP
    // session fixation); sec_az_16_a_login_makes_a_new_session
    let old = visitor.session().await?;
    let session = context.sessions.open(user, name, old.as_ref()).await?;
    let event = Event::new(EventKind::LoggedIn).of_user(user.subject.as_str());
    room.note(event.from_address(visitor.request.address()));
    Ok(session)
}

/// The cookie of a session.
pub(super) fn in_browser(visitor: &Visitor<'_>, session: &SessionCookie) -> Option<HeaderValue> {
    let age = Some(visitor.context.sessions.longest());
    let cookie = visitor.cookies().session.set(session.expose(), age);
    cookie.ok()
}

fn go_on(visitor: &Visitor<'_>, interaction: &Interaction, sealed: &str) -> Response {
    match interaction.asked() {
        Some(_) => visitor.go_on(CONSENT, sealed),
        None => visitor.go(ACCOUNT),
    }
}

async fn page(
    visitor: &Visitor<'_>,
    opened: &Opened,
    username: &str,
    fault: Option<LoginFault>,
) -> Result<Response, Fault> {
    let asked = opened.interaction.asked();
    let target = match asked {
        Some(asked) => Some(visitor.prove(asked).await?),
        None => None,
    };
    let personas = users_of(visitor)?.personas();
    let personas: Vec<PersonaView<'_>> = personas
        .iter()
        .map(|persona| PersonaView {
            value: &persona.name,
            name: &persona.name,
            role: persona.role.as_deref(),
        })
        .collect();
    let token = visitor
        .csrf()
        .token(&whose(&opened.interaction), &Shown::NOTHING);
    Ok(visitor.pages(asked).login(&LoginPage {
        action: &visitor.path(LOGIN),
        request: &opened.sealed,
        csrf: &token,
        client: target
            .as_ref()
            .map(ProvenTarget::client)
            .map(ClientView::of),
        username,
        fault,
        personas: &personas,
    }))
}

/// Before there is a session, a form belongs to the browser.
fn whose(interaction: &Interaction) -> csrf::Form<'_> {
    csrf::Form {
        page: FormPage::Login,
        interaction: Some(interaction.id()),
        holder: interaction.browser().as_bytes(),
    }
}

/// What was typed, or clicked.
struct Entered<'f> {
    username: &'f str,
    password: SecretString,
}

impl<'f> Entered<'f> {
    fn read(form: &'f Form) -> Result<Self, Fault> {
        // A persona is a user for development, whose password is its name.
        if let Some(persona) = form.one("persona")? {
            return Ok(Self {
                username: persona,
                password: persona.into(),
            });
        }
        Ok(Self {
            username: form.one("username")?.unwrap_or_default(),
            password: form.one("password")?.unwrap_or_default().into(),
        })
    }
}

fn failed(visitor: &Visitor<'_>, why: &'static str) -> Event {
    let event = Event::new(EventKind::LoginFailed).because(why);
    event.from_address(visitor.request.address())
}
