//! What may be set: the names that the readers look for, and the reference page shows.

pub(crate) use super::setting::SettingKind as Form;
use crate::ConfigError;

/// The variables of one provider.
#[derive(Debug)]
pub(crate) struct Section {
    /// The provider's name for readers.
    pub(crate) title: &'static str,
    /// What selects it, compared without case, `-` like `_`.
    pub(crate) names: &'static [&'static str],
    /// The class that selects it, below `fastmcp.server.auth.providers`.
    pub(crate) dotted: Option<&'static str>,
    /// What stands between `FASTMCP_SERVER_AUTH_` and a variable's name; the first is FastMCP's.
    pub(crate) prefixes: &'static [&'static str],
    pub(crate) variables: &'static [&'static [Variable]],
}

/// A setting that the environment may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name, without the prefix.
    pub(crate) name: &'static str,
    /// An older name.
    pub(crate) alias: Option<&'static str>,
    pub(crate) need: Need,
    pub(crate) form: Form,
    /// What it is, for the reference page.
    pub(crate) about: &'static str,
}

/// Whether a variable has to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    /// Required where the variable of this name is not set.
    Instead(&'static str),
}

impl Section {
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Variable> + use<> {
        self.variables.iter().copied().flatten()
    }

    /// The name under which FastMCP knows a variable.
    pub(crate) fn full_name(&self, name: &str) -> String {
        let prefix = self.prefixes.first().copied().unwrap_or_default();
        format!("{}_{prefix}_{name}", super::FASTMCP)
    }

    /// A mistake under the name of the variable that it is about, where there is one.
    pub(crate) fn renamed(&self, error: ConfigError) -> ConfigError {
        let field = match error.field() {
            "public_key_pem" | "hmac_secret" => "PUBLIC_KEY",
            "algorithms" => "ALGORITHM",
            "client" => "CLIENT_ID",
            "upstream_private_key" => "CLIENT_KEY",
            "upstream_timeout" => "TIMEOUT_SECONDS",
            "authorize_params" => "EXTRA_AUTHORIZE_PARAMS",
            "token_params" => "EXTRA_TOKEN_PARAMS",
            other => other,
        };
        let is_it = |name: &str| name.eq_ignore_ascii_case(field);
        let mut known = self.all();
        match known.find(|v| is_it(v.name) || v.alias.is_some_and(is_it)) {
            Some(variable) => error.renamed(self.full_name(variable.name)),
            None => error,
        }
    }

    /// A variable by its name.
    pub(crate) fn find(&self, name: &str) -> Option<&'static Variable> {
        self.all().find(|variable| variable.name == name)
    }

    /// Every name of a variable, FastMCP's first.
    pub(crate) fn spellings(&self, variable: &Variable) -> Vec<String> {
        let names = || std::iter::once(variable.name).chain(variable.alias);
        let mut spellings: Vec<String> = self
            .prefixes
            .iter()
            .flat_map(|prefix| names().map(move |n| format!("{}_{prefix}_{n}", super::FASTMCP)))
            .chain(names().map(|name| format!("{}_AUTH_{name}", super::PORTCULLIS)))
            .collect();
        if variable.name == BASE_URL.name {
            spellings.push(format!("{}_BASE_URL", super::PORTCULLIS));
        }
        spellings
    }
}

impl Variable {
    pub(crate) const fn required(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            alias: None,
            need: Need::Required,
            form: Form::Text,
            about,
        }
    }

    pub(crate) const fn optional(name: &'static str, about: &'static str) -> Self {
        let variable = Self::required(name, about);
        Self {
            need: Need::Optional,
            ..variable
        }
    }

    pub(crate) const fn instead(
        name: &'static str,
        other: &'static str,
        about: &'static str,
    ) -> Self {
        let variable = Self::required(name, about);
        Self {
            need: Need::Instead(other),
            ..variable
        }
    }

    /// With an older name.
    pub(crate) const fn or(self, alias: &'static str) -> Self {
        Self {
            alias: Some(alias),
            ..self
        }
    }

    pub(crate) const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }
}

pub(crate) const BASE_URL: Variable = Variable::required(
    "BASE_URL",
    "the public URL of this server, without the path of MCP",
)
.or("RESOURCE_SERVER_URL");

/// For those who only verify: the framework may know the URL.
pub(crate) const VERIFIER_BASE_URL: Variable = Variable::optional(
    "BASE_URL",
    "the public URL of this server, where it is not the one it listens on",
)
.or("RESOURCE_SERVER_URL");

pub(crate) const REQUIRED_SCOPES: Variable =
    Variable::optional("REQUIRED_SCOPES", "scopes that every token needs").form(Form::Scopes);

pub(crate) const AUDIENCE: Variable = Variable::optional(
    "AUDIENCE",
    "whom tokens are for, instead of the URL of the MCP endpoint",
)
.form(Form::Names);

pub(crate) const ALGORITHM: Variable =
    Variable::optional("ALGORITHM", "the algorithm that signs tokens").form(Form::Algorithm);

pub(super) const TIMEOUT: Variable = Variable::optional(
    "TIMEOUT_SECONDS",
    "how long an answer may take; `10` unless set",
)
.form(Form::Seconds);

pub(super) const SCOPES_SUPPORTED: Variable = Variable::optional(
    "SCOPES_SUPPORTED",
    "scopes that metadata lists; the required ones unless set",
)
.form(Form::Scopes);

pub(super) const RESOURCE_NAME: Variable =
    Variable::optional("RESOURCE_NAME", "a name of this server for users");

pub(super) const RESOURCE_DOCUMENTATION: Variable = Variable::optional(
    "RESOURCE_DOCUMENTATION",
    "the URL of a page about this server",
);

/// What every remote provider has, beside the base URL.
pub(crate) const COMMON_SETTINGS: &[Variable] = &[
    REQUIRED_SCOPES,
    SCOPES_SUPPORTED,
    RESOURCE_NAME,
    RESOURCE_DOCUMENTATION,
];

/// What every remote provider has.
pub(crate) const COMMON: &[Variable] = &[
    BASE_URL,
    REQUIRED_SCOPES,
    SCOPES_SUPPORTED,
    RESOURCE_NAME,
    RESOURCE_DOCUMENTATION,
];

/// What every preset of a verifier has.
pub(crate) const VERIFIER: &[Variable] = &[REQUIRED_SCOPES, VERIFIER_BASE_URL];
