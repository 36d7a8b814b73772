//! Which addresses are on the public internet, and what the others are.
//!
//! The two tables hold the special-purpose registries of IANA for IPv4 and IPv6 (RFC 6890), the
//! address blocks that RFCs retired but stacks still route, and the few addresses under which
//! clouds serve instance metadata. An IPv6 address that stands for an IPv4 one is read again as
//! that one, so no spelling of `169.254.169.254` gets another verdict than the plain one.
//!
//! Of IPv6 only `2000::/3` is handed out for the public internet (RFC 4291 section 2.4); what lies
//! outside it and in no table is [`Verdict::Reserved`].
//!
//! ```
//! use portcullis_fetch::address::{Verdict, classify};
//!
//! assert_eq!(classify("93.184.215.14".parse()?), Verdict::Public);
//! assert_eq!(classify("::ffff:10.0.0.1".parse()?), Verdict::Private);
//! assert_eq!(classify("64:ff9b::a9fe:a9fe".parse()?), Verdict::LinkLocal);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(test)]
mod tests;

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// A unicast address of the public internet.
    Public,
    /// This host: `127.0.0.0/8`, `::1`.
    Loopback,
    /// A network of one's own: private use (RFC 1918, RFC 4193), shared space behind a carrier's
    /// NAT (RFC 6598), site-local (RFC 3879), benchmarking (RFC 2544).
    Private,
    /// The link itself (RFC 3927, RFC 4291), and the instance metadata services of clouds, be
    /// they there or elsewhere.
    LinkLocal,
    /// An IPv6 address that stands for a public IPv4 one: mapped, compatible, translated, 6to4,
    /// NAT64, Teredo, ISATAP. One that stands for any other address has that address's verdict.
    Transition,
    /// All else: unspecified, multicast, broadcast, documentation, protocol assignments, and what
    /// nobody has been given yet.
    Reserved,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Transition => "transition",
            Self::Reserved => "reserved",
        })
    }
}

/// Says what `address` is.
pub fn classify(address: IpAddr) -> Verdict {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Verdict {
    V4.iter()
        .find(|range| address.to_bits() >> (32 - range.prefix) == range.base())
        .map_or(Verdict::Public, |range| range.verdict)
}

fn v6(address: Ipv6Addr) -> Verdict {
    let bits = address.to_bits();
    let rule = V6
        .iter()
        .find(|range| bits >> (128 - range.prefix) == range.base())
        .map(|range| range.rule);
    match rule {
        Some(Rule::Is(verdict)) => verdict,
        // SECURITY: a translator or a tunnel delivers to the IPv4 address inside;
        // sec_sf_01_an_embedded_address_is_judged_as_itself
        Some(Rule::Embeds(place)) => embedded(place.read(bits)),
        None if is_isatap(bits) => embedded(Place::Low.read(bits)),
        None if bits >> 125 == 0b001 => Verdict::Public,
        None => Verdict::Reserved,
    }
}

fn embedded(address: Ipv4Addr) -> Verdict {
    match v4(address) {
        Verdict::Public => Verdict::Transition,
        other => other,
    }
}

/// An interface identifier of `[0200:]5efe:a.b.c.d` (RFC 5214 section 6.1).
fn is_isatap(bits: u128) -> bool {
    const UNIVERSAL: u128 = 0x0200_0000;
    (bits >> 32) & 0xffff_ffff & !UNIVERSAL == 0x5efe
}

struct V4Range {
    first: [u8; 4],
    prefix: u32,
    verdict: Verdict,
}

impl V4Range {
    const fn base(&self) -> u32 {
        u32::from_be_bytes(self.first) >> (32 - self.prefix)
    }
}

const fn r4(first: [u8; 4], prefix: u32, verdict: Verdict) -> V4Range {
    V4Range {
        first,
        prefix,
        verdict,
    }
}

/// The first range that holds an address decides.
const V4: &[V4Range] = &[
    r4([0, 0, 0, 0], 8, Verdict::Reserved), // this network, RFC 791
    r4([10, 0, 0, 0], 8, Verdict::Private), // RFC 1918
    r4([100, 100, 100, 200], 32, Verdict::LinkLocal), // Alibaba Cloud metadata
    r4([100, 64, 0, 0], 10, Verdict::Private), // shared space, RFC 6598
    r4([127, 0, 0, 0], 8, Verdict::Loopback), // RFC 1122
    r4([168, 63, 129, 16], 32, Verdict::LinkLocal), // Azure platform services
    r4([169, 254, 0, 0], 16, Verdict::LinkLocal), // RFC 3927
    r4([172, 16, 0, 0], 12, Verdict::Private), // RFC 1918
    r4([192, 0, 0, 0], 24, Verdict::Reserved), // protocol assignments, RFC 6890
    r4([192, 0, 2, 0], 24, Verdict::Reserved), // documentation, RFC 5737
    r4([192, 88, 99, 0], 24, Verdict::Reserved), // 6to4 relay anycast, RFC 7526
    r4([192, 168, 0, 0], 16, Verdict::Private), // RFC 1918
    r4([198, 18, 0, 0], 15, Verdict::Private), // benchmarking, RFC 2544
    r4([198, 51, 100, 0], 24, Verdict::Reserved), // documentation, RFC 5737
    r4([203, 0, 113, 0], 24, Verdict::Reserved), // documentation, RFC 5737
    r4([224, 0, 0, 0], 4, Verdict::Reserved), // multicast, RFC 5771
    r4([240, 0, 0, 0], 4, Verdict::Reserved), // future use and broadcast, RFC 1112, RFC 919
];

#[derive(Clone, Copy)]
enum Rule {
    Is(Verdict),
    Embeds(Place),
}

/// Where an IPv6 address carries its IPv4 one.
#[derive(Clone, Copy)]
enum Place {
    /// The last 32 bits.
    Low,
    /// The last 32 bits, inverted.
    LowInverted,
    /// The 32 bits after the first 16.
    AfterPrefix16,
}

impl Place {
    fn read(self, bits: u128) -> Ipv4Addr {
        let word = match self {
            Self::Low => bits & 0xffff_ffff,
            Self::LowInverted => !bits & 0xffff_ffff,
            Self::AfterPrefix16 => (bits >> 80) & 0xffff_ffff,
        };
        // The mask leaves 32 bits; the broadcast address is a refusal.
        u32::try_from(word).map_or(Ipv4Addr::BROADCAST, Ipv4Addr::from_bits)
    }
}

struct V6Range {
    first: [u16; 8],
    prefix: u32,
    rule: Rule,
}

impl V6Range {
    fn base(&self) -> u128 {
        Ipv6Addr::from(self.first).to_bits() >> (128 - self.prefix)
    }
}

const fn r6(first: [u16; 8], prefix: u32, rule: Rule) -> V6Range {
    V6Range {
        first,
        prefix,
        rule,
    }
}

/// The first range that holds an address decides.
const V6: &[V6Range] = {
    use Rule::{Embeds, Is};
    use Verdict::{LinkLocal, Loopback, Private, Reserved};
    &[
        r6([0, 0, 0, 0, 0, 0, 0, 0], 128, Is(Reserved)), // unspecified, RFC 4291
        r6([0, 0, 0, 0, 0, 0, 0, 1], 128, Is(Loopback)), // RFC 4291
        r6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Embeds(Place::Low)), // mapped, RFC 4291
        r6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Embeds(Place::Low)), // translated, RFC 2765
        r6([0, 0, 0, 0, 0, 0, 0, 0], 96, Embeds(Place::Low)), // compatible, RFC 4291
        r6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Embeds(Place::Low)), // NAT64, RFC 6052
        r6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Is(Reserved)), // local NAT64, RFC 8215
        r6(
            [0x2001, 0, 0, 0, 0, 0, 0, 0],
            32,
            Embeds(Place::LowInverted),
        ), // Teredo, RFC 4380
        r6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Is(Reserved)), // protocol assignments, RFC 2928
        r6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Is(Reserved)), // documentation, RFC 3849
        r6(
            [0x2002, 0, 0, 0, 0, 0, 0, 0],
            16,
            Embeds(Place::AfterPrefix16),
        ), // 6to4, RFC 3056
        r6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Is(Reserved)), // documentation, RFC 9637
        r6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, Is(LinkLocal)), // AWS metadata
        r6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, Is(LinkLocal)), // Google Cloud metadata
        r6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Is(Private)), // unique local, RFC 4193
        r6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Is(LinkLocal)), // RFC 4291
        r6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Is(Private)), // site-local, RFC 3879
    ]
};
