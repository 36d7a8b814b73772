//! Where a server's tokens come from (RFC 9728).

use http::StatusCode;
use portcullis_fetch::{Accept, FetchError, Fetcher};
use portcullis_oauth::challenge::Challenge;
use portcullis_oauth::metadata::resource::{WELL_KNOWN, well_known_url};
use portcullis_oauth::metadata::{MetadataError, ProtectedResourceMetadata};
use portcullis_oauth::{EndpointUrl, InvalidUrl, ResourceUrl};

/// A document about a protected resource, and where it was.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Discovered {
    /// The URL of the document.
    pub url: String,
    /// What it says.
    pub metadata: ProtectedResourceMetadata,
    /// Whether it is on another origin than the server, which only its challenge can say.
    pub is_elsewhere: bool,
}

/// Why a document cannot be had or believed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The challenge names no URL that may be fetched.
    #[error("the challenge's `resource_metadata` is no usable URL")]
    Url(#[from] InvalidUrl),
    /// The document cannot be fetched.
    #[error("the resource's metadata cannot be fetched from `{url}`")]
    Fetch {
        /// Where it should be.
        url: String,
        /// Why not.
        source: FetchError,
    },
    /// The document breaks a rule.
    #[error("the resource's metadata at `{url}` is not usable")]
    Document {
        /// Where it is.
        url: String,
        /// What is wrong with it.
        source: MetadataError,
    },
}

/// The metadata of the resource `server` (RFC 9728 sections 3 and 5): at the URL that the challenge
/// names, else below the well-known path, with the server's path and without it. `None` when there
/// is none.
///
/// # Errors
/// [`DiscoveryError`], also when the document is about another resource.
pub async fn protected_resource(
    server: &ResourceUrl,
    challenge: Option<&Challenge>,
) -> Result<Option<Discovered>, DiscoveryError> {
    if let Some(url) = challenge.and_then(|challenge| challenge.get("resource_metadata")) {
        return fetch(server, url).await;
    }
    if let Some(found) = fetch(server, &well_known_url(server)).await? {
        return Ok(Some(found));
    }
    fetch(server, &format!("{}{WELL_KNOWN}", server.origin())).await
}

async fn fetch(server: &ResourceUrl, url: &str) -> Result<Option<Discovered>, DiscoveryError> {
    let place = EndpointUrl::parse(url)?;
    let failed = |source| DiscoveryError::Fetch {
        url: url.to_owned(),
        source,
    };
    let fetcher = fetcher(server, &place).map_err(failed)?;
    let answer = fetcher.get(&place, Accept::Json).await.map_err(failed)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = answer.require_ok().map_err(failed)?;
    let wrong = |source| DiscoveryError::Document {
        url: url.to_owned(),
        source,
    };
    let metadata = ProtectedResourceMetadata::parse(&answer.body).map_err(wrong)?;
    // SECURITY: a document for another resource leads its tokens to the wrong place (RFC 9728
    // section 3.3); sec_cl_03_metadata_of_another_resource_is_refused
    if !metadata.covers(server) {
        return Err(wrong(MetadataError::WrongResource));
    }
    Ok(Some(Discovered {
        url: url.to_owned(),
        metadata,
        is_elsewhere: server.origin() != place.origin(),
    }))
}

/// The user named the server's origin; every other place is the server's choice.
fn fetcher(server: &ResourceUrl, place: &EndpointUrl) -> Result<Fetcher, FetchError> {
    // SECURITY: a server could send us to ask around in the user's network (RFC 9728 section 7.7);
    // sec_cl_16_metadata_elsewhere_is_fetched_by_the_guarded_client
    let builder = if server.origin() == place.origin() {
        Fetcher::trusted()
    } else {
        Fetcher::guarded()
    };
    builder.allow_loopback(server.is_loopback()).build()
}
