//! Clients that the operator configures.

use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::secret::{ClientSecret, guessable};
use portcullis_oauth::{ClientId, EndpointUrl, ScopeSet};
use portcullis_resource_server::ConfigError;

use super::metadata::is_home_page;
use super::{AuthenticationMethod, Client, ClientKeys, ClientOrigin, GrantType, SecretDigest};

/// A client that the operator, or a [`ClientRegistry`](super::ClientRegistry), knows.
///
/// Its redirect URIs are as good as configuration, so the
/// [`RedirectCeiling`](super::RedirectCeiling) does not apply to them.
///
/// | | default |
/// |---|---|
/// | grant types | `authorization_code` and `refresh_token` |
/// | authentication | `none`; with a secret, `client_secret_basic` and `client_secret_post`; with keys, `private_key_jwt` |
/// | scopes | no ceiling |
///
/// ```
/// use portcullis_authorization_server::ConfiguredClient;
/// use portcullis_oauth::scopes;
/// use portcullis_oauth::secret::ClientSecret;
///
/// let client = ConfiguredClient::new("reports")
///     .secret(ClientSecret::new("3kTqm1yXw0pZ4n7cR8sUvA"))
///     .name("Reports")
///     .redirect_uri("https://reports.example.com/callback")
///     .scopes(scopes!["notes:read"])
///     .build()?;
/// assert_eq!(client.redirect_uris.len(), 1);
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfiguredClient {
    id: String,
    name: Option<String>,
    uri: Option<String>,
    redirect_uris: Vec<String>,
    secret: Option<SecretDigest>,
    /// Why the secret could be guessed, if it could.
    guessable: Option<&'static str>,
    keys: Option<ClientKeys>,
    methods: Option<Vec<AuthenticationMethod>>,
    algorithm: Option<Algorithm>,
    grant_types: Vec<GrantType>,
    scopes: Option<ScopeSet>,
}

impl ConfiguredClient {
    /// A public client of that id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
            uri: None,
            redirect_uris: Vec::new(),
            secret: None,
            guessable: None,
            keys: None,
            methods: None,
            algorithm: None,
            grant_types: vec![GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN],
            scopes: None,
        }
    }

    /// What pages call it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its home page, by `https`.
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// One more URI to which codes may be sent. It is compared byte for byte, but for the port of an
    /// `http` loopback URI.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Its secret, of at least 128 random bits: 22 characters, or 32 hexadecimal digits.
    /// [`build`](Self::build) refuses what could be guessed.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the text goes, its digest stays"
    )]
    pub fn secret(mut self, secret: ClientSecret) -> Self {
        self.guessable = guessable(secret.expose());
        self.secret_digest(SecretDigest::of(&secret))
    }

    /// The digest of its secret, as a database keeps it.
    pub fn secret_digest(mut self, digest: SecretDigest) -> Self {
        self.secret = Some(digest);
        self
    }

    /// Its public keys.
    pub fn keys(mut self, keys: JwkSet) -> Self {
        self.keys = Some(ClientKeys::Inline(keys));
        self
    }

    /// Where its public keys are: an `https` URL at a public address.
    pub fn keys_at(mut self, url: EndpointUrl) -> Self {
        self.keys = Some(ClientKeys::At(url));
        self
    }

    /// The ways in which it may authenticate, and no others.
    pub fn authentication(
        mut self,
        methods: impl IntoIterator<Item = AuthenticationMethod>,
    ) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// The one algorithm of its assertions.
    pub fn assertion_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// What it may offer for tokens, and nothing else.
    pub fn grant_types(mut self, grant_types: impl IntoIterator<Item = GrantType>) -> Self {
        self.grant_types = grant_types.into_iter().collect();
        self
    }

    /// The scopes that it can be granted, and no others.
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ConfigError`] for an id, a redirect URI or a home page that is none, for a secret that could
    /// be guessed, for a way to authenticate without what it needs, for a client without a grant type or a redirect URI, and
    /// for `client_credentials` without credentials.
    pub fn build(self) -> Result<Client, ConfigError> {
        let field = format!("client `{}`", self.id.escape_debug());
        let fault = |what: String| ConfigError::new(field.clone(), what);
        let id = ClientId::parse(&self.id).map_err(|error| fault(error.to_string()))?;
        // SECURITY: whoever guesses its secret is that client (RFC 6749 section 10.10);
        // sec_key_17_a_guessable_client_secret_is_refused
        if let Some(flaw) = self.guessable {
            let hint = "make one with `openssl rand -hex 32`";
            return Err(fault(format!("its secret {flaw}")).with_hint(hint));
        }
        let redirect_uris = self
            .redirect_uris
            .iter()
            .map(|uri| read_redirect_uri(uri))
            .collect::<Result<Vec<_>, _>>()
            .map_err(fault)?;
        if self.uri.as_deref().is_some_and(|uri| !is_home_page(uri)) {
            return Err(fault("the home page is an `https` URL".to_owned()));
        }
        let authentication = self.methods().map_err(|what| fault(what.to_owned()))?;
        let uses_codes = self.grant_types.contains(&GrantType::AUTHORIZATION_CODE);
        if self.grant_types.is_empty() {
            return Err(fault("it has no grant type".to_owned()));
        }
        if uses_codes && redirect_uris.is_empty() {
            return Err(fault("it has no redirect URI".to_owned()));
        }
        // SECURITY: without credentials anybody is that client (RFC 6749 section 4.4);
        // sec_ex_01_client_credentials_need_credentials
        if self.grant_types.contains(&GrantType::CLIENT_CREDENTIALS)
            && authentication.contains(&AuthenticationMethod::None)
        {
            return Err(fault(
                "`client_credentials` needs a secret or keys".to_owned(),
            ));
        }
        Ok(Client {
            name: self.name,
            uri: self.uri,
            redirect_uris,
            authentication,
            assertion_algorithm: self.algorithm,
            secret: self.secret,
            keys: self.keys,
            grant_types: self.grant_types,
            scope: self.scopes,
            ..Client::new(id, ClientOrigin::Configured)
        })
    }

    /// The ways to authenticate, each with what it needs.
    fn methods(&self) -> Result<Vec<AuthenticationMethod>, &'static str> {
        use AuthenticationMethod::{ClientSecretBasic, ClientSecretPost, None, PrivateKeyJwt};
        let methods = match &self.methods {
            Some(methods) => methods.clone(),
            Option::None => match (&self.secret, &self.keys) {
                (Some(_), _) => vec![ClientSecretBasic, ClientSecretPost],
                (_, Some(_)) => vec![PrivateKeyJwt],
                _ => vec![None],
            },
        };
        if methods.is_empty() {
            return Err("it has no way to authenticate");
        }
        if methods.iter().any(|method| method.needs_secret()) && self.secret.is_none() {
            return Err("it has no secret");
        }
        if methods.contains(&PrivateKeyJwt) && self.keys.is_none() {
            return Err("it has no keys");
        }
        if self.algorithm.is_some_and(Algorithm::is_symmetric) {
            return Err("the algorithm of its assertions is a symmetric one");
        }
        Ok(methods)
    }
}

/// The operator's word is enough for a scheme without a dot.
fn read_redirect_uri(uri: &str) -> Result<RedirectUri, String> {
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme);
    let scheme = scheme.unwrap_or_default().to_ascii_lowercase();
    RedirectUri::parse_allowing(uri, &[&scheme])
        .map_err(|error| format!("redirect URI `{}`: {error}", uri.escape_debug()))
}
