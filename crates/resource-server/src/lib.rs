#![forbid(unsafe_code)]
//! Verify OAuth 2.1 access tokens in front of any HTTP service, and answer those who have none
//! with the challenge that leads them to one.
//!
//! This is the *resource server* of OAuth: it holds no code that could mint a token.

pub mod argument;
mod causes;
mod client_address;
mod config;
mod debug;
pub mod env;
mod events;
mod grant_status;
mod grantable;
mod identity;
mod incident;
mod integration;
pub mod introspection;
mod jwks_cache;
pub mod jwt;
pub mod layer;
pub mod mcp;
mod metadata;
pub mod multi;
mod network;
pub mod observe;
mod on_behalf_of;
mod provider;
mod reload;
#[macro_use]
mod remote;
pub mod presets;
mod remote_keys;
mod routes;
pub mod static_tokens;
mod token;
mod token_cache;
mod upstream_token;
mod verifier;
mod waiters;

pub use crate::causes::Causes;
pub use crate::client_address::ClientAddress;
pub use crate::config::{ConfigError, ConfigErrors};
pub use crate::debug::{DangerousDebugTokenVerifier, DebugTokenVerifier};
pub use crate::env::{AuthEnv, auth_from_env};
pub use crate::grant_status::GrantStatus;
pub use crate::identity::{Caller, IdentitySigner, SignedIdentity};
pub use crate::incident::Incident;
#[cfg(feature = "rmcp")]
pub use crate::integration::MaybeAccessToken;
pub use crate::introspection::{
    DangerousIntrospectionVerifierBuilder, IntrospectionVerifier, IntrospectionVerifierBuilder,
};
pub use crate::jwt::{
    DangerousJwtVerifierBuilder, JwtVerifier, JwtVerifierBuilder, KeySetSnapshot, KeySetSource,
};
pub use crate::layer::{AuthLayer, DangerousAuthLayer};
pub use crate::metadata::{PublicDocument, public_route};
pub use crate::multi::{MultiAuth, MultiAuthBuilder};
pub use crate::network::{Network, NetworkError};
pub use crate::on_behalf_of::{DownstreamApi, InteractionRequired};
pub use crate::presets::{
    Auth0Provider, AuthKitProvider, ClerkVerifier, CognitoVerifier, DangerousSupabaseProvider,
    DescopeProvider, EntraVerifier, KeycloakProvider, PropelAuthProvider, ScalekitProvider,
    SupabaseProvider,
};
pub use crate::provider::{
    Auth, DangerousAuth, IntoAuth, KeptSessions, MountedResource, StartError,
};
pub use crate::reload::Reloadable;
pub use crate::remote::RemoteAuthProvider;
pub use crate::remote_keys::{RemoteKeySet, RemoteKeys};
pub use crate::routes::Routes;
pub use crate::static_tokens::{StaticToken, StaticTokenVerifier, StaticTokenVerifierBuilder};
pub use crate::token::{AccessToken, Principal, TokenParts};
pub use crate::upstream_token::{
    UpstreamToken, UpstreamTokenError, UpstreamTokens, load_upstream_tokens,
};
pub use crate::verifier::{
    Rejection, SharedVerifier, TokenVerifier, Unavailable, VerifyContext, VerifyError,
};
pub use portcullis_oauth::jose::Algorithm;
pub use portcullis_oauth::jose::gate::{AudienceMode, PositiveMark, TypProfile};
