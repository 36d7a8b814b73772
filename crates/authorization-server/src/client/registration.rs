//! Dynamic client registration (RFC 7591): what is asked for is narrowed to what is on offer, and
//! refused only when nothing of it is left.

use std::time::Duration;

use portcullis_oauth::crypto::sha256;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::json::JsonError;
use portcullis_oauth::metadata::ClientMetadata;
use portcullis_oauth::register::RegistrationRequest;
use portcullis_oauth::{ScopeSet, SecretString};
use portcullis_resource_server::ConfigError;
use portcullis_store::StoreError;

use super::initial_token::{Admission, InitialToken};
use super::metadata::{self, MetadataFault};
use super::{AuthenticationMethod, GrantType, RedirectCeiling};

/// Whether and how strangers may register clients.
///
/// | | default |
/// |---|---|
/// | registration | on |
/// | clients at a time | 10 000; a new one then takes the place of an old one that was never used |
/// | an unused client ends | 24 hours after it registered |
/// | a used one ends | 90 days after its last grant or refresh, or with a grant that lasts longer |
/// | a token to register with | none is asked for; one may be for so many clients |
#[derive(Clone, Debug)]
#[must_use]
pub struct RegistrationPolicy {
    pub(super) enabled: bool,
    pub(super) limit: u64,
    pub(super) unused: Duration,
    pub(super) used: Duration,
    tokens: Vec<InitialToken>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl RegistrationPolicy {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            enabled: true,
            limit: 10_000,
            unused: DAY,
            used: DAY * 90,
            tokens: Vec::new(),
        }
    }

    /// No registration at all.
    pub fn disabled() -> Self {
        Self {
            enabled: false,
            ..Self::new()
        }
    }

    /// At most so many registered clients at a time.
    pub fn limit(mut self, clients: u64) -> Self {
        self.limit = clients;
        self
    }

    /// How long a registration lives that nobody uses.
    pub fn unused_for(mut self, time: Duration) -> Self {
        self.unused = time;
        self
    }

    /// How long a registration lives on after a grant or a refresh, to a day. One whose grants last
    /// longer lives as long as they do.
    pub fn used_for(mut self, time: Duration) -> Self {
        self.used = time;
        self
    }

    /// Asks for this token, or another that is named so, as a bearer token of every registration
    /// (RFC 7591 section 3, "initial access token").
    pub fn initial_access_token(mut self, token: SecretString) -> Self {
        self.tokens.push(InitialToken::new(token, None));
        self
    }

    /// Asks for a token as [`initial_access_token`](Self::initial_access_token) does, and lets so many
    /// clients register with this one. The store counts them, whatever becomes of the clients.
    pub fn initial_access_token_for(mut self, token: SecretString, clients: u64) -> Self {
        self.tokens.push(InitialToken::new(token, Some(clients)));
        self
    }

    /// Looks for mistakes.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        // SECURITY: whoever guesses the token registers (RFC 7591 section 5);
        // sec_key_17_a_guessable_registration_token_is_refused
        match self.tokens.iter().find_map(InitialToken::flaw) {
            None => Ok(()),
            Some(flaw) => {
                let what = format!("an initial access token {flaw}");
                Err(ConfigError::new("registration", what)
                    .with_hint("make one with `openssl rand -hex 32`"))
            }
        }
    }

    /// Whether clients can register.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether whoever brings that token may register.
    pub(super) fn admits(&self, presented: Option<&str>) -> Option<Admission> {
        if self.tokens.is_empty() {
            return Some(Admission::Open);
        }
        let presented = sha256(presented.unwrap_or_default().as_bytes());
        // SECURITY: all are compared, and in the same time (RFC 7591 section 3, CWE-208);
        // sec_dr_10_a_registration_needs_its_token
        self.tokens.iter().fold(None, |admitted, token| {
            let admission = token.admits(&presented);
            admitted.or(admission)
        })
    }
}

impl Default for RegistrationPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// A request to register.
#[derive(Clone, Copy)]
pub(crate) struct Registration<'a> {
    /// The body.
    pub(crate) body: &'a [u8],
    /// The bearer token, if there is one.
    pub(crate) token: Option<&'a str>,
    /// The scopes that there are.
    pub(crate) scopes: &'a ScopeSet,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    /// Registration is off.
    #[error("registration is off")]
    Disabled,
    /// The token to register with is missing or wrong.
    #[error("the initial access token is missing or wrong")]
    Token,
    /// The request cannot be accepted.
    #[error("the registration request is refused")]
    Refused(OAuthError),
    /// There are as many clients as there may be, and each is in use.
    #[error("there is no room for another client")]
    Full,
    /// Others register all the time.
    #[error("too many clients register at once")]
    Contended,
    /// The store, randomness or serialisation failed.
    #[error("the client cannot be registered")]
    Store(#[from] StoreError),
    #[error("there is no randomness")]
    Entropy(#[from] portcullis_oauth::EntropyError),
    #[error("the answer cannot be written")]
    Answer(#[from] JsonError),
}

impl From<OAuthError> for RegisterError {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<MetadataFault> for RegisterError {
    fn from(fault: MetadataFault) -> Self {
        Self::Refused(fault.wire())
    }
}

/// What is accepted of a request: what is stored, and answered.
pub(super) struct Accepted {
    pub(super) metadata: ClientMetadata,
    pub(super) method: AuthenticationMethod,
}

/// Narrows a request to what is on offer.
pub(super) fn narrow(
    request: RegistrationRequest,
    ceiling: &RedirectCeiling,
    scopes: &ScopeSet,
) -> Result<Accepted, RegisterError> {
    let said = request.metadata;
    let redirect_uris: Vec<String> = request
        .redirect_uris
        .iter()
        // SECURITY: strangers do not choose where codes go (RFC 9700 section 4.1);
        // sec_ru_13_a_stranger_registers_nothing_beyond_the_ceiling
        .filter(|uri| ceiling.allows(uri, None))
        .map(ToString::to_string)
        .collect();
    if redirect_uris.is_empty() {
        return Err(NOT_ALLOWED.into());
    }
    let method = match said.token_endpoint_auth_method.as_deref() {
        None => AuthenticationMethod::None,
        Some(name) => AuthenticationMethod::parse(name).ok_or(MetadataFault::Method)?,
    };
    let keys = metadata::keys(&said, false)?;
    metadata::check_methods(&[method], keys.as_ref())?;
    metadata::assertion_algorithm(&said)?;
    metadata::check_response_types(&said)?;
    let grant_types = metadata::grant_types(&said);
    if !grant_types.contains(&GrantType::AUTHORIZATION_CODE) {
        return Err(MetadataFault::GrantTypes.into());
    }
    // SECURITY: what is not named here is dropped: an id or a secret of the client's choice, and
    // whatever would fill the store (RFC 7591 section 5); sec_dr_03_the_server_chooses_id_and_secret
    let mut metadata = ClientMetadata::new();
    metadata.redirect_uris = redirect_uris;
    metadata.token_endpoint_auth_method = Some(method.as_str().to_owned());
    metadata.grant_types = Some(grant_types.iter().map(|g| g.as_str().to_owned()).collect());
    metadata.response_types = Some(vec!["code".to_owned()]);
    metadata.scope = scope(&said, scopes);
    metadata.application_type = Some(said.application_type.unwrap_or_else(|| "native".to_owned()));
    metadata.client_name = metadata::display_text(said.client_name.as_deref());
    metadata.client_uri = metadata::shown_url(said.client_uri.as_deref());
    metadata.logo_uri = metadata::shown_url(said.logo_uri.as_deref());
    metadata.tos_uri = metadata::shown_url(said.tos_uri.as_deref());
    metadata.policy_uri = metadata::shown_url(said.policy_uri.as_deref());
    metadata.contacts = said
        .contacts
        .iter()
        .take(MOST_CONTACTS)
        .filter_map(|contact| metadata::display_text(Some(contact)))
        .collect();
    metadata.software_id = metadata::display_text(said.software_id.as_deref());
    metadata.software_version = metadata::display_text(said.software_version.as_deref());
    metadata.token_endpoint_auth_signing_alg = said.token_endpoint_auth_signing_alg;
    metadata.jwks = said.jwks;
    metadata.jwks_uri = said.jwks_uri;
    Ok(Accepted { metadata, method })
}

/// The scopes that it names and that there are; nothing if none.
fn scope(said: &ClientMetadata, scopes: &ScopeSet) -> Option<String> {
    let asked = ScopeSet::parse_lenient(said.scope.as_deref()?);
    let known: ScopeSet = asked
        .iter()
        .filter(|scope| scopes.contains(scope) || scope.as_str() == "offline_access")
        .cloned()
        .collect();
    (!known.is_empty()).then(|| known.to_string())
}

/// The most addresses of people that are kept.
const MOST_CONTACTS: usize = 5;

const NOT_ALLOWED: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRedirectUri,
    "none of the redirect URIs is allowed by this server",
);
