//! Networks, as `10.0.0.0/8`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// Addresses with the same beginning: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
///
/// ```
/// use portcullis_resource_server::Network;
///
/// let cluster: Network = "10.0.0.0/8".parse()?;
/// assert!(cluster.contains("10.1.2.3".parse()?));
/// assert!(!cluster.contains("192.0.2.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// IPv4 addresses that are written as IPv6 (`::ffff:10.0.0.0/104`) are IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Neither an address nor an address with a number of bits.
    #[error("is not an address or a network")]
    Syntax,
    /// `10.0.0.7/8`: one cannot tell whether the address is meant, or all of its network.
    #[error("has more of an address than its bits say")]
    TooLong,
    /// `0.0.0.0/0`: everybody, and so nobody in particular.
    #[error("is every address there is")]
    Everything,
}

/// How many bits of an IPv6 address say that it is an IPv4 address.
const MAPPED: u8 = 96;

impl Network {
    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && self.prefix(address) == self.prefix(self.address)
    }

    /// The bits that count, and zeros behind them.
    fn prefix(self, address: IpAddr) -> u128 {
        let (value, all) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let rest = u32::from(all - self.bits);
        value.checked_shr(rest).unwrap_or(0)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(number(bits)?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        let all: u8 = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        if bits > all {
            return Err(NetworkError::Syntax);
        }
        let (address, bits, all) = match address {
            IpAddr::V6(mapped) if bits >= MAPPED && mapped.to_ipv4_mapped().is_some() => {
                (address.to_canonical(), bits - MAPPED, 32)
            }
            _ => (address, bits, all),
        };
        // SECURITY: who trusts everybody lets every caller say who it is;
        // sec_gw_08_nobody_trusts_everybody
        if bits == 0 || covers_mapped(address, bits) {
            return Err(NetworkError::Everything);
        }
        let network = Self { address, bits };
        let shift = u32::from(all - bits);
        let value = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        if network.prefix(address).checked_shl(shift) == Some(value) || shift == 0 {
            Ok(network)
        } else {
            Err(NetworkError::TooLong)
        }
    }
}

/// Digits alone: `u8` would take a sign too.
fn number(text: &str) -> Result<u8, NetworkError> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| text.parse().ok()).flatten();
    number.ok_or(NetworkError::Syntax)
}

/// Whether a network of IPv6 is meant to have all of IPv4 in it: `::/80`. It has none of it.
fn covers_mapped(address: IpAddr, bits: u8) -> bool {
    address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && bits < MAPPED
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_an_address_with_a_length() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            (" 192.0.2.7 ", "192.0.2.7/32"),
            ("::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ] {
            assert_eq!(network(text).to_string(), shown);
        }
        for wrong in [
            "10.0.0.0/33",
            "10.0.0",
            "proxy",
            "::1/129",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.0/8/8",
            "",
        ] {
            assert_eq!(
                wrong.parse::<Network>(),
                Err(NetworkError::Syntax),
                "{wrong}"
            );
        }
        for long in ["10.0.0.7/8", "2001:db8::1/32", "::ffff:10.0.0.7/104"] {
            assert_eq!(
                long.parse::<Network>(),
                Err(NetworkError::TooLong),
                "{long}"
            );
        }
    }

    #[test]
    fn sec_gw_08_nobody_trusts_everybody() {
        for all in [
            "0.0.0.0/0",
            "::/0",
            "1.2.3.4/0",
            "::ffff:0.0.0.0/96",
            "::/80",
        ] {
            assert_eq!(
                all.parse::<Network>(),
                Err(NetworkError::Everything),
                "{all}"
            );
        }
    }

    #[test]
    fn an_address_is_in_it_when_it_begins_alike() {
        let has = |text: &str, address: &str| network(text).contains(address.parse().unwrap());
        assert!(has("10.0.0.0/8", "10.255.255.255"));
        assert!(!has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(has("192.0.2.0/25", "192.0.2.127"));
        assert!(!has("192.0.2.0/25", "192.0.2.128"));
        assert!(has("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!has("2001:db8::/32", "2001:db9::"));
        assert!(has("::1", "::1") && !has("::1", "::2"));
        // An IPv6 network holds no IPv4 address, however it is written.
        assert!(!has("8000::/1", "::ffff:10.0.0.1"));
        assert!(!has("10.0.0.0/8", "a00::1"));
    }
}
