//! From what was written to what holds: flag, environment, file, default.
//!
//! [`load`] gathers and checks, [`resolve`](resolve::resolve) decides. Nothing else reads either.

mod allow;
mod auth;
mod check;
mod duration;
mod environment;
mod file;
mod flags;
mod listen;
mod mask;
mod mcp_servers;
mod origin;
pub(crate) mod page;
mod raw;
mod resolve;
mod said;
pub(crate) mod schema;
mod secret_file;
mod settings;
pub(crate) mod show;
mod store;
mod telemetry;
pub(crate) mod token;
mod upstream;

use std::path::{Path, PathBuf};

use portcullis_oauth::json;
use serde_json::{Map, Value};

use self::environment::{Environment, value_of};
use self::file::Written;
use self::flags::Given;
use self::listen::Listen;
use self::origin::{Origin, Origins};
use self::raw::RawConfig;
use crate::report::{Failure, Problem, Report};

pub(crate) use self::allow::short as allowed;
pub(crate) use self::auth::{ProxyPlan, ServerPlan, Surroundings, Upstream};
pub(crate) use self::duration::parse as duration;
pub(crate) use self::file::read_text_or_pipe;
pub(crate) use self::flags::Flag;
pub(crate) use self::said::{problem, problems};
pub(crate) use self::secret_file::warning as secret_file_warning;
pub(crate) use self::settings::{AdminSettings, LogSettings, Settings};
pub(crate) use self::store::{Beside, StorePlace, beside};
pub(crate) use self::telemetry::{AuditSettings, AuditTo, TelemetrySettings};
pub(crate) use self::upstream::Signer;

/// Who may come, in short.
const ALLOW: &str = "PORTCULLIS_AUTH_ALLOW";

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "portcullis.toml";

/// What the command line says.
#[derive(Debug, Default, Clone)]
pub(crate) struct Request {
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    pub(crate) flags: Vec<Flag>,
    /// `dev`: a file is read only where one is named, and of it what does not say where and for
    /// whom the server is meant.
    pub(crate) for_trying: bool,
}

/// What was written, checked against the schema.
pub(crate) struct Loaded {
    raw: RawConfig,
    /// The settings of the auth mode, by key.
    auth: Map<String, Value>,
    /// Everything, for `config show`.
    tree: Value,
    origins: Origins,
    environment: Environment,
    /// Whether the file says who verifies callers.
    file_sets_auth: bool,
    /// The folder to which paths in the file are relative.
    folder: PathBuf,
    /// Whether the file could be read. Where it could not, nothing else is worth saying.
    is_read: bool,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Where the process that reads its configuration again listens.
    listening: Option<Listen>,
}

/// The settings, or everything that is wrong with them. Warnings are reported.
pub(crate) fn settings(request: Request, report: Report) -> Result<Settings, Failure> {
    decided(load(request), report)
}

/// The settings for a process that runs by others. What it cannot change stays as it is, with a
/// warning.
pub(crate) fn again(
    request: Request,
    running: &Settings,
    report: Report,
) -> Result<Settings, Failure> {
    let mut loaded = load(request);
    loaded.listening = Some(running.listen().clone());
    let mut settings = decided(loaded, report)?;
    for key in settings.keep_what_stays(running) {
        let problem = Problem::new(format!("`{key}` has changed"));
        report.warning(&problem.hint("restart to apply it"));
    }
    Ok(settings)
}

/// The settings out of what was gathered.
pub(crate) fn decided(loaded: Loaded, report: Report) -> Result<Settings, Failure> {
    let (settings, warnings) = resolve::resolve(loaded);
    for warning in &warnings {
        report.warning(warning);
    }
    settings
}

/// Gathers what was written.
pub(crate) fn load(request: Request) -> Loaded {
    let (mut environment, mut problems) = Environment::from_process();
    let mut warnings = Vec::new();
    let path = file_path(request.file, &environment, !request.for_trying);
    let folder = path
        .as_deref()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""))
        .to_owned();
    let dotenv = folder.join(".env");
    if dotenv.is_file() {
        match environment.add_file(&dotenv) {
            Ok(warning) => warnings.extend(warning),
            Err(problem) => problems.push(problem),
        }
    }
    let mut written = read(path.as_deref());
    warnings.extend(path.and_then(|path| exposed(&path, &written)));
    let is_read = written.problems.is_empty();
    problems.append(&mut written.problems);
    let mut tree = Value::Object(written.tree);
    let mut origins = written.origins;
    if request.for_trying {
        forget_place(&mut tree, &mut origins);
    }
    let file_sets_auth = origins.exact("auth.mode").is_some();
    let file_has_upstreams = origins.exact("upstream").is_some();

    let keys = schema::keys();
    for key in &keys {
        let mut names = vec![key.variable()];
        if key.path == "auth.mode" {
            names.push("PORTCULLIS_AUTH".to_owned());
        }
        let found = names.iter().find_map(|name| environment.find(name));
        if let Some((text, origin)) = found {
            set(
                &mut tree,
                &mut origins,
                &key.path,
                (value_of(key, text), origin.clone()),
            );
        }
    }
    if let Some((url, origin)) = environment.find("PORTCULLIS_UPSTREAM") {
        // SECURITY: an address from the environment in place of the file's would take the rules
        // away that the file has for it; sec_gw_09_the_environment_opens_nothing
        if file_has_upstreams {
            let problem = Problem::new("`PORTCULLIS_UPSTREAM` is set, and the file has upstreams");
            problems.push(problem.at(Some(origin)).hint("take one of them away"));
        } else {
            let list = serde_json::json!([{ "url": url.trim() }]);
            set(&mut tree, &mut origins, "upstream", (list, origin.clone()));
        }
    }
    if let Some((text, origin)) = environment.find(ALLOW) {
        let said = (allow::short(text), origin.clone());
        set(&mut tree, &mut origins, "auth.allow", said);
    }
    warnings.extend(apply(request.flags, &keys, &mut tree, &mut origins));
    let known: Vec<String> = known_variables(&keys);
    warnings.extend(environment.warnings(&known));
    problems.extend(check::check(&mut tree, &schema::schema(), &origins));
    let (raw, auth) = split(&tree, &mut problems);
    Loaded {
        raw,
        auth,
        tree,
        origins,
        environment,
        file_sets_auth,
        folder,
        is_read,
        problems,
        warnings,
        listening: None,
    }
}

impl Loaded {
    /// A path: relative to the file where the file has it.
    fn path(&self, key: &str, text: &str) -> PathBuf {
        let is_in_file = self.origins.find(key).is_some_and(Origin::is_file);
        if is_in_file {
            self.folder.join(text)
        } else {
            PathBuf::from(text)
        }
    }

    /// A problem with a key.
    fn problem(&self, key: &str, fault: impl std::fmt::Display) -> Problem {
        Problem::new(format!("`{}` {fault}", check::shown(key)))
            .about(key)
            .at(self.origins.find(key))
    }
}

fn file_path(asked: Option<PathBuf>, environment: &Environment, search: bool) -> Option<PathBuf> {
    if !search {
        return asked;
    }
    let by_variable = || {
        let (path, _) = environment.find("PORTCULLIS_CONFIG")?;
        Some(PathBuf::from(path.trim()))
    };
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file());
    asked.or_else(by_variable).or_else(default)
}

fn read(path: Option<&Path>) -> Written {
    let Some(path) = path else {
        return Written::default();
    };
    match file::read_text(path) {
        Ok(text) => file::parse(&path.display().to_string(), &text),
        Err(problem) => Written {
            problems: vec![problem],
            ..Written::default()
        },
    }
}

/// A secret that stands in the file itself, where others can read it.
fn exposed(path: &Path, written: &Written) -> Option<Problem> {
    let auth = written.tree.get("auth")?.as_object()?;
    let key = auth::secrets(auth).next()?;
    let warning = secret_file::warning(path)?;
    let at = written.origins.find(&format!("auth.{key}"));
    Some(warning.at(at))
}

/// Puts flags in the place of what stands elsewhere, and says what goes with it.
fn apply(
    flags: Vec<Flag>,
    keys: &[schema::Key],
    tree: &mut Value,
    origins: &mut Origins,
) -> Option<Problem> {
    let by_flag = flags.iter().find(|flag| flag.key == "upstream");
    let warning = by_flag.and_then(|flag| replaced(flag, tree, origins));
    for flag in flags {
        let value = match flag.given {
            Given::Value(value) => value,
            Given::Text(text) => match keys.iter().find(|key| key.path == flag.key) {
                Some(key) => value_of(key, &text),
                None => Value::from(text),
            },
        };
        let origin = Origin::Flag(flag.name.to_owned());
        set(tree, origins, flag.key, (value, origin));
    }
    warning
}

/// A flag that takes the place of servers that are written elsewhere, whose rules go with them.
fn replaced(flag: &Flag, tree: &Value, origins: &Origins) -> Option<Problem> {
    let count = tree.get("upstream")?.as_array()?.len();
    let those = if count == 1 {
        "the server"
    } else {
        "all servers"
    };
    let what = format!(
        "`{}` takes the place of {those} in `upstream`, rules included",
        flag.name
    );
    let problem = Problem::new(what).at(origins.find("upstream.0").or(origins.find("upstream")));
    Some(problem.hint("leave the flag out to serve what is written there"))
}

/// Puts a value in the place of what stands at `path`.
fn set(tree: &mut Value, origins: &mut Origins, path: &str, (value, origin): (Value, Origin)) {
    origins.forget(path);
    origins.set(path, origin);
    let mut place = tree;
    for name in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else {
            return;
        };
        place = members.entry(name).or_insert(Value::Null);
    }
    *place = value;
}

/// Leaves of a file what is about the servers behind.
fn forget_place(tree: &mut Value, origins: &mut Origins) {
    let keys = [
        "listen",
        "base_url",
        "issuer_url",
        "allowed_hosts",
        "trusted_proxies",
        "admin",
        "tls",
        "audit",
        "otel",
        "auth",
        "store",
    ];
    if let Value::Object(members) = tree {
        for key in keys {
            members.remove(key);
            origins.forget(key);
        }
    }
}

fn known_variables(keys: &[schema::Key]) -> Vec<String> {
    let own = [
        "PORTCULLIS_AUTH",
        ALLOW,
        "PORTCULLIS_CONFIG",
        "PORTCULLIS_UPSTREAM",
        // What `list`, `call` and `inspect` read.
        token::TOKEN,
        token::TOKEN_FILE,
    ];
    let own = own.into_iter().map(str::to_owned);
    keys.iter().map(schema::Key::variable).chain(own).collect()
}

/// The typed part, and the settings of the auth mode.
fn split(tree: &Value, problems: &mut Vec<Problem>) -> (RawConfig, Map<String, Value>) {
    let mut typed = tree.clone();
    let mut settings = Map::new();
    if let Some(Value::Object(auth)) = typed.get_mut("auth") {
        let own = raw::OWN_AUTH_KEYS;
        let others: Vec<String> = auth
            .keys()
            .filter(|key| !own.contains(&key.as_str()))
            .cloned()
            .collect();
        for key in others {
            if let Some(value) = auth.remove(&key) {
                settings.insert(key, value);
            }
        }
    }
    match json::from_value(typed) {
        Ok(raw) => (raw, settings),
        Err(error) => {
            problems.push(Problem::new("the configuration cannot be read").because(error));
            (RawConfig::default(), settings)
        }
    }
}
