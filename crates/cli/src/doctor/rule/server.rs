//! Authorization server metadata.

super::rules! {
ASM_NONE = "ASM-01" Error
    "the authorization server has no metadata where clients look";
    "RFC 8414 section 3; MCP authorization server discovery";
    "serve `/.well-known/oauth-authorization-server` or `openid-configuration`; check that the issuer is spelled as the provider spells it";
ASM_ELSEWHERE = "ASM-02" Error
    "the metadata stands only where clients do not look";
    "RFC 8414 section 3.1";
    "put the issuer's path behind the well-known part, or serve `openid-configuration` below the issuer";
ASM_REFUSED = "ASM-03" Warning
    "the doctor did not ask the authorization server: its address is not one that a server elsewhere may name";
    "RFC 9728 section 7.7";
    "if the address is yours, say `--allow-host HOST`; clients beyond your network will not reach it";
ASM_DOWN = "ASM-04" Error
    "the authorization server is out of reach, or answers with an error of its own";
    "RFC 8414 section 3.2";
    "look at its log, and whether it is reachable from where clients run";
ASM_JSON = "ASM-05" Error
    "the metadata is no JSON object";
    "RFC 8414 section 3.2";
    "answer with a JSON object: UTF-8, each member once, nothing behind it";
ASM_TYPE = "ASM-06" Warning
    "the metadata is not sent as `application/json`";
    "RFC 8414 section 3.2";
    "send `Content-Type: application/json`";
ASM_ISSUER = "ASM-07" Error
    "`issuer` in the metadata is not the authorization server that the resource names";
    "RFC 8414 section 3.3";
    "name the issuer in the resource's metadata exactly as the authorization server does, or mend its `issuer`";
ASM_SLASH = "ASM-08" Error
    "`issuer` differs by the slash at its end, which counts";
    "RFC 8414 section 3.3; RFC 3986 section 6.2.1";
    "write it in `authorization_servers` as the authorization server does; Auth0 has the slash, FastMCP adds one";
ASM_AUTHORIZE = "ASM-09" Error
    "`authorization_endpoint` is absent, or no URL that a client opens";
    "RFC 8414 section 2; MCP authorization, communication security";
    "let it be an https URL without a fragment";
ASM_TOKEN = "ASM-10" Error
    "`token_endpoint` is absent, or no URL that a client calls";
    "RFC 8414 section 2; MCP authorization, communication security";
    "let it be an https URL without a fragment";
ASM_S256 = "ASM-11" Error
    "`code_challenge_methods_supported` does not have `S256`, so clients must not go on";
    "MCP authorization, authorization code protection";
    "list `S256` there; where the provider cannot (Cognito, Entra), a server of your own has to stand before it";
ASM_CODE = "ASM-12" Error
    "`response_types_supported` is absent or does not have `code`";
    "RFC 8414 section 2; MCP TypeScript SDK";
    "list `code` there";
ASM_GRANT = "ASM-13" Error
    "`grant_types_supported` does not have `authorization_code`";
    "RFC 8414 section 2";
    "list it, or leave the member out";
ASM_REFRESH = "ASM-14" Warning
    "`grant_types_supported` does not have `refresh_token`, so users log in again whenever a token ends";
    "RFC 8414 section 2; MCP 2026-07-28, refresh tokens";
    "offer refresh tokens and list `refresh_token`; a member that is absent does not mention them either";
ASM_ORIGIN = "ASM-15" Note
    "an endpoint is on another origin than the issuer";
    "RFC 9207 section 4";
    "usual with some providers; where you can choose, keep endpoints and issuer on one origin";
ASM_MIXUP = "ASM-16" Warning
    "`authorization_endpoint` is on another origin than the issuer, and answers carry no `iss`";
    "RFC 9207 section 2; Codex from 0.150";
    "send `iss` and say `authorization_response_iss_parameter_supported`, or keep both on one origin";
ASM_NO_ISS = "ASM-17" Note
    "`authorization_response_iss_parameter_supported` is not true; a later revision is to require `iss`";
    "RFC 9207 section 3; MCP 2026-07-28";
    "send `iss` with each answer of the authorization endpoint, errors included, and say so";
ASM_ISS = "ASM-18" Note
    "answers carry `iss`: some versions of Goose drop it and then miss it";
    "RFC 9207; Goose";
    "right as it is; users of such a version update it";
ASM_OFFLINE = "ASM-19" Note
    "`scopes_supported` does not have `offline_access`, so clients that need it for a refresh token do not ask";
    "MCP 2026-07-28, refresh tokens; MCP TypeScript SDK";
    "list it if refresh tokens depend on it";
ASM_EMPTY = "ASM-20" Warning
    "members of the metadata are null, or empty where they need not be there";
    "RFC 8414 section 3.2";
    "leave out what has no value";
ASM_CORS = "ASM-21" Warning
    "pages of other origins cannot read the metadata, as clients in a browser need to";
    "MCP Inspector";
    "answer with `Access-Control-Allow-Origin: *`, also on the token and registration endpoints";
ASM_FIRST = "ASM-22" Note
    "the metadata is not at the first place where clients look";
    "MCP authorization server discovery";
    "fine by the specification; `oauth-authorization-server`, with the issuer's path behind it, spares each client a request";
ASM_PUBLIC = "ASM-23" Warning
    "`token_endpoint_auth_methods_supported` does not have `none`, although most clients keep no secret";
    "OAuth 2.1 section 2.1; Cursor, VS Code, Gemini CLI, Goose, Codex";
    "let public clients in by PKCE and list `none`";
JWK_NONE = "JWK-01" Note
    "`jwks_uri` is absent, or no URL that is called";
    "RFC 8414 section 2";
    "right where tokens are opaque; else publish the keys that sign them";
JWK_DOWN = "JWK-02" Error
    "the keys cannot be had, so tokens cannot be verified";
    "RFC 7517 section 5";
    "answer 200 at `jwks_uri` with a JSON object that has `keys`";
JWK_EMPTY = "JWK-03" Error
    "the key set has no key that verifies a signature";
    "RFC 7517 section 4; RFC 7518 section 3.1";
    "publish the public key with `kty`, `kid` and `alg`, for RS256, ES256, EdDSA or their like";
JWK_ODD = "JWK-04" Note
    "the key set has keys that are not used here";
    "RFC 7517 section 5";
    "right for keys that encrypt; a private or symmetric key must not stand there";
JWK_PRIVATE = "JWK-05" Hole
    "the key set shows a private or symmetric key: anybody can sign tokens";
    "RFC 7517 section 9.2";
    "take it out, replace the key, and end every token that it signed";
}
