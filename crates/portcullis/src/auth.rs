//! Who verifies callers, and what clients are told about it.
//!
//! Everything here converts into an [`Auth`], which [`Server::auth`](crate::Server::auth) takes.
//!
//! | you have | use |
//! |---|---|
//! | Google, GitHub, or another provider that registers no MCP clients | `GoogleProvider`, `OAuthProxy` and their likes, behind the same feature as the next |
//! | users, and no identity provider | `OAuthProvider`, behind the feature `authorization-server` |
//! | an identity provider that issues JWTs | [`JwtVerifier`] in a [`RemoteAuthProvider`] |
//! | AuthKit, Auth0, Keycloak, Descope, Scalekit, Supabase, PropelAuth | [`AuthKitProvider`] and its likes |
//! | Clerk, Amazon Cognito, Microsoft Entra ID | [`ClerkVerifier`], [`CognitoVerifier`], [`EntraVerifier`] |
//! | opaque tokens and an endpoint that knows them | [`IntrospectionVerifier`] |
//! | a few machines with fixed tokens | [`StaticTokenVerifier`] |
//! | several of these | [`MultiAuth`] |
//! | rules of your own | a type that implements [`TokenVerifier`], in an [`Auth`] |
//! | a service that does not speak MCP | the [`AuthLayer`] alone |
//!
//! Rules of your own, for tokens that end:
//!
//! ```
//! use std::time::Duration;
//!
//! use portcullis::auth::{
//!     AccessToken, BearerToken, Rejection, Timestamp, TokenParts, TokenVerifier, VerifyContext,
//!     VerifyError,
//! };
//!
//! struct Tickets;
//!
//! impl TokenVerifier for Tickets {
//!     async fn verify(
//!         &self,
//!         token: &BearerToken,
//!         _: &VerifyContext<'_>,
//!     ) -> Result<AccessToken, VerifyError> {
//!         // `alice:1767225600`, say, after a signature was checked.
//!         let (name, issued) = token.expose().split_once(':').ok_or(Rejection::Unknown)?;
//!         let issued: i64 = issued.parse().map_err(|_| Rejection::Unknown)?;
//!         let end = Timestamp::from_secs(issued).saturating_add(Duration::from_secs(3600));
//!         let parts = TokenParts::new("https://tickets.example.com", name).expires_at(end);
//!         Ok(AccessToken::assert_verified(parts)) // the layer refuses it once it has ended
//!     }
//! }
//!
//! let server = portcullis::Server::new("s").auth(Tickets);
//! ```

pub use portcullis_fetch::Fetcher;
pub use portcullis_oauth::{
    BaseUrl, BearerToken, Clock, Entropy, Issuer, ResourceUrl, Scope, ScopeHierarchy, ScopeSet,
    SecretBytes, SecretString, SharedClock, SharedEntropy, Timestamp,
};
pub use portcullis_resource_server::mcp::{
    AccessPolicy, ChallengeStyle, Deciding, Decision, Operation, Target, session::SessionLimits,
};
pub use portcullis_resource_server::{
    AccessToken, Algorithm, AudienceMode, Auth, Auth0Provider, AuthEnv, AuthKitProvider, AuthLayer,
    ClerkVerifier, CognitoVerifier, ConfigError, ConfigErrors, DangerousSupabaseProvider,
    DebugTokenVerifier, DescopeProvider, DownstreamApi, EntraVerifier, GrantStatus,
    InteractionRequired, IntoAuth, IntrospectionVerifier, IntrospectionVerifierBuilder,
    JwtVerifier, JwtVerifierBuilder, KeycloakProvider, MaybeAccessToken, MultiAuth,
    MultiAuthBuilder, PositiveMark, Principal, PropelAuthProvider, Rejection, RemoteAuthProvider,
    ScalekitProvider, SharedVerifier, StaticToken, StaticTokenVerifier, StaticTokenVerifierBuilder,
    SupabaseProvider, TokenParts, TokenVerifier, TypProfile, Unavailable, UpstreamToken,
    UpstreamTokenError, UpstreamTokens, VerifyContext, VerifyError, load_upstream_tokens,
};

#[cfg(feature = "authorization-server")]
pub use portcullis_authorization_server::auth_from_env;
#[cfg(not(feature = "authorization-server"))]
pub use portcullis_resource_server::auth_from_env;

#[cfg(feature = "authorization-server")]
pub use portcullis_authorization_server::{
    Accounts, AllowList, Attempt, Auth0Proxy, Authenticate, Authentication, AzureB2cProvider,
    AzureProvider, ClaimsPassthrough, ClerkProvider, Client, ClientKey, ClientRegistry,
    CognitoProvider, ConfiguredClient, DiscordProvider, DocumentPolicy, GitHubProvider,
    GitLabProvider, GoogleProvider, HuggingFaceProvider, Introspection, JwtIssuer, KeyAlgorithm,
    KeycloakProxy, LinearProvider, OAuthProvider, OAuthProviderBuilder, OAuthProxy,
    OAuthProxyBuilder, OciProvider, OidcProxy, OktaProvider, RateLimits, RegistrationPolicy,
    RevokedTokens, SigningSecret, SlackProvider, TokenExchange, Upstream, UpstreamAuthentication,
    User, WorkOSProvider, ui::Theme,
};
#[cfg(feature = "authorization-server")]
pub use portcullis_fetch::system::{SystemClock, SystemEntropy};
#[cfg(feature = "authorization-server")]
pub use portcullis_oauth::{
    ClientId, EndpointUrl, Subject, jose::jwks::JwkSet, secret::ClientSecret,
};
#[cfg(all(feature = "sqlite", unix))]
pub use portcullis_store::DiskStore;
#[cfg(feature = "authorization-server")]
pub use portcullis_store::{MemoryStore, SealingKeys, StoreHandle};

/// The programs on the providers' pages compile.
#[cfg(all(doctest, feature = "sqlite"))]
mod pages {
    #[doc = include_str!("../../../docs/oauth-proxy.md")]
    struct OauthProxy;
    #[doc = include_str!("../../../docs/rust-authorization-server.md")]
    struct AuthorizationServer;
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
    #[doc = include_str!("../../../docs/providers/azure-b2c.md")]
    struct AzureB2c;
    #[doc = include_str!("../../../docs/providers/discord.md")]
    struct Discord;
    #[doc = include_str!("../../../docs/providers/github.md")]
    struct Github;
    #[doc = include_str!("../../../docs/providers/gitlab.md")]
    struct Gitlab;
    #[doc = include_str!("../../../docs/providers/google.md")]
    struct Google;
    #[doc = include_str!("../../../docs/providers/huggingface.md")]
    struct HuggingFace;
    #[doc = include_str!("../../../docs/providers/linear.md")]
    struct Linear;
    #[doc = include_str!("../../../docs/providers/oauth.md")]
    struct Oauth;
    #[doc = include_str!("../../../docs/providers/oci.md")]
    struct Oci;
    #[doc = include_str!("../../../docs/providers/okta.md")]
    struct Okta;
    #[doc = include_str!("../../../docs/providers/slack.md")]
    struct Slack;
    #[doc = include_str!("../../../docs/providers/workos.md")]
    struct Workos;
    #[doc = include_str!("../../../docs/providers/README.md")]
    struct Overview;
    #[doc = include_str!("../../../docs/verifiers.md")]
    struct Verifiers;
}
