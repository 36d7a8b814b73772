//! `user`: who may log in at the built-in authorization server.

mod list;
mod password;

use anyhow::Result;
use portcullis_authorization_server::Accounts;
use portcullis_authorization_server::users::accounts::{
    Account, AccountError, AccountName, NewAccount,
};
use portcullis_oauth::SharedEntropy;
use portcullis_resource_server::observe::{
    AuthorizationEvent as Event, AuthorizationEventKind as EventKind,
};

use self::password::Chosen;
use crate::args::{AddArgs, FileArgs, PasswdArgs, UpdateArgs, UserArgs, UserCommand};
use crate::report::{Failure, Problem, Report};
use crate::store::{self, Opened};

pub(super) async fn user(command: UserCommand, report: Report) -> Result<()> {
    match command {
        UserCommand::Add(args) => add(args, report).await,
        UserCommand::List(file) => list::list(file, report).await,
        UserCommand::Passwd(args) => passwd(args, report).await,
        UserCommand::Update(args) => update(args, report).await,
        UserCommand::Disable(args) => set_disabled(args, true, report).await,
        UserCommand::Enable(args) => set_disabled(args, false, report).await,
        UserCommand::Remove(args) => remove(args, report).await,
    }
}

async fn add(args: AddArgs, report: Report) -> Result<()> {
    let name = args.user.name;
    let opened = store::open_or_make(args.user.file.request(), report).await?;
    if let Some(problem) = elsewhere(&opened) {
        return Err(Failure::from(problem).into());
    }
    let Users {
        accounts,
        entropy,
        opened,
    } = Users::of(opened)?;
    let trail = opened.trail()?;
    // Nobody types a password for nothing.
    if accounts.get(&name).await.map_err(store::failed)?.is_some() {
        return Err(failed(&name, AccountError::Taken));
    }
    let chosen = Chosen::read(&args.password, &name, &*entropy, report)?;
    let mut account = NewAccount::new(name.clone(), chosen.password.clone());
    if let Some(text) = args.display_name {
        account = account.display_name(text);
    }
    if let Some(role) = args.role {
        account = account.role(role);
    }
    if let Some(scopes) = args.scopes {
        account = account.scopes(scopes);
    }
    let added = accounts.add(account).await;
    let added = added.map_err(|error| failed(&name, error))?;
    trail.note(Event::new(EventKind::UserAdded).of_user(&added.subject));
    chosen.show(&name, report)?;
    Ok(trail.end().await?)
}

async fn passwd(args: PasswdArgs, report: Report) -> Result<()> {
    let name = args.user.name;
    let users = Users::open(args.user.file, report).await?;
    let account = users.find(&name).await?;
    let trail = users.opened.trail()?;
    let chosen = Chosen::read(&args.password, &name, &*users.entropy, report)?;
    let changed = users.accounts.set_password(&name, &chosen.password).await;
    changed.map_err(|error| failed(&name, error))?;
    trail.note(changed_by(&account, "password"));
    chosen.show(&name, report)?;
    Ok(trail.end().await?)
}

async fn update(args: UpdateArgs, report: Report) -> Result<()> {
    let name = args.user.name;
    let users = Users::open(args.user.file, report).await?;
    let account = users.find(&name).await?;
    let trail = users.opened.trail()?;
    let change = changed_by(&account, "rights");
    let role = if args.no_role {
        None
    } else {
        args.role.or(account.role)
    };
    let scopes = if args.all_scopes {
        None
    } else {
        args.scopes.or(account.scopes)
    };
    let updated = users.accounts.set_rights(&name, role, scopes).await;
    updated.map_err(|error| failed(&name, error))?;
    trail.note(change);
    Ok(trail.end().await?)
}

async fn set_disabled(args: UserArgs, disabled: bool, report: Report) -> Result<()> {
    let users = Users::open(args.file, report).await?;
    let account = users.find(&args.name).await?;
    let trail = users.opened.trail()?;
    let set = users.accounts.set_disabled(&args.name, disabled).await;
    set.map_err(|error| failed(&args.name, error))?;
    let how = if disabled { "disabled" } else { "enabled" };
    trail.note(changed_by(&account, how));
    Ok(trail.end().await?)
}

async fn remove(args: UserArgs, report: Report) -> Result<()> {
    let users = Users::open(args.file, report).await?;
    let account = users.find(&args.name).await?;
    let trail = users.opened.trail()?;
    let removed = users.accounts.remove(&args.name).await;
    removed.map_err(|error| failed(&args.name, error))?;
    trail.note(Event::new(EventKind::UserRemoved).of_user(&account.subject));
    Ok(trail.end().await?)
}

fn changed_by(account: &Account, how: &'static str) -> Event {
    let changed = Event::new(EventKind::UserChanged);
    changed.of_user(&account.subject).because(how)
}

/// That users are those of an identity provider, and accounts open nothing.
fn elsewhere(opened: &Opened) -> Option<Problem> {
    let mode = opened.provider?;
    let what =
        format!("in mode `{mode}` users are the identity provider's, and accounts open nothing");
    let hint = "`[auth.allow]` says who of them may come; `portcullis grant list` shows who did";
    Some(Problem::new(what).hint(hint))
}

/// The accounts of a store that is open.
struct Users {
    accounts: Accounts,
    entropy: SharedEntropy,
    opened: Opened,
}

impl Users {
    async fn open(file: FileArgs, report: Report) -> Result<Self> {
        Self::of(store::open(file.request(), report).await?)
    }

    fn of(opened: Opened) -> Result<Self> {
        let (clock, entropy) = (opened.clock.clone(), opened.entropy.clone());
        let accounts = Accounts::new(opened.records.clone(), clock, entropy.clone())?;
        Ok(Self {
            accounts,
            entropy,
            opened,
        })
    }

    async fn find(&self, name: &AccountName) -> Result<Account> {
        let account = self.accounts.get(name).await.map_err(store::failed)?;
        account.ok_or_else(|| failed(name, AccountError::Unknown))
    }
}

/// Why an account is not as it was wanted, and what to do.
fn failed(name: &AccountName, error: AccountError) -> anyhow::Error {
    let problem = match error {
        AccountError::Taken => Problem::new(format!("there is a user `{name}` already")).hint(
            format!("`portcullis user passwd {name}` changes the password"),
        ),
        AccountError::Unknown => Problem::new(format!("there is no user `{name}`"))
            .hint("`portcullis user list` shows all of them"),
        AccountError::Weak(fault) => Problem::new(fault.to_string())
            .hint("take a few words that nobody else would put together, or `--generate`"),
        AccountError::Text(_) => Problem::new(error.to_string()),
        AccountError::Raced => Problem::new(error.to_string()).hint("try again"),
        AccountError::Store(error) => return store::failed(error),
        error => return error.into(),
    };
    Failure::from(problem).into()
}
