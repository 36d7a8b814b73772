//! Decides what holds, or says everything that is wrong.

use std::path::PathBuf;
use std::time::Duration;

use portcullis::listener::{Network, NetworkError, Tls, TlsError};
use portcullis_oauth::{Scope, ScopeHierarchy, ScopeSet};
use portcullis_resource_server::mcp::ChallengeStyle;
use portcullis_resource_server::mcp::session::SessionLimits;

use super::auth::Plan;
use super::listen::{self, Listen, Said};
use super::raw::{RawChallenges, RawDuration, RawLogFormat};
use super::secret_file;
use super::settings::{AdminSettings, Limits, LogSettings, Settings, TlsSettings};
use super::upstream::UpstreamSettings;
use super::{Loaded, allow, mcp_servers, store, telemetry};
use crate::report::{Failure, Format, Problem};

const MCP_PATH: &str = "/mcp";
/// What the protocol's library says of each request is for its own developers.
const DEFAULT_LOG: &str = "info,rmcp=off";

/// Decides, or says everything that is wrong.
pub(super) fn resolve(mut loaded: Loaded) -> (Result<Settings, Failure>, Vec<Problem>) {
    let settings = loaded.is_read.then(|| decide(&mut loaded)).flatten();
    loaded.problems.sort_by_key(Problem::line);
    let settings = match settings {
        Some(settings) if loaded.problems.is_empty() => Ok(settings),
        _ => Err(Failure(loaded.problems)),
    };
    (settings, loaded.warnings)
}

fn decide(loaded: &mut Loaded) -> Option<Settings> {
    let plan = Plan::choose(loaded);
    let listen = listen::address(loaded);
    if let (Some(plan), Some(listen)) = (&plan, &listen) {
        listen::check_open(plan, listen, loaded);
    }
    let base_url = listen::base_url(loaded, plan.as_ref(), listen.as_ref());
    let hierarchy = hierarchy(loaded);
    let mcp_path = path(loaded, "mcp_path", loaded.raw.mcp_path.clone());
    let mut upstreams = std::mem::take(&mut loaded.raw.upstream);
    upstreams.extend(mcp_servers::read(loaded, upstreams.len()));
    let upstreams = UpstreamSettings::resolve(upstreams, &mcp_path, loaded);
    let drain = duration(loaded, "drain", loaded.raw.drain.clone(), 10);
    let allow = allow::allow(loaded, plan.as_ref());
    let who = allow::described(loaded);
    let settings = Settings {
        anonymous: allow::anonymous(loaded, plan.as_ref()),
        challenges: challenges(loaded, plan.as_ref()),
        hosts: loaded.raw.allowed_hosts.clone(),
        origins: loaded.raw.allowed_origins.clone(),
        log: log(loaded),
        limits: limits(loaded, plan.as_ref()),
        trusted_proxies: networks(loaded),
        allows_anonymous: loaded.raw.danger_allow_anonymous,
        admin: admin(loaded, listen.as_ref()),
        tls: tls(loaded),
        telemetry: telemetry::settings(loaded),
        store: store::settings(loaded, plan.as_ref()),
        listen: listen?,
        base_url: match base_url? {
            Said::Url(url) => Some(url),
            Said::Nothing => None,
        },
        plan: plan?,
        allow,
        who,
        hierarchy,
        upstreams,
        mcp_path,
        drain,
    };
    settings.check_whole(loaded);
    Some(settings)
}

fn path(loaded: &mut Loaded, key: &str, said: Option<String>) -> String {
    let path = said.unwrap_or_else(|| MCP_PATH.to_owned());
    check_path(loaded, key, &path);
    path
}

/// Says where MCP cannot be served.
pub(super) fn check_path(loaded: &mut Loaded, key: &str, path: &str) {
    if let Err(error) = portcullis_gateway::check_path(path) {
        let problem = loaded.problem(key, error.fault().to_owned());
        loaded.problems.push(problem.maybe_hint(error.hint()));
    }
}

pub(super) fn duration(
    loaded: &mut Loaded,
    key: &str,
    said: Option<RawDuration>,
    seconds: u64,
) -> Duration {
    let read = said.map(|said| said.read());
    if let Some(None) = read {
        let problem = loaded.problem(key, "is not a length of time");
        loaded
            .problems
            .push(problem.hint("write a number with `ms`, `s`, `m`, `h` or `d`, as in `10s`"));
    }
    read.flatten().unwrap_or(Duration::from_secs(seconds))
}

/// Scopes out of a list.
pub(super) fn scopes(loaded: &mut Loaded, key: &str, listed: &[String]) -> ScopeSet {
    let mut scopes = ScopeSet::new();
    for (at, text) in listed.iter().enumerate() {
        match Scope::parse(text) {
            Ok(scope) => scopes.extend([scope]),
            Err(error) => {
                let problem = loaded.problem(&format!("{key}.{at}"), "is not a scope");
                loaded.problems.push(problem.because(error));
            }
        }
    }
    scopes
}

fn hierarchy(loaded: &mut Loaded) -> ScopeHierarchy {
    let mut hierarchy = ScopeHierarchy::new();
    for (name, scope) in std::mem::take(&mut loaded.raw.scopes) {
        let implied = scopes(loaded, &format!("scopes.{name}.implies"), &scope.implies);
        match Scope::parse(&name) {
            Ok(name) => hierarchy = hierarchy.implies(name, implied),
            Err(error) => {
                let problem = loaded.problem(&format!("scopes.{name}"), "is not a scope");
                loaded.problems.push(problem.because(error));
            }
        }
    }
    hierarchy
}

fn challenges(loaded: &mut Loaded, plan: Option<&Plan>) -> ChallengeStyle {
    let said = loaded.raw.auth.challenges;
    if said.is_some() && matches!(plan, Some(Plan::Open)) {
        let problem = loaded.problem("auth.challenges", "has no effect in mode `none`");
        loaded.problems.push(problem);
    }
    match said {
        Some(RawChallenges::Http) => ChallengeStyle::Http,
        Some(RawChallenges::InBand) => ChallengeStyle::InBand,
        Some(RawChallenges::Auto) | None => ChallengeStyle::Auto,
    }
}

fn log(loaded: &mut Loaded) -> LogSettings {
    let filter = loaded
        .raw
        .log
        .level
        .clone()
        .unwrap_or_else(|| DEFAULT_LOG.to_owned());
    if !crate::logs::is_filter(&filter) {
        let problem = loaded.problem("log.level", "is not a filter of log lines");
        loaded.problems.push(
            problem.hint(
                "write `error`, `warn`, `info`, `debug` or `trace`, or `info,portcullis=debug`",
            ),
        );
    }
    LogSettings {
        filter,
        format: loaded.raw.log.format.map(|format| match format {
            RawLogFormat::Text => Format::Human,
            RawLogFormat::Json => Format::Json,
        }),
    }
}

fn limits(loaded: &mut Loaded, plan: Option<&Plan>) -> Limits {
    let raw = &loaded.raw.limits;
    let given = [
        ("connections", raw.connections),
        ("requests", raw.requests),
        ("sessions", raw.sessions),
        ("sessions_per_user", raw.sessions_per_user),
        ("streams_per_user", raw.streams_per_user),
    ];
    let [connections, requests, total, per_user, streams] = given.map(|(_, value)| value);
    let size = |value: Option<u32>| value.map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    let mut sessions = SessionLimits::default();
    sessions.total = size(total).unwrap_or(sessions.total);
    // Without tokens one caller is as good as the other, so they share the room.
    if matches!(plan, Some(Plan::Open)) {
        sessions.per_principal = sessions.total;
        sessions.streams_per_principal = sessions.total;
    }
    sessions.per_principal = size(per_user).unwrap_or(sessions.per_principal);
    sessions.streams_per_principal = size(streams).unwrap_or(sessions.streams_per_principal);
    let limits = Limits {
        connections: size(connections).unwrap_or(10_000),
        requests: size(requests).unwrap_or(1_000),
        sessions,
    };
    for (name, value) in given {
        if value == Some(0) {
            let problem = loaded.problem(&format!("limits.{name}"), "is 0, so nobody could come");
            loaded.problems.push(problem);
        }
    }
    limits
}

fn networks(loaded: &mut Loaded) -> Vec<Network> {
    let listed = loaded.raw.trusted_proxies.clone();
    let read = listed.iter().enumerate().filter_map(|(at, text)| {
        let network = text.parse::<Network>();
        network
            .map_err(|fault| {
                let hint = match fault {
                    NetworkError::Everything => "name the proxies in front of this server alone",
                    _ => "write it as `10.0.0.7` or `10.0.0.0/8`",
                };
                let problem = loaded.problem(&format!("trusted_proxies.{at}"), fault);
                loaded.problems.push(problem.hint(hint));
            })
            .ok()
    });
    read.collect()
}

fn admin(loaded: &mut Loaded, public: Option<&Listen>) -> Option<AdminSettings> {
    let hosts = loaded.raw.admin.allowed_hosts.clone();
    let Some(text) = loaded.raw.admin.listen.clone() else {
        if !hosts.is_empty() {
            let problem = loaded.problem("admin.allowed_hosts", "has no effect");
            loaded
                .problems
                .push(problem.hint("set `admin.listen`, too"));
        }
        return None;
    };
    let Some(listen) = Listen::parse(&text) else {
        let problem = loaded.problem("admin.listen", "is not an address with a port");
        loaded
            .problems
            .push(problem.hint("write it as `127.0.0.1:9090`"));
        return None;
    };
    if listen.port() != 0 && public.is_some_and(|public| public.port() == listen.port()) {
        let problem = loaded.problem("admin.listen", "has the port of `listen`");
        loaded.problems.push(problem.hint("choose another port"));
    }
    Some(AdminSettings { listen, hosts })
}

fn tls(loaded: &mut Loaded) -> Option<TlsSettings> {
    let (cert, key) = (loaded.raw.tls.cert.clone(), loaded.raw.tls.key.clone());
    let missing = match (cert, key) {
        (None, None) => return None,
        (Some(cert), Some(key)) => {
            let (cert, key) = (loaded.path("tls.cert", &cert), loaded.path("tls.key", &key));
            return pair(loaded, cert, key);
        }
        (Some(_), None) => ("tls.cert", "stands alone", "set `tls.key`, too"),
        (None, Some(_)) => ("tls.key", "stands alone", "set `tls.cert`, too"),
    };
    let (at, what, hint) = missing;
    let problem = loaded.problem(at, what).hint(hint);
    loaded.problems.push(problem);
    None
}

fn pair(loaded: &mut Loaded, cert: PathBuf, key: PathBuf) -> Option<TlsSettings> {
    if let Some(warning) = secret_file::warning(&key) {
        let at = loaded.origins.find("tls.key");
        loaded.warnings.push(warning.at(at));
    }
    match Tls::from_files(&cert, &key) {
        Ok(pair) => {
            if let Some(fault) = pair.fault() {
                let what = format!("the certificate {fault}: clients refuse it");
                let problem = Problem::new(what).at(loaded.origins.find("tls.cert"));
                loaded.warnings.push(problem);
            }
            Some(TlsSettings { cert, key, pair })
        }
        Err(error) => {
            let is_about_key = match &error {
                TlsError::Read { path, .. } | TlsError::NoKey { path } => *path == key,
                _ => false,
            };
            let at = if is_about_key { "tls.key" } else { "tls.cert" };
            let mut problem = Problem::new(error.to_string()).at(loaded.origins.find(at));
            if let Some(cause) = std::error::Error::source(&error) {
                problem = problem.because(cause);
            }
            loaded.problems.push(problem.maybe_hint(error.hint()));
            None
        }
    }
}
