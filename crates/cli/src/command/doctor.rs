//! `doctor`: what keeps clients out of a server.

use anyhow::Result;
use portcullis_oauth::BearerToken;

use super::token::Parts;
use crate::args::DoctorArgs;
use crate::config;
use crate::doctor::{self, Examination};
use crate::report::{Failure, Problem, Report};

pub(super) async fn doctor(args: DoctorArgs, report: Report) -> Result<()> {
    let token = config::token::token(args.token.as_ref(), args.token_file.as_deref(), report)?;
    let token = token.map(|token| BearerToken::new(token.expose()));
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
