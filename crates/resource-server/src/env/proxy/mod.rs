//! Identity providers behind the OAuth proxy: what each can be told. What is done with it is a matter
//! of the crate that has the proxy.

mod common;
mod sections;

pub(super) use self::common::{CLIENT_SECRET, METHOD};
use super::variable::Section;

/// An identity provider where users of the OAuth proxy log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProvider {
    /// Google: `google`.
    Google,
    /// GitHub: `github`.
    GitHub,
    /// Microsoft Entra ID: `azure`.
    Azure,
    /// Azure AD B2C: `azure-b2c`.
    AzureB2c,
    /// Auth0: `auth0`.
    Auth0,
    /// Keycloak: `keycloak`.
    Keycloak,
    /// Okta: `okta`.
    Okta,
    /// WorkOS: `workos`.
    WorkOs,
    /// Amazon Cognito: `cognito`.
    Cognito,
    /// Clerk: `clerk`.
    Clerk,
    /// GitLab: `gitlab`.
    GitLab,
    /// Discord: `discord`.
    Discord,
    /// Slack: `slack`.
    Slack,
    /// Linear: `linear`.
    Linear,
    /// Hugging Face: `huggingface`.
    HuggingFace,
    /// Oracle Cloud: `oci`.
    Oci,
    /// Any provider of OpenID Connect: `oidc`.
    Oidc,
    /// Any provider of OAuth 2: `oauth`.
    OAuth,
}

impl ProxyProvider {
    pub(super) const fn section(self) -> &'static Section {
        match self {
            Self::Google => &sections::GOOGLE,
            Self::GitHub => &sections::GITHUB,
            Self::Azure => &sections::AZURE,
            Self::AzureB2c => &sections::AZURE_B2C,
            Self::Auth0 => &sections::AUTH0,
            Self::Keycloak => &sections::KEYCLOAK,
            Self::Okta => &sections::OKTA,
            Self::WorkOs => &sections::WORKOS,
            Self::Cognito => &sections::COGNITO,
            Self::Clerk => &sections::CLERK,
            Self::GitLab => &sections::GITLAB,
            Self::Discord => &sections::DISCORD,
            Self::Slack => &sections::SLACK,
            Self::Linear => &sections::LINEAR,
            Self::HuggingFace => &sections::HUGGINGFACE,
            Self::Oci => &sections::OCI,
            Self::Oidc => &sections::OIDC,
            Self::OAuth => &sections::OAUTH,
        }
    }
}
