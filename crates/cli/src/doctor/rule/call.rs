//! What a client with a token meets, and what one with a wrong token does.

super::rules! {
TKN_OPAQUE = "TKN-01" Note
    "the token is no JWT that could be read here";
    "RFC 9068";
    "nothing to mend: only its issuer knows what it says";
TKN_EXPIRED = "TKN-02" Error
    "the token has expired";
    "RFC 9068 section 4";
    "get a new one";
TKN_AUDIENCE = "TKN-03" Warning
    "the token is not for this server: `aud` does not have its URL";
    "RFC 8707 section 2; MCP authorization, token audience";
    "ask for it with `resource`, or let the provider add an audience; `auth.audience` in Portcullis accepts another name";
TKN_ISSUER = "TKN-04" Warning
    "the token's `iss` is none of the authorization servers of the metadata";
    "RFC 9068 section 4";
    "get it from the server that the metadata names";
TKN_SCOPE = "TKN-05" Warning
    "the token lacks scopes that the challenge names";
    "RFC 6750 section 3.1";
    "ask for them at login";
CAL_REFUSED = "CAL-01" Error
    "the server refuses the token";
    "RFC 6750 section 3.1";
    "see what the token says above; the server's log has the reason (`token_rejected` in Portcullis)";
CAL_FAILED = "CAL-02" Error
    "a call of revision 2025-11-25 fails";
    "MCP 2025-11-25, lifecycle";
    "look at the server's log; with Portcullis in front an incident number leads to the line";
CAL_ERA = "CAL-03" Note
    "the server does not know revision 2026-07-28; clients fall back to 2025-11-25";
    "MCP 2026-07-28, versioning";
    "nothing needs mending yet; a newer SDK brings it";
CAL_LEGACY = "CAL-04" Warning
    "the server knows revision 2026-07-28 alone, which many clients do not speak yet";
    "MCP 2025-11-25";
    "serve both; Portcullis puts sessions in front where a server has none on stdio";
CAL_OPEN = "CAL-05" Hole
    "a token that nobody issued is accepted";
    "MCP authorization, token handling";
    "verify signature, issuer, audience and expiry on each request";
CAL_STATUS = "CAL-06" Error
    "a wrong token is refused with another status than 401, so clients do not log in again";
    "MCP authorization, token handling; RFC 6750 section 3.1";
    "answer 401 with `error=\"invalid_token\"`";
CAL_ERROR = "CAL-07" Warning
    "the 401 for a wrong token does not say `error=\"invalid_token\"`";
    "RFC 6750 section 3.1";
    "add it to the challenge: clients drop the token only then";
CAL_QUERY = "CAL-08" Hole
    "the token is accepted in the URL, where logs and histories keep it";
    "MCP authorization, token requirements; OAuth 2.1 section 5.1";
    "read the `Authorization` header alone";
CAL_ORIGIN = "CAL-09" Warning
    "a page of any origin may call the server";
    "MCP transports, security: `Origin`";
    "answer 403 to an `Origin` that is not allowed; `allowed_origins` in Portcullis";
CAL_HOST = "CAL-10" Warning
    "the server answers for any `Host`, so a page can reach it under a name of its own";
    "MCP transports, security: DNS rebinding";
    "answer 421 to a `Host` that is not yours; `allowed_hosts` in Portcullis";
CAL_METHOD = "CAL-11" Note
    "GET answers neither with a stream of events nor with 405";
    "MCP transports, listening for messages";
    "answer 405 where no stream is offered: some clients take anything else for an error";
CAL_CORS = "CAL-12" Note
    "clients in a browser cannot call: a preflight of `http://localhost:6274` is refused";
    "MCP Inspector in direct mode";
    "add the origin to `allowed_origins` if such clients are to come";
CAL_SLOW = "CAL-13" Note
    "a call took longer than two seconds to begin its answer";
    "clients' time-outs";
    "look where the time goes; a proxy in front may hold back streams";
}
