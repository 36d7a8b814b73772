//! `token`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Show what a JWT says, without checking anything
    Decode(DecodeArgs),
    /// Check a JWT as a server would
    Verify(VerifyArgs),
}

/// Where the token is. An argument stays in the shell's history: prefer `-` or a file.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenSource {
    /// The token; `-` reads it from stdin
    #[arg(value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) token: Option<String>,
    /// Read the token from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Show what a JWT says, without checking anything.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DecodeArgs {
    #[command(flatten)]
    pub(crate) source: TokenSource,
}

/// Check a JWT as a server would: with `--issuer` and `--audience`, or by a configuration file.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:
  portcullis token verify --issuer https://auth.example.com \\
      --audience https://mcp.example.com/mcp -")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) source: TokenSource,
    /// Who has to have issued it
    #[arg(long, value_name = "URL", requires = "audience")]
    pub(crate) issuer: Option<String>,
    /// Where the issuer's keys are; found by discovery unless set
    #[arg(long, value_name = "URL", requires = "issuer", alias = "jwks-uri")]
    pub(crate) jwks_url: Option<String>,
    /// For whom it has to be: the MCP URL
    #[arg(long, value_name = "NAME", requires = "issuer")]
    pub(crate) audience: Option<String>,
    /// Accept tokens from before RFC 9068, whose `typ` is `JWT` or absent
    #[arg(long, requires = "issuer")]
    pub(crate) legacy: bool,
    /// Check as the server of this file would; `portcullis.toml` unless set
    #[arg(long, value_name = "FILE", conflicts_with = "issuer")]
    pub(crate) config: Option<PathBuf>,
}
