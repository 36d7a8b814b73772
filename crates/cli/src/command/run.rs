//! `run`: serves MCP servers behind auth.

use anyhow::Result;

use crate::args::RunArgs;
use crate::report::{Failure, Problem, Report};
use crate::serve::{Behind, serve};
use crate::{config, logs};

pub(super) async fn run(args: RunArgs, report: Report) -> Result<()> {
    let request = args.request();
    let settings = config::settings(request.clone(), report)?;
    if settings.upstreams().is_empty() {
        let problem = Problem::new("nothing to serve: no MCP server is named");
        return Err(Failure::from(problem.hint(
            "say where it is with `--upstream URL`, or how it starts with `-- COMMAND ARGS`; \
             `portcullis dev` has a server of its own",
        ))
        .into());
    }
    logs::start(settings.log(), report);
    serve(settings, request, Behind::Upstreams, report).await
}
