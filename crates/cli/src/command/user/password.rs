//! Where a password comes from.

use std::io::Read as _;
use std::path::Path;

use anyhow::Result;
use portcullis_authorization_server::users::accounts::{AccountName, generate_password};
use portcullis_oauth::{Entropy, SecretString};
use serde::Serialize;

use crate::args::PasswordSource;
use crate::config::{read_text_or_pipe, secret_file_warning};
use crate::report::{Failure, Problem, Report, Show};
use crate::terminal::{self, Typed};

/// A password, and whether its user knows it.
pub(super) struct Chosen {
    pub(super) password: SecretString,
    is_drawn: bool,
}

/// A password that was drawn, shown to whoever asked for it.
#[derive(Serialize)]
struct Drawn<'a> {
    name: &'a str,
    password: &'a str,
}

impl Show for Drawn<'_> {
    fn human(&self) -> String {
        self.password.to_owned()
    }
}

impl Chosen {
    pub(super) fn read(
        source: &PasswordSource,
        name: &AccountName,
        entropy: &dyn Entropy,
        report: Report,
    ) -> Result<Self> {
        if source.generate {
            let password = generate_password(entropy)?;
            return Ok(Self {
                password,
                is_drawn: true,
            });
        }
        let password = match &source.password_file {
            Some(path) => from_file(path, report)?,
            None if terminal::is_there() => asked(name)?,
            None => from_stdin()?,
        };
        Ok(Self {
            password,
            is_drawn: false,
        })
    }

    /// Prints a password that was drawn: nobody can do it later.
    pub(super) fn show(&self, name: &AccountName, report: Report) -> Result<()> {
        if !self.is_drawn {
            return Ok(());
        }
        report.data(&Drawn {
            name: name.as_str(),
            password: self.password.expose(),
        })
    }
}

fn from_file(path: &Path, report: Report) -> Result<SecretString, Failure> {
    let text = SecretString::new(read_text_or_pipe(path)?);
    if let Some(warning) = secret_file_warning(path) {
        report.warning(&warning);
    }
    first_line(&text, || {
        format!("`{}` has no password in it", path.display())
    })
}

/// No password is longer, in bytes.
const LONGEST: u64 = 4096;

fn from_stdin() -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_string(&mut text);
    let text = SecretString::new(text);
    read.map_err(|error| Problem::new("stdin cannot be read").because(error))?;
    first_line(&text, || "there is no password on stdin".to_owned())
}

fn first_line(text: &SecretString, missing: impl Fn() -> String) -> Result<SecretString, Failure> {
    let line = text.expose().lines().next().unwrap_or_default();
    if line.is_empty() {
        let problem = Problem::new(missing());
        let hint = "write it on the first line, or draw one with `--generate`";
        return Err(problem.hint(hint).into());
    }
    Ok(SecretString::from(line))
}

/// Asks twice, because nobody sees what is typed.
fn asked(name: &AccountName) -> Result<SecretString, Failure> {
    let ask = |question: &str| {
        let typed = terminal::ask(question);
        match typed.map_err(|error| Problem::new("the terminal cannot be read").because(error))? {
            Typed::Secret(secret) => Ok(secret),
            Typed::Ended => Err(Failure::from(Problem::new("no password was given"))),
        }
    };
    let first = ask(&format!("Password for {name}"))?;
    let second = ask("The same again")?;
    if first.ct_eq(second.expose().as_bytes()) {
        Ok(first)
    } else {
        Err(Problem::new("the two passwords differ")
            .hint("try again")
            .into())
    }
}
