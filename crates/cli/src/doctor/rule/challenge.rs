//! What a client without a token is told.

super::rules! {
CHL_OPEN = "CHL-01" Warning
    "the server is open: it answers without a token";
    "MCP transports, security";
    "put auth in front of it: `portcullis run --auth MODE --upstream URL`";
CHL_STATUS = "CHL-02" Error
    "a request without a token is refused with another status than 401, so no client asks for one";
    "MCP authorization, error handling; RFC 6750 section 3";
    "answer 401 with `WWW-Authenticate`, ahead of every other check but the one for host and origin";
CHL_ABSENT = "CHL-03" Warning
    "the 401 has no `WWW-Authenticate`";
    "RFC 9110 section 15.5.2; RFC 9728 section 5.1";
    "send `WWW-Authenticate: Bearer resource_metadata=\"..\"`; a proxy in front may have taken it away";
CHL_GRAMMAR = "CHL-04" Warning
    "`WWW-Authenticate` is outside the grammar";
    "RFC 9110 section 11.6.1";
    "write one challenge, `Bearer`, with `name=\"value\"` separated by commas, each name once";
CHL_SCHEME = "CHL-05" Warning
    "`WWW-Authenticate` names no `Bearer` scheme";
    "RFC 6750 section 3";
    "send a `Bearer` challenge; `Basic` is not known to MCP";
CHL_POINTER = "CHL-06" Warning
    "the challenge does not say where the metadata is";
    "RFC 9728 section 5.1; MCP 2025-06-18";
    "add `resource_metadata=\"URL\"`; in Portcullis every mode with an authorization server does";
CHL_UNQUOTED = "CHL-07" Warning
    "`resource_metadata` is not in double quotes, and some clients look for them";
    "Gemini CLI";
    "put each value of the challenge into double quotes";
CHL_ORIGIN = "CHL-08" Warning
    "`resource_metadata` is on another origin than the server";
    "RFC 9728 section 7.7; Goose, Codex and others on rmcp before 3.9";
    "serve the document on the server's own origin";
CHL_DOWNGRADE = "CHL-09" Error
    "`resource_metadata` is plain http while the server is https: it does not know its own public URL";
    "RFC 9728 section 3; MCP authorization, communication security";
    "set `base_url` to the public https URL in Portcullis, `base_url` or the proxy headers elsewhere";
CHL_ERROR = "CHL-10" Note
    "the challenge has an `error` although no token was sent";
    "RFC 6750 section 3.1";
    "leave `error` out where there was no token";
CHL_SCOPE = "CHL-11" Note
    "the challenge names no `scope`, so clients ask for all that the metadata lists";
    "MCP authorization, scope selection";
    "set `required_scopes`, if there are any";
CHL_OFFLINE = "CHL-12" Warning
    "the challenge asks for `offline_access`, which is between client and authorization server";
    "MCP 2026-07-28, refresh tokens";
    "take it out of the required scopes; the authorization server's `scopes_supported` is its place";
CHL_GET = "CHL-13" Warning
    "GET without a token is not answered with 401 and a challenge, and some clients begin with GET";
    "Goose, Codex and others on rmcp";
    "check the token before the method, on GET, POST and DELETE alike";
CHL_ERA = "CHL-14" Warning
    "a request of revision 2026-07-28 without a token is not answered with 401, unlike one of 2025-11-25";
    "MCP 2026-07-28, error handling";
    "check the token before the revision";
CHL_LATE = "CHL-15" Warning
    "the body is read before the token: what is no JSON is not answered with 401";
    "RFC 9110 section 15.5.2; MCP authorization, error handling";
    "check the token before the body and its type, so that strangers reach no parser";
CHL_BODY = "CHL-16" Note
    "the body of the 401 is no JSON, and Claude shows its users nothing of it";
    "Claude";
    "answer with a JSON object that has `error` and `error_description`";
CHL_TWICE = "CHL-17" Warning
    "there are several `WWW-Authenticate` header fields, and some clients read the first alone";
    "RFC 9110 section 11.6.1";
    "send one; a proxy in front may add its own";
}
