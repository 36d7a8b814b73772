//! PropelAuth.

use portcullis_oauth::SecretString;

use super::{RemotePreset, base};
use crate::env::{AUDIENCE, BASE_URL, COMMON, ConfigErrors, Form, Reader, Section, Variable};
use crate::{ConfigError, IntrospectionVerifier};

remote_provider! {
    /// Users log in by PropelAuth; clients register there. Its tokens are opaque, so PropelAuth is
    /// asked about each.
    ///
    /// ```
    /// use portcullis_resource_server::PropelAuthProvider;
    ///
    /// # fn auth(id: &str, secret: String) -> Result<PropelAuthProvider, portcullis_resource_server::ConfigError> {
    /// let auth = PropelAuthProvider::new("https://auth.example.com", "https://mcp.example.com")?
    ///     .introspection_client(id, secret.into());
    /// # Ok(auth)
    /// # }
    /// ```
    PropelAuthProvider
}

impl PropelAuthProvider {
    /// `auth_url` is the environment's; `base_url` is the public URL of this server.
    /// [`introspection_client`](Self::introspection_client) has to follow.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them is no such URL.
    pub fn new(auth_url: &str, base_url: &str) -> Result<Self, ConfigError> {
        let server = base("auth_url", auth_url)? + "/oauth/2.1";
        let verifier = IntrospectionVerifier::builder(format!("{server}/introspect"));
        RemotePreset::introspecting(verifier.issuer(&server), server, base_url).map(Self)
    }

    /// As whom this server asks about tokens.
    pub fn introspection_client(self, id: impl Into<String>, secret: SecretString) -> Self {
        Self(self.0.introspection(|verifier| verifier.client(id, secret)))
    }

    fn read(mut read: Reader<'_>) -> Result<Self, ConfigErrors> {
        let (url, base_url) = (read.text(&AUTH_URL), read.text(&BASE_URL));
        let (id, secret) = (read.text(&CLIENT_ID), read.secret(&CLIENT_SECRET));
        read.finish(|| {
            let provider = Self::new(&url, &base_url)?;
            Ok(match secret {
                Some(secret) => provider.introspection_client(id, secret),
                None => provider,
            })
        })
    }
}

const AUTH_URL: Variable = Variable::required("AUTH_URL", "the environment's auth URL");
const CLIENT_ID: Variable = Variable::required(
    "INTROSPECTION_CLIENT_ID",
    "as whom this server asks about tokens",
);
const CLIENT_SECRET: Variable =
    Variable::required("INTROSPECTION_CLIENT_SECRET", "by which it shows that").form(Form::Secret);

pub(crate) const SECTION: Section = Section {
    title: "PropelAuth",
    names: &["propelauth"],
    dotted: Some("propelauth.PropelAuthProvider"),
    prefixes: &["PROPELAUTH"],
    variables: &[&[AUTH_URL, CLIENT_ID, CLIENT_SECRET, AUDIENCE], COMMON],
};
