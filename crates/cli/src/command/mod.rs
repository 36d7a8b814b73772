//! One file a command.

mod call;
mod clients;
mod completions;
mod config;
mod dev;
mod doctor;
mod grants;
mod inspect;
mod key;
mod list;
mod reference;
mod run;
mod token;
mod user;

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::args::Command;
use crate::file_size;
use crate::report::Report;

/// Does what was asked.
pub(crate) fn run(command: Command, report: Report) -> Result<()> {
    match command {
        Command::Run(args) => with_runtime(run::run(*args, report)),
        Command::Dev(args) => with_runtime(dev::dev(*args, report)),
        Command::List(args) => with_runtime(list::list(*args, report)),
        Command::Call(args) => with_runtime(call::call(*args, report)),
        Command::Inspect(args) => with_runtime(inspect::inspect(*args, report)),
        Command::Doctor(args) => with_runtime(doctor::doctor(args, report)),
        Command::User(command) => with_runtime(user::user(command, report)),
        Command::Client(command) => with_runtime(clients::client(command, report)),
        Command::Grant(command) => with_runtime(grants::grant(command, report)),
        Command::Config(command) => config::config(command, report),
        Command::Key(command) => with_runtime(key::key(command, report)),
        Command::Token(command) => with_runtime(token::token(command, report)),
        Command::Completions { shell } => {
            completions::completions(shell);
            Ok(())
        }
        Command::Reference { page } => {
            Report::document(&reference::page(page));
            Ok(())
        }
    }
}

/// How long a thread that waits for a disk or a terminal may keep the process from its end.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn with_runtime(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime does not start")?;
    let done = runtime.block_on(async {
        file_size::fails_the_write();
        work.await
    });
    runtime.shutdown_timeout(LAST_WAIT);
    done
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_waits_does_not_keep_the_process() {
        let (keep, never) = mpsc::channel::<()>();
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            let done = with_runtime(async {
                tokio::task::spawn_blocking(move || never.recv());
                Ok(())
            });
            say.send(done.is_ok())
        });
        assert_eq!(said.recv_timeout(Duration::from_secs(20)), Ok(true));
        drop(keep);
    }
}
