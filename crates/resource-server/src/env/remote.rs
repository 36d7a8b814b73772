//! [`RemoteAuthProvider`] from the environment: any identity provider with JWT access tokens.

use super::variable::Form;
use super::verifiers::{JWKS_URI, Keys, PUBLIC_KEY, TOKEN_PROFILE};
use super::{ALGORITHM, AUDIENCE, AuthEnv, BASE_URL, COMMON, Section, Variable};
use crate::{ConfigErrors, RemoteAuthProvider};

const SERVERS: Variable = Variable::required(
    "AUTHORIZATION_SERVERS",
    "where users log in: the issuer, or a JSON list of them",
)
.or("AUTHORIZATION_SERVER")
.form(Form::Names);

pub(crate) const SECTION: Section = Section {
    title: "Any other provider",
    names: &["remote"],
    dotted: None,
    prefixes: &["REMOTE"],
    variables: &[
        &[
            SERVERS,
            JWKS_URI,
            PUBLIC_KEY,
            ALGORITHM,
            AUDIENCE,
            TOKEN_PROFILE,
        ],
        COMMON,
    ],
};

impl RemoteAuthProvider {
    /// The provider that the environment describes: JWT access tokens of the authorization
    /// servers that it names.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn from_env(env: &AuthEnv) -> Result<Self, ConfigErrors> {
        let mut read = env.read(&SECTION);
        let (servers, base_url) = (read.names(&SERVERS), read.text(&BASE_URL));
        let keys = Keys::read(&mut read);
        let common = read.common();
        read.finish(|| {
            let verifier = keys.verifier(servers.clone()).build()?;
            let remote = Self::new(verifier, &base_url)?;
            let remote = servers.into_iter().fold(remote, Self::authorization_server);
            Ok(common.apply(remote))
        })
    }
}
