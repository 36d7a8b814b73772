use super::*;

fn verdict(text: &str) -> Verdict {
    classify(text.parse().expect(text))
}

#[test]
fn sec_sf_01_every_special_range_is_known_from_its_first_to_its_last_address() {
    for (first, last, expected) in [
        ("0.0.0.0", "0.255.255.255", Verdict::Reserved),
        ("10.0.0.0", "10.255.255.255", Verdict::Private),
        ("100.64.0.0", "100.127.255.255", Verdict::Private),
        ("127.0.0.0", "127.255.255.255", Verdict::Loopback),
        ("169.254.0.0", "169.254.255.255", Verdict::LinkLocal),
        ("172.16.0.0", "172.31.255.255", Verdict::Private),
        ("192.0.0.0", "192.0.0.255", Verdict::Reserved),
        ("192.0.2.0", "192.0.2.255", Verdict::Reserved),
        ("192.88.99.0", "192.88.99.255", Verdict::Reserved),
        ("192.168.0.0", "192.168.255.255", Verdict::Private),
        ("198.18.0.0", "198.19.255.255", Verdict::Private),
        ("198.51.100.0", "198.51.100.255", Verdict::Reserved),
        ("203.0.113.0", "203.0.113.255", Verdict::Reserved),
        ("224.0.0.0", "239.255.255.255", Verdict::Reserved),
        ("240.0.0.0", "255.255.255.255", Verdict::Reserved),
        ("::", "::", Verdict::Reserved),
        ("::1", "::1", Verdict::Loopback),
        ("64:ff9b:1::", "64:ff9b:1:ffff::ffff", Verdict::Reserved),
        ("100::", "100::ffff:ffff:ffff:ffff", Verdict::Reserved),
        ("2001:1::", "2001:1ff:ffff::", Verdict::Reserved),
        ("2001:db8::", "2001:db8:ffff::ffff", Verdict::Reserved),
        ("3fff::", "3fff:fff:ffff::", Verdict::Reserved),
        ("5f00::", "5f00:ffff::", Verdict::Reserved),
        ("fc00::", "fdff:ffff::ffff", Verdict::Private),
        ("fe80::", "febf:ffff::ffff", Verdict::LinkLocal),
        ("fec0::", "feff:ffff::ffff", Verdict::Private),
        ("ff00::", "ffff:ffff::ffff", Verdict::Reserved),
    ] {
        assert_eq!(verdict(first), expected, "{first}");
        assert_eq!(verdict(last), expected, "{last}");
    }
}

#[test]
fn the_neighbours_of_special_ranges_are_public() {
    for text in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "203.0.114.0",
        "223.255.255.255",
        "2000::",
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2003::",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "3ffe:ffff::",
    ] {
        assert_eq!(verdict(text), Verdict::Public, "{text}");
    }
}

#[test]
fn sec_sf_01_metadata_services_are_never_just_private() {
    for text in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    ] {
        assert_eq!(verdict(text), Verdict::LinkLocal, "{text}");
    }
}

#[test]
fn sec_sf_01_an_embedded_address_is_judged_as_itself() {
    let cases = [
        ("127.0.0.1", Verdict::Loopback),
        ("10.1.2.3", Verdict::Private),
        ("169.254.169.254", Verdict::LinkLocal),
        ("255.255.255.255", Verdict::Reserved),
        ("93.184.215.14", Verdict::Transition),
    ];
    for (inner, expected) in cases {
        let inner: Ipv4Addr = inner.parse().unwrap();
        let [a, b, c, d] = inner.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        for outer in [
            format!("::ffff:{inner}"),
            format!("::ffff:0:{inner}"),
            format!("::{inner}"),
            format!("64:ff9b::{inner}"),
            format!("2002:{high:x}:{low:x}::1"),
            format!("2001:0:4136:e378:8000:63bf:{:x}:{:x}", !high, !low),
            format!("2606:4700:1:2::5efe:{inner}"),
            format!("2606:4700:1:2:200:5efe:{inner}"),
        ] {
            assert_eq!(verdict(&outer), expected, "{outer}");
        }
    }
}
