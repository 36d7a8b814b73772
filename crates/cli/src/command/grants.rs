//! `grant`: who granted what to whom.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use portcullis_authorization_server::client::Registrations;
use portcullis_authorization_server::users::accounts::AccountName;
use portcullis_authorization_server::{Accounts, GrantFilter, GrantId, GrantInfo, Grants};
use portcullis_oauth::{ClientId, ScopeSet, Subject};
use portcullis_resource_server::observe::{AuthorizationEvent, AuthorizationEventKind};
use serde::Serialize;

use crate::args::{GrantCommand, ListGrantsArgs, RevokeGrantsArgs, WhoseArgs};
use crate::report::{Failure, Problem, Report, Show, table};
use crate::store::{self, Opened};
use crate::terminal;
use crate::time;
use crate::trail::Trail;

pub(super) async fn grant(command: GrantCommand, report: Report) -> Result<()> {
    match command {
        GrantCommand::List(args) => list(args, report).await,
        GrantCommand::Revoke(args) => revoke(args, report).await,
    }
}

async fn list(args: ListGrantsArgs, report: Report) -> Result<()> {
    let opened = store::open(args.file.request(), report).await?;
    let accounts = accounts(&opened)?;
    let grants = Grants::new(opened.records.clone());
    let filter = filter(&args.whose, &accounts, &grants).await?;
    let listed = grants.list(&filter).await.map_err(store::failed)?;
    let names = Names::read(&accounts, &Registrations::new(opened.records)).await?;
    let grants = listed.into_iter().map(|grant| Line::new(grant, &names));
    report.data(&Listed {
        is_part: !matches!(filter, GrantFilter::All),
        grants: grants.collect(),
    })
}

async fn revoke(args: RevokeGrantsArgs, report: Report) -> Result<()> {
    let opened = store::open(args.file.request(), report).await?;
    let grants = Grants::new(opened.records.clone());
    let trail = opened.trail()?;
    if !args.ids.is_empty() {
        return revoke_each(&args.ids, &grants, trail).await;
    }
    let filter = filter(&args.whose, &accounts(&opened)?, &grants).await?;
    let all = grants.list(&filter).await.map_err(store::failed)?;
    if matches!(filter, GrantFilter::All) && !all.is_empty() {
        agreed(args.yes, &format!("End {}", counted(all.len(), "grant")))?;
    }
    let ended = grants.revoke_all(&filter).await.map_err(store::failed)?;
    for grant in &all {
        trail.note(grant_ended(grant, "revoked_by_operator"));
    }
    trail.end().await?;
    report.data(&Revoked::grants(ended))
}

async fn revoke_each(ids: &[GrantId], grants: &Grants, trail: Trail) -> Result<()> {
    let mut unknown = Vec::new();
    for id in ids {
        let grant = grants.find(*id).await.map_err(store::failed)?;
        let is_ended = grants.revoke(*id).await.map_err(store::failed)?;
        if let Some(grant) = grant.filter(|_| is_ended) {
            trail.note(grant_ended(&grant, "revoked_by_operator"));
        } else {
            let problem = Problem::new(format!("there is no grant `{id}`"));
            unknown.push(problem.hint("`portcullis grant list` shows those that stand"));
        }
    }
    trail.end().await?;
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::from(unknown).into())
}

/// The line about a grant that is no more.
pub(super) fn grant_ended(grant: &GrantInfo, why: &'static str) -> AuthorizationEvent {
    let ended = AuthorizationEvent::new(AuthorizationEventKind::GrantEnded)
        .of_client(grant.client.as_str())
        .of_grant(grant.id)
        .of_resource(grant.resource.as_str())
        .because(why);
    match &grant.subject {
        Some(subject) => ended.of_user(subject.as_str()),
        None => ended,
    }
}

/// Lets go on who is sure.
pub(super) fn agreed(yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !terminal::is_there() {
        let problem = Problem::new("`--all` asks before it does that, and nobody can answer");
        return Err(problem.hint("add `--yes`").into());
    }
    let answer = terminal::is_yes(&format!("{what}? [y/N]"));
    if answer.map_err(|error| Problem::new("the terminal cannot be read").because(error))? {
        return Ok(());
    }
    Err(Problem::new("nothing was changed").into())
}

fn accounts(opened: &Opened) -> Result<Accounts> {
    let (clock, entropy) = (opened.clock.clone(), opened.entropy.clone());
    Ok(Accounts::new(opened.records.clone(), clock, entropy)?)
}

async fn filter(whose: &WhoseArgs, accounts: &Accounts, grants: &Grants) -> Result<GrantFilter> {
    let user = match &whose.user {
        Some(named) => Some(subject(named, accounts, grants).await?),
        None => None,
    };
    Ok(match (user, whose.client.clone()) {
        (None, None) => GrantFilter::All,
        (Some(user), None) => GrantFilter::User(user),
        (None, Some(client)) => GrantFilter::Client(client),
        (Some(user), Some(client)) => GrantFilter::UserAndClient(user, client),
    })
}

/// The user of that name. Users of other databases are known by what they granted.
async fn subject(named: &Subject, accounts: &Accounts, grants: &Grants) -> Result<Subject> {
    if let Ok(name) = AccountName::parse(named.as_str()) {
        let account = accounts.get(&name).await.map_err(store::failed)?;
        if let Some(account) = account {
            return Ok(Subject::parse(&account.subject)?);
        }
    }
    let filter = GrantFilter::User(named.clone());
    if grants
        .list(&filter)
        .await
        .map_err(store::failed)?
        .is_empty()
    {
        let problem = Problem::new(format!("there is no user `{named}`"));
        let hint = "`portcullis grant list` shows who granted something";
        return Err(Failure::from(problem.hint(hint)).into());
    }
    Ok(named.clone())
}

/// What people call users and clients.
struct Names {
    users: BTreeMap<String, String>,
    clients: BTreeMap<ClientId, String>,
}

impl Names {
    async fn read(accounts: &Accounts, registrations: &Registrations) -> Result<Self> {
        let accounts = accounts.list().await.map_err(store::failed)?;
        let registered = registrations.list().await.map_err(store::failed)?;
        Ok(Self {
            users: accounts
                .into_iter()
                .map(|account| (account.subject, account.name.to_string()))
                .collect(),
            clients: registered
                .into_iter()
                .filter_map(|client| Some((client.id, client.name?)))
                .collect(),
        })
    }
}

#[derive(Serialize)]
struct Listed {
    grants: Vec<Line>,
    /// Whether others were left out.
    #[serde(skip)]
    is_part: bool,
}

#[derive(Serialize)]
struct Line {
    id: String,
    /// The name of the account, or what the identity provider calls the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Absent where the client acts for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Subject>,
    client: ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
    scope: ScopeSet,
    resource: String,
    granted_at: String,
    last_used_at: String,
    expires_at: String,
    /// Whether the client has a refresh token.
    refreshes: bool,
    #[serde(skip)]
    used: String,
    #[serde(skip)]
    has_account: bool,
}

impl Line {
    fn new(grant: GrantInfo, names: &Names) -> Self {
        let subject = grant.subject.as_ref().map(Subject::as_str);
        let account = subject.and_then(|subject| names.users.get(subject).cloned());
        let has_account = account.is_some();
        Self {
            id: grant.id.to_string(),
            user: account.or(grant.user_name),
            client_name: names.clients.get(&grant.client).cloned(),
            subject: grant.subject,
            client: grant.client,
            scope: grant.scope,
            resource: grant.resource.as_str().to_owned(),
            granted_at: grant.granted_at.to_string(),
            last_used_at: grant.last_used.to_string(),
            expires_at: grant.expires_at.to_string(),
            refreshes: grant.refreshes,
            used: time::minute(grant.last_used),
            has_account,
        }
    }

    /// One column each: id, user, client, last use, scopes; the resource where there are several.
    fn row(&self, with_resource: bool) -> [String; 5] {
        let subject = self.subject.as_ref().map(Subject::to_string);
        let user = match (&self.user, subject) {
            // A name from elsewhere tells nobody apart, and the end of a long cell is cut off.
            (Some(name), Some(subject)) if !self.has_account => Some(format!("{subject} ({name})")),
            (Some(name), _) => Some(name.clone()),
            (None, subject) => subject,
        };
        let client = self.client_name.clone();
        let mut scopes = self.scope.to_string();
        if scopes.is_empty() {
            "none".clone_into(&mut scopes);
        }
        if with_resource {
            scopes = format!("{scopes} at {}", self.resource);
        }
        [
            self.id.clone(),
            user.unwrap_or_else(|| "(the client)".to_owned()),
            client.unwrap_or_else(|| self.client.to_string()),
            self.used.clone(),
            scopes,
        ]
    }
}

impl Show for Listed {
    fn human(&self) -> String {
        if self.grants.is_empty() {
            let none = if self.is_part {
                "no such grants"
            } else {
                "no grants"
            };
            return none.to_owned();
        }
        let resources: BTreeSet<_> = self.grants.iter().map(|grant| &grant.resource).collect();
        let rows = self.grants.iter().map(|line| line.row(resources.len() > 1));
        let head = ["ID", "USER", "CLIENT", "LAST USE (UTC)", "SCOPES"];
        table(head, rows.collect())
    }
}

/// `1 grant`, `2 grants`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// How many were ended.
#[derive(Serialize)]
pub(super) struct Revoked {
    revoked: usize,
    #[serde(skip)]
    what: &'static str,
}

impl Revoked {
    pub(super) const fn grants(revoked: usize) -> Self {
        let what = "grant";
        Self { revoked, what }
    }

    pub(super) const fn clients(revoked: usize) -> Self {
        let what = "client";
        Self { revoked, what }
    }
}

impl Show for Revoked {
    fn human(&self) -> String {
        format!("{} revoked", counted(self.revoked, self.what))
    }
}
