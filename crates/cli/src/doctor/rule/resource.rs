//! Protected resource metadata.

super::rules! {
PRM_NONE = "PRM-01" Error
    "there is no protected resource metadata: no client learns where to log in";
    "RFC 9728 section 3; MCP authorization server discovery";
    "serve `/.well-known/oauth-protected-resource` with the server's path behind it; in Portcullis choose a mode with an authorization server, such as `remote`";
PRM_FIXED = "PRM-02" Warning
    "there is no protected resource metadata: only clients that are given a token by hand get in, as this one was";
    "RFC 9728 section 3; MCP authorization server discovery";
    "right for fixed tokens; for logins choose a mode with an authorization server, such as `remote`";
PRM_ANCIENT = "PRM-03" Warning
    "there is authorization server metadata on this origin and no protected resource metadata, as revision 2025-03-26 had it";
    "MCP 2025-06-18 and later";
    "serve protected resource metadata that names this origin as the authorization server";
PRM_DEAD = "PRM-04" Error
    "the URL in the challenge has no metadata";
    "RFC 9728 section 5.1";
    "let `resource_metadata` be a URL that answers 200 with the document; behind a proxy route `/.well-known/` to the server, and set `base_url`";
PRM_PATH = "PRM-05" Warning
    "there is no document where the server's path follows the well-known part, and some clients look nowhere else";
    "RFC 9728 section 3.1";
    "serve it at `/.well-known/oauth-protected-resource` followed by the path of the server";
PRM_JSON = "PRM-06" Error
    "the metadata is no JSON object";
    "RFC 9728 section 3.2";
    "answer with a JSON object: UTF-8, each member once, nothing behind it";
PRM_TYPE = "PRM-07" Warning
    "the metadata is not sent as `application/json`";
    "RFC 9728 section 3.2";
    "send `Content-Type: application/json`";
PRM_ABSENT = "PRM-08" Error
    "the metadata has no `resource`";
    "RFC 9728 section 2";
    "say the URL of the server in `resource`";
PRM_RESOURCE = "PRM-09" Warning
    "`resource` is not the URL that was given";
    "RFC 9728 section 3.3; Gemini CLI and VS Code compare the whole, others origin and path";
    "let it be the very URL that users paste, slash and all: `base_url` with `mcp_path` in Portcullis, `base_url` or `resource_base_url` in FastMCP";
PRM_SERVERS = "PRM-10" Error
    "the metadata names no authorization server";
    "MCP authorization server discovery";
    "list the issuer in `authorization_servers`: `auth.authorization_servers` in mode `remote`";
PRM_ISSUER = "PRM-11" Error
    "an authorization server in the metadata is no usable issuer URL";
    "RFC 8414 section 2";
    "list issuers alone: https, no query, no fragment";
PRM_MANY = "PRM-12" Note
    "the metadata names several authorization servers, and most clients know the first alone";
    "RFC 9728 section 7.6; Gemini CLI";
    "put the one that users log in with first";
PRM_OFFLINE = "PRM-13" Warning
    "`scopes_supported` has `offline_access`, which is no scope of a resource";
    "MCP 2026-07-28, refresh tokens";
    "take it out here; the authorization server's `scopes_supported` is its place";
PRM_SCOPES = "PRM-14" Note
    "`scopes_supported` is absent, so clients that find no scope in the challenge ask for none";
    "MCP authorization, scope selection";
    "set `scopes_supported` or `required_scopes`";
PRM_BEARER = "PRM-15" Warning
    "`bearer_methods_supported` does not have `header`, the one way that MCP has";
    "RFC 9728 section 2; MCP authorization, token requirements";
    "list `header`, or leave the member out";
PRM_EMPTY = "PRM-16" Warning
    "members of the metadata are null, or empty where they need not be there";
    "RFC 9728 section 3.2";
    "leave out what has no value";
PRM_CORS = "PRM-17" Warning
    "pages of other origins cannot read the metadata, as clients in a browser need to";
    "RFC 9728 section 3.1; MCP Inspector";
    "answer with `Access-Control-Allow-Origin: *`";
PRM_PREFLIGHT = "PRM-18" Warning
    "a preflight for the metadata with `MCP-Protocol-Version` is refused, which clients in a browser send";
    "MCP Inspector";
    "answer OPTIONS with 204 and `Access-Control-Allow-Headers: MCP-Protocol-Version`";
PRM_DIFFER = "PRM-19" Warning
    "the documents of the challenge and of the well-known path differ in what clients use";
    "RFC 9728 section 3";
    "serve one document at both";
PRM_HEADER = "PRM-20" Warning
    "the metadata is not there for a request with `MCP-Protocol-Version`, which SDKs send";
    "MCP TypeScript SDK";
    "let the route look at its path alone";
}
