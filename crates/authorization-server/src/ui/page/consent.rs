//! The consent page: what is asked, by whom, in whose name, and where the answer goes.
//!
//! No script and no remembered answer takes part. Deny comes first among the buttons, so whatever
//! submits the form without pressing one denies.

use maud::{Markup, html};

use super::layout::{self, Width, hidden};
use crate::client::ClientOrigin;
use crate::grant::scope::OFFLINE_ACCESS;
use crate::ui::LocalPages;
use crate::ui::clean;
use crate::ui::text::{fill, name};
use crate::ui::view::{
    ClientView, ConsentPage, RedirectKind, RedirectView, WhoseView, authority, has_foreign_letters,
};

/// The form behind the button for somebody else; it stands last, so that the first form of the page
/// is the question.
const SIGN_OUT: &str = "sign-out";

/// So much of a path is shown beside its host, which is what counts; all of it is in the details.
const PATH: usize = 80;

pub(crate) fn render(pages: &LocalPages<'_>, view: &ConsentPage<'_>) -> Markup {
    let texts = pages.texts();
    let app = layout::quoted_client(pages, &view.client);
    let resource = html! { strong { bdi { (layout::resource_name(&view.resource)) } } };
    // In a tab of its own: the question stays open.
    let connections = html! {
        a href=(view.account) target="_blank" rel="noopener" { (texts.connections) }
    };
    let main = html! {
        h1 { (fill(&texts.consent_heading, &[("app", app)])) }
        p.muted { (fill(&texts.consent_intro, &[("resource", resource)])) }
        h2 { (texts.permissions) }
        @if view.scopes.iter().all(|view| view.scope == OFFLINE_ACCESS) {
            ul.scopes { li { (texts.scope_none) } }
        }
        @if !view.scopes.is_empty() { (layout::scope_list(pages, view.scopes)) }
        dl.facts {
            div { dt { (texts.app) } dd { (who(pages, &view.client)) } }
            div { dt { (texts.sends_to) } dd { (destination(pages, &view.redirect)) } }
            div { (whose(pages, view.whose)) }
        }
        @for warning in warnings(pages, view) {
            p.box.caution { strong { (texts.warning) ": " } (warning) }
        }
        form method="post" action=(view.action) {
            (hidden("request", view.request))
            (hidden("csrf", view.csrf))
            // SECURITY: the style holds a pane before the approval until the pointer has been on the
            // page for 0.6 s, so that no half of a double click counts which began in a window above,
            // or on the page before (RFC 6819 section 4.4.1.9); keys and fingers are not held up. The
            // picture below keeps the page from coming back without it;
            // sec_cn_18_a_click_waits_for_the_pointer
            div.choice {
                button type="submit" name="action" value="deny" { (texts.deny) }
                div.waits {
                    button.primary type="submit" name="action" value="approve" { (texts.approve) }
                }
            }
        }
        p.muted.small { (fill(&texts.consent_note, &[("connections", connections)])) }
        (technical(pages, view))
        // A picture of nothing: see the endpoint behind it.
        img src=(view.shown) alt="" hidden;
        @if matches!(view.whose, WhoseView::User(_)) {
            form #(SIGN_OUT) method="post" action=(view.sign_out) {
                (hidden("request", view.request))
                (hidden("csrf", view.csrf))
            }
        }
    };
    layout::page(pages, Width::Consent, &texts.consent_title, &main)
}

/// Who is signed in, or where that happens next.
fn whose(pages: &LocalPages<'_>, whose: WhoseView<'_>) -> Markup {
    let texts = pages.texts();
    match whose {
        WhoseView::User(user) => html! {
            dt { (texts.signed_in_as) }
            dd.row {
                span.place { (name(&clean::name(user).unwrap_or_default())) }
                button.quiet type="submit" form=(SIGN_OUT) { (texts.not_you) }
            }
        },
        WhoseView::Provider(provider) => html! {
            dt { (texts.signs_in_at) }
            dd { span.place { (name(&clean::name(provider).unwrap_or_default())) } }
        },
    }
}

/// The client, and how much of what it says is known.
fn who(pages: &LocalPages<'_>, client: &ClientView<'_>) -> Markup {
    let texts = pages.texts();
    let known = match (client.origin, client.host) {
        (ClientOrigin::Configured, _) => fill(&texts.name_configured, &[]),
        (ClientOrigin::MetadataDocument, Some(host)) => {
            let host = html! { strong { (clean::address(host)) } };
            fill(&texts.name_of_website, &[("host", host)])
        }
        _ => fill(&texts.name_unverified, &[]),
    };
    html! {
        span.place { (name(&layout::client_name(pages, client))) }
        p.small { (known) }
    }
}

fn destination(pages: &LocalPages<'_>, redirect: &RedirectView<'_>) -> Markup {
    if redirect.kind == RedirectKind::PrivateUse {
        let scheme = html! { strong { (clean::address(redirect.place)) ":" } };
        return html! { span { (fill(&pages.texts().sends_to_app, &[("scheme", scheme)])) } };
    }
    let (before, after) = redirect
        .uri
        .split_once(redirect.place)
        .unwrap_or(("", redirect.uri));
    let path = after.split('?').next().unwrap_or_default();
    let path = path
        .get(..PATH)
        .map_or_else(|| path.to_owned(), |start| format!("{start}…"));
    html! {
        code.address {
            (clean::address(before)) strong { (clean::address(redirect.place)) } (clean::address(&path))
        }
    }
}

/// What speaks against it, most telling first.
fn warnings(pages: &LocalPages<'_>, view: &ConsentPage<'_>) -> Vec<Markup> {
    let texts = pages.texts();
    let (client, redirect) = (&view.client, &view.redirect);
    let mut warnings = Vec::new();
    let place = || html! { strong { (clean::address(redirect.place)) } };
    // SECURITY: any program can listen there, or claim that scheme (RFC 8252 section 8.6);
    // sec_cn_15_local_and_foreign_redirects_are_warned_of
    match redirect.kind {
        RedirectKind::Loopback => warnings.push(fill(&texts.warning_loopback, &[])),
        RedirectKind::PrivateUse => {
            let scheme = html! { strong { (clean::address(redirect.place)) ":" } };
            warnings.push(fill(&texts.warning_app, &[("scheme", scheme)]));
        }
        RedirectKind::Https => {}
    }
    if let (true, Some(host)) = (redirect.is_foreign, client.host) {
        let host = html! { strong { (clean::address(host)) } };
        warnings.push(fill(
            &texts.warning_foreign,
            &[("place", place()), ("host", host)],
        ));
    }
    // SECURITY: such a name may look like another to the eye (UTS 39 section 4);
    // sec_ru_15_addresses_with_foreign_letters_are_flagged
    if has_foreign_letters(redirect.place) || client.host.is_some_and(has_foreign_letters) {
        warnings.push(fill(&texts.warning_letters, &[]));
    }
    if client
        .name
        .and_then(clean::name)
        .is_some_and(|name| clean::is_mixed(&name))
    {
        warnings.push(fill(&texts.name_mixed, &[]));
    }
    warnings
}

/// For those who want to know it exactly.
fn technical(pages: &LocalPages<'_>, view: &ConsentPage<'_>) -> Markup {
    let texts = pages.texts();
    let website = view.client.uri.filter(|uri| uri.starts_with("https://"));
    html! {
        details {
            summary { (texts.technical) }
            dl {
                dt { (texts.client_id) }
                dd { code { (clean::address(view.client.id)) } }
                @if let Some(website) = website.and_then(authority) {
                    dt { (texts.website) }
                    dd { code { (clean::address(website)) } }
                }
                dt { (texts.redirect_uri) }
                dd { code { (clean::address(view.redirect.uri)) } }
                dt { (texts.resource_url) }
                dd { code { (view.resource.url.as_str()) } }
            }
        }
    }
}
