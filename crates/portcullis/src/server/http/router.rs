//! Every route of a server, in one router.

use std::sync::Arc;

use axum::{Router, response::IntoResponse as _};
use portcullis_oauth::BaseUrl;
use portcullis_resource_server::{Auth, Incident, Routes, mcp::session::SessionLimits};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use super::{HttpOptions, Probes};
use crate::{
    Result,
    error::ConfigError,
    listener::{PROBES, Shutdown, probes},
    rmcp_adapter::{http_service, legacy_sse},
    server::Core,
};

/// Where MCP is served unless said otherwise.
pub(super) const DEFAULT_PATH: &str = "/mcp";

/// Where the transport of revision 2024-11-05 is served.
const LEGACY: [&str; 2] = ["/sse", "/messages"];

/// Every route, or what is wrong with them.
pub(super) fn build(
    http: &HttpOptions,
    core: &Arc<Core>,
    base: BaseUrl,
    stop: CancellationToken,
) -> Result<Router> {
    let path = http.path();
    let mut auth = http.auth.clone().unwrap_or_else(open);
    auth = auth
        .base_url_or(base)
        .scope_hierarchy(core.gate.hierarchy.clone())
        .entropy(Arc::clone(&core.entropy))
        .access_policy(Arc::clone(core) as Arc<_>);
    for host in &http.hosts {
        auth = auth.allow_host(host);
    }
    for origin in &http.origins {
        auth = auth.allow_origin(origin);
    }
    // As a fallback, so that nobody's own route shadows one of auth's; for the same hosts.
    let custom = auth.guard_routes(custom(http, &auth, path)?)?;
    let shutdown = Shutdown::of(core.draining.clone(), core.running.clone(), stop.clone());
    let own = probes(&shutdown).into_iter();
    let auth = own
        .filter(|_| http.probes == Probes::Here)
        .fold(auth, |auth, (path, route)| auth.route(path, route));
    let service = http_service(Arc::clone(core), stop.clone());
    let mcp = if http.legacy_sse {
        auth.protect_with_legacy_sse(path, service, legacy_sse(Arc::clone(core), stop))?
    } else {
        auth.protect(path, service)?
    };
    // SECURITY: a panic ends its own request, with nothing of it on the wire (CWE-248);
    // sec_ds_11_a_panic_ends_one_request_alone
    let caught = CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
        let incident = Incident::new();
        tracing::error!(%incident, "a route panicked");
        incident.into_response()
    });
    Ok(mcp.fallback_service(custom).layer(caught))
}

/// No tokens: one caller as good as the other, so they share the room for sessions, streams and
/// bodies.
fn open() -> Auth {
    let mut limits = SessionLimits::default();
    limits.per_principal = limits.total;
    limits.streams_per_principal = limits.total;
    limits.body_bytes_per_principal = limits.body_bytes;
    Auth::dangerous().allow_anonymous().session_limits(limits)
}

fn custom(http: &HttpOptions, auth: &Auth, mcp: &str) -> Result<Router> {
    let mut paths = Paths::new(mcp, http.legacy_sse);
    let mut routes = Routes::new();
    for (path, route) in &http.routes {
        paths.take(path)?;
        routes.add(path, route.clone())?;
    }
    let Some((first, _)) = http.protected_routes.first() else {
        return Ok(routes.into_router());
    };
    let layer = auth.layer_for(mcp)?;
    // SECURITY: a protected route on a server without auth is a mistake, not an open route;
    // sec_protected_route_needs_auth
    let layer = layer.ok_or_else(|| {
        ConfigError::new(
            format!("route `{first}`"),
            "is protected, and the server has no auth",
        )
    })?;
    for (path, route) in &http.protected_routes {
        paths.take(path)?;
        routes.add(path, route.clone().layer(layer.clone()))?;
    }
    Ok(routes.into_router())
}

/// The paths that are taken, each with whatever slash at its end.
struct Paths<'a> {
    /// Ours answer first, so a route there would never be asked.
    ours: Vec<&'a str>,
    theirs: Vec<&'a str>,
}

impl<'a> Paths<'a> {
    fn new(mcp: &'a str, legacy_sse: bool) -> Self {
        let mut ours = PROBES.to_vec();
        ours.push(mcp.trim_end_matches('/'));
        if legacy_sse {
            ours.extend(LEGACY);
        }
        Self {
            ours,
            theirs: Vec::new(),
        }
    }

    fn take(&mut self, path: &'a str) -> Result<(), ConfigError> {
        const METADATA: &str = "/.well-known/oauth-protected-resource";
        let bare = path.trim_end_matches('/');
        let rest = path.strip_prefix(METADATA);
        let is_metadata = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let fault = if is_metadata || self.ours.contains(&bare) {
            "is the server's own"
        } else if self.theirs.contains(&bare) {
            "is defined twice"
        } else {
            self.theirs.push(bare);
            return Ok(());
        };
        Err(ConfigError::new(format!("route `{path}`"), fault))
    }
}
