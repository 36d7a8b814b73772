//! Authorization and token endpoint, as far as they go without a person.

super::rules! {
AUZ_BROKEN = "AUZ-01" Error
    "the authorization endpoint answers a well-formed request with an error of its own";
    "RFC 6749 section 4.1.2.1";
    "look at its log";
AUZ_REFUSED = "AUZ-02" Error
    "the authorization endpoint refuses a well-formed request";
    "RFC 6749 section 4.1.2.1; RFC 8707 section 2";
    "the code says why: `invalid_target` is about `resource`, `invalid_scope` about scopes, which may be narrowed instead";
AUZ_REDIRECT = "AUZ-03" Hole
    "the authorization endpoint redirects to a URI that was not registered: codes can be stolen";
    "OAuth 2.1 section 4.1.2; RFC 9700 section 4.1";
    "compare redirect URIs byte for byte with the registered ones, and answer a mismatch with a page";
AUZ_PKCE = "AUZ-04" Warning
    "a request without `code_challenge` is not refused at once";
    "OAuth 2.1 section 4.1.1; MCP authorization, authorization code protection";
    "refuse it with `invalid_request` before the user is asked anything";
AUZ_ISS = "AUZ-05" Error
    "`iss` is promised, and an answer of the authorization endpoint has none or another";
    "RFC 9207 section 2";
    "send `iss`, equal to `issuer`, with errors too, or do not promise it";
IDP_BEHIND = "IDP-01" Note
    "users agree on a page of this server first, and sign in at an identity provider then";
    "MCP Security Best Practices, Confused Deputy Problem";
    "right as it is; the redirect URI has to be registered there as it stands here";
IDP_SILENT = "IDP-02" Error
    "nobody gets from the consent page to the identity provider, or to one that answers";
    "RFC 6749 section 4.1.2.1";
    "the server's log says why: compare the provider's URL in its configuration, and see whether the server reaches it";
IDP_REFUSES = "IDP-03" Error
    "the identity provider refuses what users are sent to it with";
    "RFC 6749 section 4.1.2.1";
    "register the redirect URI there, byte for byte, and compare the client id and the scopes with what is registered";
TOK_BROKEN = "TOK-01" Error
    "the token endpoint answers a wrong code with an error of its own, or not at all";
    "RFC 6749 section 5.2";
    "look at its log; a wrong code is 400 with `invalid_grant`";
TOK_JSON = "TOK-02" Error
    "errors of the token endpoint are no JSON with `error`";
    "RFC 6749 section 5.2; Claude";
    "answer with `{\"error\": ..}`, sent as `application/json`";
TOK_CODE = "TOK-03" Warning
    "the token endpoint refuses a wrong code with a code or a status that clients do not act on";
    "RFC 6749 section 5.2; MCP TypeScript SDK";
    "answer `invalid_grant` with 400, `invalid_client` with 401";
TOK_STORE = "TOK-04" Warning
    "answers of the token endpoint may be stored";
    "RFC 6749 section 5.1";
    "send `Cache-Control: no-store`";
TOK_CORS = "TOK-05" Warning
    "pages of other origins cannot use the token endpoint, as clients in a browser need to";
    "MCP Inspector";
    "answer with `Access-Control-Allow-Origin: *`, without credentials";
TOK_GIVEN = "TOK-06" Hole
    "the token endpoint gave a token for a code that nobody issued";
    "RFC 6749 section 4.1.3";
    "take the server off the network";
}
