//! The page for what cannot go on: what happened, what to do, and a name for it in the log.

use maud::{Markup, html};

use super::layout::{self, Width};
use crate::ui::LocalPages;
use crate::ui::clean;
use crate::ui::text::{Texts, fill, fill_text};
use crate::ui::view::{ErrorPage, Problem, RedirectKind, ReturnView};

pub(crate) fn render(pages: &LocalPages<'_>, view: &ErrorPage<'_>) -> Markup {
    let texts = pages.texts();
    let Words {
        title,
        text,
        advice,
    } = words(texts, view.problem);
    let wait = view.problem.wait().map(|wait| texts.wait(wait));
    let main = html! {
        h1 { (title) }
        p { (text) }
        p { (fill_text(advice, &[("wait", &wait.unwrap_or_default())])) }
        @if let Some(retry) = view.retry {
            p.end { a.button href=(retry) { (texts.retry) } }
        }
        @if let Some(target) = view.return_to { (return_link(texts, &target)) }
        @if view.error.is_some() || view.incident.is_some() {
            dl.facts {
                @if let Some(error) = view.error {
                    div {
                        dt { (texts.reason) }
                        dd {
                            code { (error.code.as_str()) }
                            p.muted.small lang="en" { (error.description) }
                        }
                    }
                }
                @if let Some(incident) = view.incident {
                    div { dt { (texts.incident) } dd { code { (incident.as_str()) } } }
                }
            }
        }
    };
    let title = fill_text(&texts.error_title, &[("title", title)]);
    layout::page(pages, Width::Narrow, &title, &main)
}

/// The way back to the client, whose address the user sees before following it.
fn return_link(texts: &Texts, target: &ReturnView<'_>) -> Markup {
    let redirect = &target.redirect;
    // SECURITY: nothing but the proven redirect URI becomes a link (OAuth 2.1 section 7.12.2);
    // sec_ru_22_only_the_redirect_uri_is_linked
    if !target.href.starts_with(redirect.uri) {
        return Markup::default();
    }
    let place = clean::address(redirect.place);
    let (link, note) = if redirect.kind == RedirectKind::PrivateUse {
        let scheme = html! { strong { (place) ":" } };
        let note = fill(&texts.return_to_app_note, &[("scheme", scheme)]);
        (fill(&texts.return_to_app, &[]), note)
    } else {
        let host = || html! { strong { (place) } };
        let note = fill(&texts.return_note, &[("host", host())]);
        (fill(&texts.return_to, &[("host", host())]), note)
    };
    html! {
        p.end { a.button href=(target.href) rel="noreferrer" { (link) } }
        p.muted.small { (note) }
    }
}

struct Words<'a> {
    title: &'a str,
    text: &'a str,
    advice: &'a str,
}

fn words(texts: &Texts, problem: Problem) -> Words<'_> {
    macro_rules! words {
        ($($problem:pat => $title:ident, $text:ident, $advice:ident;)+) => {
            match problem {
                $($problem => Words {
                    title: &texts.$title,
                    text: &texts.$text,
                    advice: &texts.$advice,
                },)+
            }
        };
    }
    words! {
        Problem::UnknownClient => unknown_client, unknown_client_text, unknown_client_advice;
        Problem::UntrustedRedirect =>
            untrusted_redirect, untrusted_redirect_text, untrusted_redirect_advice;
        Problem::BadRequest => bad_request, bad_request_text, bad_request_advice;
        Problem::Expired => expired, expired_text, expired_advice;
        Problem::OtherBrowser => other_browser, other_browser_text, other_browser_advice;
        Problem::Answered => answered, answered_text, answered_advice;
        Problem::Forged => forged, forged_text, forged_advice;
        Problem::Changed => changed, changed_text, changed_advice;
        Problem::NotSignedIn => not_signed_in, not_signed_in_text, not_signed_in_advice;
        Problem::NotAllowed => not_allowed, not_allowed_text, not_allowed_advice;
        Problem::TooMany { .. } => throttled, throttled_text, throttled_advice;
        Problem::Unavailable { .. } => unavailable, unavailable_text, unavailable_advice;
        Problem::Internal => internal, internal_text, internal_advice;
    }
}
