//! Authentication from the environment.
//!
//! `FASTMCP_SERVER_AUTH` names a provider, and `FASTMCP_SERVER_AUTH_<PROVIDER>_<SETTING>` are its
//! settings, as in FastMCP 2.11 to 2.14. `PORTCULLIS_AUTH` and `PORTCULLIS_AUTH_<SETTING>` are the
//! same by other names. All of them are in `docs/reference/environment.md`.
//!
//! # Rules
//!
//! * The environment is read once, into an [`AuthEnv`]. Names are compared without case.
//! * The provider is one of a closed list. No name makes anything load.
//! * The environment can close a server and never opens one: a value that is not understood is an
//!   error, and so are two names of one setting that disagree, settings without a provider, and a
//!   name that is one letter away from one that is read.
//! * All mistakes are told at once, by the names of the variables. No secret is in them; of
//!   other values a mistake may show what is wrong, as in the right spelling of a URL.
//! * A secret may be in a file: `<NAME>_FILE` has its path.
//!
//! A [`ProxyProvider`] needs the OAuth proxy, which is in another crate: that one reads the same
//! environment, and has an `auth_from_env` that knows both.
//!
//! ```
//! use portcullis_resource_server::env::{AuthEnv, auth_from_env};
//!
//! let env = AuthEnv::from_pairs([
//!     ("FASTMCP_SERVER_AUTH", "fastmcp.server.auth.providers.workos.AuthKitProvider"),
//!     ("FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN", "https://p-1.authkit.app"),
//!     ("FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL", "https://mcp.example.com"),
//! ]);
//! assert!(auth_from_env(&env)?.is_some());
//! # Ok::<(), portcullis_resource_server::ConfigErrors>(())
//! ```

mod names;
mod nearest;
mod page;
mod provider;
mod proxy;
mod reader;
mod remote;
mod setting;
mod value;
mod values;
mod variable;
mod verifiers;

use std::fmt;

use portcullis_oauth::SecretString;

pub use self::nearest::nearest;
pub use self::page::reference_page;
pub use self::provider::{Provider, auth_from_env};
pub use self::proxy::ProxyProvider;
pub(crate) use self::reader::{Common, Reader};
pub use self::setting::{Setting, SettingKind};
pub use self::values::ProxySettings;
pub(crate) use self::variable::{
    ALGORITHM, AUDIENCE, BASE_URL, COMMON, COMMON_SETTINGS, Form, REQUIRED_SCOPES, Section,
    VERIFIER, VERIFIER_BASE_URL, Variable,
};
pub use crate::config::ConfigErrors;

/// The beginning of FastMCP's names.
pub(crate) const FASTMCP: &str = "FASTMCP_SERVER_AUTH";
/// The beginning of our own.
pub(crate) const PORTCULLIS: &str = "PORTCULLIS";

/// What selects a provider.
pub(crate) const SELECTORS: [&str; 3] = [FASTMCP, "PORTCULLIS_AUTH", "PORTCULLIS_AUTH_MODE"];
/// The one setting that means something without a provider.
pub(crate) const BASE_URL_ALONE: &str = "PORTCULLIS_BASE_URL";

/// The variables about authentication, as the process found them.
///
/// It knows names and values, and nothing of providers: those read what is theirs, by their
/// `from_env`. Every value counts as a secret, so `Debug` shows the names alone.
#[derive(Clone, Default)]
pub struct AuthEnv {
    entries: Vec<Entry>,
    /// Names that begin like ours and are not. Their values are nobody's business.
    strays: Vec<String>,
}

#[derive(Clone)]
struct Entry {
    /// As it was written.
    name: String,
    /// `None` when it is not UTF-8.
    value: Option<SecretString>,
}

impl AuthEnv {
    /// Reads the environment of this process. Call it once, at the start.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_process() -> Self {
        let mut env = Self::default();
        for (name, value) in std::env::vars_os() {
            if let Ok(name) = name.into_string() {
                env.take(name, || value.into_string().ok().map(SecretString::from));
            }
        }
        env
    }

    /// An environment out of pairs of name and value, as a file or a test has them.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut env = Self::default();
        for (name, value) in pairs {
            env.take(name.into(), || Some(SecretString::from(value.into())));
        }
        env
    }

    fn take(&mut self, name: String, value: impl FnOnce() -> Option<SecretString>) {
        let upper = name.to_ascii_uppercase();
        if is_ours(&upper) {
            let value = value();
            self.entries.push(Entry { name, value });
        } else if names::begins_like_ours(&upper) {
            self.strays.push(name);
        }
    }

    /// Whether there is nothing about authentication.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn read(&self, section: &'static Section) -> Reader<'_> {
        Reader::new(self, section)
    }

    /// The names, as they were written.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The entries of a name.
    fn entries<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        let same = |entry: &&Entry| entry.name.eq_ignore_ascii_case(name);
        self.entries.iter().filter(same)
    }
}

fn is_ours(upper: &str) -> bool {
    upper.starts_with(FASTMCP) || upper.starts_with("PORTCULLIS_AUTH") || upper == BASE_URL_ALONE
}

impl fmt::Debug for AuthEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
