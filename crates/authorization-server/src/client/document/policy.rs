//! Whose metadata documents are believed.

use std::time::Duration;

use portcullis_fetch::{FetchError, Fetcher, FetcherBuilder};
use portcullis_oauth::{ClientId, EndpointUrl};
use portcullis_resource_server::ConfigError;

/// Whether and how clients may be known by a metadata document, whose URL is their id
/// (draft-ietf-oauth-client-id-metadata-document).
///
/// | | default |
/// |---|---|
/// | documents | on |
/// | hosts | every public one, by `https` on port 443 |
/// | longest document | 5 KiB, at most 64 KiB |
///
/// A document is fetched within 5 seconds, without redirects, from public addresses alone. It is kept
/// for as long as its server says, between a minute and a day.
#[derive(Clone, Debug)]
#[must_use]
pub struct DocumentPolicy {
    enabled: bool,
    allowed: Option<Vec<String>>,
    denied: Vec<String>,
    max_bytes: usize,
    loopback: bool,
}

/// The largest limit that can be set.
const LARGEST: usize = 64 * 1024;
/// The time for one document or one set of keys.
const PATIENCE: Duration = Duration::from_secs(5);

impl DocumentPolicy {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            enabled: true,
            allowed: None,
            denied: Vec::new(),
            max_bytes: 5 * 1024,
            loopback: false,
        }
    }

    /// No metadata documents at all.
    pub fn disabled() -> Self {
        Self {
            enabled: false,
            ..Self::new()
        }
    }

    /// Believes the documents of these hosts alone: `client.example.com`, or `*.example.com` for all
    /// hosts below `example.com`, which is not among them.
    pub fn allow_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        let allowed = self.allowed.get_or_insert_default();
        allowed.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Believes no document of these hosts, written as in [`allow_hosts`](Self::allow_hosts). This
    /// wins over what is allowed.
    pub fn deny_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.denied.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// The longest document in bytes, at most 64 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes.min(LARGEST);
        self
    }

    /// Believes documents on this machine too, also by `http`: for development and tests.
    pub fn allow_loopback(mut self, allow: bool) -> Self {
        self.loopback = allow;
        self
    }

    /// Whether clients can be known by a document.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(in super::super) fn allows_loopback(&self) -> bool {
        self.loopback
    }

    pub(super) fn longest(&self) -> usize {
        self.max_bytes
    }

    /// Whether the hosts are written as they should be.
    pub(in super::super) fn check(&self) -> Result<(), ConfigError> {
        let hosts = self.allowed.iter().flatten().chain(&self.denied);
        match hosts.into_iter().find(|host| !is_host_rule(host)) {
            None => Ok(()),
            Some(host) => Err(ConfigError::new(
                "documents",
                format!("`{}` is no host", host.escape_debug()),
            )
            .with_hint("write `client.example.com` or `*.example.com`, in lower case")),
        }
    }

    /// The way to documents.
    pub(in super::super) fn fetcher(&self) -> Result<Fetcher, FetchError> {
        // SECURITY: nothing is read beyond the longest document (CWE-400);
        // sec_ci_05_nothing_is_read_beyond_the_longest_document
        self.guarded().max_bytes(self.max_bytes).build()
    }

    /// The way to keys, which are longer than documents.
    pub(in super::super) fn key_fetcher(&self) -> Result<Fetcher, FetchError> {
        self.guarded().build()
    }

    fn guarded(&self) -> FetcherBuilder {
        Fetcher::guarded()
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .allow_loopback(self.loopback)
    }

    /// The URL of the document that an id names, if documents there are believed. It costs nothing:
    /// no name is looked up.
    pub(super) fn url(&self, id: &ClientId) -> Option<EndpointUrl> {
        if !self.enabled {
            return None;
        }
        // SECURITY: the URL is judged before anything is fetched, and what a parser would repair is
        // another client's id (draft-ietf-oauth-client-id-metadata-document section 3);
        // sec_ci_17_a_url_is_judged_before_it_is_fetched
        let url = EndpointUrl::parse(id.as_str()).ok()?;
        let by_https = url.url().scheme() == "https";
        if (!by_https || url.is_loopback()) && !self.loopback {
            return None;
        }
        // SECURITY: an absolute name (RFC 1034 section 3.1) is the same host, of which no list here
        // knows; sec_ci_12_hosts_are_compared_label_by_label
        if url.host().ends_with('.') {
            return None;
        }
        let has_path = !matches!(url.path(), "" | "/");
        (has_path && self.believes(url.host())).then_some(url)
    }

    fn believes(&self, host: &str) -> bool {
        let listed = |rules: &[String]| rules.iter().any(|rule| host_matches(rule, host));
        // SECURITY: labels are compared whole, so that `evilclaude.ai` is not `claude.ai`;
        // sec_ci_12_hosts_are_compared_label_by_label
        !listed(&self.denied) && self.allowed.as_deref().is_none_or(listed)
    }
}

impl Default for DocumentPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// A host, or `*.` and what follows the first labels of one.
fn host_matches(rule: &str, host: &str) -> bool {
    match rule.strip_prefix("*.") {
        None => rule == host,
        Some(parent) => host
            .strip_suffix(parent)
            .and_then(|labels| labels.strip_suffix('.'))
            .is_some_and(|labels| !labels.is_empty()),
    }
}

fn is_host_rule(rule: &str) -> bool {
    let host = rule.strip_prefix("*.").unwrap_or(rule);
    let is_host =
        |url: EndpointUrl| url.host() == host && !host.contains('*') && !host.ends_with('.');
    EndpointUrl::parse(&format!("https://{host}/c")).is_ok_and(is_host)
}
