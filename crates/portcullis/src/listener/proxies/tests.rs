use super::*;

fn proxies() -> Proxies {
    let networks = ["10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"];
    Proxies::new(networks.iter().map(|text| text.parse().unwrap()))
}

/// Who called, by the peer and the header fields of the request.
fn client(peer: &str, fields: &[(&'static str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    proxies()
        .client(peer.parse().unwrap(), &headers)
        .to_string()
}

fn listed_as(value: &str) -> String {
    client("10.0.0.1", &[("x-forwarded-for", value)])
}

fn forwarded_as(value: &str) -> String {
    client("10.0.0.1", &[("forwarded", value)])
}

#[test]
fn sec_gw_08_a_stranger_cannot_say_where_it_is() {
    for peer in ["203.0.113.9", "192.0.2.8", "2001:db8:2::1", "127.0.0.1"] {
        for fields in [
            &[("x-forwarded-for", "10.0.0.1")][..],
            &[("forwarded", "for=10.0.0.1")],
            &[("x-real-ip", "10.0.0.1")],
            &[
                ("x-forwarded-for", "127.0.0.1"),
                ("forwarded", "for=127.0.0.1"),
            ],
        ] {
            assert_eq!(client(peer, fields), peer, "{fields:?}");
        }
    }
    assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    assert_eq!(
        client("10.0.0.1", &[("x-real-ip", "203.0.113.9")]),
        "10.0.0.1"
    );
}

fn at(peer: &str, fields: &[(&'static str, &str)]) -> ClientAddress {
    let fields = fields.iter().map(|(name, value)| {
        let value = value.parse().unwrap();
        (HeaderName::from_static(name), value)
    });
    proxies().client(peer.parse().unwrap(), &fields.collect())
}

#[test]
fn sec_gw_08_a_proxy_is_not_its_clients() {
    for field in FIELDS {
        let name = field.replace('*', "for").leak();
        for peer in ["127.0.0.1", "::1", "203.0.113.9"] {
            assert!(at(peer, &[(name, "6.6.6.6")]).is_relay(), "{name} {peer}");
        }
    }
    // A trusted one that names nobody, or whose client made it unreadable.
    for fields in [
        &[("x-real-ip", "203.0.113.9")][..],
        &[("x-forwarded-for", "unknown")],
        &[
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=6.6.6.6"),
        ],
    ] {
        let peer = at("10.0.0.1", fields);
        assert!(peer.is_relay() && peer.ip().to_string() == "10.0.0.1");
    }
    for fields in [
        &[][..],
        &[("user-agent", "via"), ("x-forward", "6.6.6.6")],
        &[("origin", "http://localhost:6274"), ("mcp-session-id", "1")],
    ] {
        assert!(!at("127.0.0.1", fields).is_relay(), "{fields:?}");
    }
    let named = at("10.0.0.1", &[("x-forwarded-for", "203.0.113.9")]);
    assert!(!named.is_relay());
}

#[test]
fn sec_gw_08_the_last_stranger_in_the_chain_is_the_client() {
    for (chain, who) in [
        ("203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.66, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.2, 192.0.2.7", "203.0.113.9"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("evil\", 203.0.113.9", "203.0.113.9"),
    ] {
        assert_eq!(listed_as(chain), who, "{chain}");
        if !chain.contains('"') {
            let elements: Vec<_> = chain.split(", ").map(|hop| format!("for={hop}")).collect();
            assert_eq!(forwarded_as(&elements.join(", ")), who, "{chain}");
        }
    }
    let lines = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "203.0.113.9, 10.0.0.2"),
    ];
    assert_eq!(client("10.0.0.1", &lines), "203.0.113.9");
}

#[test]
fn sec_gw_08_an_address_has_one_spelling() {
    assert_eq!(client("::ffff:203.0.113.9", &[]), "203.0.113.9");
    let fields = [(
        "x-forwarded-for",
        "6.6.6.6, ::ffff:203.0.113.9, ::ffff:10.9.9.9",
    )];
    assert_eq!(client("::ffff:10.0.0.1", &fields), "203.0.113.9");
    for (hop, who) in [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("[2001:DB8:0::9]:4711", "2001:db8::9"),
        ("2001:db8:1::5", "2001:db8:1::5"),
    ] {
        assert_eq!(listed_as(hop), who, "{hop}");
    }
    for (element, who) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=\"203.0.113.9:4711\"", "203.0.113.9"),
        ("FOR=\"[2001:db8::9]:4711\"", "2001:db8::9"),
        ("for=\"[2001:db8::9]\";proto=https;by=_a", "2001:db8::9"),
        ("proto=https ; for=\"203.0.113.9:_x1\"", "203.0.113.9"),
        ("for=\"203\\.0.113.9\"", "203.0.113.9"),
        ("by=\"a,b;for=6.6.6.6\";for=203.0.113.9", "203.0.113.9"),
    ] {
        assert_eq!(forwarded_as(element), who, "{element}");
    }
}

/// The last one known is the proxy whose word was not good enough.
#[test]
fn sec_gw_08_what_is_no_address_ends_the_chain() {
    for hop in [
        "unknown",
        "_hidden",
        "",
        "203.0.113",
        "203.0.113.9:99999",
        "203.0.113.9:",
        "203.0.113.9:+1",
        "[203.0.113.9]",
        "[2001:db8::9",
        "[2001:db8::9]x",
        "fe80::1%eth0",
        "evil.example",
        "203.0.113.009",
    ] {
        assert_eq!(listed_as(&format!("6.6.6.6, {hop}")), "10.0.0.1", "{hop}");
        let chain = format!("6.6.6.6, {hop}, 10.0.0.2");
        assert_eq!(listed_as(&chain), "10.0.0.2", "{hop}");
    }
    for element in [
        "for=unknown",
        "for=_hidden",
        "for=2001:db8::9",
        "for=\"2001:db8::9\"",
        "for=[2001:db8::9]",
        "proto=https",
        "for=203.0.113.9:80",
        "for=\"203.0.113.9:_\"",
        "for=\"[2001:db8::9]4711\"",
        "for",
        "for=",
        "=203.0.113.9",
        "for=203.0.113.9;for=203.0.113.8",
        "for=203.0.113.9;",
        "for=203.0.113.9,",
        ",for=203.0.113.9",
        "for=203.0.113.9 for=1.1.1.1",
        "for=\"203.0.113.9",
        "for=\"203.0.113.9\\",
        "",
    ] {
        let said = forwarded_as(&format!("for=6.6.6.6, {element}"));
        assert_eq!(said, "10.0.0.1", "{element}");
    }
    assert_eq!(forwarded_as("for=\", for=203.0.113.9"), "10.0.0.1");
    let bytes = axum::http::HeaderValue::from_bytes(b"203.0.113.9\xff").unwrap();
    let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, bytes)]);
    let peer = "10.0.0.1".parse().unwrap();
    assert_eq!(proxies().client(peer, &headers).ip(), peer);
}

#[test]
fn sec_gw_08_two_fields_that_disagree_say_nothing() {
    let both = |listed: &'static str, forwarded: &'static str| {
        let fields = [("x-forwarded-for", listed), ("forwarded", forwarded)];
        client("10.0.0.1", &fields)
    };
    assert_eq!(both("203.0.113.9", "for=203.0.113.9"), "203.0.113.9");
    assert_eq!(
        both("6.6.6.6, 203.0.113.9", "for=203.0.113.9"),
        "203.0.113.9"
    );
    assert_eq!(both("203.0.113.9", "for=6.6.6.6"), "10.0.0.1");
    assert_eq!(both("203.0.113.9", "for=\""), "10.0.0.1");
    assert_eq!(both("unknown", "for=6.6.6.6"), "10.0.0.1");
}
