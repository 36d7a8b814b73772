//! How a client gets an id.

super::rules! {
REG_NONE = "REG-01" Error
    "there is no way for this client to get a client id by itself";
    "MCP client registration";
    "offer `registration_endpoint`, or client id metadata documents with the method `none`; else users need a client id made by hand";
REG_PUBLIC = "REG-02" Note
    "client id metadata documents are offered without the method `none`, so Claude and others register instead";
    "MCP client registration; Claude";
    "list `none` in `token_endpoint_auth_methods_supported`";
REG_ASSERTION = "REG-03" Warning
    "client id metadata documents are offered without `private_key_jwt`, and some builds of ChatGPT know no other way";
    "ChatGPT";
    "accept `private_key_jwt` with RS256 and list it";
REG_DOCUMENTS = "REG-04" Note
    "client id metadata documents are not offered; registration is deprecated in favour of them";
    "MCP 2026-07-28, client registration";
    "support them and say `client_id_metadata_document_supported`";
REG_ENDPOINT = "REG-05" Error
    "`registration_endpoint` is no URL that a client calls";
    "RFC 7591 section 3; MCP authorization, communication security";
    "let it be an https URL without a fragment";
REG_REFUSED = "REG-06" Error
    "a registration in the shape of this client's is refused";
    "RFC 7591 section 3.2.2";
    "accept its redirect URIs, drop the ones and the scopes that are not wanted, and refuse no registration as a whole for one of them";
REG_ANSWER = "REG-07" Error
    "the answer to a registration is not 201 or 200 with JSON that has a `client_id`";
    "RFC 7591 section 3.2.1";
    "answer 201 with the metadata as registered";
REG_EMPTY = "REG-08" Warning
    "members of the answer are null or an empty text, which strict clients refuse";
    "RFC 7591 section 3.2.1; ChatGPT, MCP TypeScript SDK";
    "leave out what has no value, `client_secret` of a public client above all";
REG_CHANGED = "REG-09" Warning
    "the answer leaves out redirect URIs that were asked for, or does not repeat them";
    "RFC 7591 section 3.2.1";
    "right where policy wants it; a client that was given another URI than it uses fails at login";
REG_LEFT = "REG-10" Note
    "registered clients are left behind";
    "RFC 7592 section 2.3";
    "remove them by hand: their names begin with `portcullis doctor`";
}
