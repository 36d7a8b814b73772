//! `doctor`: what keeps clients out of a server.

use std::path::PathBuf;

use anyhow::Result;
use portcullis_oauth::BearerToken;

use super::token::Parts;
use crate::args::{DoctorArgs, TokenSource};
use crate::doctor::{self, Examination};
use crate::report::{Failure, Problem, Report};

pub(super) async fn doctor(args: DoctorArgs, report: Report) -> Result<()> {
    let token = token(args.token, args.token_file)?;
    let claims = token.as_ref().and_then(|token| Parts::read(token).ok());
    let examination = Examination {
        url: args.url,
        clients: args.clients,
        claims: claims.map(|parts| parts.claims),
        token,
        register: args.register,
        client_id: args.client_id,
        redirect_uri: args.redirect_uri,
        hosts: args.allow_host,
        verbose: args.verbose,
    };
    let diagnosis = doctor::examine(examination, report).await;
    let diagnosis = diagnosis.map_err(Failure::from)?;
    report.data(&diagnosis)?;
    let errors = diagnosis.errors();
    if errors.is_empty() {
        return Ok(());
    }
    let problem = Problem::new(format!("the server has errors: {}", errors.join(", ")));
    Err(Failure::from(problem.hint("`mend` says what to do about each")).into())
}

/// The token of a flag, else of the environment, else none.
fn token(token: Option<String>, file: Option<PathBuf>) -> Result<Option<BearerToken>, Failure> {
    let source = if token.is_none() && file.is_none() {
        from_environment()?
    } else {
        TokenSource { token, file }
    };
    if source.token.is_none() && source.file.is_none() {
        return Ok(None);
    }
    source.read().map(Some)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this program reads its environment, and no configuration says who calls"
)]
fn from_environment() -> Result<TokenSource, Failure> {
    let read = |name: &str| match std::env::var_os(name) {
        None => Ok(None),
        Some(value) if value.is_empty() => Ok(None),
        Some(value) => {
            let text = value.into_string();
            text.map(Some)
                .map_err(|_| Problem::new(format!("`{name}` is not UTF-8")))
        }
    };
    let token = read("PORTCULLIS_TOKEN")?;
    let file = read("PORTCULLIS_TOKEN_FILE")?;
    if token.is_some() && file.is_some() {
        let problem = Problem::new("`PORTCULLIS_TOKEN` and `PORTCULLIS_TOKEN_FILE` are both set");
        return Err(problem.hint("unset one of them").into());
    }
    Ok(TokenSource {
        token,
        file: file.map(PathBuf::from),
    })
}
