//! One server against itself. Its ratio would be 1 on a silent machine; how far it is from that
//! tells how much to believe the ratios of other benchmarks.

use std::{convert::Infallible, net::SocketAddr, thread};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};

use crate::{
    load::Target,
    race::{Plan, Variant, race},
    report::Report,
};

const ANSWER: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";

pub(crate) async fn run(plan: Plan) -> Result<Report> {
    let mut variants = Vec::new();
    for name in ["one", "other"] {
        let address = serve().await?;
        let target = Target::new(address, Request::post("/"), ANSWER, ANSWER)?;
        variants.push(Variant::new(name, target));
    }
    let measures = race(plan, &variants).await?;
    Report::new(measures).ratio("one_over_other", "one", "other")
}

/// A server that answers at once, on a thread and a runtime of its own.
async fn serve() -> Result<SocketAddr> {
    let (started, address) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            // Nobody waits when the benchmark has ended already.
            let _ = started.send(listener.local_addr()?);
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
            #[expect(unreachable_code, reason = "it names the type of the block")]
            anyhow::Ok(())
        })
    });
    address.await.context("the server did not start")
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(
        ANSWER.as_bytes(),
    ))))
}
