//! The login page.

use maud::{Markup, html};

use super::layout::{self, Width, hidden};
use crate::ui::LocalPages;
use crate::ui::clean;
use crate::ui::text::{fill, fill_text};
use crate::ui::view::{LoginFault, LoginPage, PersonaView};

pub(crate) fn render(pages: &LocalPages<'_>, view: &LoginPage<'_>) -> Markup {
    let texts = pages.texts();
    let fault = view.fault.map(|fault| {
        let text = match fault {
            LoginFault::Wrong => &texts.wrong_credentials,
            LoginFault::TooMany { .. } => &texts.sign_in_throttled,
            LoginFault::Unavailable { .. } => &texts.sign_in_unavailable,
        };
        let wait = fault.wait().map(|wait| texts.wait(wait));
        fill_text(text, &[("wait", &wait.unwrap_or_default())])
    });
    let title = match fault {
        Some(_) => fill_text(&texts.error_title, &[("title", &texts.sign_in)]),
        None => texts.sign_in.to_string(),
    };
    let main = html! {
        h1 { (texts.sign_in) }
        p.muted {
            @match &view.client {
                Some(client) => {
                    (fill(&texts.sign_in_for, &[("app", layout::quoted_client(pages, client))]))
                }
                None => { (texts.sign_in_for_account) }
            }
        }
        @if let Some(fault) = &fault {
            p #fault .box.fault role="alert" { (fault) }
        }
        @if !view.personas.is_empty() { (personas(pages, view)) }
        (password(pages, view))
    };
    layout::page(pages, Width::Narrow, &title, &main)
}

fn password(pages: &LocalPages<'_>, view: &LoginPage<'_>) -> Markup {
    let texts = pages.texts();
    let is_wrong = view.fault == Some(LoginFault::Wrong);
    let (invalid, describes) = (is_wrong.then_some("true"), is_wrong.then_some("fault"));
    // Whose name is there already, types the password next.
    let name_first = view.username.is_empty() && view.personas.is_empty();
    let password_first = !view.username.is_empty();
    html! {
        form.stack method="post" action=(view.action) {
            (hidden("request", view.request))
            (hidden("csrf", view.csrf))
            div {
                label for="username" { (texts.username) }
                input #username type="text" name="username" value=(view.username) required
                    autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false"
                    aria-invalid=[invalid] aria-describedby=[describes] autofocus[name_first];
            }
            div {
                label for="password" { (texts.password) }
                input #password type="password" name="password" required
                    autocomplete="current-password"
                    aria-invalid=[invalid] aria-describedby=[describes] autofocus[password_first];
            }
            button.wide.primary[view.personas.is_empty()] type="submit" { (texts.sign_in) }
        }
    }
}

fn personas(pages: &LocalPages<'_>, view: &LoginPage<'_>) -> Markup {
    let texts = pages.texts();
    html! {
        h2 { (texts.personas) }
        p.box.caution { (texts.personas_note) }
        form.personas method="post" action=(view.action) {
            (hidden("request", view.request))
            (hidden("csrf", view.csrf))
            @for persona in view.personas {
                button.wide type="submit" name="persona" value=(persona.value) {
                    (sign_in_as(pages, persona))
                }
            }
        }
        h2 { (texts.or_password) }
    }
}

fn sign_in_as(pages: &LocalPages<'_>, persona: &PersonaView<'_>) -> Markup {
    let user = clean::name(persona.name).unwrap_or_default();
    let user = html! {
        bdi { (user) }
        @if let Some(role) = persona.role.and_then(clean::name) { " (" bdi { (role) } ")" }
    };
    fill(&pages.texts().sign_in_as, &[("user", user)])
}
