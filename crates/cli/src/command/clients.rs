//! `client`: who may ask users for access, and no longer does.

use std::collections::BTreeMap;

use anyhow::Result;
use portcullis_authorization_server::client::{RegisteredClient, Registrations};
use portcullis_authorization_server::{GrantFilter, GrantInfo, Grants};
use portcullis_oauth::{ClientId, Timestamp};
use portcullis_resource_server::observe::{AuthorizationEvent, AuthorizationEventKind};
use serde::Serialize;

use super::grants::{Revoked, agreed, counted, grant_ended};
use crate::args::{ClientCommand, FileArgs, RevokeClientArgs};
use crate::report::{Failure, Problem, Report, Show, table};
use crate::store;
use crate::time;
use crate::trail::Trail;

pub(super) async fn client(command: ClientCommand, report: Report) -> Result<()> {
    match command {
        ClientCommand::List(file) => list(file, report).await,
        ClientCommand::Revoke(args) => revoke(args, report).await,
    }
}

async fn list(file: FileArgs, report: Report) -> Result<()> {
    let opened = store::open(file.request(), report).await?;
    let registrations = Registrations::new(opened.records.clone());
    let clients = all(&registrations, &Grants::new(opened.records)).await?;
    report.data(&Clients { clients })
}

async fn revoke(args: RevokeClientArgs, report: Report) -> Result<()> {
    let opened = store::open(args.file.request(), report).await?;
    let registrations = Registrations::new(opened.records.clone());
    let trail = opened.trail()?;
    let grants = Grants::new(opened.records);
    if args.all {
        let known = all(&registrations, &grants).await?;
        if !known.is_empty() {
            agreed(
                args.yes,
                &format!("Revoke {}", counted(known.len(), "client")),
            )?;
        }
        for client in &known {
            revoke_one(&client.id, (&registrations, &grants), &trail).await?;
        }
        trail.end().await?;
        return report.data(&Revoked::clients(known.len()));
    }
    let mut unknown = Vec::new();
    for id in &args.ids {
        if !revoke_one(id, (&registrations, &grants), &trail).await? {
            let problem = Problem::new(format!("nothing was granted to a client `{id}`"));
            unknown.push(problem.hint("`portcullis client list` shows all there are"));
        }
    }
    trail.end().await?;
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::from(unknown).into())
}

/// Takes from a client all that it has, and says whether there was anything.
async fn revoke_one(
    id: &ClientId,
    (registrations, grants): (&Registrations, &Grants),
    trail: &Trail,
) -> Result<bool> {
    let granted = GrantFilter::Client(id.clone());
    let granted = grants.list(&granted).await.map_err(store::failed)?;
    let was_there = registrations.revoke(id).await.map_err(store::failed)?;
    if was_there {
        let revoked = AuthorizationEvent::new(AuthorizationEventKind::ClientRevoked);
        trail.note(revoked.of_client(id.as_str()));
        for grant in &granted {
            trail.note(grant_ended(grant, "client_gone"));
        }
    }
    Ok(was_there)
}

/// All clients that the store knows: registered ones, the oldest first, then those that were granted
/// something.
async fn all(registrations: &Registrations, grants: &Grants) -> Result<Vec<Client>> {
    let registered = registrations.list().await.map_err(store::failed)?;
    let granted = grants
        .list(&GrantFilter::All)
        .await
        .map_err(store::failed)?;
    let mut uses: BTreeMap<ClientId, Use> = BTreeMap::new();
    for grant in granted {
        uses.entry(grant.client.clone()).or_default().add(&grant);
    }
    let mut clients: Vec<_> = registered
        .into_iter()
        .map(|client| {
            let grants = uses.remove(&client.id).unwrap_or_default();
            Client::registered(client, grants)
        })
        .collect();
    clients.extend(
        uses.into_iter()
            .map(|(id, grants)| Client::other(id, grants)),
    );
    Ok(clients)
}

/// What a client was granted.
#[derive(Clone, Copy, Default)]
struct Use {
    grants: usize,
    last: Option<Timestamp>,
}

impl Use {
    fn add(&mut self, grant: &GrantInfo) {
        self.grants += 1;
        self.last = self.last.max(Some(grant.last_used));
    }
}

#[derive(Serialize)]
struct Clients {
    clients: Vec<Client>,
}

#[derive(Serialize)]
struct Client {
    id: ClientId,
    /// `registered`, `document` or `configured`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirect_uris: Vec<String>,
    /// How many grants it has.
    grants: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    /// When its registration ends unless it is used before.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(skip)]
    last_used: Option<Timestamp>,
}

impl Client {
    fn registered(client: RegisteredClient, used: Use) -> Self {
        Self {
            name: client.name,
            redirect_uris: client.redirect_uris,
            registered_at: Some(client.issued_at.to_string()),
            ends_at: Some(client.ends_at.to_string()),
            // That of the registration is known to a day.
            ..Self::new(
                client.id,
                "registered",
                used.grants,
                used.last.or(client.used_at),
            )
        }
    }

    /// One that did not register.
    fn other(id: ClientId, used: Use) -> Self {
        let is_document = id.as_str().starts_with("https://");
        let kind = if is_document {
            "document"
        } else {
            "configured"
        };
        Self::new(id, kind, used.grants, used.last)
    }

    fn new(id: ClientId, kind: &'static str, grants: usize, last: Option<Timestamp>) -> Self {
        Self {
            id,
            kind,
            name: None,
            redirect_uris: Vec::new(),
            grants,
            registered_at: None,
            last_used_at: last.map(|time| time.to_string()),
            ends_at: None,
            last_used: last,
        }
    }

    /// One column each: name, kind, grants, last use, id.
    fn row(&self) -> [String; 5] {
        let used = self
            .last_used
            .map_or_else(|| "never".to_owned(), time::minute);
        let name = self.name.clone().unwrap_or_default();
        let grants = self.grants.to_string();
        [
            name,
            self.kind.to_owned(),
            grants,
            used,
            self.id.to_string(),
        ]
    }
}

impl Show for Clients {
    fn human(&self) -> String {
        if self.clients.is_empty() {
            return "no client has registered itself or was granted anything".to_owned();
        }
        let head = ["NAME", "KIND", "GRANTS", "LAST USE (UTC)", "ID"];
        table(head, self.clients.iter().map(Client::row).collect())
    }
}
