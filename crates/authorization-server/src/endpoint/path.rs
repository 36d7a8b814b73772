//! Where the endpoints are, below the public URL. Routes, metadata and links read it here.

/// Where a client sends the browser.
pub(crate) const AUTHORIZE: &str = "/oauth/authorize";
/// Where a grant becomes tokens.
pub(crate) const TOKEN: &str = "/oauth/token";
/// Where clients register.
pub(crate) const REGISTER: &str = "/oauth/register";
/// Where tokens are taken back.
pub(crate) const REVOKE: &str = "/oauth/revoke";
/// Where resource servers ask about tokens.
pub(crate) const INTROSPECT: &str = "/oauth/introspect";
/// Where the public keys are.
pub(crate) const JWKS: &str = "/oauth/jwks";
/// Where users log in.
pub(crate) const LOGIN: &str = "/oauth/login";
/// Where users come back from an identity provider, unless another path is configured.
pub(crate) const CALLBACK: &str = "/oauth/callback";
/// Where users decide.
pub(crate) const CONSENT: &str = "/oauth/consent";
/// What the consent page fetches when it is shown.
pub(crate) const SHOWN: &str = "/oauth/shown";
/// Where users log out.
pub(crate) const LOGOUT: &str = "/oauth/logout";
/// Where users see what they granted.
pub(crate) const ACCOUNT: &str = "/account";
/// Where clients without metadata send the browser (MCP of 2025-03-26).
pub(crate) const AUTHORIZE_ALIAS: &str = "/authorize";
/// Where they look for the token endpoint.
pub(crate) const TOKEN_ALIAS: &str = "/token";
/// Where they register.
pub(crate) const REGISTER_ALIAS: &str = "/register";

/// All of them but [`CALLBACK`], which may be elsewhere.
pub(crate) const ALL: [&str; 14] = [
    AUTHORIZE,
    TOKEN,
    REGISTER,
    REVOKE,
    INTROSPECT,
    JWKS,
    LOGIN,
    CONSENT,
    SHOWN,
    LOGOUT,
    ACCOUNT,
    AUTHORIZE_ALIAS,
    TOKEN_ALIAS,
    REGISTER_ALIAS,
];
