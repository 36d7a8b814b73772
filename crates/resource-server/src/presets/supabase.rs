//! Supabase.

use portcullis_oauth::jose::{Algorithm, gate::PositiveMark};

use super::{Audience, Preset, RemotePreset, SCOPE, base};
use crate::env::{ALGORITHM, AuthEnv, BASE_URL, COMMON, ConfigErrors, Form, Section, Variable};
use crate::{ConfigError, events};

remote_provider! {
    /// Users log in by Supabase; clients register there.
    ///
    /// ```
    /// use portcullis_resource_server::SupabaseProvider;
    ///
    /// let auth = SupabaseProvider::dangerous("https://abc.supabase.co", "https://mcp.example.com")?
    ///     .accept_shared_audience();
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    SupabaseProvider
}

impl SupabaseProvider {
    /// `project_url` is as in `https://abc123.supabase.co`, with a path where the auth service is
    /// not at `/auth/v1`; `base_url` is the public URL of this server. Of the project's tokens only
    /// those that were issued to OAuth clients are accepted.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is no such URL.
    pub fn dangerous(
        project_url: &str,
        base_url: &str,
    ) -> Result<DangerousSupabaseProvider, ConfigError> {
        let server = base("project_url", project_url)?;
        let has_path = server
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('/'));
        let server = if has_path {
            server
        } else {
            server + "/auth/v1"
        };
        let preset = Preset {
            issuers: vec![(server.clone(), format!("{server}/.well-known/jwks.json"))],
            algorithms: &[Algorithm::Es256],
            marks: &[PositiveMark::ClientId],
            audience: Audience::Listed(vec!["authenticated".to_owned()]),
            scope_claims: SCOPE,
        };
        RemotePreset::new(preset, server, base_url).map(DangerousSupabaseProvider)
    }

    /// The provider that the environment describes.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn from_env(env: &AuthEnv) -> Result<Self, ConfigErrors> {
        let mut read = env.read(&SECTION);
        let (url, base_url) = (read.text(&PROJECT_URL), read.text(&BASE_URL));
        let url = url.trim_end_matches('/').to_owned() + &read.text(&AUTH_ROUTE);
        let (algorithms, common) = (read.algorithms(&ALGORITHM), read.common());
        read.acknowledged(
            &SHARED_AUDIENCE,
            "every OAuth client of the project shares one audience",
        );
        read.finish(|| {
            let mut preset = Self::dangerous(&url, &base_url)?.accept_shared_audience().0;
            if let Some(list) = algorithms {
                preset = preset.preset(|preset| preset.algorithms = list);
            }
            Ok(Self(preset.configured(common)))
        })
    }
}

/// A [`SupabaseProvider`], once it is told what is known of its tokens.
#[derive(Debug, Clone)]
#[must_use]
pub struct DangerousSupabaseProvider(RemotePreset);

impl DangerousSupabaseProvider {
    /// A token that any OAuth client of the project was given works here. Whoever runs another
    /// server for the project's users can act as them here. It is right where this is the only
    /// server that they give tokens to. Each start logs a warning.
    pub fn accept_shared_audience(self) -> SupabaseProvider {
        let consequence = "a token of any OAuth client of the project works here";
        events::dangerous("supabase", "accept_shared_audience", consequence);
        SupabaseProvider(self.0)
    }
}

const PROJECT_URL: Variable =
    Variable::required("PROJECT_URL", "as in `https://abc123.supabase.co`");
const AUTH_ROUTE: Variable = Variable::optional(
    "AUTH_ROUTE",
    "where the auth service is; `/auth/v1` unless set",
);
const SHARED_AUDIENCE: Variable = Variable::required(
    "DANGER_ACCEPT_SHARED_AUDIENCE",
    "`true`: see the provider's page",
)
.form(Form::Flag);

pub(crate) const SECTION: Section = Section {
    title: "Supabase",
    names: &["supabase"],
    dotted: Some("supabase.SupabaseProvider"),
    prefixes: &["SUPABASE"],
    variables: &[
        &[PROJECT_URL, AUTH_ROUTE, ALGORITHM, SHARED_AUDIENCE],
        COMMON,
    ],
};
