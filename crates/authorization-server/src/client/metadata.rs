//! What a client says of itself, in a registration or in a document, and what of it counts.

use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::jwk::JwkError;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::metadata::ClientMetadata;
use portcullis_oauth::{EndpointUrl, json};

use super::{AuthenticationMethod, ClientKeys, GrantType};
use crate::hidden::is_hidden;

/// The longest name of a client, in characters.
const LONGEST_NAME: usize = 100;
/// The largest key set inside metadata, in bytes.
const LARGEST_KEYS: usize = 16 * 1024;
/// What a client that nobody configured may offer for tokens.
const GRANT_TYPES: [GrantType; 2] = [GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN];

/// Why metadata cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MetadataFault {
    #[error("the way to authenticate is not offered")]
    Method,
    #[error("a secret that both sides know has no place in a public document")]
    SharedSecret,
    #[error("`jwks` and `jwks_uri` exclude each other")]
    TwoKeySets,
    #[error("`jwks` is no set with a usable key, or is too large")]
    Keys,
    #[error("`jwks` has a private or symmetric key")]
    PrivateKey,
    #[error("`jwks_uri` is no `https` URL")]
    KeysUrl,
    #[error("`private_key_jwt` needs `jwks` or `jwks_uri`")]
    NoKeys,
    #[error("the algorithm of assertions is not offered")]
    Algorithm,
    #[error("none of the grant types is offered")]
    GrantTypes,
    #[error("none of the response types is offered")]
    ResponseTypes,
}

impl MetadataFault {
    /// A stable word for logs.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Method => "authentication_method",
            Self::SharedSecret => "shared_secret",
            Self::TwoKeySets => "two_key_sets",
            Self::Keys => "keys",
            Self::PrivateKey => "private_key",
            Self::KeysUrl => "keys_url",
            Self::NoKeys => "no_keys",
            Self::Algorithm => "algorithm",
            Self::GrantTypes => "grant_types",
            Self::ResponseTypes => "response_types",
        }
    }

    /// What a client that registers may know (RFC 7591 section 3.2.2).
    pub(super) const fn wire(self) -> OAuthError {
        let description = match self {
            Self::Method | Self::SharedSecret => "token_endpoint_auth_method is not supported",
            Self::TwoKeySets => "jwks and jwks_uri exclude each other",
            Self::Keys => "jwks has no usable key, or is too large",
            Self::PrivateKey => "jwks has a private or symmetric key",
            Self::KeysUrl => "jwks_uri is not an https URL",
            Self::NoKeys => "private_key_jwt needs jwks or jwks_uri",
            Self::Algorithm => "token_endpoint_auth_signing_alg is not supported",
            Self::GrantTypes => "grant_types has no grant type that is supported",
            Self::ResponseTypes => "response_types does not have code",
        };
        OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description)
    }
}

/// The keys, in the metadata or at a URL (RFC 7591 section 2).
pub(super) fn keys(
    said: &ClientMetadata,
    loopback: bool,
) -> Result<Option<ClientKeys>, MetadataFault> {
    match (&said.jwks, said.jwks_uri.as_deref()) {
        (None, None) => Ok(None),
        (Some(set), None) => inline_keys(set).map(|keys| Some(ClientKeys::Inline(keys))),
        (None, Some(url)) => {
            let url = EndpointUrl::parse(url).map_err(|_| MetadataFault::KeysUrl)?;
            // SECURITY: keys that come in clear are anybody's (RFC 7591 section 5);
            // sec_ca_12_keys_come_by_https
            if url.url().scheme() != "https" && !loopback {
                return Err(MetadataFault::KeysUrl);
            }
            Ok(Some(ClientKeys::At(url)))
        }
        // SECURITY: whoever reads one of two sets trusts keys that the other does not name (RFC 7591
        // section 2); sec_ca_12_one_set_of_keys
        (Some(_), Some(_)) => Err(MetadataFault::TwoKeySets),
    }
}

fn inline_keys(set: &json::Value) -> Result<JwkSet, MetadataFault> {
    let document = json::to_vec(set).map_err(|_| MetadataFault::Keys)?;
    if document.len() > LARGEST_KEYS {
        return Err(MetadataFault::Keys);
    }
    let keys = JwkSet::parse(&document).map_err(|_| MetadataFault::Keys)?;
    // SECURITY: a key that was published with its private half proves nothing (RFC 7517 section
    // 9.2); sec_ca_12_private_and_symmetric_keys_are_refused
    if keys
        .skipped()
        .iter()
        .any(|skipped| skipped.error == JwkError::Private)
    {
        return Err(MetadataFault::PrivateKey);
    }
    if keys.is_empty() {
        return Err(MetadataFault::Keys);
    }
    Ok(keys)
}

/// The one algorithm of its assertions, if it names one.
pub(super) fn assertion_algorithm(
    said: &ClientMetadata,
) -> Result<Option<Algorithm>, MetadataFault> {
    let Some(name) = said.token_endpoint_auth_signing_alg.as_deref() else {
        return Ok(None);
    };
    // SECURITY: with a symmetric algorithm a public key would be the secret (RFC 8725 section 2.1);
    // sec_dr_06_what_cannot_be_narrowed_is_refused
    Algorithm::parse(name)
        .filter(|algorithm| !algorithm.is_symmetric())
        .map(Some)
        .ok_or(MetadataFault::Algorithm)
}

/// What it may offer for tokens: what it lists, as far as it is on offer. Without a list, all.
pub(super) fn grant_types(said: &ClientMetadata) -> Vec<GrantType> {
    match said.grant_types.as_deref() {
        None | Some([]) => GRANT_TYPES.to_vec(),
        Some(listed) => GRANT_TYPES
            .into_iter()
            .filter(|known| listed.iter().any(|name| name == known.as_str()))
            .collect(),
    }
}

/// Whether `code` is among what it asks for at the authorization endpoint. Without a list it is.
pub(super) fn check_response_types(said: &ClientMetadata) -> Result<(), MetadataFault> {
    match said.response_types.as_deref() {
        None | Some([]) => Ok(()),
        Some(listed) if listed.iter().any(|name| name == "code") => Ok(()),
        Some(_) => Err(MetadataFault::ResponseTypes),
    }
}

/// What `methods` need, and whether it is there.
pub(super) fn check_methods(
    methods: &[AuthenticationMethod],
    keys: Option<&ClientKeys>,
) -> Result<(), MetadataFault> {
    if methods.contains(&AuthenticationMethod::PrivateKeyJwt) && keys.is_none() {
        return Err(MetadataFault::NoKeys);
    }
    Ok(())
}

/// A text for a page or a list: on one line, of bounded length, and as it reads.
pub(super) fn display_text(said: Option<&str>) -> Option<String> {
    let text: String = said?
        .chars()
        // SECURITY: what breaks, hides or reorders text shows another name than the one that is
        // there (CWE-451); sec_cn_19_a_name_reads_as_it_is_written
        .filter(|c| !is_deceptive(*c))
        .take(LONGEST_NAME)
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn is_deceptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_hidden(c)
}

/// An `https` URL to be shown or linked; anything else is left out (RFC 7591 section 5).
pub(super) fn shown_url(said: Option<&str>) -> Option<String> {
    said.filter(|url| is_home_page(url)).map(str::to_owned)
}

/// Whether that is an `https` URL.
pub(super) fn is_home_page(url: &str) -> bool {
    // SECURITY: a page links to it (RFC 7591 section 5); sec_dr_07_urls_to_be_shown_are_https
    EndpointUrl::parse(url).is_ok_and(|url| url.url().scheme() == "https")
}
