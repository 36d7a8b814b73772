//! *My connections*: what the user granted, and the way to take it back.

use maud::{Markup, html};
use portcullis_oauth::Timestamp;

use super::layout::{self, Width, hidden};
use crate::ui::LocalPages;
use crate::ui::clean;
use crate::ui::text::{fill, fill_text, name};
use crate::ui::view::{AccountPage, ConnectionView};

pub(crate) fn render(pages: &LocalPages<'_>, view: &AccountPage<'_>) -> Markup {
    let texts = pages.texts();
    let main = html! {
        h1 { (texts.connections) }
        div.row {
            p.muted {
                (texts.signed_in_as) " " strong { (name(&clean::name(view.user).unwrap_or_default())) }
            }
            form method="post" action=(view.sign_out) {
                (hidden("csrf", view.csrf))
                button.quiet type="submit" { (texts.sign_out) }
            }
        }
        @if view.removed { p.box.done role="status" { (texts.removed) } }
        @if view.connections.is_empty() {
            p { (texts.no_connections) }
        } @else {
            p { (texts.connections_intro) }
            ul.connections {
                @for group in by_client(view.connections) { (client(pages, view, &group)) }
            }
        }
        @if let Some(more) = view.more { p.end { a href=(more) { (texts.more) } } }
    };
    layout::page(pages, Width::Account, &texts.connections, &main)
}

/// Everything that one client has.
fn client(pages: &LocalPages<'_>, view: &AccountPage<'_>, group: &[&ConnectionView<'_>]) -> Markup {
    let texts = pages.texts();
    let Some(first) = group.first() else {
        return Markup::default();
    };
    let app = layout::client_name(pages, &first.client);
    html! {
        li {
            h2 { (name(&app)) }
            @if let Some(host) = first.client.host { p.muted.small { (clean::address(host)) } }
            @for connection in group { (grant(pages, view, connection, &app)) }
            @if group.len() > 1 {
                form.end method="post" action=(view.action) {
                    (hidden("csrf", view.csrf))
                    (hidden("client", first.client.id))
                    button.danger type="submit" name="action" value="revoke_client" {
                        (fill(&texts.remove_all, &[("app", name(&app))]))
                    }
                }
            }
        }
    }
}

fn grant(
    pages: &LocalPages<'_>,
    view: &AccountPage<'_>,
    connection: &ConnectionView<'_>,
    app: &str,
) -> Markup {
    let texts = pages.texts();
    let resource = layout::resource_name(&connection.resource);
    let what = fill_text(&texts.remove_of, &[("app", app), ("resource", &resource)]);
    html! {
        div.grant {
            div {
                p { (texts.access_to) " " strong { (name(&resource)) } }
                (layout::scope_list(pages, connection.scopes))
                p.muted.small {
                    (fill(&texts.granted_on, &[("date", day(pages, connection.granted_at))]))
                    " · "
                    @match connection.last_used {
                        Some(time) => { (fill(&texts.used_on, &[("date", day(pages, time))])) }
                        None => { (texts.never_used) }
                    }
                }
            }
            form method="post" action=(view.action) {
                (hidden("csrf", view.csrf))
                (hidden("grant", connection.grant))
                button.danger type="submit" name="action" value="revoke" aria-label=(what) {
                    (texts.remove)
                }
            }
        }
    }
}

fn day(pages: &LocalPages<'_>, time: Timestamp) -> Markup {
    html! { time datetime=(time.to_string()) { (pages.texts().day(time)) } }
}

/// Connections of one client together, in the order in which clients first appear.
fn by_client<'a, 'b>(connections: &'a [ConnectionView<'b>]) -> Vec<Vec<&'a ConnectionView<'b>>> {
    let mut groups: indexmap::IndexMap<&str, Vec<_>> = indexmap::IndexMap::new();
    for connection in connections {
        groups
            .entry(connection.client.id)
            .or_default()
            .push(connection);
    }
    groups.into_values().collect()
}
