use proptest::prelude::*;

use super::*;

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> RedirectError {
    match RedirectUri::parse(text) {
        Ok(_) => panic!("{text} was accepted"),
        Err(error) => error,
    }
}

fn pattern(text: &str) -> RedirectPattern {
    RedirectPattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What the registration would say: the text is no redirect URI, or the pattern does not match.
fn allows(ceiling: &str, candidate: &str) -> bool {
    RedirectUri::parse(candidate).is_ok_and(|uri| pattern(ceiling).matches(&uri))
}

#[test]
fn redirect_uris_of_real_clients_are_accepted() {
    for text in [
        "https://claude.ai/api/mcp/auth_callback",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "http://localhost:3118/callback",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
        "http://127.0.0.2:1/x",
        "http://[::1]:1/x",
        "http://localhost/cb",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "claude://claude.ai/mcp-auth-callback/sdk",
        "com.example.app:/oauth2redirect",
        "com.example.app:///oauth2redirect",
        "https://xn--bcher-kva.example/cb",
        "https://h.example:8443/cb?tenant=a%20b&x=%C3%A9",
        "https://192.0.2.1/cb",
        "https://[2001:db8::1]/cb",
    ] {
        assert_eq!(uri(text).as_str(), text);
    }
    assert_eq!(uri("https://h/").scheme_kind(), SchemeKind::Https);
    assert_eq!(uri("http://[::1]/").scheme_kind(), SchemeKind::LoopbackHttp);
    assert_eq!(uri("a.b:/c").scheme_kind(), SchemeKind::PrivateUse);
    assert_eq!(uri("https://H:8443/").host(), Some("h"));
    assert_eq!(uri("https://H:8443/").port(), Some(8443));
    assert!(uri("https://localhost/").is_loopback());
    assert!(!uri("cursor://localhost/cb").is_loopback());
}

#[test]
fn sec_ru_02_comparison_is_by_bytes() {
    let registered = uri("https://h.example/c/A?x=1&y=2");
    assert!(registered.matches(&uri("https://h.example/c/A?x=1&y=2")));
    for other in [
        "https://h.example/c/A/?x=1&y=2",
        "https://H.example/c/A?x=1&y=2",
        "https://h.example/c/a?x=1&y=2",
        "https://h.example/c%2FA?x=1&y=2",
        "https://h.example/c/%41?x=1&y=2",
        "https://h.example:443/c/A?x=1&y=2",
        "https://h.example/c/A?x=1&y=2?",
        "https://h.example/c/A;x?x=1&y=2",
        "https://h.example//c/A?x=1&y=2",
        "https://h.example/c/A?x=1&y=2&z=3",
        "https://h.example/c/A?y=2&x=1",
        "https://h.example/c/A",
        "HTTPS://h.example/c/A?x=1&y=2",
    ] {
        assert!(!registered.matches(&uri(other)), "{other}");
    }
    assert!(!uri("https://h.example/c").matches(&uri("https://h.example/c?")));
    // Only http on loopback varies its port (RFC 8252 section 7.3).
    assert!(!uri("https://h.example/c").matches(&uri("https://h.example:8443/c")));
    assert!(!uri("https://localhost/c").matches(&uri("https://localhost:8443/c")));
}

#[test]
fn sec_ru_02_a_loopback_uri_varies_its_port_alone() {
    for host in ["127.0.0.1", "[::1]", "localhost", "127.0.0.2"] {
        let registered = uri(&format!("http://{host}/cb?x=1"));
        assert!(registered.matches(&uri(&format!("http://{host}:49152/cb?x=1"))));
        assert!(uri(&format!("http://{host}:1/cb")).matches(&uri(&format!("http://{host}:2/cb"))));
        assert!(uri(&format!("http://{host}:1/cb")).matches(&uri(&format!("http://{host}/cb"))));
        for other in ["/cb", "/cb/?x=1", "/CB?x=1", "/cb?x=1&y=2", "/?x=1", "?x=1"] {
            let other = format!("http://{host}:49152{other}");
            assert!(!registered.matches(&uri(&other)), "{other}");
        }
        for other in ["127.0.0.1", "[::1]", "localhost", "127.0.0.2", "h.example"] {
            let other = uri(&format!("https://{other}:1/cb?x=1"));
            assert!(!registered.matches(&other), "{other}");
        }
    }
    let hosts = ["127.0.0.1", "[::1]", "localhost", "127.0.0.2"];
    for (i, one) in hosts.iter().enumerate() {
        for (j, other) in hosts.iter().enumerate() {
            let one = uri(&format!("http://{one}:1/cb"));
            let other = uri(&format!("http://{other}:2/cb"));
            assert_eq!(one.matches(&other), i == j, "{one} {other}");
        }
    }
}

#[test]
fn sec_ru_02_dot_segments_are_refused_behind_any_encoding() {
    for path in [
        "/a/../b",
        "/./a",
        "/a/..",
        "/a/%2e%2e/b",
        "/a/.%2E/b",
        "/%252e%252e/x",
        "/%25252525252e./x",
        "/a/..%2fb",
        "/a/%2e%2e%5cb",
        "/a/..;x/b",
        "/%2e;/a",
    ] {
        assert_eq!(
            refused(&format!("https://h.example{path}")),
            RedirectError::DotSegment,
            "{path}"
        );
        assert_eq!(
            refused(&format!("cursor://app{path}")),
            RedirectError::DotSegment,
            "{path}"
        );
    }
    for path in ["/...", "/a..b", "/.well-known/x", "/a.", "/%2e%2ea"] {
        uri(&format!("https://h.example{path}"));
    }
}

#[test]
fn sec_ru_04_fragments_are_refused() {
    for text in [
        "https://h/cb#",
        "https://h/cb#x",
        "http://localhost:3000/cb#f",
        "a.b:/c#",
        "#",
    ] {
        assert_eq!(refused(text), RedirectError::Fragment, "{text}");
    }
}

#[test]
fn sec_ru_06_nothing_that_looks_like_loopback_is() {
    for host in [
        "localhost.evil.com",
        "127.0.0.1.nip.io",
        "127x0x0x1",
        "128.0.0.1",
        "0.0.0.0",
        "localhosts",
        "sub.localhost",
        "h.example",
    ] {
        assert_eq!(
            refused(&format!("http://{host}/")),
            RedirectError::Insecure,
            "{host}"
        );
    }
    for host in [
        "localhost%2eevil.com",
        "0",
        "0x7f.1",
        "2130706433",
        "127.1",
        "0177.0.0.1",
        "127.0.0.01",
        "[::ffff:127.0.0.1]",
        "[::1%25eth0]",
        "localhost.",
        "[::1].evil",
        "[0:0:0:0:0:0:0:1]",
        "[::1",
        "::1",
        "[]",
        "",
        "a..b",
        "-a.example",
        "1.2.3.4.5",
        "*",
        "h*",
        "xn--a",
        "a,b",
        "xn--",
        "%6cocalhost",
        "127.0.0.1%2f",
    ] {
        for scheme in ["http", "https"] {
            let text = format!("{scheme}://{host}/");
            assert!(RedirectUri::parse(&text).is_err(), "{text}");
        }
    }
    for text in [
        "http://localhost:80@evil.com/",
        "https://user@h/",
        "https://app.example.com@evil.com/",
    ] {
        assert_eq!(refused(text), RedirectError::Credentials, "{text}");
    }
    for text in [
        "http://localhost:1.evil.com/",
        "https://h:/",
        "https://h:0/",
        "https://h:65536/",
        "https://h:0443/",
        "https://h:+1/",
        "https://h:80:80/",
    ] {
        assert_eq!(refused(text), RedirectError::Port, "{text}");
    }
}

#[test]
fn sec_ru_09_dangerous_schemes_are_refused() {
    for scheme in [
        "javascript",
        "JaVaScRiPt",
        "data",
        "vbscript",
        "file",
        "blob",
        "filesystem",
        "view-source",
        "about",
        "chrome",
        "intent",
        "ms-appinstaller",
        "ms-msdt",
        "ws",
        "wss",
        "ftp",
        "mailto",
    ] {
        for rest in ["//localhost/%61alert(1)", "/x", "//h.example/x"] {
            let text = format!("{scheme}:{rest}");
            assert_eq!(refused(&text), RedirectError::DangerousScheme, "{text}");
            let lower = scheme.to_ascii_lowercase();
            assert!(
                RedirectUri::parse_allowing(&text, &[&lower]).is_err(),
                "{text}"
            );
            assert!(RedirectPattern::parse(&text).is_err(), "{text}");
        }
    }
    for text in [
        "javascript:alert(1)",
        "data:text/html,x",
        "java\nscript:/x",
        " javascript:/x",
        "javascript://localhost/%0aalert(1)",
        "\u{1}javascript:/x",
        "mailto:a@b",
    ] {
        assert!(RedirectUri::parse(text).is_err(), "{text:?}");
        assert!(RedirectUri::parse_allowing(text, &["javascript", "data", "mailto"]).is_err());
    }
}

#[test]
fn sec_ru_10_a_private_use_scheme_has_a_dot_or_a_name() {
    for text in [
        "myapp://cb/x",
        "myapp:/x",
        "h:/x",
        "localhost:/x",
        "x-callback:/y",
    ] {
        assert_eq!(refused(text), RedirectError::UnknownScheme, "{text}");
    }
    assert!(RedirectUri::parse_allowing("myapp://cb/x", &["myapp"]).is_ok());
    let registered = uri("cursor://anysphere.cursor-mcp/oauth/callback");
    for other in [
        "cursor://anysphere.cursor-mcp/oauth/callback/",
        "cursor://anysphere.cursor-MCP/oauth/callback",
        "cursor:/oauth/callback",
        "vscode://anysphere.cursor-mcp/oauth/callback",
    ] {
        assert!(!registered.matches(&uri(other)), "{other}");
    }
    for text in [
        "cursor://a@b/x",
        "cursor://a:1/x",
        "cursor://[::1]/x",
        "com.example.app:x",
        "a.b:",
    ] {
        assert!(RedirectUri::parse(text).is_err(), "{text}");
    }
}

#[test]
fn sec_ru_15_international_names_are_a_labels() {
    assert_eq!(
        refused("https://bücher.example/cb"),
        RedirectError::Character
    );
    for host in [
        "xn--bcher-kva8445foa.xn--",
        "xn--0",
        "xn--a-ecp.ru-",
        "xn--ls8h--",
    ] {
        assert!(
            RedirectUri::parse(&format!("https://{host}/")).is_err(),
            "{host}"
        );
    }
    // An A-label of plain ASCII: two spellings of one name.
    assert_eq!(refused("https://xn--example-.com/"), RedirectError::Host);
}

#[test]
fn sec_ru_16_length_is_bounded() {
    let text = format!("https://h/{}", "a".repeat(2048 - 10));
    assert_eq!(uri(&text).as_str().len(), 2048);
    assert_eq!(refused(&format!("{text}a")), RedirectError::TooLong);
}

#[test]
fn sec_ru_17_response_parameters_are_reserved() {
    for query in [
        "code=x",
        "state=",
        "iss",
        "error=a",
        "a=b&code=1",
        "c%6fde=1",
        "%73tate=1",
    ] {
        let text = format!("https://h/cb?{query}");
        assert_eq!(refused(&text), RedirectError::ResponseParameter, "{text}");
    }
    let response = [("code", "a&b"), ("iss", "https://as.example")];
    for (registered, sent) in [
        ("https://h/cb", "https://h/cb?"),
        ("https://h/cb?", "https://h/cb?"),
        ("https://h/cb?a=%41+&b", "https://h/cb?a=%41+&b&"),
        ("https://h/cb?a&", "https://h/cb?a&"),
        ("cursor://app/cb", "cursor://app/cb?"),
    ] {
        assert_eq!(
            uri(registered).with_response(&response),
            format!("{sent}code=a%26b&iss=https%3A%2F%2Fas.example")
        );
    }
}

#[test]
fn other_malformed_texts_are_refused() {
    for text in [
        "",
        "/cb",
        "cb",
        "//h/cb",
        "https:cb",
        "https:/h/cb",
        "https://",
        "https:///cb",
        ":",
        "1a:/x",
        "https://h\\@evil.com/",
        "https://app.example.com\\@evil.com/auth/x",
        "https://h/a b",
        "https://h/a\tb",
        "https://h/%0d%0a",
        "https://h/%250a",
        "https://h/%",
        "https://h/%g1",
        "https://h/\"",
        "https://h/<x>",
        "https://h/[x]",
        "https://h/?a[]=1",
        "https://h/{x}",
        "https://h/\u{0}",
        "https://h/\u{202e}",
        "https://h/?x=%ff",
    ] {
        assert!(RedirectUri::parse(text).is_err(), "{text:?}");
    }
}

/// Pattern, candidate, verdict.
const PATTERNS: &[(&str, &str, bool)] = &[
    ("http://localhost:*", "http://localhost:3000/cb", true),
    ("http://localhost:*", "http://localhost/cb", true),
    ("http://localhost", "http://localhost:3000/any/path", true),
    ("http://localhost:3000", "http://localhost:3001/cb", false),
    ("http://localhost:*", "http://127.0.0.1:3000/cb", false),
    ("http://localhost:*", "http://localhost:80@evil.com/", false),
    ("http://localhost:*", "http://localhost:1.evil.com/", false),
    ("http://localhost:*", "http://localhost:3000/cb#f", false),
    ("http://[::1]:*/cb", "http://[::1]:1/cb", true),
    ("https://*.example.com/*", "https://a.example.com/x", true),
    ("https://*.example.com/*", "https://A.EXAMPLE.com/x", true),
    (
        "https://*.example.com/*",
        "https://a.b.example.com/x",
        false,
    ),
    (
        "https://*.example.com/*",
        "https://a.example.com/x/y",
        false,
    ),
    ("https://*.example.com/*", "https://a.example.com/", false),
    (
        "https://*.example.com/*",
        "https://a.example.com:8443/x",
        false,
    ),
    (
        "https://*.example.com:*/*",
        "https://a.example.com:8443/x",
        true,
    ),
    ("https://*.example.com/*", "https://example.com/x", false),
    (
        "https://*.example.com/*",
        "https://evilexample.com/x",
        false,
    ),
    (
        "https://*.example.com/*",
        "https://evil.com/x.example.com/cb",
        false,
    ),
    (
        "https://*.example.com/*",
        "https://evil.com?x=.example.com/",
        false,
    ),
    (
        "https://*.example.com/*",
        "https://evil.com/?x=.example.com/",
        false,
    ),
    (
        "https://*.example.com/*",
        "https://evil.com#.example.com/",
        false,
    ),
    (
        "https://app.example.com/auth/*",
        "https://app.example.com/auth/x",
        true,
    ),
    (
        "https://app.example.com/auth/*",
        "https://app.example.com/auth/../x",
        false,
    ),
    (
        "https://app.example.com/auth/*",
        "https://app.example.com/auth/%2e%2e/x",
        false,
    ),
    (
        "https://app.example.com/auth/*",
        "https://app.example.com/auth/%252e%252e/x",
        false,
    ),
    (
        "https://app.example.com/auth/*",
        "https://app.example.com/auth/x#frag",
        false,
    ),
    (
        "https://app.example.com/auth/**",
        "https://app.example.com/auth/a/b/c",
        true,
    ),
    (
        "https://app.example.com/auth/**",
        "https://app.example.com/author",
        false,
    ),
    (
        "https://app.example.com/auth/**",
        "https://app.example.com/auth",
        false,
    ),
    (
        "https://app.example.com/*",
        "https://app.example.com\\@evil.com/auth/x",
        false,
    ),
    (
        "https://app.example.com",
        "https://app.example.com/anything",
        true,
    ),
    (
        "https://app.example.com",
        "https://app.example.com:8443/anything",
        false,
    ),
    (
        "https://app.example.com/cb-*",
        "https://app.example.com/cb-1?x=y",
        true,
    ),
    (
        "https://app.example.com/cb-*",
        "https://app.example.com/cb-",
        false,
    ),
    (
        "https://app.example.com/a?x=1",
        "https://app.example.com/a?x=1",
        true,
    ),
    (
        "https://app.example.com/a?x=1",
        "https://app.example.com/a?x=1&y=2",
        false,
    ),
    (
        "https://app.example.com/a?x=1",
        "https://app.example.com/a",
        false,
    ),
    (
        "cursor://anysphere.cursor-retrieval/oauth/*/callback",
        "cursor://anysphere.cursor-retrieval/oauth/user-x/callback",
        true,
    ),
    (
        "cursor://anysphere.cursor-retrieval/oauth/*",
        "cursor://evil/oauth/x",
        false,
    ),
    ("com.example.app:/cb", "com.example.app:/cb", true),
    ("com.example.app:/cb", "com.example.app://cb", false),
    ("https://h/c", "https://H/c", true),
    ("https://h/c", "http://localhost/c", false),
];

#[test]
fn sec_ru_02_the_table_of_patterns_holds() {
    for (ceiling, candidate, allowed) in PATTERNS {
        assert_eq!(
            allows(ceiling, candidate),
            *allowed,
            "{ceiling} {candidate}"
        );
    }
}

#[test]
fn sec_ru_02_a_star_matches_no_encoded_slash() {
    for star in ["a%2fb", "a%2Fb", "a%252fb", "a%5cb", "%2f"] {
        let candidate = format!("https://h.example/x/{star}");
        assert!(!allows("https://h.example/x/*", &candidate), "{candidate}");
        assert!(!allows("https://h.example/*", &candidate), "{candidate}");
    }
    assert!(allows("https://h.example/x/*", "https://h.example/x/a%41b"));
}

#[test]
fn sec_ru_13_patterns_for_every_host_are_errors() {
    for text in [
        "*",
        "*://h/",
        "https://*",
        "https://*/cb",
        "https://*:443/",
        "https://*.com/",
        "https://*.",
        "https://*..example.com",
        "https://a*.example.com/",
        "https://a.*.com/",
        "https://*a.example.com/",
        "https://*.*.example.com/",
        "https://h/**/x",
        "https://h/*x*",
        "https://h/***",
        "https://h/?x=*",
        "cursor://*/x",
        "https://h:*1/",
    ] {
        assert!(RedirectPattern::parse(text).is_err(), "{text}");
    }
    assert!(matches!(
        RedirectPattern::parse("*"),
        Err(RedirectError::Wildcard)
    ));
    assert!(matches!(
        RedirectPattern::parse("https://*"),
        Err(RedirectError::Wildcard)
    ));
    assert!(matches!(
        RedirectPattern::parse("http://h.example/*"),
        Err(RedirectError::Insecure)
    ));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}|https?://[a-z.*:\\[\\]%@0-9]{0,20}[/a-z.%?#*&=]{0,20}") {
        let parsed = RedirectUri::parse(&text);
        if let Ok(uri) = &parsed {
            prop_assert_eq!(uri.as_str(), text.as_str());
            prop_assert!(uri.matches(uri));
        }
        if let Ok(pattern) = RedirectPattern::parse(&text) {
            // A pattern without a star, read as a URI, is within itself.
            if let Ok(uri) = parsed && !text.contains('*') {
                prop_assert!(pattern.matches(&uri));
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "browsers' parser is the reference here")]
    fn browsers_read_the_same_host(text in "https?://[a-zA-Z.:0-9\\-]{1,20}(/[a-z.%2e]{0,10})?(\\?[a-z=]{0,5})?") {
        if let Ok(uri) = RedirectUri::parse(&text) {
            let browser = url::Url::parse(&text).unwrap();
            prop_assert_eq!(browser.host_str(), uri.host());
            let default = if browser.scheme() == "https" { 443 } else { 80 };
            prop_assert_eq!(browser.port_or_known_default(), uri.port().or(Some(default)));
            prop_assert_eq!(browser.username(), "");
        }
    }

    #[test]
    fn a_response_is_appended_and_nothing_else_changes(value in ".{0,20}") {
        let registered = uri("https://h.example/cb?a=%2B+");
        let sent = registered.with_response(&[("state", &value)]);
        let query = sent.strip_prefix("https://h.example/cb?a=%2B+&").unwrap();
        let form = form::Form::parse(query.as_bytes(), form::Limits::ENDPOINT).unwrap();
        prop_assert_eq!(form.iter().collect::<Vec<_>>(), vec![("state", value.as_str())]);
    }
}
