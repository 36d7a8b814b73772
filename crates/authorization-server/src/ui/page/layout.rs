//! What all pages have in common.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::ui::LocalPages;
use crate::ui::clean;
use crate::ui::text::{fill, fill_text, is_right_to_left, name};
use crate::ui::view::{ClientView, ResourceView, ScopeView};

/// How wide the column is, by the class of `body`.
#[derive(Clone, Copy)]
pub(super) enum Width {
    Narrow,
    Consent,
    Account,
}

impl Width {
    fn class(self) -> Option<&'static str> {
        match self {
            Self::Narrow => None,
            Self::Consent => Some("consent"),
            Self::Account => Some("account"),
        }
    }
}

pub(super) fn page(pages: &LocalPages<'_>, width: Width, title: &str, main: &Markup) -> Markup {
    let (texts, service) = (pages.texts(), pages.service());
    let title = fill_text(&texts.title, &[("title", title), ("service", service)]);
    let direction = is_right_to_left(&texts.language).then_some("rtl");
    html! {
        (DOCTYPE)
        html lang=(texts.language) dir=[direction] {
            head {
                meta charset="utf-8";
                title { (title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                style { (PreEscaped(pages.css())) }
            }
            body class=[width.class()] {
                header {
                    @if let Some(logo) = pages.logo() { img src=(logo) alt=""; }
                    span { (service) }
                }
                main { (main) }
                @if let Some(support) = pages.support() {
                    footer { a href=(support) { (texts.support) } }
                }
            }
        }
    }
}

/// A hidden field.
pub(super) fn hidden(field: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(field) value=(value); }
}

/// What a client is called: by the name it chose, else by what is known of it.
pub(super) fn client_name(pages: &LocalPages<'_>, client: &ClientView<'_>) -> String {
    client
        .name
        .and_then(clean::name)
        .or_else(|| client.host.map(str::to_owned))
        .unwrap_or_else(|| pages.texts().unnamed_app.to_string())
}

/// The name in a sentence of ours: in quotation marks when it is a claim.
pub(super) fn quoted_client(pages: &LocalPages<'_>, client: &ClientView<'_>) -> Markup {
    let shown = name(&client_name(pages, client));
    let is_claim = client.origin != crate::client::ClientOrigin::Configured
        && client.name.and_then(clean::name).is_some();
    if is_claim {
        fill(&pages.texts().quoted, &[("name", shown)])
    } else {
        shown
    }
}

/// What a resource is called: by its name, else by its address without the scheme.
pub(super) fn resource_name(resource: &ResourceView<'_>) -> String {
    let url = resource.url.as_str();
    let address = || url.split_once("://").map_or(url, |(_, address)| address);
    resource
        .name
        .and_then(clean::name)
        .unwrap_or_else(|| address().trim_end_matches('/').to_owned())
}

/// Scopes in words, each with its name in the protocol.
pub(super) fn scope_list(pages: &LocalPages<'_>, scopes: &[ScopeView<'_>]) -> Markup {
    html! {
        ul.scopes {
            @for view in scopes {
                li {
                    (scope_text(pages, view))
                    " " code { (clean::address(view.scope)) }
                }
            }
        }
    }
}

fn scope_text(pages: &LocalPages<'_>, view: &ScopeView<'_>) -> String {
    let texts = pages.texts();
    if let Some(text) = view.text.and_then(clean::sentence) {
        return text;
    }
    let known = match view.scope {
        "openid" => &texts.scope_openid,
        "profile" => &texts.scope_profile,
        "email" => &texts.scope_email,
        "read:user" => &texts.scope_read_user,
        "write:user" => &texts.scope_write_user,
        "offline_access" => &texts.scope_offline_access,
        other => return other.replace('_', " ").replace(':', " - "),
    };
    known.to_string()
}
