//! `dev`: two users, on this machine, in front of a server or a demo.

use anyhow::Result;

use crate::args::DevArgs;
use crate::report::Report;
use crate::serve::{Behind, serve};
use crate::{config, logs};

pub(super) async fn dev(args: DevArgs, report: Report) -> Result<()> {
    let request = args.request();
    let settings = config::settings(request.clone(), report)?;
    logs::start(settings.log(), report);
    let behind = match settings.upstreams() {
        [] => Behind::Demo,
        _ => Behind::Upstreams,
    };
    serve(settings, request, behind, report).await
}
