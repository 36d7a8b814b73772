//! Who verifies callers: the mode, and its settings from flags, environment and file.

mod clients;
mod lifetimes;
mod provider;
mod proxy;
mod rate_limits;
mod server;
mod strangers;

use portcullis_resource_server::env::{Provider, nearest};

use self::provider::ProviderPlan;
pub(crate) use self::proxy::{ProxyPlan, Surroundings, Upstream};
pub(crate) use self::server::ServerPlan;
use super::Loaded;
use super::origin::Origin;
use super::schema::modes;
use crate::report::Problem;

pub(super) use self::provider::secrets;
pub(crate) use self::provider::sentence;
pub(super) use self::server::key as server_key;

/// Who verifies callers.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Nobody: `none`.
    Open,
    /// An authorization server with two fixed users: `dev`.
    Dev(Box<ServerPlan>),
    /// An authorization server with accounts of its own: `server`.
    Server(Box<ServerPlan>),
    /// An authorization server whose users log in at an identity provider: `google`, `github` and others.
    Proxy(Box<ProxyPlan>),
    /// Somebody else's authorization server, or none.
    Provider(ProviderPlan),
}

/// The selectors of FastMCP and of ours.
const SELECTORS: [&str; 3] = [
    "FASTMCP_SERVER_AUTH",
    "PORTCULLIS_AUTH_MODE",
    "PORTCULLIS_AUTH",
];

impl Plan {
    /// What was chosen. Problems are added to those of the configuration.
    pub(crate) fn choose(loaded: &mut Loaded) -> Option<Self> {
        let (mode, origin) = match chosen(loaded) {
            Ok(Some(chosen)) => chosen,
            Ok(None) => {
                let hint = format!(
                    "say it with `--auth MODE` or `auth.mode`; modes are {}; \
                     `none` is for this machine alone",
                    modes().join(", ")
                );
                loaded
                    .problems
                    .push(Problem::new("nobody verifies callers: no auth mode is set").hint(hint));
                return None;
            }
            Err(problem) => {
                loaded.problems.push(problem);
                return None;
            }
        };
        let word = mode.trim().to_ascii_lowercase();
        if word == "none" || word == "dev" {
            // SECURITY: a variable that somebody forgot must not open what a file closes;
            // sec_gw_09_the_environment_opens_nothing
            if origin.is_environment() && loaded.file_sets_auth {
                let what = format!(
                    "`{word}` comes from the environment, and the file sets another auth mode"
                );
                let problem = Problem::new(what).at(Some(&origin));
                loaded.problems.push(
                    problem.hint("take the variable away, or change `auth.mode` in the file"),
                );
                return None;
            }
            refuse_settings(loaded, &word);
            proxy::refuse_what_has_no_effect(loaded);
            if word == "dev" {
                return Some(Self::Dev(Box::new(ServerPlan::resolve(loaded))));
            }
            server::refuse_what_has_no_effect(loaded, &word);
            return Some(Self::Open);
        }
        if word == "server" {
            let required = loaded.auth.remove(server::REQUIRED_SCOPES);
            refuse_settings(loaded, &word);
            proxy::refuse_what_has_no_effect(loaded);
            loaded
                .auth
                .extend(required.map(|said| (server::REQUIRED_SCOPES.to_owned(), said)));
            let plan = ServerPlan::resolve(loaded);
            plan.warn_of_no_default(loaded);
            return Some(Self::Server(Box::new(plan)));
        }
        match Provider::parse("auth.mode", mode.trim()) {
            Ok(provider @ Provider::Proxy(kind)) => {
                let settings = ProviderPlan::new(provider, origin, loaded);
                let plan = ProxyPlan::resolve(kind, settings, loaded);
                Some(Self::Proxy(Box::new(plan)))
            }
            Ok(provider) => {
                proxy::refuse_what_has_no_effect(loaded);
                server::refuse_what_has_no_effect(loaded, provider.name());
                Some(Self::Provider(ProviderPlan::new(provider, origin, loaded)))
            }
            Err(_) => {
                loaded.problems.push(unknown_mode(&mode, &origin));
                None
            }
        }
    }

    /// The word for it.
    pub(crate) fn mode(&self) -> &'static str {
        match self {
            Self::Open => "none",
            Self::Dev(_) => "dev",
            Self::Server(_) => "server",
            Self::Provider(plan) => plan.provider.name(),
            Self::Proxy(plan) => plan.mode(),
        }
    }

    /// The public URL, where FastMCP's variables of the provider have it.
    pub(crate) fn base_url(&self, loaded: &Loaded) -> Option<(String, Origin)> {
        let provider = match self {
            Self::Provider(plan) => plan.provider,
            Self::Proxy(plan) => plan.provider(),
            _ => return None,
        };
        let setting = provider
            .settings()
            .find(|setting| setting.name() == "BASE_URL")?;
        let names = setting.variables();
        let (text, origin) = names
            .iter()
            .find_map(|name| loaded.environment.find(name))?;
        Some((text.trim().to_owned(), origin.clone()))
    }
}

/// The mode, and where it was chosen.
fn chosen(loaded: &Loaded) -> Result<Option<(String, Origin)>, Problem> {
    let written = loaded.raw.auth.mode.clone();
    let origin = loaded.origins.find("auth.mode").cloned();
    if let (Some(mode), Some(origin @ Origin::Flag(_))) = (&written, &origin) {
        return Ok(Some((mode.clone(), origin.clone())));
    }
    let environment = &loaded.environment;
    let mut found: Option<(&str, &Origin)> = None;
    for name in SELECTORS {
        let Some((mode, origin)) = environment.find(name) else {
            continue;
        };
        match found {
            Some((other, first)) if !is_same_mode(mode, other) => {
                let problem =
                    Problem::new(format!("`{name}` names another provider than `{first}`"));
                return Err(problem.at(Some(origin)).hint("take one of them away"));
            }
            _ => found = Some((mode, origin)),
        }
    }
    Ok(match (found, written, origin) {
        (Some((mode, origin)), ..) => Some((mode.to_owned(), origin.clone())),
        (None, Some(mode), Some(origin)) => Some((mode, origin)),
        _ => None,
    })
}

/// The mode, where users come from an identity provider.
pub(super) fn proxy_mode(loaded: &Loaded) -> Option<&'static str> {
    let (mode, _) = chosen(loaded).ok().flatten()?;
    match Provider::parse("auth.mode", mode.trim()) {
        Ok(provider @ Provider::Proxy(_)) => Some(provider.name()),
        _ => None,
    }
}

fn is_same_mode(a: &str, b: &str) -> bool {
    let provider = |text: &str| Provider::parse("auth.mode", text.trim()).ok();
    a.trim().eq_ignore_ascii_case(b.trim()) || provider(a).is_some_and(|a| Some(a) == provider(b))
}

fn unknown_mode(mode: &str, origin: &Origin) -> Problem {
    let known = modes();
    let listed = format!("modes are {}", known.join(", "));
    let meant = nearest(mode.trim(), known.iter().copied());
    let meant = meant.map_or(String::new(), |mode| format!("did you mean `{mode}`? "));
    Problem::new(format!("auth mode `{}` is not known", mode.trim()))
        .at(Some(origin))
        .hint(format!("{meant}{listed}"))
}

/// Nothing but the mode may stand beside `none` and `dev`: it would have no effect.
fn refuse_settings(loaded: &mut Loaded, mode: &str) {
    let keys: Vec<String> = loaded.auth.keys().cloned().collect();
    for key in keys {
        let path = format!("auth.{key}");
        // What the file says for its own mode is no fault of a flag that chooses another.
        let is_of_file = loaded.origins.find(&path).is_some_and(Origin::is_file);
        let mode_is_of_file = loaded
            .origins
            .find("auth.mode")
            .is_some_and(Origin::is_file);
        if is_of_file && !mode_is_of_file {
            continue;
        }
        let problem = loaded.problem(&path, format!("has no effect in mode `{mode}`"));
        loaded
            .problems
            .push(problem.hint("take it away, or choose another mode"));
    }
}
