//! `key`.

use clap::Subcommand;

use super::FileArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys that sign tokens
    List(FileArgs),
    /// Exchange the key that signs tokens
    Rotate(RotateArgs),
}

/// Exchange the key that signs tokens.
///
/// The new key is published at once and signs 15 minutes later, so that whoever verifies tokens has
/// it by then. Tokens of the old one stay good until they expire.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// Take all other keys away and sign with the new one at once: every access token ends. What the
    /// store keeps is sealed anew. Refresh tokens and sessions go on; `grant revoke --all` ends grants
    #[arg(long)]
    pub(crate) revoke: bool,
    #[command(flatten)]
    pub(crate) file: FileArgs,
}
