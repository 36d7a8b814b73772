//! Reads one provider's variables, and gathers what is wrong with them.

use std::io::ErrorKind;
use std::path::Path;

use portcullis_oauth::{ScopeSet, SecretString};

use super::variable::{Need, RESOURCE_DOCUMENTATION, RESOURCE_NAME, SCOPES_SUPPORTED};
use super::{ALGORITHM, AUDIENCE, AuthEnv, Entry, Form, REQUIRED_SCOPES, Section, Variable, value};
use crate::{
    Algorithm, ConfigError, ConfigErrors, JwtVerifier, JwtVerifierBuilder, RemoteAuthProvider,
};

/// The largest file of a secret, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The variables of one section. Every getter answers something, and [`finish`](Self::finish) says
/// whether it may be used.
pub(crate) struct Reader<'e> {
    env: &'e AuthEnv,
    section: &'static Section,
    faults: Vec<ConfigError>,
}

/// What every remote provider may be told.
#[derive(Debug, Default)]
pub(crate) struct Common {
    required_scopes: ScopeSet,
    scopes_supported: Option<ScopeSet>,
    resource_name: Option<String>,
    resource_documentation: Option<String>,
    /// Instead of the provider's own.
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Option<&'static [Algorithm]>,
}

impl Common {
    pub(crate) fn apply(self, mut remote: RemoteAuthProvider) -> RemoteAuthProvider {
        remote = remote.required_scopes(self.required_scopes);
        if let Some(scopes) = self.scopes_supported {
            remote = remote.scopes_supported(scopes);
        }
        if let Some(name) = self.resource_name {
            remote = remote.resource_name(name);
        }
        if let Some(url) = self.resource_documentation {
            remote = remote.resource_documentation(url);
        }
        remote
    }
}

impl<'e> Reader<'e> {
    pub(super) fn new(env: &'e AuthEnv, section: &'static Section) -> Self {
        Self {
            env,
            section,
            faults: Vec::new(),
        }
    }

    /// A text; empty where it is not set.
    pub(crate) fn text(&mut self, variable: &Variable) -> String {
        self.optional(variable).unwrap_or_default()
    }

    /// A text, without blanks around it.
    pub(crate) fn optional(&mut self, variable: &Variable) -> Option<String> {
        let (_, text) = self.found(variable).filter(|(_, text)| !is_blank(text))?;
        Some(text.expose().trim().to_owned())
    }

    pub(crate) fn scopes(&mut self, variable: &Variable) -> Option<ScopeSet> {
        self.parsed(variable, value::scopes).flatten()
    }

    /// Names such as audiences; none where it is not set, and never none where it is.
    pub(crate) fn names(&mut self, variable: &Variable) -> Vec<String> {
        if let Some((name, text)) = self.found(variable)
            && value::looks_like_a_list(text.expose())
        {
            let hint = "it is one name with a comma in it; write a JSON list for several";
            tracing::warn!(variable = name, "{hint}");
        }
        self.parsed(variable, value::names).unwrap_or_default()
    }

    pub(crate) fn algorithms(&mut self, variable: &Variable) -> Option<&'static [Algorithm]> {
        self.optional(variable)?;
        self.parsed(variable, value::algorithm)
    }

    pub(crate) fn flag(&mut self, variable: &Variable) -> bool {
        self.parsed(variable, value::flag).unwrap_or_default()
    }

    pub(super) fn seconds(&mut self, variable: &Variable) -> Option<u64> {
        self.optional(variable)?;
        self.parsed(variable, value::seconds)
    }

    /// Patterns of redirect URIs; `None` where they are not set, and an empty list is one.
    pub(super) fn uris(&mut self, variable: &Variable) -> Option<Vec<String>> {
        self.optional(variable)?;
        self.parsed(variable, value::uris)
    }

    /// Parameters of a request.
    pub(super) fn params(&mut self, variable: &Variable) -> Option<Vec<(String, String)>> {
        self.optional(variable)?;
        self.parsed(variable, value::params)
    }

    pub(super) fn section(&self) -> &'static Section {
        self.section
    }

    /// Whether a variable says something, or for a secret the file in its place.
    pub(super) fn is_set(&self, variable: &Variable) -> bool {
        let spellings = self.section.spellings(variable);
        let mut names = spellings
            .iter()
            .flat_map(|name| [name.clone(), format!("{name}_FILE")])
            .filter(|name| variable.form == Form::Secret || !name.ends_with("_FILE"));
        let says = |entry: &Entry| entry.value.as_ref().is_none_or(|value| !is_blank(value));
        names.any(|name| self.env.entries(&name).any(says))
    }

    /// A flag that has to be `true`, because somebody has to know what it says.
    pub(crate) fn acknowledged(&mut self, variable: &Variable) {
        if !self.flag(variable) && !self.is_missing(variable) {
            self.fault(variable, "is not `true`", variable.about);
        }
    }

    /// A secret, out of its variable or out of the file that `<NAME>_FILE` names.
    pub(crate) fn secret(&mut self, variable: &Variable) -> Option<SecretString> {
        let plain = self
            .lookup(variable, "")
            .filter(|(_, text)| !is_blank(text));
        let file = self
            .lookup(variable, "_FILE")
            .filter(|(_, text)| !is_blank(text));
        match (plain, file) {
            (Some((name, _)), Some((file, _))) => {
                let fault = format!("is set, and `{file}` too");
                self.faults.push(ConfigError::new(name, fault));
                None
            }
            (Some((_, secret)), None) => Some(secret),
            (None, Some((name, path))) => match read_file(Path::new(path.expose().trim())) {
                Ok(secret) => Some(secret),
                Err(fault) => {
                    self.faults.push(ConfigError::new(name, fault));
                    None
                }
            },
            (None, None) => {
                self.miss(variable);
                None
            }
        }
    }

    pub(crate) fn common(&mut self) -> Common {
        Common {
            required_scopes: self.scopes(&REQUIRED_SCOPES).unwrap_or_default(),
            scopes_supported: self.scopes(&SCOPES_SUPPORTED),
            resource_name: self.optional(&RESOURCE_NAME),
            resource_documentation: self.optional(&RESOURCE_DOCUMENTATION),
            audience: if self.knows(&AUDIENCE) {
                self.names(&AUDIENCE)
            } else {
                Vec::new()
            },
            algorithms: if self.knows(&ALGORITHM) {
                self.algorithms(&ALGORITHM)
            } else {
                None
            },
        }
    }

    /// Something that no single value shows.
    pub(super) fn fault(&mut self, variable: &Variable, fault: &'static str, hint: &'static str) {
        let error = ConfigError::new(self.section.full_name(variable.name), fault);
        self.faults.push(error.with_hint(hint));
    }

    /// Builds from what was read, unless something was wrong with it.
    pub(crate) fn finish<T>(
        self,
        build: impl FnOnce() -> Result<T, ConfigError>,
    ) -> Result<T, ConfigErrors> {
        ConfigErrors::check(self.faults)?;
        build().map_err(|error| self.section.renamed(error).into())
    }

    /// The same for a verifier, with the scopes that it requires.
    pub(crate) fn finish_verifier(
        mut self,
        build: impl FnOnce() -> Result<JwtVerifierBuilder, ConfigError>,
    ) -> Result<JwtVerifier, ConfigErrors> {
        let scopes = self.scopes(&REQUIRED_SCOPES).unwrap_or_default();
        self.finish(|| build()?.required_scopes(scopes).build())
    }

    fn parsed<T>(
        &mut self,
        variable: &Variable,
        parse: fn(&str) -> Result<T, value::Fault>,
    ) -> Option<T> {
        let (name, text) = self.found(variable)?;
        match parse(text.expose()) {
            Ok(value) => Some(value),
            Err((fault, hint)) => {
                self.faults
                    .push(ConfigError::new(name, fault).with_hint(hint));
                None
            }
        }
    }

    /// A variable, and a fault where it has to be set and is not.
    fn found(&mut self, variable: &Variable) -> Option<(String, SecretString)> {
        let found = self.lookup(variable, "");
        if found.as_ref().is_none_or(|(_, text)| is_blank(text)) {
            self.miss(variable);
        }
        found
    }

    fn miss(&mut self, variable: &Variable) {
        let hint = match variable.need {
            Need::Optional => return,
            Need::Required => variable.about.to_owned(),
            Need::Instead(other) => {
                let other = self.section.full_name(other);
                format!("{}, or `{other}` in its place", variable.about)
            }
        };
        if !self.is_missing(variable) {
            let name = self.section.full_name(variable.name);
            self.faults
                .push(ConfigError::new(name, "is not set").with_hint(hint));
        }
    }

    /// Whether a fault says already that it is missing or wrong.
    fn is_missing(&self, variable: &Variable) -> bool {
        let spellings = self.section.spellings(variable);
        let is_it = |error: &ConfigError| spellings.iter().any(|name| name == error.field());
        self.faults.iter().any(is_it)
    }

    fn knows(&self, variable: &Variable) -> bool {
        self.section.all().any(|known| known == variable)
    }

    /// The one value of a variable under all its names.
    fn lookup(&mut self, variable: &Variable, suffix: &str) -> Option<(String, SecretString)> {
        debug_assert!(
            self.knows(variable),
            "{} is not in the section",
            variable.name
        );
        let mut found: Option<(String, SecretString)> = None;
        for spelling in self.section.spellings(variable) {
            let spelling = spelling + suffix;
            let mut same = self.env.entries(&spelling);
            if let Err(fault) = same.try_for_each(|entry| one_more(&mut found, entry)) {
                drop(same);
                let error = ConfigError::new(spelling, fault);
                if !self.faults.contains(&error) {
                    self.faults.push(error);
                }
                break;
            }
        }
        found
    }
}

/// Adds an entry of the same setting: one value may be written twice, two values may not.
fn one_more(found: &mut Option<(String, SecretString)>, entry: &Entry) -> Result<(), String> {
    let Some(value) = &entry.value else {
        return Err("is not UTF-8".to_owned());
    };
    match found {
        None => *found = Some((entry.name.to_ascii_uppercase(), value.clone())),
        Some((name, first)) if !first.ct_eq(value.expose().as_bytes()) => {
            return Err(format!("differs from `{name}`, which is the same setting"));
        }
        Some(_) => {}
    }
    Ok(())
}

fn is_blank(text: &SecretString) -> bool {
    text.expose().trim().is_empty()
}

fn read_file(path: &Path) -> Result<SecretString, String> {
    let text =
        portcullis_fetch::file::read(path, MAX_FILE).map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => "names a file that is too long for a secret".to_owned(),
            _ => format!("cannot be read: {error}"),
        })?;
    let text = String::from_utf8(text).map_err(|_| "names a file that is not UTF-8".to_owned())?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err("names an empty file".to_owned());
    }
    Ok(SecretString::from(text))
}
