//! `token mint`: an access token without a login, for tests.

use std::time::Duration;

use anyhow::Result;
use portcullis_authorization_server::{Keyring, Mint, MintError};
use portcullis_oauth::json::{self, Limits, Map, Value};
use portcullis_oauth::{BaseUrl, ClientId, Issuer, ResourceUrl, Scope, ScopeSet, Subject};
use portcullis_resource_server::observe::{AuthorizationEvent, AuthorizationEventKind};
use serde::Serialize;

use crate::args::MintArgs;
use crate::command::key;
use crate::config::{self, Settings};
use crate::report::{Failure, Problem, Report, Show};
use crate::store;

/// No token lives longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A token, with what is asked next.
#[derive(Serialize)]
struct Minted {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    resource: String,
}

pub(super) async fn mint(args: MintArgs, report: Report) -> Result<()> {
    let settings = config::settings(args.file.clone().request(), report)?;
    let base = settings.base_url(settings.listen().port())?;
    let resource = resource(&args, &settings, &base)?;
    let issuer = Issuer::parse(base.as_str()).map_err(|error| fault("`base_url`", error))?;
    let lifetime = args.lifetime.unwrap_or(Duration::from_secs(600));
    if lifetime > LONGEST || lifetime.is_zero() {
        let problem = Problem::new("`--lifetime` is not between a second and a day");
        return Err(Failure::from(problem).into());
    }
    let minted = AuthorizationEvent::new(AuthorizationEventKind::TokenMinted)
        .of_user(&args.subject)
        .of_client(&args.client_id)
        .of_resource(resource.as_str());
    let token = token(&args, resource.clone())?.lifetime(lifetime);
    let token = if let Some(server) = settings.authorization_server()? {
        token.at(&server)
    } else {
        let mode = settings.mode();
        let what = format!("nobody takes this token: in mode `{mode}` others issue them");
        let hint =
            "it is for modes with an authorization server of one's own, as `server` and `google`";
        report.warning(&Problem::new(what).hint(hint));
        token
    };
    let opened = store::open(args.file.request(), report).await?;
    let records = &opened.records;
    let trail = opened.trail()?;
    let ring =
        key::settings(&opened).access_token_lifetime(lifetime.max(Duration::from_secs(3600)));
    let keyring = Keyring::open(records, ring).await.map_err(key::failed)?;
    let made = token.token(&issuer, &keyring, records).await;
    let made = made.map_err(|error| match error {
        MintError::Keyring(error) => key::failed(error),
        MintError::Store(error) => store::failed(error),
        error => error.into(),
    })?;
    trail.note(minted);
    trail.end().await?;
    report.data(&Minted {
        access_token: made.expose().to_owned(),
        token_type: "Bearer",
        expires_in: lifetime.as_secs(),
        resource: resource.as_str().to_owned(),
    })
}

fn token(args: &MintArgs, resource: ResourceUrl) -> Result<Mint, Failure> {
    let subject = Subject::parse(&args.subject).map_err(|error| fault("the subject", error))?;
    let client = ClientId::parse(&args.client_id).map_err(|error| fault("`--client-id`", error))?;
    let listed = args.scope.as_deref().unwrap_or_default();
    let listed = listed.split([',', ' ']).filter(|text| !text.is_empty());
    let scope = listed.map(Scope::parse).collect::<Result<ScopeSet, _>>();
    let scope = scope.map_err(|error| fault("`--scope`", error))?;
    Ok(Mint::new(subject, client, resource)
        .scope(scope)
        .claims(claims(&args.claim)?))
}

/// For whom the token is: as it was said, or the only server behind.
fn resource(args: &MintArgs, settings: &Settings, base: &BaseUrl) -> Result<ResourceUrl, Failure> {
    if let Some(text) = &args.audience {
        return ResourceUrl::parse(text).map_err(|error| fault("`--audience`", error));
    }
    let path = match settings.upstreams() {
        [] => settings.mcp_path(),
        [only] => only.path(),
        _ => {
            let problem = Problem::new("there are several servers behind");
            return Err(problem.hint("say for which one: `--audience URL`").into());
        }
    };
    let resource = base.resource(path);
    resource.map_err(|error| fault("the MCP URL", error))
}

fn claims(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut claims = Map::new();
    for text in given {
        let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let problem = Problem::new("`--claim` is not of the form NAME=VALUE");
            return Err(problem.hint("as in `--claim role=editor`").into());
        };
        // What is no JSON is meant as text.
        let value = json::value(value.as_bytes(), Limits::JOSE).unwrap_or_else(|_| value.into());
        claims.insert(name.to_owned(), value);
    }
    Ok(claims)
}

fn fault(what: &str, error: impl std::fmt::Display) -> Failure {
    Problem::new(format!("{what}: {error}")).into()
}

impl Show for Minted {
    fn human(&self) -> String {
        self.access_token.clone()
    }
}
