//! `GET` and `POST /account`: *My connections*. What a user granted, and to whom, and how to take it
//! back.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use portcullis_oauth::form::Form;
use portcullis_oauth::{ClientId, OAuthError, OAuthErrorCode};

use super::authorize::Begun;
use super::fault::Fault;
use super::path::{ACCOUNT, LOGOUT};
use super::target::see_other;
use super::visitor::{SignedIn, Visitor, scope_views};
use crate::client::Client;
use crate::context::Context;
use crate::csrf::{self, FormPage, Shown};
use crate::grant::{Connection, EndReason, GrantId};
use crate::interaction::{Errand, Login};
use crate::limits::Limit;
use crate::session::Session;
use crate::ui::view::{AccountPage, ClientView, ConnectionView, ResourceView, ScopeView};

/// `GET /account`
pub(super) async fn get(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let Some(signed_in) = visitor.signed_in().await? else {
        return log_in_first(visitor).await;
    };
    let ledger = &visitor.context.ledger;
    let mut connections = ledger.connections(&signed_in.user.subject).await?;
    connections.sort_by_key(|connection| Reverse(connection.last_used));
    let clients = clients(visitor.context, &connections).await?;
    let removed = visitor.request.query()?.one(REMOVED)?.is_some();
    Ok(page(visitor, &signed_in, &connections, &clients, removed))
}

/// `POST /account`
pub(super) async fn post(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let form = visitor.form()?;
    let which = Which::read(&form)?;
    let Some(signed_in) = visitor.signed_in().await? else {
        return log_in_first(visitor).await;
    };
    let whose = whose(&signed_in.session);
    visitor.csrf().check_holder(&whose, form.one("csrf")?)?;
    let ledger = &visitor.context.ledger;
    // SECURITY: users end what is theirs: a grant's id is no secret (RFC 7009 section 2.1);
    // sec_rv_01_nobody_takes_back_what_is_another_users
    let own = ledger.connections(&signed_in.user.subject).await?;
    for connection in own.iter().filter(|connection| which.is(connection)) {
        ledger
            .end(connection.grant, EndReason::RevokedByUser)
            .await?;
    }
    Ok(see_other(&format!("{}?{REMOVED}=1", visitor.path(ACCOUNT))))
}

async fn log_in_first(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let from = visitor.request.address();
    visitor.context.limits.allow(Limit::Authorize, from)?;
    let begun = Begun::new(visitor, Errand::Account, Login::Any).await?;
    begun.go_on(visitor)
}

/// The clients behind connections, as they are now. Nobody else is asked about them: a page that makes
/// us fetch what strangers wrote is theirs to slow down.
async fn clients(
    context: &Context,
    connections: &[Connection],
) -> Result<BTreeMap<ClientId, Arc<Client>>, Fault> {
    let mut known = BTreeMap::new();
    for connection in connections {
        let id = &connection.client;
        if known.contains_key(id) || context.clients.would_fetch(id) {
            continue;
        }
        let found = context.clients.find(id).await?;
        known.extend(found.map(|client| (id.clone(), client)));
    }
    Ok(known)
}

fn page(
    visitor: &Visitor<'_>,
    signed_in: &SignedIn,
    connections: &[Connection],
    clients: &BTreeMap<ClientId, Arc<Client>>,
    removed: bool,
) -> Response {
    let context = visitor.context;
    let rows: Vec<Row<'_>> = connections
        .iter()
        .map(|connection| Row::new(context, connection))
        .collect();
    let views: Vec<ConnectionView<'_>> = rows
        .iter()
        .map(|row| row.view(clients.get(&row.connection.client).map(Arc::as_ref)))
        .collect();
    let token = visitor
        .csrf()
        .token(&whose(&signed_in.session), &Shown::NOTHING);
    visitor.pages(None).account(&AccountPage {
        action: &visitor.path(ACCOUNT),
        sign_out: &visitor.path(LOGOUT),
        csrf: &token,
        user: &signed_in.user.name,
        connections: &views,
        removed,
        more: None,
    })
}

/// What the view of a connection borrows.
struct Row<'a> {
    connection: &'a Connection,
    grant: String,
    resource_name: Option<String>,
    scopes: Vec<ScopeView<'a>>,
}

impl<'a> Row<'a> {
    fn new(context: &'a Context, connection: &'a Connection) -> Self {
        Self {
            grant: connection.grant.to_string(),
            resource_name: context.resources.name_of(&connection.resource),
            scopes: scope_views(context, &connection.scope),
            connection,
        }
    }

    fn view(&'a self, client: Option<&'a Client>) -> ConnectionView<'a> {
        let connection = self.connection;
        ConnectionView {
            grant: &self.grant,
            client: client.map_or_else(|| ClientView::unknown(&connection.client), ClientView::of),
            scopes: &self.scopes,
            resource: ResourceView {
                url: &connection.resource,
                name: self.resource_name.as_deref(),
            },
            granted_at: connection.granted_at,
            last_used: Some(connection.last_used),
        }
    }
}

/// A form of this page belongs to the session to which it was shown.
pub(super) fn whose(session: &Session) -> csrf::Form<'_> {
    csrf::Form {
        page: FormPage::Account,
        interaction: None,
        holder: session.id(),
    }
}

/// What is taken back.
enum Which<'f> {
    Grant(GrantId),
    Client(&'f str),
}

impl<'f> Which<'f> {
    fn read(form: &'f Form) -> Result<Self, Fault> {
        match form.required("action")? {
            "revoke" => {
                let grant = GrantId::parse(form.required("grant")?);
                Ok(Self::Grant(grant.ok_or(ACTION)?))
            }
            "revoke_client" => Ok(Self::Client(form.required("client")?)),
            _ => Err(ACTION.into()),
        }
    }

    fn is(&self, connection: &Connection) -> bool {
        match self {
            Self::Grant(grant) => connection.grant == *grant,
            Self::Client(client) => connection.client.as_str() == *client,
        }
    }
}

/// What the page says after something was taken back.
const REMOVED: &str = "removed";
const ACTION: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "action is revoke or revoke_client",
);
