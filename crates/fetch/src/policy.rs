//! Where a client may go. Decisions only; no IO.

use std::net::IpAddr;
use std::sync::Arc;

use portcullis_oauth::EndpointUrl;

use crate::address::{Verdict, classify};
use crate::error::Refusal;
use crate::event;

/// Who chooses the URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Others do.
    Guarded,
    /// The operator does.
    Trusted,
}

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) profile: Profile,
    pub(crate) allow_loopback: bool,
    /// Plain `http` to a network of one's own, and to nowhere else.
    pub(crate) plain_http: bool,
    pub(crate) extra_ports: Arc<[u16]>,
}

impl Policy {
    /// Checks all that can be known of a URL before its name is looked up.
    pub(crate) fn check_url(&self, url: &EndpointUrl) -> Result<(), Refusal> {
        self.judge_url(url)
            .inspect_err(|&refusal| event::refused(url.host(), refusal))
    }

    /// Checks where a redirect leads, which the server that sent it has chosen.
    pub(crate) fn check_redirect(
        &self,
        from: &EndpointUrl,
        location: &str,
    ) -> Result<EndpointUrl, Refusal> {
        let target = self.judge_redirect(from, location);
        let target = target.inspect_err(|&refusal| event::refused(from.host(), refusal))?;
        self.check_url(&target)?;
        Ok(target)
    }

    /// Checks all addresses of a name.
    pub(crate) fn check_addresses(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refusal> {
        let verdicts = addresses.iter().map(|&address| classify(address));
        // SECURITY: one forbidden address among many is enough, since the connection may go to
        // any; sec_sf_03_one_forbidden_address_refuses_the_name
        match verdicts.into_iter().find(|&v| !self.permits(host, v)) {
            None => Ok(()),
            Some(verdict) => {
                let refusal = Refusal::Address(verdict);
                event::refused(host, refusal);
                Err(refusal)
            }
        }
    }

    fn judge_url(&self, url: &EndpointUrl) -> Result<(), Refusal> {
        if url.url().scheme() != "https" && !self.allow_loopback {
            return Err(Refusal::Insecure);
        }
        // SECURITY: what is sent in clear can be read and changed on its way, so the operator says
        // where that is (RFC 9700 section 2.6); sec_gw_20_plain_http_has_to_be_said
        if url.is_plain() && !self.plain_http {
            return Err(Refusal::Insecure);
        }
        // SECURITY: a literal is never looked up, so no resolver checks it;
        // sec_sf_02_literals_are_checked_before_connecting
        if let Some(address) = literal(url) {
            let verdict = classify(address);
            if !self.permits(url.host(), verdict) {
                return Err(Refusal::Address(verdict));
            }
        } else if url.host() == "localhost" && !self.permits("localhost", Verdict::Loopback) {
            return Err(Refusal::Address(Verdict::Loopback));
        }
        if self.permits_port(url) {
            Ok(())
        } else {
            Err(Refusal::Port(url.port()))
        }
    }

    fn judge_redirect(&self, from: &EndpointUrl, location: &str) -> Result<EndpointUrl, Refusal> {
        let joined = from.url().join(location);
        let joined = joined.map_err(|_| Refusal::RedirectTarget)?;
        let target = EndpointUrl::parse(joined.as_str()).map_err(|_| Refusal::RedirectTarget)?;
        // SECURITY: nothing that began encrypted goes on in clear (RFC 9700 section 4.11);
        // sec_sf_05_a_redirect_never_leaves_https
        if from.url().scheme() == "https" && target.url().scheme() != "https" {
            return Err(Refusal::Insecure);
        }
        // SECURITY: the operator vouched for this origin, not for the places it names;
        // sec_sf_05_a_trusted_redirect_stays_on_its_origin
        if self.profile == Profile::Trusted && from.origin() != target.origin() {
            return Err(Refusal::RedirectTarget);
        }
        Ok(target)
    }

    /// Whether a connection for `host` may go to an address with this verdict.
    fn permits(&self, host: &str, verdict: Verdict) -> bool {
        if host == "localhost" {
            // SECURITY: `http` is allowed for this name, so it must mean loopback;
            // sec_sf_06_localhost_is_always_loopback
            return verdict == Verdict::Loopback
                && (self.allow_loopback || self.profile == Profile::Trusted);
        }
        // SECURITY: whoever allows plain `http` means a network of one's own, and a name may lead out
        // of it; sec_gw_20_plain_http_stays_in_ones_own_network
        if self.plain_http {
            return matches!(verdict, Verdict::Private | Verdict::Loopback);
        }
        match (self.profile, verdict) {
            (_, Verdict::Public)
            | (Profile::Trusted, Verdict::Loopback | Verdict::Private | Verdict::Transition) => {
                true
            }
            // SECURITY: a name that others own is no `localhost`, also in development;
            // sec_sf_03_a_name_that_moves_to_loopback_is_never_reached
            (Profile::Guarded, Verdict::Loopback) => self.allow_loopback && host_is_address(host),
            _ => false,
        }
    }

    fn permits_port(&self, url: &EndpointUrl) -> bool {
        let port = url.port();
        self.profile == Profile::Trusted
            || port == 443
            || self.extra_ports.contains(&port)
            || (self.allow_loopback && url.is_loopback())
    }
}

/// The address that stands in the URL itself.
fn literal(url: &EndpointUrl) -> Option<IpAddr> {
    unbracketed(url.host()).parse().ok()
}

fn host_is_address(host: &str) -> bool {
    unbracketed(host).parse::<IpAddr>().is_ok()
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}
