//! `user list`: the accounts.

use anyhow::Result;
use portcullis_authorization_server::users::accounts::Account;
use portcullis_oauth::{ScopeSet, Timestamp};
use serde::Serialize;

use crate::args::FileArgs;
use crate::report::{Report, Show, table};
use crate::store;
use crate::time;

#[derive(Serialize)]
struct Users {
    users: Vec<User>,
}

#[derive(Serialize)]
struct User {
    name: String,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// All, where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<ScopeSet>,
    disabled: bool,
    created_at: String,
    password_changed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login_at: Option<String>,
    #[serde(skip)]
    last_login: Option<Timestamp>,
}

pub(super) async fn list(file: FileArgs, report: Report) -> Result<()> {
    let users = super::Users::open(file, report).await?;
    if let Some(problem) = super::elsewhere(&users.opened) {
        report.warning(&problem);
    }
    let listed = users.accounts.list().await.map_err(store::failed)?;
    report.data(&Users {
        users: listed.into_iter().map(User::from).collect(),
    })
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            name: account.name.to_string(),
            subject: account.subject,
            display_name: account.display_name,
            role: account.role,
            scopes: account.scopes,
            disabled: account.disabled,
            created_at: account.created_at.to_string(),
            password_changed_at: account.password_changed_at.to_string(),
            last_login_at: account.last_login_at.map(|time| time.to_string()),
            last_login: account.last_login_at,
        }
    }
}

impl User {
    /// One column each: name, role, status, last login, scopes.
    fn row(&self) -> [String; 5] {
        let name = match &self.display_name {
            Some(shown) => format!("{} ({shown})", self.name),
            None => self.name.clone(),
        };
        let scopes = match &self.scopes {
            Some(scopes) if scopes.is_empty() => "none".to_owned(),
            Some(scopes) => scopes.to_string(),
            None => "all".to_owned(),
        };
        let status = if self.disabled { "disabled" } else { "enabled" };
        let last = self
            .last_login
            .map_or_else(|| "never".to_owned(), time::utc);
        let role = self.role.clone().unwrap_or_default();
        [name, role, status.to_owned(), last, scopes]
    }
}

impl Show for Users {
    fn human(&self) -> String {
        if self.users.is_empty() {
            return "no users; `portcullis user add NAME` makes one".to_owned();
        }
        let head = ["NAME", "ROLE", "STATUS", "LAST LOGIN", "SCOPES"];
        table(head, self.users.iter().map(User::row).collect())
    }
}
