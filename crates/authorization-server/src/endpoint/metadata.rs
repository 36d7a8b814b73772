//! `GET /.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`: what this
//! server can do (RFC 8414 section 2). Anybody may read it, from every page.
//!
//! Nothing is advertised that is switched off, and nothing works that is not advertised. The
//! configuration for `OpenID` is the same document with two members that its parsers insist on; ID
//! tokens are not issued.

#[cfg(test)]
mod tests;

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::json;
use portcullis_oauth::metadata::AuthorizationServerMetadata;
use portcullis_oauth::metadata::server::{WELL_KNOWN_OAUTH, WELL_KNOWN_OPENID};
use portcullis_oauth::{BaseUrl, Issuer, ScopeSet};
use portcullis_resource_server::PublicDocument;

use super::path;
use crate::client::{AuthenticationMethod, GrantType};
use crate::grant::scope::OFFLINE_ACCESS;

/// For how long it may be kept.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// What the server offers, apart from scopes.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Who we are, byte for byte.
    pub(crate) issuer: Issuer,
    /// Where we are.
    pub(crate) base_url: BaseUrl,
    /// What is taken for tokens.
    pub(crate) grant_types: Vec<GrantType>,
    /// How clients authenticate.
    pub(crate) authentication: Vec<AuthenticationMethod>,
    /// What assertions of clients may be signed with.
    pub(crate) assertion_algorithms: Vec<Algorithm>,
    /// Whether clients may register (RFC 7591).
    pub(crate) registration: bool,
    /// Whether a client's id may be the URL of its metadata.
    pub(crate) documents: bool,
    /// Whether resource servers may ask about tokens (RFC 7662).
    pub(crate) introspection: bool,
}

/// The form that a document has at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RFC 8414.
    OAuth,
    /// `OpenID` Connect Discovery.
    OpenId,
}

/// The documents, made anew when there are other scopes.
#[derive(Debug)]
pub(crate) struct Metadata {
    offer: Offer,
    made: RwLock<Option<Made>>,
}

#[derive(Clone, Debug)]
struct Made {
    scopes: ScopeSet,
    oauth: PublicDocument,
    openid: PublicDocument,
}

impl Metadata {
    pub(crate) fn new(offer: Offer) -> Self {
        Self {
            offer,
            made: RwLock::new(None),
        }
    }

    /// The document, for whoever can be granted these scopes.
    pub(crate) fn get(&self, dialect: Dialect, scopes: &ScopeSet) -> PublicDocument {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        let known = made.as_ref().filter(|made| made.scopes == *scopes).cloned();
        drop(made);
        let made = known.unwrap_or_else(|| {
            let made = self.offer.make(scopes);
            let mut place = self.made.write().unwrap_or_else(PoisonError::into_inner);
            place.insert(made).clone()
        });
        match dialect {
            Dialect::OAuth => made.oauth,
            Dialect::OpenId => made.openid,
        }
    }
}

/// Where the documents of an issuer with this path are looked for, or by lenient clients those of a
/// resource with it: with the path behind the well-known part (RFC 8414 section 3.1), and before it
/// (`OpenID` Connect Discovery section 4). Without a path these are two places.
pub(crate) fn places(path: &str) -> Vec<(String, Dialect)> {
    let path = path.trim_end_matches('/');
    let mut places = vec![
        (format!("{WELL_KNOWN_OAUTH}{path}"), Dialect::OAuth),
        (format!("{WELL_KNOWN_OPENID}{path}"), Dialect::OpenId),
    ];
    if !path.is_empty() {
        places.push((format!("{path}{WELL_KNOWN_OPENID}"), Dialect::OpenId));
    }
    places
}

impl Offer {
    fn make(&self, scopes: &ScopeSet) -> Made {
        let document = self.document(scopes);
        let bytes = |document: &AuthorizationServerMetadata| {
            // Nothing in it has no JSON form.
            json::to_vec(document).unwrap_or_default()
        };
        Made {
            scopes: scopes.clone(),
            oauth: PublicDocument::new(bytes(&document), MAX_AGE),
            openid: PublicDocument::new(bytes(&for_openid(document)), MAX_AGE),
        }
    }

    fn document(&self, scopes: &ScopeSet) -> AuthorizationServerMetadata {
        // SECURITY: every URL comes from configuration, none from a request (RFC 8414 section 3.3);
        // d5_what_a_request_says_of_its_host_is_in_no_document
        let url = |path: &str| Some(self.base_url.join(path));
        let mut document = AuthorizationServerMetadata::new(&self.issuer);
        document.authorization_endpoint = url(path::AUTHORIZE);
        document.token_endpoint = url(path::TOKEN);
        document.jwks_uri = url(path::JWKS);
        document.registration_endpoint = url(path::REGISTER).filter(|_| self.registration);
        document.revocation_endpoint = url(path::REVOKE);
        document.scopes_supported = self.scopes(scopes);
        document.response_types_supported = vec!["code".to_owned()];
        document.response_modes_supported = vec!["query".to_owned()];
        let grants = self.grant_types.iter();
        document.grant_types_supported = grants.map(|grant| grant.as_str().to_owned()).collect();
        // SECURITY: `plain` would show the verifier to whoever sees the request (RFC 7636 section
        // 7.2); sec_md_04_the_only_method_of_pkce_is_s256
        document.code_challenge_methods_supported = vec!["S256".to_owned()];
        self.describe_authentication(&mut document);
        document.authorization_response_iss_parameter_supported = Some(true);
        document.client_id_metadata_document_supported = self.documents.then_some(true);
        document
    }

    /// How clients authenticate, and where.
    fn describe_authentication(&self, document: &mut AuthorizationServerMetadata) {
        type Method = AuthenticationMethod;
        let names = |methods: &mut dyn Iterator<Item = &Method>| -> Vec<String> {
            methods.map(|method| method.as_str().to_owned()).collect()
        };
        let methods = &self.authentication;
        let takes_assertions = methods.contains(&Method::PrivateKeyJwt);
        let algorithms = self.assertion_algorithms.iter();
        let algorithms = algorithms.filter(|_| takes_assertions);
        let algorithms: Vec<_> = algorithms.map(|one| one.as_str().to_owned()).collect();
        let all = names(&mut methods.iter());
        document
            .token_endpoint_auth_methods_supported
            .clone_from(&all);
        document.revocation_endpoint_auth_methods_supported = all;
        for list in [
            &mut document.token_endpoint_auth_signing_alg_values_supported,
            &mut document.revocation_endpoint_auth_signing_alg_values_supported,
        ] {
            list.clone_from(&algorithms);
        }
        if self.introspection {
            document.introspection_endpoint = Some(self.base_url.join(path::INTROSPECT));
            let mut confidential = methods.iter().filter(|method| **method != Method::None);
            document.introspection_endpoint_auth_methods_supported = names(&mut confidential);
            document.introspection_endpoint_auth_signing_alg_values_supported = algorithms;
        }
    }

    /// The scopes, and what stands for a refresh token where there are some.
    fn scopes(&self, scopes: &ScopeSet) -> Vec<String> {
        let scopes = scopes.without(OFFLINE_ACCESS);
        let scopes = scopes.iter().map(|scope| scope.as_str().to_owned());
        let refreshes = self.grant_types.contains(&GrantType::REFRESH_TOKEN);
        let offline = refreshes.then(|| OFFLINE_ACCESS.to_owned());
        scopes.chain(offline).collect()
    }
}

/// The same with what parsers of `OpenID` Connect Discovery insist on (section 3).
fn for_openid(mut document: AuthorizationServerMetadata) -> AuthorizationServerMetadata {
    document.subject_types_supported = vec!["public".to_owned()];
    document.id_token_signing_alg_values_supported = vec![Algorithm::Es256.as_str().to_owned()];
    document
}
