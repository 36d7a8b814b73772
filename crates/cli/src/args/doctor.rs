//! `doctor`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use portcullis_oauth::SecretString;

use crate::doctor::CLIENTS;

/// Find out what keeps clients out of an MCP server, whoever wrote it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit code 1 when something keeps a client out.

Examples:
  portcullis doctor https://mcp.example.com/mcp --as claude,chatgpt
  portcullis doctor http://localhost:8000/mcp --token-file token.txt")]
pub(crate) struct DoctorArgs {
    /// The server's URL, as its users have it
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// For whom it has to work; all of them unless set
    #[arg(
        long = "as",
        value_name = "CLIENTS",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(CLIENTS.iter().map(|client| client.name))
    )]
    pub(crate) clients: Vec<String>,
    /// A token to call with; `-` reads it from stdin. Or `PORTCULLIS_TOKEN`
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) token: Option<SecretString>,
    /// Read the token from this file. Or `PORTCULLIS_TOKEN_FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// Register as each client would, which leaves clients behind unless they can be removed
    #[arg(long)]
    pub(crate) register: bool,
    /// Try the authorization endpoint as this client
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// A redirect URI of that client
    #[arg(long, value_name = "URI", requires = "client_id")]
    pub(crate) redirect_uri: Option<String>,
    /// Ask this host too when a document names it, wherever it is
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,
    /// Show what is as it should be, too
    #[arg(long, short)]
    pub(crate) verbose: bool,
}
