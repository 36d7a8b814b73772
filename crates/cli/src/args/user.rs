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
