use super::server::{Endpoint, well_known_urls};
use super::*;
use crate::id::{Issuer, ResourceUrl};
use crate::json::{self, Limits, Value, json};

fn issuer(text: &str) -> Issuer {
    Issuer::parse(text).unwrap()
}

fn resource(text: &str) -> ResourceUrl {
    ResourceUrl::parse(text).unwrap()
}

fn written<T: serde::Serialize>(document: &T) -> Value {
    json::value(&json::to_vec(document).unwrap(), Limits::METADATA).unwrap()
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty() || elements.iter().any(says_nothing),
        Value::Object(members) => members.values().any(says_nothing),
        _ => false,
    }
}

#[test]
fn interop_d9_metadata_has_no_nulls_and_no_empty_strings() {
    let mut server = AuthorizationServerMetadata::new(&issuer("https://a.example"));
    server.jwks_uri = Some(String::new());
    server.token_endpoint = Some("https://a.example/token".to_owned());
    server.extra.insert("nothing".to_owned(), Value::Null);
    server.extra.insert("empty".to_owned(), json!(""));
    server.extra.insert("kept".to_owned(), json!(1));
    assert_eq!(
        written(&server),
        json!({
            "issuer": "https://a.example",
            "token_endpoint": "https://a.example/token",
            "kept": 1,
        })
    );
    let document = ProtectedResourceMetadata::new(&resource("https://a.example/mcp"));
    assert!(!says_nothing(&written(&document)));
    assert_eq!(written(&ClientMetadata::new()), json!({}));
}

#[test]
fn the_golden_server_document_survives_a_round_trip() {
    let golden = json!({
        "issuer": "https://mcp.example.com",
        "authorization_endpoint": "https://mcp.example.com/oauth/authorize",
        "token_endpoint": "https://mcp.example.com/oauth/token",
        "jwks_uri": "https://mcp.example.com/oauth/jwks",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["mcp:read", "offline_access"],
        "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": true,
        "vendor_member": {"a": [1, 2]},
    });
    let bytes = json::to_vec(&golden).unwrap();
    let server =
        AuthorizationServerMetadata::parse_for(&issuer("https://mcp.example.com"), &bytes).unwrap();
    assert_eq!(server.code_challenge_methods_supported, ["S256"]);
    assert_eq!(server.extra["vendor_member"], json!({"a": [1, 2]}));
    assert_eq!(written(&server), golden);
}

#[test]
fn null_and_empty_members_count_as_absent() {
    let text = br#"{"issuer":"https://a.example","jwks_uri":null,"token_endpoint":"","scopes_supported":null}"#;
    let server =
        AuthorizationServerMetadata::parse_for(&issuer("https://a.example"), text).unwrap();
    assert_eq!(
        server,
        AuthorizationServerMetadata::new(&issuer("https://a.example"))
    );
    assert_eq!(
        server.endpoint(Endpoint::Jwks),
        Err(MetadataError::Missing { member: "jwks_uri" })
    );
}

#[test]
fn sec_key_09_a_document_of_another_issuer_is_refused() {
    let asked = issuer("https://auth.example.com/a");
    for named in [
        "https://auth.example.com/A",
        "https://auth.example.com:443/a",
        "https://auth.example.com",
        "https://evil.example/a",
        "{issuer}",
    ] {
        let document = json::to_vec(&json!({"issuer": named})).unwrap();
        let refused = AuthorizationServerMetadata::parse_for(&asked, &document);
        assert_eq!(refused, Err(MetadataError::WrongIssuer), "{named}");
    }
    for (asked, named) in [
        ("https://auth.example.com/a", "https://auth.example.com/a/"),
        ("https://auth.example.com/a/", "https://auth.example.com/a"),
        ("https://auth.example.com/", "https://auth.example.com"),
    ] {
        let document = json::to_vec(&json!({"issuer": named})).unwrap();
        let refused = AuthorizationServerMetadata::parse_for(&issuer(asked), &document);
        assert_eq!(refused, Err(MetadataError::IssuerSlash), "{asked} {named}");
    }
    for text in ["{}", r#"{"issuer":1}"#, r#"{"issuer":null}"#, "[]", ""] {
        let refused = AuthorizationServerMetadata::parse_for(&asked, text.as_bytes());
        assert!(matches!(refused, Err(MetadataError::Document(_))), "{text}");
    }
    let twice = br#"{"issuer":"https://evil.example","issuer":"https://auth.example.com/a"}"#;
    assert!(AuthorizationServerMetadata::parse_for(&asked, twice).is_err());
}

#[test]
fn sec_cl_01_only_https_endpoints_are_usable() {
    let mut server = AuthorizationServerMetadata::new(&issuer("https://a.example"));
    for text in [
        "javascript:alert(1)",
        "http://a.example/authorize",
        "file:///etc/passwd",
        "https://user@a.example/authorize",
        "/authorize",
        "-flag",
    ] {
        server.authorization_endpoint = Some(text.to_owned());
        assert!(
            matches!(
                server.endpoint(Endpoint::Authorization),
                Err(MetadataError::Endpoint {
                    member: "authorization_endpoint",
                    ..
                })
            ),
            "{text}"
        );
    }
    server.authorization_endpoint = Some("https://a.example/authorize?tenant=1".to_owned());
    let url = server.endpoint(Endpoint::Authorization).unwrap();
    assert_eq!(url.as_str(), "https://a.example/authorize?tenant=1");
}

#[test]
fn sec_cl_03_a_document_for_another_resource_is_refused() {
    let asked = resource("https://h.example/mcp");
    let document = |named: &str| json::to_vec(&json!({"resource": named})).unwrap();
    assert!(
        ProtectedResourceMetadata::parse_for(&asked, &document("https://h.example/mcp")).is_ok()
    );
    for named in [
        "https://h.example/mcp/",
        "https://h.example",
        "https://evil.example/mcp",
        "https://H.example/mcp",
    ] {
        let refused = ProtectedResourceMetadata::parse_for(&asked, &document(named));
        assert_eq!(refused, Err(MetadataError::WrongResource), "{named}");
    }
    let covers = |named: &str, server: &str| {
        let document = ProtectedResourceMetadata::parse(&document(named)).unwrap();
        document.covers(&resource(server))
    };
    assert!(covers("https://h.example/mcp", "https://h.example/mcp"));
    assert!(covers("https://h.example/mcp/", "https://h.example/mcp"));
    assert!(covers("https://h.example", "https://h.example/mcp"));
    assert!(covers("https://h.example/", "https://h.example/mcp"));
    assert!(covers("https://h.example/a", "https://h.example/a/b"));
    assert!(!covers("https://h.example/mc", "https://h.example/mcp"));
    assert!(!covers("https://h.example/mcp", "https://h.example"));
    assert!(!covers("https://h.example/b", "https://h.example/a/b"));
    assert!(!covers(
        "https://h.example",
        "https://h.example.evil.example/mcp"
    ));
    assert!(!covers("https://h.example:8443", "https://h.example/mcp"));
    assert!(!covers("http://h.example", "https://h.example/mcp"));
}

#[test]
fn sec_rs_30_offline_access_is_never_listed() {
    let mut document = ProtectedResourceMetadata::new(&resource("https://h.example/mcp"));
    document.scopes_supported = vec!["a".to_owned(), "offline_access".to_owned()];
    assert_eq!(written(&document)["scopes_supported"], json!(["a"]));
    document.scopes_supported.remove(0);
    assert_eq!(written(&document).get("scopes_supported"), None);
}

#[test]
fn well_known_locations_follow_the_path() {
    assert_eq!(
        well_known_urls(&issuer("https://a.example")),
        [
            "https://a.example/.well-known/oauth-authorization-server",
            "https://a.example/.well-known/openid-configuration",
        ]
    );
    assert_eq!(
        well_known_urls(&issuer("https://a.example/")),
        well_known_urls(&issuer("https://a.example"))
    );
    assert_eq!(
        super::resource::well_known_url(&resource("https://h.example:8443/mcp?x=1")),
        "https://h.example:8443/.well-known/oauth-protected-resource/mcp?x=1"
    );
}

#[test]
fn client_metadata_is_read_leniently() {
    let client = ClientMetadata::parse(
        br#"{"redirect_uris":["http://localhost:1/cb"],"client_uri":"","scope":"","contacts":null,
            "client_name":"A","client_name#ja":"B","grant_types":[]}"#,
        Limits::METADATA,
    )
    .unwrap();
    assert_eq!(client.redirect_uris, ["http://localhost:1/cb"]);
    assert_eq!((client.client_uri, client.scope), (None, None));
    assert_eq!(client.grant_types, Some(vec![]));
    assert_eq!(client.response_types, None);
    assert_eq!(client.extra["client_name#ja"], "B");
    for bad in [
        r#"{"redirect_uris":"https://a"}"#,
        r#"{"redirect_uris":[1]}"#,
        "[]",
        "\"x\"",
    ] {
        assert!(
            ClientMetadata::parse(bad.as_bytes(), Limits::METADATA).is_err(),
            "{bad}"
        );
    }
}
