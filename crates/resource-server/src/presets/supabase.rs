//! Supabase.

use portcullis_oauth::jose::{Algorithm, gate::PositiveMark};

use super::{Audience, Preset, RemotePreset, SCOPE, base, with_path};
use crate::env::{ALGORITHM, BASE_URL, COMMON, ConfigErrors, Form, Reader, Section, Variable};
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
    /// `project_url` is as in `https://abc123.supabase.co`, with the path of the auth service where
    /// that is not `/auth/v1`. Only tokens that were issued to OAuth clients are accepted.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is no such URL.
    pub fn dangerous(
        project_url: &str,
        base_url: &str,
    ) -> Result<DangerousSupabaseProvider, ConfigError> {
        let server = with_path(base("project_url", project_url)?, "/auth/v1");
        let preset = Preset {
            issuers: vec![(server.clone(), format!("{server}/.well-known/jwks.json"))],
            algorithms: &[Algorithm::Es256],
            marks: &[PositiveMark::ClientId],
            audience: Audience::Listed(vec!["authenticated".to_owned()]),
            scope_claims: SCOPE,
        };
        RemotePreset::new(preset, server, base_url).map(DangerousSupabaseProvider)
    }

    fn read(mut read: Reader<'_>) -> Result<Self, ConfigErrors> {
        let (url, base_url) = (read.text(&PROJECT_URL), read.text(&BASE_URL));
        let url = url.trim_end_matches('/').to_owned() + &read.text(&AUTH_ROUTE);
        read.acknowledged(&SHARED);
        read.finish(|| Ok(Self::dangerous(&url, &base_url)?.accept_shared_audience()))
    }
}

/// A [`SupabaseProvider`], once it is told what is known.
#[derive(Debug, Clone)]
#[must_use]
pub struct DangerousSupabaseProvider(RemotePreset);

impl DangerousSupabaseProvider {
    /// A token of any OAuth client of the project works here. Whoever runs such a client can act as
    /// the project's users. It is right where this is the only server that they have tokens for.
    pub fn accept_shared_audience(self) -> SupabaseProvider {
        let price = "a token of any OAuth client of the project works here";
        events::dangerous("supabase", "accept_shared_audience", price);
        SupabaseProvider(self.0)
    }
}

const PROJECT_URL: Variable = Variable::required("PROJECT_URL", "`https://abc123.supabase.co`");
const AUTH_ROUTE: Variable = Variable::optional("AUTH_ROUTE", "`/auth/v1` unless set");
const SHARED: Variable = Variable::required(
    "DANGER_ACCEPT_SHARED_AUDIENCE",
    "`true`: every OAuth client of the project shares one audience, and that is known",
)
.form(Form::Flag);

pub(crate) const SECTION: Section = Section {
    title: "Supabase",
    names: &["supabase"],
    dotted: Some("supabase.SupabaseProvider"),
    prefixes: &["SUPABASE"],
    variables: &[&[PROJECT_URL, AUTH_ROUTE, ALGORITHM, SHARED], COMMON],
};
