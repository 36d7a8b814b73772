use std::sync::Arc;

use portcullis_fetch::Fetcher;
use portcullis_oauth::json::json;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{World, client_id};

/// A private authority: its certificate, and a maker of others.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// The id of a client whose document is served with a certificate for `name`.
async fn served(authority: &Authority, name: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let id = format!("https://localhost:{port}/client.json");
    let document = json!({
        "client_id": id, "client_name": "Example", "redirect_uris": ["http://127.0.0.1/cb"],
    })
    .to_string();
    let acceptor = authority.acceptor(name);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let _request = stream.read(&mut [0; 4096]).await;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{document}",
                document.len()
            );
            let _sent = stream.write_all(answer.as_bytes()).await;
            let _closed = stream.shutdown().await;
        }
    });
    id
}

#[tokio::test]
async fn sec_ci_04_a_documents_host_proves_its_name() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let fetcher = Fetcher::guarded()
        .allow_loopback(true)
        .add_root_certificate_pem(&ours.pem)
        .build()
        .unwrap();
    let world = World::with(|settings| settings.fetcher = Some(fetcher)).await;
    let id = served(&ours, "localhost").await;
    let client = world.find(&id).await.unwrap();
    assert_eq!(client.id.as_str(), id);
    for id in [
        served(&foreign, "localhost").await,
        served(&ours, "other.example").await,
    ] {
        assert!(world.clients.find(&client_id(&id)).await.is_err(), "{id}");
    }
}
