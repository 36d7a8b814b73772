//! `user`.

use std::path::PathBuf;

use clap::Subcommand;
use portcullis_authorization_server::users::accounts::AccountName;
use portcullis_oauth::ScopeSet;

use super::FileArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make an account; it counts at once, also for a server that is running
    Add(AddArgs),
    /// List the accounts, and when each was used last
    List(FileArgs),
    /// Give a user another password; all sessions and grants of the user end
    Passwd(PasswdArgs),
    /// Give a user another role or other scopes; with less than before, all sessions and grants of the
    /// user end
    Update(UpdateArgs),
    /// Let nobody log in with an account; all sessions and grants of the user end
    Disable(UserArgs),
    /// Let the user of a disabled account log in again
    Enable(UserArgs),
    /// Remove an account; all sessions and grants of the user end
    Remove(UserArgs),
}

/// Make an account.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:
  portcullis user add alice@example.com --role admin")]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) user: UserArgs,
    /// What pages call the user; the name unless set
    #[arg(long, value_name = "TEXT")]
    pub(crate) display_name: Option<String>,
    /// The claim `role` of the user's tokens
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// The scopes that the user can be granted, with spaces between them; all unless set
    #[arg(long, value_name = "SCOPES", value_parser = ScopeSet::parse)]
    pub(crate) scopes: Option<ScopeSet>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

/// Give a user another role or other scopes.
#[derive(Debug, Clone, clap::Args)]
#[command(override_usage = "portcullis user update [OPTIONS] <NAME>")]
#[command(after_help = "Examples:
  portcullis user update alice --role editor
  portcullis user update bob --no-role --scopes \"notes:read notes:write\"")]
#[group(id = "rights", required = true, multiple = true)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    pub(crate) user: UserArgs,
    /// The claim `role` of the user's tokens
    #[arg(long, value_name = "ROLE", group = "rights")]
    pub(crate) role: Option<String>,
    /// Take the role away
    #[arg(long, group = "rights", conflicts_with = "role")]
    pub(crate) no_role: bool,
    /// The scopes that the user can be granted, with spaces between them
    #[arg(long, value_name = "SCOPES", group = "rights", value_parser = ScopeSet::parse)]
    pub(crate) scopes: Option<ScopeSet>,
    /// The user can be granted all scopes
    #[arg(long, group = "rights", conflicts_with = "scopes")]
    pub(crate) all_scopes: bool,
}

/// Give a user another password.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PasswdArgs {
    #[command(flatten)]
    pub(crate) user: UserArgs,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

/// Whose account it is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct UserArgs {
    /// The name that the user types: letters, digits and `.`, `_`, `-`, `+`, `@`
    #[arg(value_name = "NAME", value_parser = AccountName::parse)]
    pub(crate) name: AccountName,
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// Where the password comes from: the terminal, or a line of stdin, unless it is said. Never an
/// argument, which others can see.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
pub(crate) struct PasswordSource {
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Draw a password and print it, once
    #[arg(long)]
    pub(crate) generate: bool,
}
