//! `POST /oauth/logout`: the session ends. Grants stay: they are taken back at the account page.

use axum::response::Response;

use super::fault::Fault;
use super::path::{ACCOUNT, LOGIN};
use super::visitor::{Visitor, with_cookies};
use super::{account, consent};
use crate::event::{Event, EventKind};
use crate::ui::view::SignedOutPage;

/// `POST /oauth/logout`
pub(super) async fn post(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let form = visitor.form()?;
    // On the way to a consent somebody else wants to go on with the same request.
    let opened = match form.one("request")? {
        Some(_) => Some(visitor.interaction(&form)?),
        None => None,
    };
    if let Some(session) = visitor.session().await? {
        let whose = match &opened {
            Some(opened) => consent::whose(&opened.interaction, &session),
            None => account::whose(&session),
        };
        // SECURITY: a foreign page does not log people out (RFC 6819 section 5.3.5);
        // sec_cn_23_a_foreign_page_logs_nobody_out
        visitor.csrf().check_holder(&whose, form.one("csrf")?)?;
        visitor.context.sessions.close(&session).await?;
        let event = Event::new(EventKind::LoggedOut).of_user(session.subject.as_str());
        visitor
            .context
            .events
            .note(event.from_address(visitor.request.address()));
    }
    let response = match &opened {
        Some(opened) => visitor.go_on(LOGIN, &opened.sealed),
        None => visitor.pages(None).signed_out(&SignedOutPage {
            sign_in: Some(&visitor.path(ACCOUNT)),
        }),
    };
    Ok(with_cookies(
        response,
        visitor.cookies().session.expire().ok(),
    ))
}
