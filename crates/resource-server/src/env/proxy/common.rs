//! What every provider behind the proxy can be told.

use crate::env::variable::{BASE_URL, Form, REQUIRED_SCOPES, TIMEOUT, Variable};

pub(in crate::env) const CLIENT_SECRET: Variable = Variable::instead(
    "CLIENT_SECRET",
    "CLIENT_KEY",
    "the secret that the provider gave with that client id",
)
.form(Form::Secret);
pub(in crate::env) const METHOD: Variable = Variable::optional(
    "TOKEN_ENDPOINT_AUTH_METHOD",
    "how this server proves there who it is: `client_secret_basic`, `client_secret_post`, \
     `private_key_jwt` or `none`; what the provider is known to want unless set",
);

/// What every provider behind the proxy has.
pub(super) const COMMON: &[Variable] = &[
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
    Variable::optional(
        "CLIENT_CERTIFICATE_THUMBPRINT",
        "the SHA-256 thumbprint of that key's certificate (`x5t#S256`), by which Entra finds it: as \
         `openssl x509 -fingerprint -sha256` prints it, or as base64url",
    ),
    METHOD,
    BASE_URL,
    Variable::optional(
        "ISSUER_URL",
        "who issues this server's tokens; its public URL unless set",
    ),
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
    TIMEOUT,
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
    Variable::optional(
        "DANGER_PASS_UPSTREAM_TOKENS_THROUGH",
        "`true` hands the provider's access tokens out to clients, in the place of this server's, and \
         asks the provider each minute whether one is still good: whoever has it can use it there too",
    )
    .form(Form::Flag),
];
