//! `client`.

use clap::Subcommand;
use portcullis_oauth::ClientId;

use super::FileArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// List the clients that have registered themselves or were granted something
    List(FileArgs),
    /// Take from clients all that they were granted, and their registrations
    ///
    /// A client of the configuration, and one whose id is the URL of its metadata, can ask users
    /// again. Any other has to register anew.
    Revoke(RevokeClientArgs),
}

/// Take from clients all that they were granted, and their registrations.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  portcullis client revoke 9f2c4e6b8a0d1f3e5c7b9a8d6f4e2c0b
  portcullis client revoke https://claude.ai/oauth/mcp-oauth-client-metadata")]
pub(crate) struct RevokeClientArgs {
    /// The ids of clients, as `client list` shows them
    #[arg(value_name = "ID", value_parser = ClientId::parse, required_unless_present = "all")]
    pub(crate) ids: Vec<ClientId>,
    /// All there are, after a question
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Do not ask; needed where nobody can answer
    #[arg(long, requires = "all")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) file: FileArgs,
}
