//! The names of claims that are the server's own.
//!
//! One list for everything that goes into our tokens beside what we say ourselves: the claims of a
//! user database, and those that an identity provider sent.

/// Claims by which a token is judged, here or by servers of others. Nobody else may say them.
const RESERVED: [&str; 32] = [
    "acr",
    "act",
    "active",
    "amr",
    "appid",
    "at_hash",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "c_hash",
    "cid",
    "client_id",
    "cnf",
    "events",
    "exp",
    "iat",
    "iss",
    "jti",
    "may_act",
    "nbf",
    "nonce",
    "s_hash",
    "scope",
    "scp",
    "sid",
    "sub",
    "sub_id",
    "sub_jwk",
    "token_type",
    "token_use",
    "typ",
];

/// Whether a claim of this name is ours to say (RFC 9068 section 2.2, RFC 7519 section 4.1, OpenID
/// Connect Core section 2, RFC 8693 section 4, RFC 7800 section 3.1, RFC 9493 section 4).
pub(crate) fn is_reserved(name: &str) -> bool {
    // SECURITY: parsers of others take `SUB` for `sub`, and of two such members the last one
    // (CWE-178); sec_px_08_another_case_is_the_same_name
    RESERVED.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}
