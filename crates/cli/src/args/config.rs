//! `config`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::Request;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with the configuration; nothing where all is well
    Validate(FileArgs),
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Show what holds and where it was said, without secrets
    Show(FileArgs),
}

/// Which file.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct FileArgs {
    /// Read this file; `portcullis.toml` unless set, where there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl FileArgs {
    pub(crate) fn request(self) -> Request {
        Request {
            file: self.config,
            ..Request::default()
        }
    }
}
