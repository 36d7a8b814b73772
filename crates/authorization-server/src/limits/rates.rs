//! How much more than usual may be asked for.

use portcullis_resource_server::Network;

/// How much strangers may ask of an authorization server.
///
/// What is allowed is enough for people and for the clients of a whole office. Change it where many
/// users share few addresses, or for a load test.
///
/// ```
/// use portcullis_authorization_server::RateLimits;
///
/// let limits = RateLimits::default().shared("198.51.100.0/24".parse()?, 50);
/// # let _ = limits;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RateLimits {
    pub(super) times: u32,
    pub(super) shared: Vec<(Network, u32)>,
}

/// Addresses that everybody's clients come from, and for how many of ours each of them counts.
pub(super) const SHARED: [(&str, u32); 1] = [
    // Claude: <https://docs.claude.com/en/api/ip-addresses>.
    ("160.79.104.0/21", 64),
];

impl Default for RateLimits {
    fn default() -> Self {
        let shared = SHARED.iter();
        let shared = shared.filter_map(|(text, times)| Some((text.parse().ok()?, *times)));
        Self {
            times: 1,
            shared: shared.collect(),
        }
    }
}

impl RateLimits {
    /// An address of this network counts for so many: it is shared, by the users of a company or of a
    /// hosted client. The addresses of Claude are known.
    pub fn shared(mut self, network: Network, times: u32) -> Self {
        self.shared.push((network, times.max(1)));
        self
    }

    /// Allows so many times as much of everything, failed logins excepted.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times.max(1);
        self
    }
}
