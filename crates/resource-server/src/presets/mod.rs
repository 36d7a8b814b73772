//! Well-known identity providers, as data: where their keys are, and what their tokens look like.
//!
//! # Rules
//!
//! * A *remote* provider logs users in, registers MCP clients itself and protects a server as it
//!   is: `.auth(AuthKitProvider::new(..)?)`.
//! * A *verifier* preset fills in a [`JwtVerifierBuilder`]. Its provider does not register MCP
//!   clients, so that users cannot log in without something in between.
//! * A token is for this server's own URL wherever the provider can write that. Where it cannot,
//!   the accepted audience is the provider's name for this server, and the token has to be marked
//!   as an access token. Where every client of a project shares one audience, the provider has to
//!   be told that this is known.
//!
//! | provider | type | audience of its tokens |
//! |---|---|---|
//! | AuthKit (WorkOS) | [`AuthKitProvider`] | the MCP URL |
//! | Auth0 | [`Auth0Provider`] | the MCP URL, or an API's identifier |
//! | Keycloak | [`KeycloakProvider`] | the MCP URL, or what a mapper adds |
//! | Descope | [`DescopeProvider`] | the project |
//! | Scalekit | [`ScalekitProvider`] | the resource's id |
//! | Supabase | [`SupabaseProvider`] | `authenticated`, shared by the whole project |
//! | PropelAuth | [`PropelAuthProvider`] | the MCP URL; PropelAuth is asked about each token |
//! | Clerk | [`ClerkVerifier`] | none: the client is compared |
//! | Amazon Cognito | [`CognitoVerifier`] | none: the client is compared |
//! | Microsoft Entra ID | [`EntraVerifier`] | the application, `id` or `api://id` |

/// A preset that fills in a verifier: the type, and its way out of the environment.
macro_rules! verifier_preset {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub struct $name;

        impl $name {
            /// The verifier that the environment describes.
            ///
            /// # Errors
            /// [`ConfigErrors`](crate::ConfigErrors) names every variable that is missing or wrong.
            pub fn from_env(env: &crate::AuthEnv) -> Result<crate::JwtVerifier, crate::ConfigErrors> {
                Self::read(env.read(&SECTION))
            }
        }
    };
}

mod auth0;
mod authkit;
mod clerk;
mod cognito;
mod descope;
mod entra;
mod keycloak;
mod propelauth;
mod scalekit;
mod supabase;

use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::gate::{PositiveMark, TypProfile};

pub use self::auth0::Auth0Provider;
pub use self::authkit::AuthKitProvider;
pub use self::clerk::ClerkVerifier;
pub use self::cognito::CognitoVerifier;
pub use self::descope::DescopeProvider;
pub use self::entra::EntraVerifier;
pub use self::keycloak::KeycloakProvider;
pub use self::propelauth::PropelAuthProvider;
pub use self::scalekit::ScalekitProvider;
pub use self::supabase::{DangerousSupabaseProvider, SupabaseProvider};
use crate::argument::{base, segment};
use crate::remote::preset::RemotePreset;
use crate::{ConfigError, JwtVerifier, JwtVerifierBuilder};

pub(crate) use self::auth0::SECTION as AUTH0;
pub(crate) use self::authkit::SECTION as AUTHKIT;
pub(crate) use self::clerk::SECTION as CLERK;
pub(crate) use self::cognito::SECTION as COGNITO;
pub(crate) use self::descope::SECTION as DESCOPE;
pub(crate) use self::entra::SECTION as ENTRA;
pub(crate) use self::keycloak::SECTION as KEYCLOAK;
pub(crate) use self::propelauth::SECTION as PROPELAUTH;
pub(crate) use self::scalekit::SECTION as SCALEKIT;
pub(crate) use self::supabase::SECTION as SUPABASE;

/// One provider's access tokens.
#[derive(Debug, Clone)]
pub(crate) struct Preset {
    /// Each `iss` that its tokens may have, and the URL of the keys that sign them.
    pub(crate) issuers: Vec<(String, String)>,
    pub(crate) algorithms: &'static [Algorithm],
    /// What tells an access token from an ID token where the audience does not.
    pub(crate) marks: &'static [PositiveMark],
    pub(crate) audience: Audience,
    /// The claims that hold scopes.
    pub(crate) scope_claims: &'static [&'static str],
}

/// Whom a provider's tokens are for.
#[derive(Debug, Clone)]
pub(crate) enum Audience {
    /// The URL of the MCP endpoint.
    Resource,
    /// One of these, in `aud`.
    Listed(Vec<String>),
    /// This client, in `client_id`.
    Client(String),
}

const SCOPE: &[&str] = &["scope"];
const RS256: &[Algorithm] = &[Algorithm::Rs256];

impl Preset {
    /// The verifier of such tokens. All presets accept `typ` as it was before RFC 9068, as none of
    /// these providers writes `at+jwt` without being told to.
    pub(crate) fn verifier(&self) -> JwtVerifierBuilder {
        let none = JwtVerifier::for_issuers(Vec::<String>::new());
        let verifier = self.issuers.iter().fold(none, |verifier, (issuer, keys)| {
            verifier
                .issuer(issuer)
                .jwks_uri(keys)
                .algorithms(self.algorithms.iter().copied())
                .typ_profile(TypProfile::Legacy)
                .positive_marks(self.marks.iter().copied())
                .scope_claims(self.scope_claims.iter().copied())
        });
        match &self.audience {
            Audience::Resource => verifier,
            Audience::Listed(listed) => listed.iter().fold(verifier, JwtVerifierBuilder::audience),
            Audience::Client(id) => verifier.client(id),
        }
    }
}

/// The id of one directory of Entra. Names that stand for many directories would let everybody in.
fn tenant_id(text: &str) -> Result<String, ConfigError> {
    // SECURITY: with a shared name any Microsoft account is a user here (RFC 8725 section 3.8);
    // sec_jwt_14_entra_needs_a_tenant_of_its_own
    let shared = ["common", "organizations", "consumers"];
    if shared
        .iter()
        .any(|name| text.trim().eq_ignore_ascii_case(name))
    {
        let fault = format!("`{}` stands for everybody's directory", text.trim());
        return Err(ConfigError::new("tenant_id", fault)
            .with_hint("list the ids of the directories whose users may come"));
    }
    segment("tenant_id", text)
}

/// A URL with a path: its own, or this one.
fn with_path(url: String, path: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    if rest.contains('/') { url } else { url + path }
}
