//! Serving: who comes in, what stands behind, and what is said about it.

mod ready;

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use portcullis::listener::{Listener, Shutdown, probes};
use portcullis_gateway::MountedGateway;
use portcullis_oauth::BaseUrl;
use portcullis_resource_server::{Auth, TokenVerifier as _};

use self::ready::{Place, Ready};
use crate::config::{Settings, problem};
use crate::dev::{self, Personas};
use crate::report::{Failure, Problem, Report};

/// What stands behind the auth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The servers of the configuration.
    Upstreams,
    /// The server that `dev` has of its own.
    Demo,
}

/// How long the start may wait for keys.
const WARM: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or Ctrl-C.
pub(crate) async fn serve(settings: &Settings, behind: Behind, report: Report) -> Result<()> {
    let listener = bind(settings).await?;
    let base = settings.base_url(listener.port())?;
    let personas = settings.is_dev().then(|| personas(settings, behind));
    let personas = personas.transpose()?;
    let auth = settings.auth(&base, personas.as_ref())?;
    warm(&auth).await;
    let (router, gateway) = router(settings, behind, auth, &listener.shutdown())?;
    let places = places(settings, behind, &base);
    report.data(&Ready::new(
        settings.mode(),
        places,
        personas.as_ref(),
        behind,
    ))?;
    let served = listener.serve(router).await;
    if let Some(gateway) = gateway {
        gateway.stop().await;
    }
    match served {
        Err(portcullis::Error::Interrupted { .. }) => {
            Err(Failure::from(Problem::new("stopped before all requests had finished")).into())
        }
        end => Ok(end?),
    }
}

async fn bind(settings: &Settings) -> Result<Listener, Failure> {
    let address = settings.listen().text();
    let limits = settings.limits();
    let listener = Listener::bind(address).await.map_err(|error| {
        let problem = Problem::new(format!("`{address}` cannot be listened on"));
        let portcullis::Error::Listen { source, .. } = &error else {
            return problem.because(&error);
        };
        let problem = problem.because(source);
        match source.kind() {
            ErrorKind::AddrInUse => {
                problem.hint("another program listens there; choose another port with `--listen`")
            }
            ErrorKind::PermissionDenied => {
                problem.hint("choose a port from 1024 on with `--listen`")
            }
            _ => problem,
        }
    })?;
    Ok(listener.max_connections(limits.connections, limits.requests))
}

fn personas(settings: &Settings, behind: Behind) -> Result<Personas, Failure> {
    let all = match behind {
        Behind::Demo => dev::scopes(),
        Behind::Upstreams => settings.scopes(),
    };
    Personas::new(&all, &settings.required_scopes())
}

fn router(
    settings: &Settings,
    behind: Behind,
    auth: Auth,
    shutdown: &Shutdown,
) -> Result<(Router, Option<MountedGateway>), Failure> {
    match behind {
        Behind::Upstreams => {
            let gateway = settings.gateway(auth)?.build().map_err(problem)?;
            let probes = probes(shutdown).into_iter();
            let add = |router: Router, (path, probe)| router.route(path, probe);
            Ok((probes.fold(gateway.router(), add), Some(gateway)))
        }
        Behind::Demo => {
            let server = dev::server().mcp_path(settings.mcp_path()).auth(auth);
            let router = server
                .into_router()
                .map_err(|error| Problem::new("the demo server does not start").because(error))?;
            Ok((router, None))
        }
    }
}

fn places(settings: &Settings, behind: Behind, base: &BaseUrl) -> Vec<Place> {
    if behind == Behind::Demo {
        return vec![Place {
            url: base.join(settings.mcp_path()),
            name: "demo".to_owned(),
            behind: "the built-in demo server".to_owned(),
        }];
    }
    let places = settings.upstreams().iter().map(|upstream| Place {
        url: base.join(upstream.path()),
        name: upstream.name().to_owned(),
        behind: upstream.place(),
    });
    places.collect()
}

/// Fetches keys before the first request needs them. A server starts without them too.
async fn warm(auth: &Auth) {
    let Some(verifier) = auth.verifier() else {
        return;
    };
    match tokio::time::timeout(WARM, verifier.warm()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot verify tokens yet; trying again with each request");
        }
        Err(_) => tracing::error!("what verifies tokens is slow to answer; serving anyway"),
    }
}
