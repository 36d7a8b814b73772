//! `grant`.

use clap::Subcommand;
use portcullis_authorization_server::GrantId;
use portcullis_oauth::{ClientId, Subject};

use super::FileArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// List who granted what to whom
    List(ListGrantsArgs),
    /// End grants; their tokens are refused from the next request on
    Revoke(RevokeGrantsArgs),
}

/// Whose grants.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WhoseArgs {
    /// Only those of this user: the name of the account, or the subject of tokens
    #[arg(long, value_name = "NAME", value_parser = Subject::parse)]
    pub(crate) user: Option<Subject>,
    /// Only those to this client, by its id
    #[arg(long, value_name = "ID", value_parser = ClientId::parse)]
    pub(crate) client: Option<ClientId>,
}

/// List who granted what to whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ListGrantsArgs {
    #[command(flatten)]
    pub(crate) whose: WhoseArgs,
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// End grants; their tokens are refused from the next request on.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  portcullis grant revoke 3q2-7wEjRWeJq83vASNFZw
  portcullis grant revoke --user alice --client 9f2c4e6b8a0d1f3e5c7b9a8d6f4e2c0b")]
pub(crate) struct RevokeGrantsArgs {
    /// The ids of grants, as `grant list` shows them
    #[arg(
        value_name = "ID",
        value_parser = id,
        required_unless_present_any = ["user", "client", "all"],
        conflicts_with_all = ["user", "client", "all"],
    )]
    pub(crate) ids: Vec<GrantId>,
    #[command(flatten)]
    pub(crate) whose: WhoseArgs,
    /// All there are, after a question
    #[arg(long, conflicts_with_all = ["user", "client"])]
    pub(crate) all: bool,
    /// Do not ask; needed where nobody can answer
    #[arg(long, requires = "all")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

fn id(text: &str) -> Result<GrantId, &'static str> {
    GrantId::parse(text).ok_or("an id has 22 characters, as `portcullis grant list` shows them")
}
