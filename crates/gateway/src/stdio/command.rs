//! Which program an upstream is, and what it gets to know.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use portcullis_resource_server::{AccessToken, ConfigError};

use super::template::{CommandTemplate, Unfit};

/// A program and its arguments, as a vector: no shell reads them.
///
/// The program starts with an empty environment but for the variables named below, as far as the
/// gateway has them: nothing that was meant for the gateway, its secrets least of all, reaches a
/// server that others wrote.
///
/// * inherited: `HOME`, `LANG`, `LANGUAGE`, `LC_*` (the categories of POSIX), `LOGNAME`,
///   `NODE_EXTRA_CA_CERTS`, `PATH`, `SHELL`, `SSL_CERT_DIR`, `SSL_CERT_FILE`, `TERM`, `TMPDIR`,
///   `TZ`, `USER`, `XDG_CACHE_HOME`, `XDG_CONFIG_HOME`, `XDG_DATA_HOME`;
/// * [`inherit`](Self::inherit) names more, [`env`](Self::env) sets one;
/// * `MCP_PROCESS_TREE` marks the process and all that it starts, so that nothing outlives it.
///
/// Arguments and values of variables are [templates](crate::Template): `{sub}`, `{client_id}`,
/// `{claim:NAME}` and others stand for what the caller's token says; `{{` and `}}` are braces. A
/// caller whose token lacks one, or has one that is empty, begins with `-` or holds a control
/// character, gets no process. A text that is more than one placeholder may be a path: there, a
/// value with a slash or of dots alone is refused too.
///
/// ```
/// use portcullis_gateway::stdio::StdioCommand;
///
/// let command = StdioCommand::new("npx")
///     .args(["-y", "@modelcontextprotocol/server-filesystem", "/srv/{sub}"])
///     .env("LOG_LEVEL", "warn")
///     .inherit("HTTPS_PROXY");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct StdioCommand {
    program: OsString,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    inherited: Vec<String>,
    directory: Option<PathBuf>,
}

impl StdioCommand {
    /// A program: a path, or a name that is looked for in `PATH`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            inherited: Vec::new(),
            directory: None,
        }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.args.push(argument.into());
        self
    }

    /// More arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the program's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Lets the program see one more variable of the gateway's own environment, if it is set
    /// there. Names that begin with `PORTCULLIS_` or `FASTMCP_` are refused.
    pub fn inherit(mut self, name: impl Into<String>) -> Self {
        self.inherited.push(name.into());
        self
    }

    /// The working directory; the gateway's own unless set.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Reads all templates and the gateway's environment.
    pub(super) fn resolve(&self) -> Result<Resolved, ConfigError> {
        if self.program.is_empty() || has_nul(&self.program) {
            return Err(ConfigError::new("command", "names no program"));
        }
        let template = |field: String, text: &str| {
            if text.contains('\0') {
                return Err(ConfigError::new(field, "holds a NUL character"));
            }
            // The text may be a secret, and the error says it.
            CommandTemplate::parse(text).map_err(|error| {
                let hint = error.hint().unwrap_or_default().to_owned();
                ConfigError::new(field, "has an open brace or an unknown place").with_hint(hint)
            })
        };
        let args = self.args.iter().enumerate();
        let args = args.map(|(at, text)| template(format!("argument {}", at + 1), text));
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let env = self.env.iter().map(|(name, text)| {
            check_name(name)?;
            Ok((name.clone(), template(format!("variable `{name}`"), text)?))
        });
        let env = env.collect::<Result<Vec<_>, ConfigError>>()?;
        for name in &self.inherited {
            check_name(name)?;
            // SECURITY: these are the gateway's own settings and secrets;
            // sec_gw_18_the_gateways_own_variables_are_never_inherited
            if OURS.iter().any(|prefix| name.starts_with(prefix)) {
                let fault = format!("variable `{name}` belongs to the gateway");
                return Err(ConfigError::new("inherit", fault)
                    .with_hint("set what the server needs under a name of its own"));
            }
        }
        if let Some(directory) = self.directory.as_deref().filter(|path| !path.is_dir()) {
            let fault = format!("`{}` is not a directory", directory.display());
            return Err(ConfigError::new("current_dir", fault));
        }
        Ok(Resolved {
            program: self.program.clone(),
            args,
            env,
            inherited: self.inherited_values(),
            directory: self.directory.clone(),
        })
    }

    fn inherited_values(&self) -> Vec<(String, OsString)> {
        let names = INHERITED.iter().copied();
        let names = names.chain(self.inherited.iter().map(String::as_str));
        #[expect(
            clippy::disallowed_methods,
            reason = "what is handed on by name is not read here"
        )]
        let values = names.filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)));
        values.collect()
    }
}

impl fmt::Debug for StdioCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments and values may be secrets.
        f.debug_struct("StdioCommand")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}

/// A command whose parts were checked.
pub(super) struct Resolved {
    program: OsString,
    args: Vec<CommandTemplate>,
    env: Vec<(String, CommandTemplate)>,
    inherited: Vec<(String, OsString)>,
    directory: Option<PathBuf>,
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_struct("Resolved")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl Resolved {
    /// Whether the command differs from caller to caller.
    pub(super) fn is_personal(&self) -> bool {
        self.templates().any(CommandTemplate::is_personal)
    }

    /// What differs, for one caller.
    pub(super) fn values(&self, token: Option<&AccessToken>) -> Result<Vec<String>, Unfit> {
        let personal = self.templates().filter(|template| template.is_personal());
        personal.map(|template| template.fill(token)).collect()
    }

    pub(super) fn program(&self) -> &Path {
        Path::new(&self.program)
    }

    /// The command for one caller, ready to start but for its pipes.
    pub(super) fn command(&self, values: &[String]) -> std::process::Command {
        let mut values = values.iter();
        let mut fill = |template: &CommandTemplate| {
            if template.is_personal() {
                values.next().cloned().unwrap_or_default()
            } else {
                template.fill(None).unwrap_or_default()
            }
        };
        let mut command = std::process::Command::new(&self.program);
        command.args(self.args.iter().map(&mut fill));
        // SECURITY: a server that others wrote sees what it was given, nothing of ours;
        // sec_gw_18_the_environment_is_an_allow_list
        command.env_clear();
        command.envs(self.inherited.iter().map(|(name, value)| (name, value)));
        command.envs(
            self.env
                .iter()
                .map(|(name, template)| (name, fill(template))),
        );
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    fn templates(&self) -> impl Iterator<Item = &CommandTemplate> {
        self.args
            .iter()
            .chain(self.env.iter().map(|(_, value)| value))
    }
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_name {
        Ok(())
    } else {
        let fault = format!("`{}` is no name of a variable", name.escape_debug());
        Err(ConfigError::new("env", fault))
    }
}

fn has_nul(text: &OsString) -> bool {
    text.as_encoded_bytes().contains(&0)
}

const OURS: [&str; 2] = ["PORTCULLIS_", "FASTMCP_"];

const INHERITED: [&str; 23] = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NUMERIC",
    "LC_TIME",
    "LOGNAME",
    "NODE_EXTRA_CA_CERTS",
    "PATH",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(command: &StdioCommand) -> String {
        command
            .resolve()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_started_is_refused_at_once() {
        let cat = || StdioCommand::new("cat");
        assert_eq!(fault(&StdioCommand::new("")), "`command`: names no program");
        let odd = "has an open brace or an unknown place";
        assert_eq!(fault(&cat().arg("{home}")), format!("argument 1: {odd}"));
        assert_eq!(
            fault(&cat().arg("a").env("A", "{")),
            format!("variable `A`: {odd}")
        );
        assert!(fault(&cat().env("A=B", "")).contains("`A=B` is no name"));
        assert!(fault(&cat().env("1A", "")).contains("`1A` is no name"));
        assert!(fault(&cat().current_dir("/none/there")).contains("is not a directory"));
        assert_eq!(
            fault(&cat().arg("a\0b")),
            "argument 1: holds a NUL character"
        );
        assert_eq!(fault(&cat()), "");
    }

    #[test]
    fn sec_gw_18_the_gateways_own_variables_are_never_inherited() {
        for name in [
            "PORTCULLIS_STORE_KEY",
            "FASTMCP_SERVER_AUTH_GOOGLE_CLIENT_SECRET",
        ] {
            assert!(
                fault(&StdioCommand::new("cat").inherit(name)).contains("belongs to the gateway")
            );
        }
        assert!(
            INHERITED
                .iter()
                .all(|name| !OURS.iter().any(|prefix| name.starts_with(prefix)))
        );
    }

    #[test]
    fn debug_shows_no_values() {
        let command = StdioCommand::new("cat")
            .arg("--token=hush")
            .env("KEY", "hush");
        assert!(!format!("{command:?}").contains("hush"));
        assert!(!format!("{:?}", command.resolve().unwrap().args).contains("hush"));
    }
}
