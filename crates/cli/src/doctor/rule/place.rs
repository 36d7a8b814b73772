//! Where the server is, and whether it is one.

super::rules! {
URL_INSECURE = "URL-01" Error
    "the URL is plain http beyond this machine, which no client sends a token to";
    "MCP authorization, communication security; OAuth 2.1 section 1.5";
    "serve it by https: `tls.cert` and `tls.key` in Portcullis, or a proxy in front that ends TLS";
URL_HOME = "URL-02" Note
    "the server is on this machine: clients that run elsewhere, such as claude.ai and ChatGPT, cannot reach it";
    "MCP transports, Streamable HTTP";
    "for hosted clients give it a public https URL; Claude Code, Cursor, VS Code, Gemini CLI, Goose and Codex run here";
URL_PORT = "URL-03" Warning
    "the port is not 443, and claude.ai connects to no other";
    "claude.ai, ChatGPT";
    "serve it on port 443, by a proxy in front if need be, and say so in `base_url`";
URL_SLASH = "URL-04" Note
    "the URL ends with a slash, which clients compare and lose";
    "MCP authorization, canonical server URI";
    "give users the URL without it, and let the metadata say the same";
NET_NAME = "NET-01" Error
    "the name has no address";
    "RFC 1034";
    "check the spelling, and the DNS records of the name";
NET_CONNECT = "NET-02" Error
    "there is no connection, or no TLS";
    "RFC 9110 section 4.3.4";
    "check that the server runs, that its port is open, and that its certificate is for this name and by an authority that this machine trusts";
NET_SILENT = "NET-03" Error
    "the server does not answer in time";
    "RFC 9110";
    "look at its log, and at the proxy in front of it";
NET_REDIRECT = "NET-04" Error
    "the URL redirects, and a client that follows loses its body or its token";
    "MCP transports; RFC 9110 section 15.4";
    "give users the URL that it leads to; let both spellings, with a slash and without, answer by themselves, as Portcullis does";
NET_BROKEN = "NET-05" Error
    "the server, or a proxy in front of it, answers with an error of its own";
    "RFC 9110 section 15.6";
    "look at the log of the server, and whether the proxy reaches it";
NET_OTHER = "NET-06" Error
    "what answers is no MCP server";
    "MCP transports, Streamable HTTP";
    "check the path: `/mcp` is usual, and `mcp_path` or `upstream.path` says it in Portcullis";
NET_HTML = "NET-07" Error
    "a web page answers instead of the server: a login page, a firewall or a challenge for browsers";
    "MCP transports; claude.ai";
    "let the MCP path, `/.well-known/` and the OAuth endpoints through such a front without a cookie or a page";
NET_SLOW = "NET-08" Note
    "the first answer took longer than two seconds";
    "clients' time-outs";
    "keep an instance warm, or look where the time goes";
NET_REFUSED = "NET-09" Error
    "this address is not asked";
    "RFC 6890";
    "give a URL that a server of yours can have";
}
