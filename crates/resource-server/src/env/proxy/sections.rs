//! What each provider behind the proxy can be told beside.

use super::common::COMMON;
use crate::env::variable::{Form, Section, Variable};

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

pub(super) const GOOGLE: Section = section(
    "Google",
    (&["google"], Some("google.GoogleProvider")),
    &["GOOGLE"],
    &[COMMON],
);

pub(super) const GITHUB: Section = section(
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

pub(super) const AZURE: Section = section(
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

pub(super) const AZURE_B2C: Section = section(
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

pub(super) const AUTH0: Section = section(
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

pub(super) const KEYCLOAK: Section = section(
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

pub(super) const OKTA: Section = section(
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

pub(super) const WORKOS: Section = section(
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

pub(super) const COGNITO: Section = section(
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

pub(super) const CLERK: Section = section(
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

pub(super) const GITLAB: Section = section(
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

pub(super) const DISCORD: Section = section(
    "Discord",
    (&["discord"], Some("discord.DiscordProvider")),
    &["DISCORD"],
    &[COMMON],
);

pub(super) const SLACK: Section = section("Slack", (&["slack"], None), &["SLACK"], &[COMMON]);

pub(super) const LINEAR: Section = section("Linear", (&["linear"], None), &["LINEAR"], &[COMMON]);

pub(super) const HUGGINGFACE: Section = section(
    "Hugging Face",
    (&["huggingface"], Some("huggingface.HuggingFaceProvider")),
    &["HUGGINGFACE"],
    &[COMMON],
);

pub(super) const OCI: Section = section(
    "Oracle Cloud",
    (&["oci"], Some("oci.OCIProvider")),
    &["OCI"],
    &[&[CONFIG_URL, AUDIENCE], COMMON],
);

pub(super) const OIDC: Section = section(
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

pub(super) const OAUTH: Section = section(
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
            Variable::optional(
                "ISSUER",
                "who it says that it is, in its answers (`iss`) and its ID tokens: another name is \
                 refused",
            ),
            Variable::optional("JWKS_URI", "where the keys of its ID tokens are"),
            SUBJECT,
            NAME,
        ],
        COMMON,
    ],
);
