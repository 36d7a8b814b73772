//! Verifiers from the environment.

use std::time::Duration;

use portcullis_fetch::Fetcher;
use portcullis_oauth::EndpointUrl;
use portcullis_oauth::jose::gate::TypProfile;

use super::variable::{Form, TIMEOUT};
use super::{
    ALGORITHM, AUDIENCE, AuthEnv, REQUIRED_SCOPES, Reader, Section, VERIFIER_BASE_URL, Variable,
    value,
};
use crate::{
    Algorithm, ConfigError, ConfigErrors, IntrospectionVerifier, IntrospectionVerifierBuilder,
    JwtVerifier, JwtVerifierBuilder,
};

pub(super) const ISSUER: Variable =
    Variable::required("ISSUER", "who issues tokens, as their `iss` says").form(Form::Names);
pub(super) const JWKS_URI: Variable = Variable::optional(
    "JWKS_URI",
    "where the issuer's keys are; found by discovery unless set",
);
pub(super) const PUBLIC_KEY: Variable = Variable::optional(
    "PUBLIC_KEY",
    "the issuer's public key as PEM, or the shared secret of `HS256`",
)
.form(Form::Secret);
pub(super) const TOKEN_PROFILE: Variable = Variable::optional(
    "TOKEN_PROFILE",
    "`legacy` for an issuer whose access tokens have `typ` `JWT` or none",
);

pub(crate) const JWT: Section = Section {
    title: "JWT",
    names: &["jwt"],
    dotted: Some("jwt.JWTVerifier"),
    prefixes: &["JWT"],
    variables: &[&[
        ISSUER,
        JWKS_URI,
        PUBLIC_KEY,
        ALGORITHM,
        AUDIENCE,
        TOKEN_PROFILE,
        REQUIRED_SCOPES,
        VERIFIER_BASE_URL,
    ]],
};

const URL: Variable = Variable::required("INTROSPECTION_URL", "where tokens are asked about");
const CLIENT_ID: Variable = Variable::required("CLIENT_ID", "as whom this server asks");
const CLIENT_SECRET: Variable =
    Variable::required("CLIENT_SECRET", "by which it shows that").form(Form::Secret);
const METHOD: Variable = Variable::optional(
    "CLIENT_AUTH_METHOD",
    "`client_secret_basic`, the default, or `client_secret_post`",
);
pub(crate) const INTROSPECTION: Section = Section {
    title: "Introspection",
    names: &["introspection"],
    dotted: Some("introspection.IntrospectionTokenVerifier"),
    prefixes: &["INTROSPECTION"],
    variables: &[&[
        URL,
        CLIENT_ID,
        CLIENT_SECRET,
        METHOD,
        AUDIENCE,
        TIMEOUT,
        REQUIRED_SCOPES,
        VERIFIER_BASE_URL,
    ]],
};

impl JwtVerifier {
    /// The verifier that the environment describes. Scopes are read from `scope` and `scp`.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn from_env(env: &AuthEnv) -> Result<Self, ConfigErrors> {
        let mut read = env.read(&JWT);
        let issuers = read.names(&ISSUER);
        let keys = Keys::read(&mut read);
        let scopes = read.scopes(&REQUIRED_SCOPES).unwrap_or_default();
        read.finish(|| keys.verifier(issuers).required_scopes(scopes).build())
    }
}

/// How a JWT is verified, beside its issuer.
pub(super) struct Keys {
    uri: Option<String>,
    key: Option<portcullis_oauth::SecretString>,
    algorithms: Option<&'static [Algorithm]>,
    audience: Vec<String>,
    profile: TypProfile,
}

impl Keys {
    pub(super) fn read(read: &mut Reader<'_>) -> Self {
        let keys = Self {
            uri: read.optional(&JWKS_URI),
            key: read.secret(&PUBLIC_KEY),
            algorithms: read.algorithms(&ALGORITHM),
            audience: read.names(&AUDIENCE),
            profile: match read.text(&TOKEN_PROFILE).as_str() {
                "legacy" => TypProfile::Legacy,
                "" | "at+jwt" => TypProfile::AtJwt,
                _ => {
                    let hint = "write `at+jwt` or `legacy`";
                    read.fault(&TOKEN_PROFILE, "is no profile of tokens", hint);
                    TypProfile::AtJwt
                }
            },
        };
        let is_pem = |key: &portcullis_oauth::SecretString| key.expose().contains("-----BEGIN");
        match &keys.key {
            None if keys.is_symmetric() => read.fault(
                &PUBLIC_KEY,
                "is not set, and `ALGORITHM` needs a shared secret",
                "put the secret there, or take an algorithm with public keys, as in `RS256`",
            ),
            Some(_) if keys.uri.is_some() => {
                read.fault(&PUBLIC_KEY, "is set besides a key URL", "set one of them");
            }
            // SECURITY: a secret is one only if it is called one, and a public key never is
            // (RFC 8725 section 2.1); sec_jwt_02_a_key_in_the_environment_is_what_it_is_called
            Some(key) if keys.is_symmetric() == is_pem(key) => read.fault(
                &PUBLIC_KEY,
                "does not go with the algorithm",
                "a public key is PEM; a shared secret needs `ALGORITHM` to be `HS256`",
            ),
            _ => {}
        }
        keys
    }

    fn is_symmetric(&self) -> bool {
        let first = self.algorithms.and_then(|list| list.first());
        first.is_some_and(|algorithm| algorithm.is_symmetric())
    }

    pub(super) fn verifier(self, issuers: Vec<String>) -> JwtVerifierBuilder {
        let symmetric = self.is_symmetric();
        let mut verifier = JwtVerifier::for_issuers(issuers)
            .typ_profile(self.profile)
            .scope_claims(["scope", "scp"]);
        if let Some(uri) = self.uri {
            verifier = verifier.jwks_uri(uri);
        }
        if let Some(key) = self.key {
            verifier = if symmetric {
                verifier.hmac_secret(key)
            } else {
                verifier.public_key_pem(value::pem(key.expose()))
            };
        }
        if let Some(algorithms) = self.algorithms {
            verifier = verifier.algorithms(algorithms.iter().copied());
        }
        self.audience
            .into_iter()
            .fold(verifier, JwtVerifierBuilder::audience)
    }
}

impl IntrospectionVerifier {
    /// The verifier that the environment describes.
    ///
    /// # Errors
    /// [`ConfigErrors`] names every variable that is missing or wrong.
    pub fn from_env(env: &AuthEnv) -> Result<Self, ConfigErrors> {
        let mut read = env.read(&INTROSPECTION);
        let (url, id) = (read.text(&URL), read.text(&CLIENT_ID));
        let secret = read.secret(&CLIENT_SECRET).unwrap_or_else(|| "".into());
        let post = match read.text(&METHOD).as_str() {
            "" | "client_secret_basic" => false,
            "client_secret_post" => true,
            _ => {
                let hint = "write `client_secret_basic` or `client_secret_post`";
                read.fault(&METHOD, "is no method that is known", hint);
                false
            }
        };
        let audience = read.names(&AUDIENCE);
        let timeout = read.seconds(&TIMEOUT);
        let scopes = read.scopes(&REQUIRED_SCOPES).unwrap_or_default();
        read.finish(|| {
            let verifier = Self::builder(&url).required_scopes(scopes);
            let verifier = if post {
                verifier.client_post(id, secret)
            } else {
                verifier.client(id, secret)
            };
            let verifier = audience
                .into_iter()
                .fold(verifier, IntrospectionVerifierBuilder::audience);
            match timeout {
                Some(seconds) => verifier.fetcher(patient(&url, seconds)?).build(),
                None => verifier.build(),
            }
        })
    }
}

/// The usual way out, with another patience.
fn patient(url: &str, seconds: u64) -> Result<Fetcher, ConfigError> {
    let url = EndpointUrl::parse(url)
        .map_err(|error| ConfigError::new("introspection_url", error.to_string()))?;
    Fetcher::trusted()
        .allow_loopback(url.is_loopback())
        .timeout(Duration::from_secs(seconds))
        .build()
        .map_err(|error| ConfigError::new("timeout_seconds", error.to_string()))
}
