//! Who asks, as far as limits can tell.

use std::net::IpAddr;

use portcullis_fetch::address::{Verdict, classify};
use portcullis_oauth::crypto::hmac_sha256;
use portcullis_oauth::{EntropyError, SecretBytes, SharedEntropy};
use portcullis_resource_server::{ClientAddress, Network};

use super::RateLimits;
use super::table::{Mark, Source};

/// A whole site (RFC 6177 section 2) may do as much as so many of its networks.
const SITE: u32 = 8;
/// An address of one's own network: a proxy, or a floor of an office.
const PRIVATE: u32 = 16;
/// No address, or this machine's: whoever is on it, or comes through a proxy that says nothing.
const UNKNOWN: u32 = 1000;

/// Makes marks that nobody can foresee.
#[derive(Debug)]
pub(super) struct Marker(SecretBytes);

impl Marker {
    pub(super) fn new(entropy: &SharedEntropy) -> Result<Self, EntropyError> {
        let mut key = [0; 32];
        entropy.fill(&mut key)?;
        Ok(Self(SecretBytes::new(key)))
    }

    /// The mark of these parts together. What they are parts of is told apart by the table.
    pub(super) fn mark(&self, parts: &[&[u8]]) -> Mark {
        let mut framed = Vec::new();
        for part in parts {
            framed.extend_from_slice(&part.len().to_le_bytes());
            framed.extend_from_slice(part);
        }
        Mark::of(&hmac_sha256(self.0.expose(), &framed))
    }

    /// Whom a request from there counts for: its network, and for IPv6 also its site.
    pub(super) fn sources(
        &self,
        from: Option<ClientAddress>,
        about: &[u8],
        rates: &RateLimits,
    ) -> impl Iterator<Item = Source> {
        let (networks, times) = networks(from, rates);
        networks.into_iter().flatten().map(move |(network, more)| {
            let mark = self.mark(&[&network, about]);
            let times = times.saturating_mul(more).saturating_mul(rates.times);
            Source { mark, times }
        })
    }

    /// Whom a request from there is one of: a whole site.
    pub(super) fn site(
        &self,
        from: Option<ClientAddress>,
        about: &[u8],
        rates: &RateLimits,
    ) -> Source {
        let (_, times) = networks(from, rates);
        Source {
            mark: self.mark(&[&site(from), about]),
            times: times.saturating_mul(rates.times),
        }
    }
}

/// Where a request comes from, coarsely: a site, and for IPv4 what one is likely to have.
fn site(from: Option<ClientAddress>) -> Vec<u8> {
    let Some(from) = from else {
        return Vec::new();
    };
    match from.ip() {
        ip if classify(ip) == Verdict::Loopback && !from.is_relay() => Vec::new(),
        // SECURITY: who has a network has all of its addresses (CWE-799);
        // sec_az_14_a_flood_leaves_room_for_those_who_come_first
        IpAddr::V4(ip) => ip.octets().into_iter().take(3).collect(),
        IpAddr::V6(ip) => ip.octets().into_iter().take(6).collect(),
    }
}

/// A network, with the length of its prefix in front, and how many times it counts.
type Networks = [Option<(Vec<u8>, u32)>; 2];

fn networks(from: Option<ClientAddress>, rates: &RateLimits) -> (Networks, u32) {
    let Some(from) = from else {
        return ([Some((Vec::new(), 1)), None], UNKNOWN);
    };
    let ip = from.ip();
    let times = match classify(ip) {
        // SECURITY: whoever comes through a proxy is neither on this machine nor in this house, and a
        // client can see to it that nobody can tell who it is (OWASP, Authentication);
        // sec_az_14_a_proxy_that_names_nobody_is_one_source
        _ if from.is_relay() => shared(ip, &rates.shared),
        Verdict::Loopback => return ([Some((Vec::new(), 1)), None], UNKNOWN),
        Verdict::Private | Verdict::LinkLocal => PRIVATE.max(shared(ip, &rates.shared)),
        _ => shared(ip, &rates.shared),
    };
    let networks = match ip {
        IpAddr::V4(ip) => [Some((ip.octets().to_vec(), 1)), None],
        // SECURITY: one house has 2^64 addresses, and one site 65 536 such networks (RFC 6177
        // section 2); sec_az_14_an_ipv6_network_is_one_source
        IpAddr::V6(ip) => [(8, 1), (6, SITE)].map(|(bytes, times)| {
            let prefix = ip.octets().into_iter().take(bytes);
            Some((prefix.collect(), times))
        }),
    };
    (networks, times)
}

fn shared(ip: IpAddr, shared: &[(Network, u32)]) -> u32 {
    let of = shared.iter().filter(|(network, _)| network.contains(ip));
    of.map(|(_, times)| *times).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(address: &str) -> (Networks, u32) {
        let address = ClientAddress::new(address.parse().unwrap());
        networks(Some(address), &RateLimits::default())
    }

    #[test]
    fn sec_az_14_an_ipv6_network_is_one_source() {
        let first = seen("2a00:1450:4001:80b::1");
        assert_eq!(first, seen("2a00:1450:4001:80b:ffff:ffff:ffff:ffff"));
        let neighbour = seen("2a00:1450:4001:80c::1");
        assert_ne!(first.0[0], neighbour.0[0], "another house");
        assert_eq!(first.0[1], neighbour.0[1], "of the same site");
        assert_eq!(first.0[1].as_ref().map(|(_, times)| *times), Some(SITE));
        assert_eq!(seen("192.0.2.1").0[1], None);
    }

    #[test]
    fn sec_az_14_a_proxy_that_names_nobody_is_one_source() {
        for address in ["127.0.0.1", "::1", "10.0.0.7"] {
            let proxy = ClientAddress::of_relay(address.parse().unwrap());
            let (networks, times) = networks(Some(proxy), &RateLimits::default());
            assert_eq!(times, 1, "{address}");
            assert_ne!(networks, seen("127.0.0.1").0, "nor is it this machine");
            assert_ne!(site(Some(proxy)), site(None), "or from everywhere");
        }
        let office = RateLimits::default().shared("127.0.0.0/8".parse().unwrap(), 500);
        let proxy = ClientAddress::of_relay("127.0.0.1".parse().unwrap());
        assert_eq!(networks(Some(proxy), &office).1, 500, "unless it is said");
    }

    #[test]
    fn an_address_that_says_little_counts_for_many() {
        let unknown = networks(None, &RateLimits::default());
        assert_eq!(unknown, seen("127.0.0.1"));
        assert_eq!(unknown, seen("::1"));
        assert_eq!(unknown.1, UNKNOWN);
        assert_eq!(seen("10.0.0.7").1, PRIVATE);
        let office = RateLimits::default().shared("10.0.0.0/8".parse().unwrap(), 500);
        let proxy = ClientAddress::new("10.0.0.7".parse().unwrap());
        assert_eq!(networks(Some(proxy), &office).1, 500);
        assert_eq!(seen("93.184.215.14").1, 1);
        assert!(seen("160.79.104.10").1 > 1, "the addresses of Claude");
    }
}
