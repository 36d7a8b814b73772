//! One server against itself. Its ratio would be 1 on a silent machine; how far it is from that
//! tells how much to believe the ratios of other benchmarks.

use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::{
    host::Host,
    load::{Target, web},
    race::{Plan, Variant, race},
    report::Report,
};

const ANSWER: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";

pub(crate) async fn run(plan: Plan) -> Result<Report> {
    let mut variants = Vec::new();
    for name in ["one", "other"] {
        let host = Host::start(serve).await?;
        let request = Request::post("/").body(Full::from(ANSWER))?;
        let target = web::Target::new(&host, [request], ANSWER)?;
        variants.push(Variant::new(name, Target::Http(target)));
    }
    let measures = race(plan, &variants).await?;
    Report::new(measures).ratio("one_over_other", "one", "other")
}

/// Answers at once.
async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection);
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(
        ANSWER.as_bytes(),
    ))))
}
