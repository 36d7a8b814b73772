//! Identity providers behind the OAuth proxy: what each can be told. What is done with it is a matter
//! of the crate that has the proxy.

use super::variable::{BASE_URL, Form, REQUIRED_SCOPES, Section, Variable};

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
            Self::Google => &GOOGLE,
            Self::GitHub => &GITHUB,
            Self::Azure => &AZURE,
            Self::AzureB2c => &AZURE_B2C,
            Self::Auth0 => &AUTH0,
            Self::Keycloak => &KEYCLOAK,
            Self::Okta => &OKTA,
            Self::WorkOs => &WORKOS,
            Self::Cognito => &COGNITO,
            Self::Clerk => &CLERK,
            Self::GitLab => &GITLAB,
            Self::Discord => &DISCORD,
            Self::Slack => &SLACK,
            Self::Linear => &LINEAR,
            Self::HuggingFace => &HUGGINGFACE,
            Self::Oci => &OCI,
            Self::Oidc => &OIDC,
            Self::OAuth => &OAUTH,
        }
    }
}

pub(super) const CLIENT_SECRET: Variable =
    Variable::instead("CLIENT_SECRET", "CLIENT_KEY", "its secret there").form(Form::Secret);
pub(super) const METHOD: Variable = Variable::optional(
    "TOKEN_ENDPOINT_AUTH_METHOD",
    "how this server proves there who it is: `client_secret_basic`, `client_secret_post`, \
     `private_key_jwt` or `none`; what the provider is known to want unless set",
);

/// What every provider behind the proxy has.
const COMMON: &[Variable] = &[
    Variable::required(
        "CLIENT_ID",
        "the client id under which this server is registered at the provider",
    ),
    CLIENT_SECRET,
    Variable::optional(
        "CLIENT_KEY",
        "a private key as PEM, for `private_key_jwt` in place of a secret",
    )
    .form(Form::Secret),
    Variable::optional("CLIENT_KEY_ID", "the `kid` of that key"),
    METHOD,
    BASE_URL,
    Variable::optional(
        "REDIRECT_PATH",
        "the path where users come back; `/oauth/callback` unless set",
    ),
    Variable::optional(
        "SCOPES",
        "scopes of the provider: what it is asked for, and all that a client may ask for; the \
         provider's usual ones unless set",
    )
    .form(Form::Scopes),
    Variable::optional(
        "OWN_SCOPES",
        "scopes of this server's own, which the provider does not know: a user's consent alone \
         grants them",
    )
    .form(Form::Scopes),
    REQUIRED_SCOPES,
    Variable::optional(
        "TIMEOUT_SECONDS",
        "how long an answer of the provider may take; `10` unless set",
    )
    .form(Form::Seconds),
    Variable::optional(
        "EXTRA_AUTHORIZE_PARAMS",
        "more parameters for the provider's login page",
    )
    .form(Form::Params),
    Variable::optional(
        "EXTRA_TOKEN_PARAMS",
        "more parameters for the provider's token endpoint",
    )
    .form(Form::Params),
    Variable::optional(
        "PKCE",
        "`false` for a provider that fails on PKCE; `true` unless set",
    )
    .form(Form::Flag),
    Variable::optional(
        "ALLOWED_CLIENT_REDIRECT_URIS",
        "where codes may be sent, as patterns",
    )
    .form(Form::Uris),
    Variable::optional(
        "JWT_SIGNING_KEY",
        "a secret of at least 32 bytes from which the signing key is made",
    )
    .form(Form::Secret),
    Variable::optional(
        "DANGER_SKIP_CONSENT",
        "`true` sends users to the provider without asking them here first: whoever makes a user open \
         a link gets that user's access",
    )
    .form(Form::Flag),
];

const TENANT_ID: Variable = Variable::required("TENANT_ID", "the directory (tenant) id");
const CONFIG_URL: Variable = Variable::required(
    "CONFIG_URL",
    "the URL of the provider's configuration, or what stands before `/.well-known/` in it",
);
const AUDIENCE: Variable = Variable::optional(
    "AUDIENCE",
    "the API that the provider's access tokens are for",
);
const NAME: Variable = Variable::optional("NAME", "what pages call the provider");
const USERINFO: Variable = Variable::optional(
    "USERINFO_ENDPOINT",
    "where the provider tells who a token is of",
);
const REVOCATION: Variable = Variable::optional(
    "REVOCATION_ENDPOINT",
    "where the provider takes its tokens back",
);
const SUBJECT: Variable = Variable::optional(
    "SUBJECT",
    "the claim that names a user for ever; `sub` unless set",
);

/// A provider with settings of its own beside the common ones.
const fn section(
    title: &'static str,
    (names, dotted): (&'static [&'static str], Option<&'static str>),
    prefixes: &'static [&'static str],
    variables: &'static [&'static [Variable]],
) -> Section {
    Section {
        title,
        names,
        dotted,
        prefixes,
        variables,
    }
}

const GOOGLE: Section = section(
    "Google",
    (&["google"], Some("google.GoogleProvider")),
    &["GOOGLE"],
    &[COMMON],
);

const GITHUB: Section = section(
    "GitHub",
    (&["github"], Some("github.GitHubProvider")),
    &["GITHUB"],
    &[
        &[Variable::optional(
            "URL",
            "a GitHub Enterprise Server; github.com unless set",
        )],
        COMMON,
    ],
);

const AZURE: Section = section(
    "Microsoft Entra ID",
    (&["azure", "entra"], Some("azure.AzureProvider")),
    &["AZURE", "ENTRA"],
    &[
        &[
            Variable::required(
                "TENANT_ID",
                "the directory (tenant) id; or `organizations`, `consumers` or `common`, with which \
                 everybody may come who has an account at Microsoft",
            )
            .or("TENANT"),
            Variable::optional(
                "BASE_AUTHORITY",
                "the host of a national cloud; `login.microsoftonline.com` unless set",
            ),
            Variable::optional(
                "IDENTIFIER_URI",
                "the Application ID URI, which stands before each scope; `api://{client_id}` unless \
                 set",
            ),
            Variable::optional(
                "ADDITIONAL_AUTHORIZE_SCOPES",
                "scopes of other APIs that users are asked for, and no token of ours has, as in \
                 `User.Read`",
            )
            .form(Form::Scopes),
        ],
        COMMON,
    ],
);

const AZURE_B2C: Section = section(
    "Azure AD B2C",
    (&["azure-b2c"], None),
    &["AZURE_B2C"],
    &[
        &[
            Variable::required("TENANT_NAME", "the tenant's short name, as in `contoso`"),
            TENANT_ID,
            Variable::required("POLICY_NAME", "the user flow, as in `B2C_1_signin`"),
        ],
        COMMON,
    ],
);

const AUTH0: Section = section(
    "Auth0, for which this server is one application",
    (&["auth0"], Some("auth0.Auth0Provider")),
    &["AUTH0"],
    &[
        &[
            Variable::required("CONFIG_URL", "the tenant's domain or configuration URL")
                .or("DOMAIN"),
            Variable::required("AUDIENCE", "the API that Auth0's access tokens are for"),
        ],
        COMMON,
    ],
);

const KEYCLOAK: Section = section(
    "Keycloak, for which this server is one client",
    (&["keycloak"], None),
    &["KEYCLOAK"],
    &[
        &[Variable::required(
            "REALM_URL",
            "the realm, as in `https://sso.example.com/realms/staff`",
        )],
        COMMON,
    ],
);

const OKTA: Section = section(
    "Okta",
    (&["okta"], None),
    &["OKTA"],
    &[
        &[Variable::required(
            "CONFIG_URL",
            "a custom authorization server, as in `https://example.okta.com/oauth2/default`",
        )
        .or("ISSUER")],
        COMMON,
    ],
);

const WORKOS: Section = section(
    "WorkOS, for which this server is one application",
    (&["workos"], Some("workos.WorkOSProvider")),
    &["WORKOS"],
    &[
        &[Variable::required(
            "AUTHKIT_DOMAIN",
            "the AuthKit domain, as in `https://example.authkit.app`",
        )],
        COMMON,
    ],
);

const COGNITO: Section = section(
    "Amazon Cognito",
    (&["cognito", "aws-cognito"], Some("aws.AWSCognitoProvider")),
    &["AWS_COGNITO", "COGNITO"],
    &[
        &[
            Variable::required("USER_POOL_ID", "the user pool, as in `eu-central-1_AbCdEf`"),
            Variable::optional("AWS_REGION", "its region, which its id begins with").or("REGION"),
        ],
        COMMON,
    ],
);

const CLERK: Section = section(
    "Clerk",
    (&["clerk"], Some("clerk.ClerkProvider")),
    &["CLERK"],
    &[
        &[Variable::required(
            "DOMAIN",
            "the Frontend API URL, as in `https://example.clerk.accounts.dev`",
        )],
        COMMON,
    ],
);

const GITLAB: Section = section(
    "GitLab",
    (&["gitlab"], None),
    &["GITLAB"],
    &[
        &[
            Variable::optional("URL", "a GitLab of your own; gitlab.com unless set")
                .or("CONFIG_URL"),
        ],
        COMMON,
    ],
);

const DISCORD: Section = section(
    "Discord",
    (&["discord"], Some("discord.DiscordProvider")),
    &["DISCORD"],
    &[COMMON],
);

const SLACK: Section = section("Slack", (&["slack"], None), &["SLACK"], &[COMMON]);

const LINEAR: Section = section("Linear", (&["linear"], None), &["LINEAR"], &[COMMON]);

const HUGGINGFACE: Section = section(
    "Hugging Face",
    (&["huggingface"], Some("huggingface.HuggingFaceProvider")),
    &["HUGGINGFACE"],
    &[COMMON],
);

const OCI: Section = section(
    "Oracle Cloud",
    (&["oci"], Some("oci.OCIProvider")),
    &["OCI"],
    &[&[CONFIG_URL, AUDIENCE], COMMON],
);

const OIDC: Section = section(
    "Any provider of OpenID Connect",
    (&["oidc"], None),
    &["OIDC"],
    &[
        &[
            Variable::required(
                "ISSUER",
                "the provider's issuer, or the URL of its configuration",
            )
            .or("CONFIG_URL"),
            AUDIENCE,
            NAME,
            SUBJECT,
            USERINFO,
            REVOCATION,
        ],
        COMMON,
    ],
);

const OAUTH: Section = section(
    "Any provider of OAuth 2",
    (&["oauth"], None),
    &["OAUTH"],
    &[
        &[
            Variable::required("AUTHORIZATION_ENDPOINT", "where users log in")
                .or("UPSTREAM_AUTHORIZATION_ENDPOINT"),
            Variable::required("TOKEN_ENDPOINT", "where codes become tokens")
                .or("UPSTREAM_TOKEN_ENDPOINT"),
            USERINFO,
            REVOCATION,
            Variable::optional("ISSUER", "who issues its ID tokens, where it has some"),
            Variable::optional("JWKS_URI", "where the keys of its ID tokens are"),
            SUBJECT,
            NAME,
        ],
        COMMON,
    ],
);
