//! The URL that is looked at, and what may be asked because of it.

use portcullis_oauth::{EndpointUrl, ResourceUrl};

use super::finding::Findings;
use super::rule;
use crate::report::Problem;

/// The server's URL as its user gave it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) url: ResourceUrl,
    /// Hosts that the user vouches for besides.
    hosts: Vec<String>,
}

/// Who chose a URL, and so what it may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// The user: it is the server's host, or one that was named.
    Vouched,
    /// The server, or its authorization server.
    Named,
}

/// Why there is nothing to look at.
#[derive(Debug)]
pub(super) enum BadTarget {
    /// A rule of the table says it.
    Insecure,
    Problem(Problem),
}

impl Target {
    pub(super) fn parse(text: &str, hosts: &[String]) -> Result<Self, BadTarget> {
        use portcullis_oauth::id::InvalidUrl;

        match ResourceUrl::parse(text) {
            Ok(url) => Ok(Self {
                url,
                hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            }),
            Err(InvalidUrl::Insecure) => Err(BadTarget::Insecure),
            Err(error) => Err(BadTarget::Problem(
                Problem::new(format!("`{text}` is no URL of an MCP server"))
                    .because(error)
                    .hint("such as `https://mcp.example.com/mcp`"),
            )),
        }
    }

    /// Whose word a URL is.
    pub(super) fn trust(&self, url: &EndpointUrl) -> Trust {
        let host = url.host().to_ascii_lowercase();
        if host == self.url.host().to_ascii_lowercase() || self.hosts.contains(&host) {
            Trust::Vouched
        } else {
            Trust::Named
        }
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.as_str().starts_with("https:")
    }

    /// What can be said of the URL alone.
    pub(super) fn judge(&self, findings: &mut Findings) {
        let at = self.url.as_str();
        findings.fine(rule::URL_INSECURE, at);
        findings.check(rule::URL_HOME, !self.url.is_loopback(), at, String::new);
        let port = EndpointUrl::parse(at).map_or(443, |url| url.port());
        let usual = port == 443 || self.url.is_loopback();
        findings.check(rule::URL_PORT, usual, at, || port.to_string());
        let path = self.url.path();
        let slash = path.len() > 1 && path.ends_with('/');
        findings.check(rule::URL_SLASH, !slash, at, String::new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rule::Level;

    fn judged(url: &str) -> Vec<&'static str> {
        let mut findings = Findings::new(Vec::new(), None);
        Target::parse(url, &[]).unwrap().judge(&mut findings);
        let list = findings.list().iter();
        let wrong = list.filter(|finding| finding.level != Level::Fine);
        wrong.map(|finding| finding.rule.id).collect()
    }

    #[test]
    fn a_url_is_judged_by_itself() {
        for (url, expected) in [
            ("https://mcp.example.com/mcp", vec![]),
            ("https://mcp.example.com", vec![]),
            ("https://mcp.example.com/", vec![]),
            ("http://localhost:8000/mcp", vec!["URL-02"]),
            ("https://mcp.example.com:8443/mcp", vec!["URL-03"]),
            ("https://mcp.example.com/mcp/", vec!["URL-04"]),
        ] {
            assert_eq!(judged(url), expected, "{url}");
        }
        let insecure = Target::parse("http://mcp.example.com/mcp", &[]);
        assert!(matches!(insecure, Err(BadTarget::Insecure)));
        for bad in [
            "mcp.example.com",
            "https://u:p@h.example/mcp",
            "https://h.example/mcp#f",
        ] {
            let problem = Target::parse(bad, &[]);
            assert!(matches!(problem, Err(BadTarget::Problem(_))), "{bad}");
        }
    }

    #[test]
    fn a_host_is_vouched_for_by_name_alone() {
        let hosts = ["Auth.example.com".to_owned()];
        let target = Target::parse("https://mcp.example.com/mcp", &hosts).unwrap();
        let trust = |url: &str| target.trust(&EndpointUrl::parse(url).unwrap());
        assert_eq!(trust("https://mcp.example.com/token"), Trust::Vouched);
        assert_eq!(trust("https://auth.example.com/token"), Trust::Vouched);
        assert_eq!(
            trust("https://auth.example.com.evil.example/"),
            Trust::Named
        );
        assert_eq!(trust("https://example.com/"), Trust::Named);
    }
}
