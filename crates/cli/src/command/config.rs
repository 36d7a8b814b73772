//! `config`: checks, describes and shows the configuration.

use anyhow::Result;

use crate::args::{ConfigCommand, FileArgs};
use crate::config::{self, schema, show};
use crate::report::{Failure, Report};

pub(super) fn config(command: ConfigCommand, report: Report) -> Result<()> {
    match command {
        ConfigCommand::Validate(args) => validate(args, report),
        ConfigCommand::Schema => {
            Report::document(&serde_json::to_string_pretty(&schema::schema())?);
            Ok(())
        }
        ConfigCommand::Show(args) => show(args, report),
    }
}

/// Silent where all is well.
fn validate(args: FileArgs, report: Report) -> Result<()> {
    config::settings(args.request(), report)?;
    Ok(())
}

/// Shows what was written also where something is wrong with it, and says so.
fn show(args: FileArgs, report: Report) -> Result<()> {
    let loaded = config::load(args.request());
    report.data(&show::shown(&loaded))?;
    match config::decided(loaded, report) {
        Ok(_) => Ok(()),
        Err(failure) => Err(Failure::into(failure)),
    }
}
