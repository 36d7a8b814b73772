//! Who verifies callers, and what clients are told about it.
//!
//! Everything here converts into an [`Auth`], which [`Server::auth`](crate::Server::auth) takes.
//!
//! | you have | use |
//! |---|---|
//! | an identity provider that issues JWTs | [`JwtVerifier`] in a [`RemoteAuthProvider`] |
//! | AuthKit, Auth0, Keycloak, Descope, Scalekit, Supabase, PropelAuth | [`AuthKitProvider`] and its likes |
//! | Clerk, Amazon Cognito, Microsoft Entra ID | [`ClerkVerifier`], [`CognitoVerifier`], [`EntraVerifier`] |
//! | opaque tokens and an endpoint that knows them | [`IntrospectionVerifier`] |
//! | a few machines with fixed tokens | [`StaticTokenVerifier`] |
//! | several of these | [`MultiAuth`] |
//! | rules of your own | a type that implements [`TokenVerifier`], in an [`Auth`] |
//! | a service that does not speak MCP | the [`AuthLayer`] alone |

pub use portcullis_oauth::{
    BaseUrl, BearerToken, Issuer, ResourceUrl, Scope, ScopeHierarchy, ScopeSet, SecretBytes,
    SecretString,
};
pub use portcullis_resource_server::{
    AccessToken, Algorithm, AudienceMode, Auth, Auth0Provider, AuthEnv, AuthKitProvider, AuthLayer,
    ClerkVerifier, CognitoVerifier, ConfigError, ConfigErrors, DangerousSupabaseProvider,
    DebugTokenVerifier, DescopeProvider, EntraVerifier, GrantStatus, IntoAuth,
    IntrospectionVerifier, JwtVerifier, KeycloakProvider, MultiAuth, PositiveMark, Principal,
    PropelAuthProvider, Rejection, RemoteAuthProvider, ScalekitProvider, SharedVerifier,
    StaticToken, StaticTokenVerifier, SupabaseProvider, TokenParts, TokenVerifier, TypProfile,
    Unavailable, VerifyContext, VerifyError, auth_from_env,
};

/// The programs on the providers' pages compile.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/providers/authkit.md")]
    struct Authkit;
    #[doc = include_str!("../../../docs/providers/auth0.md")]
    struct Auth0;
    #[doc = include_str!("../../../docs/providers/keycloak.md")]
    struct Keycloak;
    #[doc = include_str!("../../../docs/providers/descope.md")]
    struct Descope;
    #[doc = include_str!("../../../docs/providers/scalekit.md")]
    struct Scalekit;
    #[doc = include_str!("../../../docs/providers/supabase.md")]
    struct Supabase;
    #[doc = include_str!("../../../docs/providers/propelauth.md")]
    struct Propelauth;
    #[doc = include_str!("../../../docs/providers/clerk.md")]
    struct Clerk;
    #[doc = include_str!("../../../docs/providers/cognito.md")]
    struct Cognito;
    #[doc = include_str!("../../../docs/providers/entra.md")]
    struct Entra;
    #[doc = include_str!("../../../docs/providers/README.md")]
    struct Overview;
}
