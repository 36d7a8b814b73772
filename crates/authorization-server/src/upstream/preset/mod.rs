//! Well-known identity providers, as data.
//!
//! Each is an [`Upstream`]: `XProvider::builder(..)` begins a proxy to it, and `XProvider::upstream(..)`
//! is the data alone, to be changed before [`OAuthProxy::builder`](crate::OAuthProxy::builder) takes it.
//!
//! | provider | type | known from | who may have an account |
//! |---|---|---|---|
//! | Google | [`GoogleProvider`] | ID token | anybody |
//! | GitHub | [`GitHubProvider`] | its API | anybody |
//! | Microsoft Entra ID | [`AzureProvider`] | ID token | the directory; anybody with `common` and the like |
//! | Azure AD B2C | [`AzureB2cProvider`] | ID token | the tenant, by its user flow |
//! | Auth0 | [`Auth0Proxy`] | ID token | the tenant |
//! | Okta | [`OktaProvider`] | ID token | the organization |
//! | Keycloak | [`KeycloakProxy`] | ID token | the realm |
//! | WorkOS | [`WorkOSProvider`] | ID token | the environment |
//! | Amazon Cognito | [`CognitoProvider`] | ID token | the pool |
//! | Clerk | [`ClerkProvider`] | ID token | the application |
//! | GitLab | [`GitLabProvider`] | ID token | anybody at gitlab.com |
//! | Discord | [`DiscordProvider`] | its API | anybody |
//! | Slack | [`SlackProvider`] | ID token | anybody, unless the app is not distributed |
//! | Linear | [`LinearProvider`] | its API | anybody |
//! | Hugging Face | [`HuggingFaceProvider`] | ID token | anybody |
//! | Oracle Cloud | [`OciProvider`] | ID token | the domain |
//! | another | [`OidcProxy`] | ID token | whoever it lets in |

/// A preset's type, and its way to a proxy. What it knows is in its own file.
macro_rules! provider {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[non_exhaustive]
        pub struct $name;

        impl $name {
            /// Settings of a proxy to it, with the arguments of [`upstream`](Self::upstream). A mistake
            /// in one is told where the proxy is built.
            pub fn builder($($argument: $type),*) -> crate::OAuthProxyBuilder {
                crate::OAuthProxy::builder(Self::upstream($($argument),*))
            }
        }
    };
}

mod argument;
mod auth0;
mod azure;
mod azure_b2c;
mod clerk;
mod cognito;
mod discord;
mod github;
mod gitlab;
mod google;
mod huggingface;
mod keycloak;
mod linear;
mod oci;
mod oidc;
mod okta;
mod slack;
#[cfg(test)]
mod tests;
mod workos;

pub use self::auth0::Auth0Proxy;
pub use self::azure::AzureProvider;
pub use self::azure_b2c::AzureB2cProvider;
pub use self::clerk::ClerkProvider;
pub use self::cognito::CognitoProvider;
pub use self::discord::DiscordProvider;
pub use self::github::GitHubProvider;
pub use self::gitlab::GitLabProvider;
pub use self::google::GoogleProvider;
pub use self::huggingface::HuggingFaceProvider;
pub use self::keycloak::KeycloakProxy;
pub use self::linear::LinearProvider;
pub use self::oci::OciProvider;
pub use self::oidc::OidcProxy;
pub use self::okta::OktaProvider;
pub use self::slack::SlackProvider;
pub use self::workos::WorkOSProvider;
