use std::sync::{Arc, Mutex};

use portcullis_fetch::{Accept, FetchError, Fetcher, FetcherBuilder, Refusal};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::server::{Answer, Names, Server};

/// A private authority, and the server names that its clients sent.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
    names: Arc<Mutex<Vec<Option<String>>>>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
            names: Arc::default(),
        }
    }

    pub(crate) fn server(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let certified =
            CertifiedKey::from_der(vec![certificate.der().clone()], secret, &provider).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Recorder {
                key: Arc::new(certified),
                names: self.names.clone(),
            }));
        TlsAcceptor::from(Arc::new(config))
    }
}

#[derive(Debug)]
struct Recorder {
    key: Arc<CertifiedKey>,
    names: Arc<Mutex<Vec<Option<String>>>>,
}

impl ResolvesServerCert for Recorder {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(ToOwned::to_owned);
        self.names.lock().unwrap().push(name);
        Some(self.key.clone())
    }
}

/// Both names lead to this machine.
fn trusted() -> FetcherBuilder {
    Fetcher::trusted()
        .allow_loopback(true)
        .redirects(3)
        .lookup(Names::answering(&[&["127.0.0.1"]]))
}

#[tokio::test]
async fn sec_sf_06_a_private_authority_counts_once_it_is_added() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server("idp.test"), [Answer::ok("keys")]).await;
    let url = server.https("idp.test", "/jwks");

    let stranger = trusted().build().unwrap();
    let error = stranger.get(&url, Accept::JwkSet).await;
    assert!(matches!(error, Err(FetchError::Connect(_))), "{error:?}");

    let friend = trusted().add_root_certificate_pem(&authority.pem).build();
    let answer = friend.unwrap().get(&url, Accept::JwkSet).await.unwrap();
    assert_eq!(answer.body, "keys");
    // The name goes into the handshake, never the address.
    let names = authority.names.lock().unwrap().clone();
    assert!(
        names.iter().all(|name| name.as_deref() == Some("idp.test")),
        "{names:?}"
    );
}

#[tokio::test]
async fn sec_sf_06_a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server("other.test"), [Answer::ok("keys")]).await;
    let friend = trusted().add_root_certificate_pem(&authority.pem).build();
    let friend = friend.unwrap();
    let error = friend
        .get(&server.https("idp.test", "/"), Accept::Any)
        .await;
    assert!(matches!(error, Err(FetchError::Connect(_))), "{error:?}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn sec_sf_05_a_redirect_never_leaves_https() {
    let plain = Server::start([Answer::ok("plain")]).await;
    let authority = Authority::new();
    let location = format!("http://localhost:{}/", plain.port());
    let server = Server::start_tls(
        authority.server("localhost"),
        [Answer::redirect(302, &location)],
    )
    .await;
    let guarded = Fetcher::guarded()
        .allow_loopback(true)
        .redirects(3)
        .lookup(Names::answering(&[&["127.0.0.1"]]))
        .add_root_certificate_pem(&authority.pem)
        .build()
        .unwrap();
    let error = guarded
        .get(&server.https("localhost", "/"), Accept::Any)
        .await;
    assert!(
        matches!(error, Err(FetchError::Refused(Refusal::Insecure))),
        "{error:?}"
    );
    assert_eq!((server.connections(), plain.connections()), (1, 0));
}

#[test]
fn a_text_that_is_no_certificate_names_its_setting() {
    for pem in [
        "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
        "",
        "hello",
    ] {
        let error = Fetcher::trusted().add_root_certificate_pem(pem).build();
        assert!(
            matches!(
                error,
                Err(FetchError::Setting {
                    setting: "add_root_certificate_pem",
                    ..
                })
            ),
            "{pem}: {error:?}"
        );
    }
}
