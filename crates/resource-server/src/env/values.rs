//! All settings of a provider behind the OAuth proxy, read.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_oauth::{ScopeSet, SecretString};

use super::proxy::{CLIENT_SECRET, METHOD, ProxyProvider};
use super::variable::{Form, Need};
use super::{AuthEnv, Provider, Reader, names};
use crate::{ConfigError, ConfigErrors};

/// What the environment says for a [`ProxyProvider`], by the names of its
/// [settings](Provider::settings). Nothing is required that is not there, and each value has the form
/// of its setting.
///
/// ```
/// use portcullis_resource_server::env::{AuthEnv, ProxyProvider};
///
/// let env = AuthEnv::from_pairs([
///     ("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_ID", "Iv1.0123456789abcdef"),
///     ("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_SECRET", "kN3v8Qz1mWx7TtLr5yBc0dFg"),
///     ("FASTMCP_SERVER_AUTH_GITHUB_BASE_URL", "https://mcp.example.com"),
/// ]);
/// let settings = ProxyProvider::GitHub.settings_from(&env)?;
/// assert_eq!(settings.text("BASE_URL"), Some("https://mcp.example.com"));
/// # Ok::<(), portcullis_resource_server::ConfigErrors>(())
/// ```
#[derive(Debug)]
pub struct ProxySettings {
    provider: ProxyProvider,
    values: BTreeMap<&'static str, SettingValue>,
}

#[derive(Debug)]
enum SettingValue {
    Text(String),
    Secret(SecretString),
    Scopes(ScopeSet),
    List(Vec<String>),
    Params(Vec<(String, String)>),
    Flag(bool),
    Seconds(u64),
}

impl ProxyProvider {
    /// What the environment says for it. Names that are misspelt are errors; others that nobody reads
    /// are warned of.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn settings_from(self, env: &AuthEnv) -> Result<ProxySettings, ConfigErrors> {
        let (settings, faults) = self.settings_and_faults(env);
        ConfigErrors::check(faults).map(|()| settings)
    }

    /// The same for who looks for more mistakes before telling these: what could be read is there.
    pub fn settings_and_faults(self, env: &AuthEnv) -> (ProxySettings, Vec<ConfigError>) {
        let mut faults = names::unread_by(env, self.section());
        let mut read = env.read(self.section());
        let values = read.all();
        if let Err(errors) = read.finish(|| Ok(())) {
            faults.extend(errors);
        }
        let settings = ProxySettings {
            provider: self,
            values,
        };
        (settings, faults)
    }
}

impl From<ProxyProvider> for Provider {
    fn from(provider: ProxyProvider) -> Self {
        Self::Proxy(provider)
    }
}

impl Reader<'_> {
    /// Every variable of the section that is set, and a fault for each that has to be.
    fn all(&mut self) -> BTreeMap<&'static str, SettingValue> {
        let mut values = BTreeMap::new();
        // What proves itself by a key, or not at all, has no secret.
        let method = self.text(&METHOD);
        let has_secret = !matches!(method.as_str(), "none" | "private_key_jwt");
        for variable in self.section().all() {
            let is_set = self.is_set(variable);
            let instead = match variable.need {
                Need::Instead(other) => self.section().find(other),
                _ => None,
            };
            let is_spared = instead.is_some_and(|other| self.is_set(other))
                || (*variable == CLIENT_SECRET && !has_secret);
            if !is_set && is_spared {
                continue;
            }
            let value = match variable.form {
                Form::Text => self.optional(variable).map(SettingValue::Text),
                Form::Secret => self.secret(variable).map(SettingValue::Secret),
                Form::Scopes => self.scopes(variable).map(SettingValue::Scopes),
                Form::Names => Some(SettingValue::List(self.names(variable))).filter(|_| is_set),
                Form::Uris => self.uris(variable).map(SettingValue::List),
                Form::Params => self.params(variable).map(SettingValue::Params),
                Form::Flag => Some(SettingValue::Flag(self.flag(variable))).filter(|_| is_set),
                Form::Seconds => self.seconds(variable).map(SettingValue::Seconds),
                Form::Algorithm => None,
            };
            values.extend(value.map(|value| (variable.name, value)));
        }
        values
    }
}

impl ProxySettings {
    /// Whose they are.
    pub fn provider(&self) -> ProxyProvider {
        self.provider
    }

    /// A text, without blanks around it.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(SettingValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A secret, wherever it was written.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        match self.values.get(name) {
            Some(SettingValue::Secret(secret)) => Some(secret),
            _ => None,
        }
    }

    /// Scopes, which may be none.
    pub fn scopes(&self, name: &str) -> Option<&ScopeSet> {
        match self.values.get(name) {
            Some(SettingValue::Scopes(scopes)) => Some(scopes),
            _ => None,
        }
    }

    /// A list, which may be empty.
    pub fn list(&self, name: &str) -> Option<&[String]> {
        match self.values.get(name) {
            Some(SettingValue::List(list)) => Some(list),
            _ => None,
        }
    }

    /// Parameters of a request, with their values.
    pub fn params(&self, name: &str) -> &[(String, String)] {
        match self.values.get(name) {
            Some(SettingValue::Params(params)) => params,
            _ => &[],
        }
    }

    /// A flag, where it is set.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(SettingValue::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// A length of time.
    pub fn seconds(&self, name: &str) -> Option<Duration> {
        match self.values.get(name) {
            Some(SettingValue::Seconds(seconds)) => Some(Duration::from_secs(*seconds)),
            _ => None,
        }
    }

    /// A mistake that building the proxy found, under the name of the variable that it is about:
    /// `redirect_path` is `FASTMCP_SERVER_AUTH_GOOGLE_REDIRECT_PATH`. Others stay as they are.
    #[must_use]
    pub fn renamed(&self, error: ConfigError) -> ConfigError {
        self.provider.section().renamed(error)
    }

    /// All of them, each by its name.
    #[must_use]
    pub fn renamed_all(&self, errors: ConfigErrors) -> ConfigErrors {
        errors.map(|error| self.renamed(error))
    }
}
