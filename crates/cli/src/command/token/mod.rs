//! `token`: reads, verifies and makes access tokens.

mod decode;
mod mint;
mod parts;
mod verify;

use anyhow::Result;

use crate::args::TokenCommand;
use crate::report::Report;

pub(super) use self::parts::Parts;

pub(super) async fn token(command: TokenCommand, report: Report) -> Result<()> {
    match command {
        TokenCommand::Decode(args) => decode::decode(&args, report),
        TokenCommand::Verify(args) => verify::verify(args, report).await,
        TokenCommand::Mint(args) => mint::mint(*args, report).await,
    }
}
