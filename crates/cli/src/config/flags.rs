//! The flags of `run` and `dev`, and the keys that they set.

use serde_json::Value;

/// A flag and its key. There is no flag without a key.
pub(crate) const FLAGS: &[(&str, &str)] = &[
    ("--listen", "listen"),
    ("--base-url", "base_url"),
    ("--mcp-path", "mcp_path"),
    ("--allowed-hosts", "allowed_hosts"),
    ("--allowed-origins", "allowed_origins"),
    ("--log-level", "log.level"),
    ("--log-format", "log.format"),
    ("--auth", "auth.mode"),
    ("--issuer", "auth.issuer"),
    ("--authorization-server", "auth.authorization_servers"),
    ("--jwks-uri", "auth.jwks_uri"),
    ("--audience", "auth.audience"),
    ("--required-scopes", "auth.required_scopes"),
    ("--authkit-domain", "auth.authkit_domain"),
    ("--introspection-url", "auth.introspection_url"),
    ("--client-id", "auth.client_id"),
    ("--client-secret-file", "auth.client_secret_file"),
    ("--scopes", "auth.scopes"),
    ("--tenant-id", "auth.tenant_id"),
    ("--allow", "auth.allow"),
    ("--upstream", "upstream"),
    ("--", "upstream"),
    ("--mcp-servers", "mcp_servers"),
];

/// A flag that was given.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    /// `--listen`.
    pub(super) name: &'static str,
    /// The key that it sets.
    pub(super) key: &'static str,
    pub(super) given: Given,
}

/// What a flag was given.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// A text, to be read as a variable's would be.
    Text(String),
    Value(Value),
}

impl Flag {
    /// A flag with a text.
    pub(crate) fn text(name: &'static str, text: Option<String>) -> Option<Self> {
        Self::new(name, Given::Text(text?))
    }

    /// A flag with a value of its key's own form.
    pub(crate) fn value(name: &'static str, value: Value) -> Option<Self> {
        Self::new(name, Given::Value(value))
    }

    /// A flag that can be repeated.
    pub(crate) fn list(name: &'static str, given: Vec<String>) -> Option<Self> {
        let is_given = !given.is_empty();
        is_given.then(|| Self::value(name, Value::from(given)))?
    }

    /// The auth mode that a command stands for.
    pub(crate) fn mode_of(command: &'static str, mode: &str) -> Self {
        Self {
            name: command,
            key: "auth.mode",
            given: Given::Text(mode.to_owned()),
        }
    }

    fn new(name: &'static str, given: Given) -> Option<Self> {
        let (_, key) = FLAGS.iter().find(|(flag, _)| *flag == name)?;
        Some(Self { name, key, given })
    }
}

/// The flag that sets a key.
pub(crate) fn flag_of(key: &str) -> Option<&'static str> {
    let found = FLAGS.iter().find(|(_, set)| *set == key);
    found.map(|(flag, _)| *flag)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use portcullis_resource_server::env::Provider;

    use super::super::schema::{keys, keys_of, schema, settings_of, variable};
    use super::*;
    use crate::args::Cli;

    /// Flags that say how to read or print, and no setting.
    const OF_THE_PROGRAM: [&str; 4] = ["config", "help", "human", "json"];

    #[test]
    fn every_flag_has_a_key_and_a_variable() {
        let cli = Cli::command();
        for command in ["run", "dev"] {
            let command = cli.find_subcommand(command).unwrap();
            for argument in command.get_arguments() {
                let Some(long) = argument.get_long() else {
                    continue;
                };
                if OF_THE_PROGRAM.contains(&long) {
                    continue;
                }
                let flag = format!("--{long}");
                let found = FLAGS.iter().find(|(name, _)| *name == flag);
                let (_, key) = found.unwrap_or_else(|| panic!("{flag} has no key"));
                let pointer = format!("/properties/{}", key.replace('.', "/properties/"));
                assert!(
                    schema().pointer(&pointer).is_some(),
                    "{key} is not in the schema"
                );
                assert!(has_variable(key), "{key} has no variable");
            }
        }
    }

    fn has_variable(key: &str) -> bool {
        if ["upstream", "auth.allow"].contains(&key) || keys().iter().any(|known| known.path == key)
        {
            return true;
        }
        let short = key.strip_prefix("auth.").unwrap_or(key);
        let variable = variable(key);
        let mut settings = Provider::ALL.into_iter().flat_map(settings_of);
        settings.any(|setting| {
            let named = setting.variables().into_iter();
            let all: Vec<_> = named
                .flat_map(|name| [format!("{name}_FILE"), name])
                .collect();
            keys_of(&setting).contains(&short.to_owned()) && all.contains(&variable)
        })
    }

    #[test]
    fn every_flag_in_the_table_exists() {
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        for (flag, _) in FLAGS.iter().filter(|(flag, _)| *flag != "--") {
            let long = flag.trim_start_matches("--");
            assert!(
                run.get_arguments()
                    .any(|known| known.get_long() == Some(long)),
                "{flag}"
            );
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
