//! A provider, with its settings from flags, environment and file.

use portcullis_oauth::{BaseUrl, SecretString};
use portcullis_resource_server::env::{Provider, Setting, SettingKind, nearest};
use portcullis_resource_server::{Auth, AuthEnv, ConfigError, ConfigErrors};
use serde_json::{Map, Value};

use super::SELECTORS;
use crate::config::file::read_text;
use crate::config::flags::flag_of;
use crate::config::origin::Origin;
use crate::config::schema::{keys_of, settings_of};
use crate::config::secret_file;
use crate::config::{Loaded, check};
use crate::report::Problem;

/// A provider with its settings, until the public URL is known.
#[derive(Debug)]
pub(crate) struct ProviderPlan {
    pub(super) provider: Provider,
    pairs: Vec<(String, SecretString)>,
    names: Vec<Name>,
    /// Where the mode was chosen.
    chosen: Option<Origin>,
}

/// How the user calls what the provider calls by the name of a variable.
#[derive(Debug)]
struct Name {
    variable: String,
    key: String,
    origin: Option<Origin>,
}

impl ProviderPlan {
    pub(super) fn new(provider: Provider, origin: Origin, loaded: &mut Loaded) -> Self {
        let mut plan = Self {
            provider,
            pairs: Vec::new(),
            names: Vec::new(),
            chosen: Some(origin),
        };
        let settings: Vec<Setting> = settings_of(provider).collect();
        plan.refuse_foreign(&settings, loaded);
        let mut hidden: Vec<String> = SELECTORS.map(str::to_owned).to_vec();
        for setting in &settings {
            plan.take(setting, loaded, &mut hidden);
        }
        // These have keys outside of `[auth]`.
        for (name, key, is_said) in [
            ("BASE_URL", "base_url", true),
            ("ISSUER_URL", "issuer_url", loaded.raw.issuer_url.is_some()),
        ] {
            let setting = provider.settings().find(|setting| setting.name() == name);
            for variable in setting.iter().flat_map(Setting::variables) {
                let origin = loaded.origins.find(key).cloned();
                plan.names.push(Name {
                    variable: variable.clone(),
                    key: key.to_owned(),
                    origin,
                });
                if is_said {
                    hidden.push(variable);
                }
            }
        }
        plan.take_variables(loaded, &hidden);
        plan
    }

    /// Takes what the environment says and nothing hides, and warns of what this provider does not read.
    fn take_variables(&mut self, loaded: &mut Loaded, hidden: &[String]) {
        let known: Vec<&str> = self
            .names
            .iter()
            .map(|name| name.variable.as_str())
            .collect();
        let env = AuthEnv::from_pairs(loaded.environment.pairs());
        let unread = self.provider.unread(&env);
        let mut warnings = Vec::new();
        let mut pairs = Vec::new();
        for (name, value) in loaded.environment.pairs() {
            let upper = name.to_ascii_uppercase();
            let is_key_of_ours = upper == "PORTCULLIS_AUTH_ANONYMOUS"
                || upper == "PORTCULLIS_AUTH_CHALLENGES"
                || upper == "PORTCULLIS_AUTH_ALLOW"
                || upper.starts_with("PORTCULLIS_AUTH_ALLOW_")
                || upper.starts_with("PORTCULLIS_AUTH_CLAIMS_PASSTHROUGH_");
            if is_key_of_ours || hidden.contains(&upper) {
                continue;
            }
            if upper.starts_with("PORTCULLIS_AUTH_") && !known.contains(&upper.as_str()) {
                let meant = nearest(&upper, known.iter().copied());
                let what = format!("mode `{}` does not read `{name}`", self.provider.name());
                let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
                warnings.push(Problem::new(what).maybe_hint(hint));
            } else if unread.contains(&name) {
                warnings.push(Problem::new(format!("nobody reads `{name}`")));
            } else {
                pairs.push((name.to_owned(), SecretString::from(value)));
            }
        }
        self.pairs.extend(pairs);
        loaded.warnings.extend(warnings);
    }

    /// Takes one setting from the file or a flag. What the environment says of it is hidden from
    /// the provider where a flag says otherwise, and wins over the file.
    fn take(&mut self, setting: &Setting, loaded: &mut Loaded, hidden: &mut Vec<String>) {
        let mut spellings = setting.variables();
        let files: Vec<String> = spellings
            .iter()
            .map(|name| format!("{name}_FILE"))
            .collect();
        if setting.kind() == SettingKind::Secret {
            spellings.extend(files);
        }
        let in_environment = spellings
            .iter()
            .find_map(|name| loaded.environment.find(name))
            .map(|(_, origin)| origin.clone());
        let written: Vec<String> = keys_of(setting)
            .into_iter()
            .filter(|key| loaded.auth.contains_key(key))
            .collect();
        let by_flag = written.iter().any(|key| {
            let origin = loaded.origins.find(&format!("auth.{key}"));
            matches!(origin, Some(Origin::Flag(_)))
        });
        let shown = written.first().cloned();
        let shown = shown.unwrap_or_else(|| setting.name().to_ascii_lowercase());
        let key = format!("auth.{shown}");
        let origin = match (&in_environment, by_flag) {
            (Some(origin), false) => Some(origin.clone()),
            _ => loaded.origins.exact(&key).cloned(),
        };
        for variable in &spellings {
            let is_file = setting.kind() == SettingKind::Secret && variable.ends_with("_FILE");
            let key = match is_file {
                true => format!("{}_file", key.trim_end_matches("_file")),
                false if setting.kind() == SettingKind::Secret => {
                    key.trim_end_matches("_file").to_owned()
                }
                false => key.clone(),
            };
            self.names.push(Name {
                variable: variable.clone(),
                key,
                origin: origin.clone(),
            });
        }
        if let Some(origin) = in_environment.filter(|_| !by_flag) {
            // SECURITY: what weakens a server is said where its auth is;
            // sec_gw_09_the_environment_opens_nothing
            if setting.name().starts_with("DANGER_") && loaded.file_sets_auth {
                let what = format!("`{origin}` weakens the auth mode that the file sets");
                let problem = Problem::new(what).at(Some(origin));
                loaded.problems.push(problem.hint("say it in the file"));
            }
            return;
        }
        hidden.extend(spellings);
        for key in written {
            let path = format!("auth.{key}");
            let Some(value) = loaded.auth.get(&key).cloned() else {
                continue;
            };
            match text_of(&value, setting.kind()) {
                Some(text) if key.ends_with("_file") => {
                    let file = loaded.path(&path, &text);
                    if let Some(warning) = secret_file::warning(&file)
                        && !read_text(&file).is_ok_and(|text| is_public_key(&text))
                    {
                        let at = loaded.origins.find(&path);
                        loaded.warnings.push(warning.at(at));
                    }
                    self.pair(&key, file.display().to_string());
                }
                Some(text) => self.pair(&key, text),
                None => {
                    let problem = loaded.problem(&path, "has something in it that is not a text");
                    loaded.problems.push(problem);
                }
            }
        }
    }

    fn pair(&mut self, key: &str, text: String) {
        let variable = format!("PORTCULLIS_AUTH_{}", key.to_ascii_uppercase());
        self.pairs.push((variable, text.into()));
    }

    fn refuse_foreign(&self, settings: &[Setting], loaded: &mut Loaded) {
        let known: Vec<String> = settings.iter().flat_map(keys_of).collect();
        let mode_is_of_file = self.chosen.as_ref().is_some_and(Origin::is_file);
        let foreign: Vec<String> = loaded
            .auth
            .keys()
            .filter(|key| !known.contains(key))
            .cloned()
            .collect();
        for key in foreign {
            let path = format!("auth.{key}");
            if loaded.origins.find(&path).is_some_and(Origin::is_file) && !mode_is_of_file {
                continue;
            }
            let what = format!("is not a setting of mode `{}`", self.provider.name());
            let listed: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
            let meant = nearest(&key, known.iter().map(String::as_str));
            let hint = match meant {
                Some(meant) => format!("did you mean `auth.{meant}`?"),
                None => format!("its settings are {}", listed.join(", ")),
            };
            let problem = loaded.problem(&path, what).hint(hint);
            loaded.problems.push(problem);
        }
    }

    /// What protects the server.
    pub(crate) fn build(&self, base: &BaseUrl) -> Result<Auth, Vec<Problem>> {
        let built = self.provider.auth(&self.environment(base.as_str()));
        built.map_err(|errors| self.problems(&errors))
    }

    /// All settings as the environment of a server would have them.
    pub(super) fn environment(&self, base: &str) -> AuthEnv {
        let pairs = self
            .pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()));
        let pairs = pairs.chain([("PORTCULLIS_BASE_URL", base)]);
        AuthEnv::from_pairs(pairs)
    }

    /// The provider's errors, in the names that the user knows.
    pub(super) fn problems(&self, errors: &ConfigErrors) -> Vec<Problem> {
        errors.iter().map(|error| self.problem(error)).collect()
    }

    /// The key of the setting that an error is about, if it is about one of its own.
    pub(super) fn key_of(&self, error: &ConfigError) -> Option<&str> {
        let names = &mut self.names.iter();
        let name = names.find(|name| name.variable == error.field())?;
        Some(name.key.trim_end_matches("_file"))
    }

    /// The provider's error, in the names that the user knows.
    pub(super) fn problem(&self, error: &ConfigError) -> Problem {
        // Who speaks FastMCP's language gets its names.
        let in_environment = self.chosen.as_ref().is_some_and(Origin::is_environment);
        let name = self
            .names
            .iter()
            .find(|name| name.variable == error.field());
        let origin = name.and_then(|name| name.origin.clone());
        let by_variable = origin
            .as_ref()
            .map_or(in_environment, Origin::is_environment);
        let field = match name {
            Some(name) if !by_variable => check::shown(&name.key),
            _ => error.field().to_owned(),
        };
        let translate = |text: &str| {
            if by_variable {
                text.to_owned()
            } else {
                self.translate(text)
            }
        };
        let fault = translate(error.fault());
        let hint = error.hint().map(translate);
        let flag = name.and_then(|name| {
            let file = || flag_of(&format!("{}_file", name.key));
            flag_of(&name.key).or_else(file)
        });
        let hint = if fault == "is not set" && !by_variable {
            let said = hint.map_or(String::new(), |hint| format!("{hint}; "));
            let by = flag.map_or_else(
                || format!("`{field}` in a file, or `{}`", variable_of(&field)),
                |flag| format!("`{flag}` or `{field}`"),
            );
            Some(format!("{said}set it with {by}"))
        } else {
            hint
        };
        let problem = Problem::new(sentence(&field, &fault));
        let problem = match self.key_of(error) {
            Some(key) => problem.about(key),
            None => problem,
        };
        problem
            .at(origin.or_else(|| self.chosen.clone()))
            .maybe_hint(hint)
    }

    fn translate(&self, text: &str) -> String {
        let mut names: Vec<&Name> = self.names.iter().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.variable.len()));
        names.iter().fold(text.to_owned(), |text, name| {
            text.replace(&name.variable, &name.key)
        })
    }
}

/// The variable of a key: `PORTCULLIS_AUTH_CLIENT_ID` for `auth.client_id`.
fn variable_of(key: &str) -> String {
    format!("PORTCULLIS_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// "`field` is wrong" where the fault begins with a verb, "`field`: it is wrong" elsewhere.
pub(crate) fn sentence(field: &str, fault: &str) -> String {
    let first = fault.split(' ').next().unwrap_or_default();
    let is_verb = [
        "is", "has", "names", "cannot", "does", "differs", "holds", "stands", "needs",
    ]
    .contains(&first);
    if is_verb {
        format!("`{field}` {fault}")
    } else {
        format!("`{field}`: {fault}")
    }
}

/// A value of the file as the text that a variable would have.
fn text_of(value: &Value, kind: SettingKind) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(params) if kind == SettingKind::Params => {
            let is_plain = params.values().all(Value::is_string);
            is_plain.then(|| value.to_string())
        }
        Value::Array(items) if kind == SettingKind::Scopes => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            Some(items?.join(" "))
        }
        Value::Array(items) => items
            .iter()
            .all(Value::is_string)
            .then(|| value.to_string()),
        _ => None,
    }
}

/// Whether a text is a public key, as one setting may be that or a secret.
fn is_public_key(text: &str) -> bool {
    text.contains("PUBLIC KEY-----")
}

/// The secrets in a table of settings itself, by their keys.
pub(in crate::config) fn secrets(auth: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let secrets = Provider::ALL.into_iter().flat_map(settings_of);
    let secrets = secrets.filter(|setting| setting.kind() == SettingKind::Secret);
    let keys: Vec<String> = secrets.flat_map(|setting| keys_of(&setting)).collect();
    auth.iter()
        .filter(move |(key, value)| {
            let text = value.as_str().unwrap_or_default();
            keys.contains(key) && !key.ends_with("_file") && !is_public_key(text)
        })
        .map(|(key, _)| key.as_str())
}
