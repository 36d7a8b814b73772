//! Who verifies callers, and what clients are told about it.
//!
//! Everything here converts into an [`Auth`], which [`Server::auth`](crate::Server::auth) takes.
//!
//! | you have | use |
//! |---|---|
//! | an identity provider that issues JWTs | [`JwtVerifier`] in a [`RemoteAuthProvider`] |
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
    AccessToken, Algorithm, AudienceMode, Auth, AuthLayer, ConfigError, DebugTokenVerifier,
    GrantStatus, IntoAuth, IntrospectionVerifier, JwtVerifier, MultiAuth, PositiveMark, Principal,
    Rejection, RemoteAuthProvider, SharedVerifier, StaticToken, StaticTokenVerifier, TokenParts,
    TokenVerifier, TypProfile, Unavailable, VerifyContext, VerifyError,
};
