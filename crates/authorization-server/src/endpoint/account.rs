//! `GET` and `POST /account`: *My connections*. What a user granted, and to whom, and how to take it
//! back.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::form::{Form, Writer};
use portcullis_oauth::{ClientId, OAuthError, OAuthErrorCode};
use portcullis_store::StoreError;

use super::authorize::Begun;
use super::fault::Fault;
use super::path::{ACCOUNT, LOGOUT};
use super::target::see_other;
use super::visitor::{SignedIn, Visitor, scope_views};
use crate::client::Client;
use crate::context::Context;
use crate::csrf::{self, FormPage, Shown};
use crate::grant::{Connection, GrantId};
use crate::interaction::{Errand, Login};
use crate::limits::Limit;
use crate::session::Session;
use crate::ui::view::{AccountPage, ClientView, ConnectionView, ResourceView, ScopeView};

/// `GET /account`
pub(super) async fn get(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    // SECURITY: each time all that a user granted is read (CWE-770);
    // sec_ds_08_nobody_reads_his_connections_without_end
    let from = visitor.request.address();
    visitor.context.limits.allow(Limit::Authorize, from)?;
    let Some(signed_in) = visitor.signed_in().await? else {
        return log_in_first(visitor).await;
    };
    let query = visitor.request.query()?;
    let ledger = &visitor.context.ledger;
    let mut connections = ledger.connections(&signed_in.user.subject).await?;
    connections.sort_by_key(|connection| Reverse(connection.last_used));
    let part = Part::read(connections, query.one(PART)?);
    let clients = clients(visitor.context, &part.connections).await?;
    let removed = has_removed(visitor, &signed_in.session, query.one(REMOVED)?);
    Ok(page(visitor, &signed_in, &part, &clients, removed))
}

/// `POST /account`
pub(super) async fn post(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let from = visitor.request.address();
    visitor.context.limits.allow(Limit::Authorize, from)?;
    let form = visitor.form()?;
    let which = Which::read(&form)?;
    let Some(signed_in) = visitor.signed_in().await? else {
        return log_in_first(visitor).await;
    };
    let whose = whose(&signed_in.session);
    visitor.csrf().check_holder(&whose, form.one("csrf")?)?;
    let (ledger, user) = (&visitor.context.ledger, &signed_in.user.subject);
    let removed = match &which {
        Which::Grant(grant) => ledger.take_back(user, *grant).await?,
        Which::Client(client) => ledger.take_back_all(user, client).await?,
    };
    if !removed {
        return Ok(visitor.go(ACCOUNT));
    }
    let says = says_removed(visitor, &signed_in.session)?;
    let says = Writer::new().pair(REMOVED, &says).finish();
    Ok(see_other(&format!("{}?{says}", visitor.path(ACCOUNT))))
}

async fn log_in_first(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let begun = Begun::new(visitor, Errand::Account, Login::Any).await?;
    begun.go_on(visitor).await
}

/// What makes the page say, in this session, that something was removed. Nobody else can make it say
/// so by a link.
fn says_removed(visitor: &Visitor<'_>, session: &Session) -> Result<String, StoreError> {
    let records = &visitor.context.records;
    let sealed = records.seal(REMOVED_HERE, session.id(), &[])?;
    Ok(base64url::encode(sealed))
}

fn has_removed(visitor: &Visitor<'_>, session: &Session, says: Option<&str>) -> bool {
    let sealed = says.and_then(|says| base64url::decode_strict(says).ok());
    sealed.is_some_and(|sealed| {
        let records = &visitor.context.records;
        let opened = records.open_sealed(REMOVED_HERE, session.id(), &sealed);
        opened.is_ok()
    })
}

/// So many connections as a page shows.
struct Part {
    connections: Vec<Connection>,
    /// The number of the next part, if there is one.
    next: Option<usize>,
}

impl Part {
    /// The part of that number; the first, if it is none.
    fn read(all: Vec<Connection>, number: Option<&str>) -> Self {
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let number = number.filter(|number| *number < all.len().div_ceil(SHOWN));
        let number = number.unwrap_or(0);
        let shown_before = (number + 1) * SHOWN;
        Self {
            next: (shown_before < all.len()).then_some(number + 1),
            connections: all.into_iter().skip(number * SHOWN).take(SHOWN).collect(),
        }
    }
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
    part: &Part,
    clients: &BTreeMap<ClientId, Arc<Client>>,
    removed: bool,
) -> Response {
    let context = visitor.context;
    let rows: Vec<Row<'_>> = part
        .connections
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
    let more = part
        .next
        .map(|next| format!("{}?{PART}={next}", visitor.path(ACCOUNT)));
    visitor.pages(None).account(&AccountPage {
        action: &visitor.path(ACCOUNT),
        sign_out: &visitor.path(LOGOUT),
        csrf: &token,
        user: &signed_in.user.name,
        connections: &views,
        removed,
        more: more.as_deref(),
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
enum Which {
    Grant(GrantId),
    Client(ClientId),
}

impl Which {
    fn read(form: &Form) -> Result<Self, Fault> {
        match form.required("action")? {
            "revoke" => {
                let grant = GrantId::parse(form.required("grant")?);
                Ok(Self::Grant(grant.ok_or(ACTION)?))
            }
            "revoke_client" => {
                let client = ClientId::parse(form.required("client")?);
                Ok(Self::Client(client.map_err(|_| ACTION)?))
            }
            _ => Err(ACTION.into()),
        }
    }
}

/// Connections of a page.
const SHOWN: usize = 50;
/// The parameter that names another part than the first.
const PART: &str = "part";
/// The parameter that says that something was taken back.
const REMOVED: &str = "removed";
/// What its value is sealed for.
const REMOVED_HERE: &str = "account removed";
const ACTION: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "action is revoke or revoke_client",
);
