//! Where an issuer's keys come from, and one attempt to fetch them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use portcullis_fetch::{Accept, FetchError, Fetcher, cache_control};
use portcullis_oauth::jose::jwks::{JwkSet, JwksError};
use portcullis_oauth::metadata::server::{Endpoint, well_known_urls};
use portcullis_oauth::metadata::{AuthorizationServerMetadata, MetadataError};
use portcullis_oauth::{EndpointUrl, Issuer};
use tokio::sync::Semaphore;

/// The way to one issuer's keys.
#[derive(Debug)]
pub(crate) struct KeySource {
    issuer: Issuer,
    configured: Option<EndpointUrl>,
    /// What discovery found, until it fails to answer.
    discovered: Mutex<Option<EndpointUrl>>,
    fetchers: Fetchers,
    /// How many requests the host has at a time, where others are made to it.
    places: Option<Arc<Semaphore>>,
}

/// A key set as it was answered.
pub(crate) struct Document {
    pub(crate) keys: JwkSet,
    /// For how long the server says that it is good.
    pub(crate) max_age: Option<Duration>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the issuer's metadata cannot be fetched")]
    Discovery(#[source] FetchError),
    #[error("the issuer's metadata cannot be used")]
    Metadata(#[source] MetadataError),
    #[error("the issuer has no metadata at its well-known URLs")]
    NoMetadata,
    #[error("`jwks_uri` in the metadata is `http`, and the issuer is not on loopback")]
    Insecure,
    #[error("the key set cannot be fetched")]
    Fetch(#[source] FetchError),
    #[error("the key set cannot be read")]
    Jwks(#[source] JwksError),
}

impl KeySource {
    /// Keys at the `jwks_uri` of the issuer's metadata.
    pub(crate) fn discover(issuer: Issuer, fetchers: Fetchers) -> Self {
        Self {
            issuer,
            configured: None,
            discovered: Mutex::new(None),
            fetchers,
            places: None,
        }
    }

    /// Keys at a URL that the operator has configured.
    pub(crate) fn at(issuer: Issuer, url: EndpointUrl, fetchers: Fetchers) -> Self {
        Self {
            configured: Some(url),
            ..Self::discover(issuer, fetchers)
        }
    }

    /// The same, one of several that wait for these places.
    pub(crate) fn taking_turns(self, places: Option<Arc<Semaphore>>) -> Self {
        Self { places, ..self }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// One attempt. A URL that discovery found is kept while it answers.
    pub(crate) async fn fetch(&self) -> Result<Document, SourceError> {
        // SECURITY: no host has more than two requests of ours at a time, whatever is asked of it
        // (CWE-406); sec_ca_12_keys_on_one_host_come_two_at_a_time
        let _place = match &self.places {
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        if let Some(url) = &self.configured {
            return fetch_keys(&self.fetchers.configured, url).await;
        }
        let known = self.known();
        let url = match &known {
            Some(url) => url.clone(),
            None => self.find().await?,
        };
        let outcome = fetch_keys(self.fetchers.for_discovered(&self.issuer, &url), &url).await;
        let keep = outcome.is_ok().then_some(url);
        *self
            .discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = keep;
        outcome
    }

    fn known(&self) -> Option<EndpointUrl> {
        self.discovered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the well-known URLs in turn; the first document that names this issuer counts.
    async fn find(&self) -> Result<EndpointUrl, SourceError> {
        let mut worst = SourceError::NoMetadata;
        for url in well_known_urls(&self.issuer) {
            match self.find_at(&url).await {
                Ok(Some(url)) => return Ok(url),
                Ok(None) => {}
                Err(error) => worst = error,
            }
        }
        Err(worst)
    }

    async fn find_at(&self, url: &str) -> Result<Option<EndpointUrl>, SourceError> {
        let Ok(url) = EndpointUrl::parse(url) else {
            return Ok(None);
        };
        let answer = self.fetchers.configured.get(&url, Accept::Json).await;
        let answer = answer.map_err(SourceError::Discovery)?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.require_ok().map_err(SourceError::Discovery)?;
        keys_in(&self.issuer, &answer.body).map(Some)
    }
}

/// Where the metadata of `issuer` says that its keys are.
fn keys_in(issuer: &Issuer, document: &[u8]) -> Result<EndpointUrl, SourceError> {
    let metadata =
        AuthorizationServerMetadata::parse_for(issuer, document).map_err(SourceError::Metadata)?;
    let keys = metadata
        .endpoint(Endpoint::Jwks)
        .map_err(SourceError::Metadata)?;
    // SECURITY: keys that come in clear are anybody's, even over our own loopback (RFC 8414
    // section 2); sec_key_08_discovered_keys_come_by_https
    if keys.url().scheme() != "https" && !issuer.is_loopback() {
        return Err(SourceError::Insecure);
    }
    Ok(keys)
}

async fn fetch_keys(fetcher: &Fetcher, url: &EndpointUrl) -> Result<Document, SourceError> {
    let answer = fetcher.get(url, Accept::JwkSet).await;
    let answer = answer
        .and_then(portcullis_fetch::Fetched::require_ok)
        .map_err(SourceError::Fetch)?;
    let max_age = if cache_control::no_store(&answer.headers) {
        Some(Duration::ZERO)
    } else {
        cache_control::freshness(&answer.headers)
    };
    let keys = JwkSet::parse(&answer.body).map_err(SourceError::Jwks)?;
    Ok(Document { keys, max_age })
}

/// The ways out: one for URLs that the operator has chosen, one for those that a document names.
#[derive(Debug, Clone)]
pub(crate) struct Fetchers {
    configured: Fetcher,
    discovered: Fetcher,
}

impl Fetchers {
    /// The usual ones. Loopback by `http` only where the operator configured that himself.
    pub(crate) fn standard(loopback: bool) -> Result<Self, FetchError> {
        Ok(Self {
            configured: Fetcher::trusted().allow_loopback(loopback).build()?,
            discovered: Fetcher::guarded().allow_loopback(loopback).build()?,
        })
    }

    /// One for everything.
    pub(crate) fn only(fetcher: Fetcher) -> Self {
        Self {
            configured: fetcher.clone(),
            discovered: fetcher,
        }
    }

    /// The operator chose the issuer's origin, and not where its metadata leads.
    fn for_discovered(&self, issuer: &Issuer, url: &EndpointUrl) -> &Fetcher {
        if url.origin() == issuer.origin() {
            return &self.configured;
        }
        // SECURITY: metadata must not lead us into the private network (RFC 9700 section 4.11);
        // sec_key_08_a_foreign_origin_is_fetched_through_the_guard
        &self.discovered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_for(issuer: &str, jwks_uri: &str) -> Result<EndpointUrl, SourceError> {
        let document = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#);
        keys_in(&Issuer::parse(issuer).unwrap(), document.as_bytes())
    }

    #[test]
    fn sec_key_08_discovered_keys_come_by_https() {
        assert!(matches!(
            keys_for("https://idp.example", "http://127.0.0.1:1/keys"),
            Err(SourceError::Insecure)
        ));
        assert!(matches!(
            keys_for("https://idp.example", "http://idp.example/keys"),
            Err(SourceError::Metadata(_))
        ));
        assert!(matches!(
            keys_for("https://idp.example", "file:///etc/passwd"),
            Err(SourceError::Metadata(_))
        ));
        assert!(keys_for("https://idp.example", "https://keys.example/k").is_ok());
        assert!(keys_for("http://localhost:1", "http://localhost:1/k").is_ok());
    }

    #[test]
    fn sec_key_08_a_foreign_origin_is_fetched_through_the_guard() {
        let fetchers = Fetchers::standard(false).unwrap();
        let issuer = Issuer::parse("https://idp.internal").unwrap();
        // A trusted client may reach a private address, a guarded one refuses it unseen.
        let foreign = EndpointUrl::parse("https://10.0.0.1/keys").unwrap();
        assert!(
            fetchers
                .for_discovered(&issuer, &foreign)
                .check(&foreign)
                .is_err()
        );
        assert!(fetchers.configured.check(&foreign).is_ok());
        let own = EndpointUrl::parse("https://idp.internal/keys").unwrap();
        let fetcher = fetchers.for_discovered(&issuer, &own);
        assert!(
            fetcher.check(&foreign).is_ok(),
            "the issuer's own origin is trusted"
        );
    }
}
