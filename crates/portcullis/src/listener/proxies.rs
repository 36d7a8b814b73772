//! For whom a proxy calls.
//!
//! Whoever connects can send `X-Forwarded-For` and `Forwarded`. A proxy adds, at the end, the
//! address that connected to it. So these fields are read from their end, for as long as trusted
//! proxies wrote them: the first address that is none of theirs is the client, and whatever stands
//! before it is the client's own invention.

mod forwarded;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};
use portcullis_resource_server::{ClientAddress, Network};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that may say for whom they call.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    trusted: Vec<Network>,
    /// By which of [`FIELDS`] somebody was told of a proxy that nobody trusts.
    told: Arc<AtomicU32>,
}

/// What a proxy says of whoever connected to it; `None` where that is no address.
type Hop = Option<IpAddr>;

impl Proxies {
    pub(super) fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self {
            trusted: networks.into_iter().collect(),
            told: Arc::default(),
        }
    }

    /// Who sent a request that came in from `peer`.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        // SECURITY: a stranger's word about itself counts for nothing (RFC 7239 section 8.1);
        // sec_gw_08_a_stranger_cannot_say_where_it_is
        if !self.trusts(peer) {
            let Some(field) = relayed_by(headers) else {
                return ClientAddress::new(peer);
            };
            self.tell(peer, field);
            return ClientAddress::of_relay(peer);
        }
        let forwarded = read(headers, &FORWARDED, forwarded::hops);
        let listed = read(headers, &X_FORWARDED_FOR, |line| Ok(listed(line)));
        let said = [forwarded, listed].into_iter().flatten();
        let mut clients = said.map(|hops| hops.map_or(peer, |hops| self.walk(peer, &hops)));
        let client = match (clients.next(), clients.next()) {
            // SECURITY: a proxy that writes one of them may let the other one through as it came;
            // sec_gw_08_two_fields_that_disagree_say_nothing
            (Some(one), Some(other)) if one != other => peer,
            (client, _) => client.unwrap_or(peer),
        };
        // SECURITY: what a proxy did not say, or a client made unreadable, does not make that client
        // one of this machine (RFC 7239 section 8.1); sec_gw_08_a_proxy_is_not_its_clients
        if client == peer && relayed_by(headers).is_some() {
            return ClientAddress::of_relay(peer);
        }
        ClientAddress::new(client)
    }

    /// Says once for each field that a proxy beside us is not trusted: all who come through it count
    /// as one then.
    fn tell(&self, peer: IpAddr, field: usize) {
        if !peer.is_loopback() {
            return;
        }
        let (bit, field) = (1 << field, FIELDS.get(field));
        if self.told.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            tracing::warn!(
                %peer,
                field = field.copied().unwrap_or_default(),
                "a proxy on this machine passes requests on, and nobody trusts it: until it is \
                 among the trusted proxies, and says for whom it calls, all its clients count as one",
            );
        }
    }

    /// From the end to the first address that no trusted proxy has.
    fn walk(&self, peer: IpAddr, hops: &[Hop]) -> IpAddr {
        let mut known = peer;
        for hop in hops.iter().rev() {
            // Who connected to the last proxy we know of is not said, so it is the last one we know.
            let Some(address) = hop.map(|address| address.to_canonical()) else {
                return known;
            };
            known = address;
            // SECURITY: what stands before it was written by nobody whom we trust;
            // sec_gw_08_the_last_stranger_in_the_chain_is_the_client
            if !self.trusts(address) {
                return known;
            }
        }
        known
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

/// Whether these header fields are of a request that a proxy or a tunnel passed on. Browsers and MCP
/// clients send none of them by themselves.
///
/// It is the proxy's word, or the client's: who is not to be found out leaves them away. So it is a
/// reason to refuse, never one to trust.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    relayed_by(headers).is_some()
}

/// The place of the first such field in [`FIELDS`].
fn relayed_by(headers: &HeaderMap) -> Option<usize> {
    headers.keys().find_map(|name| {
        let name = name.as_str();
        let is = |field: &str| match field.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => name == field,
        };
        let may_be = |field: &str| field.as_bytes().first() == name.as_bytes().first();
        FIELDS.iter().position(|field| may_be(field) && is(field))
    })
}

/// What proxies, tunnels and content networks write into requests that they pass on.
const FIELDS: [&str; 19] = [
    "forwarded",
    "x-forwarded-*",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "true-client-ip",
    "cdn-loop",
    "cf-*",
    "fastly-client-ip",
    "fly-client-ip",
    "fly-forwarded-port",
    "x-amzn-trace-id",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-envoy-external-address",
    "tailscale-*",
];

/// A field that cannot be read as its specification says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// All lines of a field, in their order.
fn read(
    headers: &HeaderMap,
    name: &HeaderName,
    parse: impl Fn(&str) -> Result<Vec<Hop>, Malformed>,
) -> Option<Result<Vec<Hop>, Malformed>> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let hops = lines.map(|line| parse(line.to_str().map_err(|_| Malformed)?));
    Some(
        hops.collect::<Result<Vec<_>, _>>()
            .map(|lines| lines.concat()),
    )
}

/// `192.0.2.1, 2001:db8::1`: addresses, some proxies add a port.
fn listed(line: &str) -> Vec<Hop> {
    line.split(',').map(|hop| address(hop.trim())).collect()
}

fn address(text: &str) -> Hop {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_port.then(|| Some(IpAddr::V6(inside.parse().ok()?)))?;
    }
    let (host, port) = text.split_once(':')?;
    is_port(port).then(|| Some(IpAddr::V4(host.parse().ok()?)))?
}

fn is_port(text: &str) -> bool {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests;
