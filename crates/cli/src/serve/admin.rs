//! The second listener: probes and numbers, away from the public port.

use std::net::IpAddr;

use anyhow::Result;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use portcullis::listener::{Listener, Shutdown, probes};
use tokio::task::JoinHandle;

use super::bind;
use crate::config::AdminSettings;
use crate::report::Failure;

/// A second listener that is bound.
pub(super) struct Admin {
    listener: Listener,
    hosts: Vec<String>,
}

/// A second listener that serves until the first one has ended.
#[derive(Debug)]
pub(super) struct RunningAdmin {
    end: Shutdown,
    task: JoinHandle<()>,
}

impl Admin {
    /// Binds the address.
    pub(super) async fn bind(settings: &AdminSettings) -> Result<Self, Failure> {
        let listener = bind(settings.listen.text(), "admin.listen").await?;
        Ok(Self {
            listener,
            hosts: settings.hosts.clone(),
        })
    }

    /// Where it is, for people.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.listener)
    }

    /// Serves the probes of whatever ends with `shutdown`, and `routes`. It goes on while that
    /// drains, so that there is somebody to say so.
    pub(super) fn serve(self, shutdown: &Shutdown, routes: Router) -> RunningAdmin {
        let end = Shutdown::new();
        let listener = self.listener.without_signals().with_shutdown(end.clone());
        let app = admin_router(shutdown, routes, self.hosts);
        let task = tokio::spawn(async move {
            if let Err(error) = listener.serve(app).await {
                tracing::error!(%error, "the admin listener ended");
            }
        });
        RunningAdmin { end, task }
    }
}

impl RunningAdmin {
    /// Ends it; at once where nothing is waited for.
    pub(super) async fn stop(self, at_once: bool) {
        self.end.begin();
        if at_once {
            self.task.abort();
        }
        // It says itself what went wrong.
        let _ = self.task.await;
    }
}

/// The probes for everybody, and `routes` for whoever calls this listener by a name that it has.
fn admin_router(shutdown: &Shutdown, routes: Router, hosts: Vec<String>) -> Router {
    let unknown = async || StatusCode::NOT_FOUND;
    let check = move |request: Request, next: Next| guard(is_ours(&request, &hosts), request, next);
    let guarded = routes.fallback(unknown).layer(middleware::from_fn(check));
    // An orchestrator probes by whatever name it likes, and learns nothing but `ok`.
    let all = probes(shutdown).into_iter();
    all.fold(guarded, |router, (path, probe)| router.route(path, probe))
}

async fn guard(is_ours: bool, request: Request, next: Next) -> Response {
    // SECURITY: a page whose name was rebound to this machine must not read what the numbers tell
    // (DNS rebinding); sec_gw_23_the_admin_listener_answers_to_its_own_names
    if !is_ours {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

/// Whether a request names an address, `localhost` or one of `hosts`: no name that a stranger could
/// point at this machine.
fn is_ours(request: &Request, hosts: &[String]) -> bool {
    let header = request.headers().get(HOST);
    let header = header.and_then(|host| host.to_str().ok()?.parse().ok());
    let named: Option<&Authority> = request.uri().authority().or(header.as_ref());
    let Some(named) = named.filter(|named| !named.as_str().contains('@')) else {
        return false;
    };
    let host = named.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_named = |name: &String| name.eq_ignore_ascii_case(host);
    bare.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(is_named)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_names_that_nobody_can_rebind_are_ours() {
        let hosts = ["metrics.internal".to_owned()];
        let asks = |host: &str| {
            let request = Request::get("/metrics").header(HOST, host);
            is_ours(&request.body(Body::empty()).unwrap(), &hosts)
        };
        for ours in [
            "127.0.0.1:9090",
            "10.1.2.3:9090",
            "[::1]:9090",
            "[2001:db8::1]",
            "localhost",
            "LOCALHOST:9090",
            "metrics.internal:9090",
            "Metrics.Internal",
        ] {
            assert!(asks(ours), "{ours}");
        }
        for theirs in [
            "evil.example:9090",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "metrics.internal.evil.example",
            "a@127.0.0.1",
            "",
        ] {
            assert!(!asks(theirs), "{theirs}");
        }
        let nameless = Request::get("/metrics").body(Body::empty()).unwrap();
        assert!(!is_ours(&nameless, &hosts));
        let named = Request::get("http://evil.example/metrics").header(HOST, "localhost");
        assert!(!is_ours(&named.body(Body::empty()).unwrap(), &hosts));
    }
}
