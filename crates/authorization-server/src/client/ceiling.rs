//! How far the redirect URIs of strangers may reach.

use std::sync::Arc;

use portcullis_oauth::redirect::{RedirectUri, SchemeKind};
use portcullis_oauth::{EndpointUrl, RedirectPattern};

use super::profile::PROFILES;

/// A bound on the redirect URIs of clients that nobody configured.
///
/// Unless it is set, codes go to this machine (loopback), to the published addresses of well-known
/// clients, and to `https` URIs on the origin of a client's own metadata document. A
/// [list](Self::only) replaces all of that. It is asked when a client registers, when it asks for a
/// code, and again before every redirect.
///
/// ```
/// use portcullis_authorization_server::RedirectCeiling;
/// use portcullis_oauth::RedirectPattern;
///
/// let ceiling = RedirectCeiling::only([
///     RedirectPattern::parse("http://127.0.0.1")?,
///     RedirectPattern::parse("https://*.example.com/callback")?,
/// ]);
/// # let _ = ceiling;
/// # Ok::<(), portcullis_oauth::redirect::RedirectError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedirectCeiling(Bound);

#[derive(Clone, Debug)]
enum Bound {
    WellKnown(Arc<[RedirectPattern]>),
    Only(Arc<[RedirectPattern]>),
}

impl RedirectCeiling {
    /// Loopback, well-known clients, and the own origin of a metadata document.
    pub fn well_known() -> Self {
        let patterns = PROFILES
            .iter()
            .flat_map(|profile| profile.redirect_uris)
            .filter_map(|pattern| RedirectPattern::parse(pattern).ok());
        Self(Bound::WellKnown(patterns.collect()))
    }

    /// These patterns and nothing else; without any, nothing at all.
    pub fn only(patterns: impl IntoIterator<Item = RedirectPattern>) -> Self {
        Self(Bound::Only(patterns.into_iter().collect()))
    }

    /// Whether codes may go there: for any client, or for one with that metadata document.
    pub(super) fn allows(&self, uri: &RedirectUri, document: Option<&EndpointUrl>) -> bool {
        let listed = |patterns: &[RedirectPattern]| patterns.iter().any(|p| p.matches(uri));
        match &self.0 {
            Bound::Only(patterns) => listed(patterns),
            Bound::WellKnown(patterns) => {
                uri.is_loopback()
                    // SECURITY: a known client's address is the one that it published: words behind
                    // it could be a stranger's to the page there (RFC 9700 section 4.1.1);
                    // sec_ru_02_nothing_is_added_to_a_well_known_address
                    || (listed(patterns) && uri.query().is_none())
                    || document.is_some_and(|document| is_on_origin(uri, document))
            }
        }
    }

    /// The schemes of apps that the ceiling names, for the reader of redirect URIs.
    pub(super) fn schemes(&self) -> Vec<&str> {
        let (Bound::WellKnown(patterns) | Bound::Only(patterns)) = &self.0;
        patterns
            .iter()
            .map(RedirectPattern::scheme)
            .filter(|scheme| !matches!(*scheme, "https" | "http"))
            .collect()
    }
}

impl Default for RedirectCeiling {
    fn default() -> Self {
        Self::well_known()
    }
}

/// Whether a URI is on the origin of a document (RFC 6454).
fn is_on_origin(uri: &RedirectUri, document: &EndpointUrl) -> bool {
    // SECURITY: who wrote the document speaks for its origin, and for no other host, port or scheme
    // (RFC 9700 section 4.1); sec_ci_10_a_document_speaks_for_its_own_origin
    uri.scheme_kind() == SchemeKind::Https
        && document.url().scheme() == "https"
        && uri.host() == Some(document.host())
        && uri.port().unwrap_or(443) == document.port()
}
