//! What the command line looks like. Nothing here decides.

mod client;
mod config;
mod doctor;
mod grant;
mod key;
mod oauth_client;
mod serve;
mod token;
mod user;

use clap::{Parser, Subcommand};

pub(crate) use self::client::{CallArgs, ConnectArgs, InspectArgs, ListArgs, words};
pub(crate) use self::config::{ConfigCommand, FileArgs};
pub(crate) use self::doctor::DoctorArgs;
pub(crate) use self::grant::{GrantCommand, ListGrantsArgs, RevokeGrantsArgs, WhoseArgs};
pub(crate) use self::key::{KeyCommand, RotateArgs};
pub(crate) use self::oauth_client::{ClientCommand, RevokeClientArgs};
pub(crate) use self::serve::{DevArgs, RunArgs};
pub(crate) use self::token::{DecodeArgs, MintArgs, TokenCommand, TokenSource, VerifyArgs};
pub(crate) use self::user::{
    AddArgs, PasswdArgs, PasswordSource, UpdateArgs, UserArgs, UserCommand,
};

/// Standard MCP authorization (OAuth 2.1) in front of any MCP server.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    bin_name = "portcullis",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 fine, 1 you can mend it, 2 unexpected."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How output is written.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct OutputArgs {
    /// Write JSON, one document a line. The default where output is not a terminal
    #[arg(long, global = true, conflicts_with = "human")]
    pub(crate) json: bool,
    /// Write for people. The default on a terminal
    #[arg(long, global = true)]
    pub(crate) human: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve MCP servers behind auth
    Run(Box<RunArgs>),
    /// Try it out with two users, alice and bob, on this machine
    Dev(Box<DevArgs>),
    /// List the tools of a server, or all that it offers
    List(Box<ListArgs>),
    /// Call a tool and print what it answers
    Call(Box<CallArgs>),
    /// Show what a server is, what it speaks, and who may use it
    Inspect(Box<InspectArgs>),
    /// Find out what keeps clients out of an MCP server
    Doctor(DoctorArgs),
    /// Say who may log in at the built-in authorization server
    #[command(subcommand)]
    User(UserCommand),
    /// List the OAuth clients, or take from them what they were granted
    #[command(subcommand)]
    Client(ClientCommand),
    /// List who granted what to whom, or end it
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Check, describe or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List or exchange the keys that sign tokens
    #[command(subcommand)]
    Key(KeyCommand),
    /// Read, verify or make an access token
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print a script that completes commands in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a page of the reference, as `docs/reference` has it
    #[command(hide = true)]
    Reference {
        /// The page
        page: Page,
    },
}

/// A page of the reference.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Page {
    /// `configuration.md`
    Configuration,
    /// `cli.md`
    Cli,
    /// `doctor.md`
    Doctor,
}
