//! Where a request came from.

use std::fmt;
use std::net::IpAddr;

/// The address of the client that sent a request, as the listener knows it.
///
/// A listener puts it into the extensions of each request: the address of the connection, or, when
/// that is a trusted proxy, the address for which the proxy says that it calls. Nothing that a
/// client sends by itself becomes one. It tells an operator who called; it proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress {
    ip: IpAddr,
    is_relay: bool,
}

impl ClientAddress {
    /// An address that the caller took from the connection, or from a proxy that it trusts.
    ///
    /// An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self {
            ip: address.to_canonical(),
            is_relay: false,
        }
    }

    /// The address of a proxy that passed a request on, for somebody of whom nothing is known.
    #[must_use]
    pub fn of_relay(address: IpAddr) -> Self {
        Self {
            is_relay: true,
            ..Self::new(address)
        }
    }

    /// Whether it is that of a proxy, not of the client: then a loopback address does not mean that
    /// the client is on this machine.
    #[must_use]
    pub fn is_relay(self) -> bool {
        self.is_relay
    }

    /// The address.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.ip
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_machine_has_one_address() {
        let mapped = ClientAddress::new("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(mapped, ClientAddress::new("192.0.2.1".parse().unwrap()));
        assert_eq!(mapped.to_string(), "192.0.2.1");
    }
}
