//! HTTPS on a real socket, with certificates that are made for a test.

use std::{
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use portcullis::{
    Server,
    auth::Auth,
    listener::{Listener, Tls, TlsError},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        crypto::aws_lc_rs::default_provider, pki_types::ServerName, version,
    },
};

use crate::support::Names;

/// An authority, and a folder for what it certifies.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    folder: PathBuf,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
struct Pem {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("Authority {number}");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self {
            params,
            key,
            folder,
        }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    fn issue(&self, years: (i32, i32)) -> Pem {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        Pem {
            certificate: params.signed_by(&key, &issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn good(&self) -> Pem {
        self.issue((2020, 2120))
    }

    fn files(&self) -> (PathBuf, PathBuf) {
        (self.folder.join("tls.crt"), self.folder.join("tls.key"))
    }

    fn write(&self, pem: &Pem) {
        let (certificate, key) = self.files();
        fs::write(certificate, &pem.certificate).unwrap();
        fs::write(key, &pem.key).unwrap();
    }

    fn tls(&self, pem: &Pem) -> Result<Tls, TlsError> {
        self.write(pem);
        let (certificate, key) = self.files();
        Tls::from_files(certificate, key)
    }

    /// A client that knows this authority.
    fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let own = self.params.self_signed(&self.key).unwrap();
        roots.add(own.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_protocol_versions(versions).unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(&self, port: u16) -> TlsStream<TcpStream> {
        connect(self.client(&VERSION_13, &["http/1.1"]), port)
            .await
            .unwrap()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

static VERSION_13: [&SupportedProtocolVersion; 1] = [&version::TLS13];

async fn connect(client: TlsConnector, port: u16) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    client.connect(name, stream).await
}

/// One request on a connection that stays.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("hello") {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "{answer}");
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    answer
}

/// The certificate that a server shows.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates().unwrap()[0].to_vec()
}

async fn listener() -> Listener {
    Listener::bind("127.0.0.1:0").await.unwrap()
}

/// A port where `hello` is served.
async fn serve(tls: &Tls) -> u16 {
    let listener = listener().await.tls(tls.clone());
    let port = listener.port();
    let app = Router::new().route("/", get(async || "hello"));
    tokio::spawn(listener.serve(app));
    port
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_are_spoken() {
    let authority = Authority::new();
    let port = serve(&authority.tls(&authority.good()).unwrap()).await;
    for (offered, spoken) in [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for (alpn, chosen) in [
            (&["h2", "http/1.1"][..], Some("h2")),
            (&["http/1.1"], Some("http/1.1")),
            (&[], None),
        ] {
            let client = authority.client(&[offered], alpn);
            let mut stream = connect(client, port).await.unwrap();
            let (_, connection) = stream.get_ref();
            assert_eq!(connection.protocol_version(), Some(spoken));
            assert_eq!(connection.alpn_protocol(), chosen.map(str::as_bytes));
            if chosen != Some("h2") {
                assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
                continue;
            }
            let io = hyper_util::rt::TokioIo::new(stream);
            let executor = hyper_util::rt::TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
                .await
                .unwrap();
            tokio::spawn(connection);
            let request = axum::http::Request::get("https://localhost/");
            let request = request.body(http_body_util::Empty::<axum::body::Bytes>::new());
            let answer = sender.send_request(request.unwrap()).await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }
    let foreign = authority.client(&VERSION_13, &["smtp"]);
    assert!(connect(foreign, port).await.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_for_connections_that_come() {
    let authority = Authority::new();
    let (old, new) = (authority.good(), authority.good());
    let tls = authority.tls(&old).unwrap();
    let port = serve(&tls).await;
    let mut open = authority.connect(port).await;
    let before = shown(&open);
    ask(&mut open).await;
    assert!(!tls.reload().unwrap(), "nothing is new");

    authority.write(&new);
    assert!(tls.reload().unwrap());
    assert!(!tls.reload().unwrap());
    ask(&mut open).await;
    let mut fresh = authority.connect(port).await;
    assert_ne!(shown(&fresh), before);
    ask(&mut fresh).await;

    let other = authority.folder.join("other");
    fs::write(other.with_extension("crt"), &old.certificate).unwrap();
    fs::write(other.with_extension("key"), &old.key).unwrap();
    let moved = tls.use_files(other.with_extension("crt"), other.with_extension("key"));
    assert!(moved.unwrap());
    assert_eq!(shown(&authority.connect(port).await), before);
}

/// Kubernetes keeps each version in a folder, and exchanges a link to it.
#[cfg(unix)]
#[test]
fn links_are_followed_when_they_are_exchanged() {
    use std::os::unix::fs::symlink;

    let authority = Authority::new();
    let folder = &authority.folder;
    for (version, pem) in [("1", authority.good()), ("2", authority.good())] {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("tls.crt"), &pem.certificate).unwrap();
        fs::write(folder.join(version).join("tls.key"), &pem.key).unwrap();
    }
    symlink("1", folder.join("current")).unwrap();
    symlink("current/tls.crt", folder.join("tls.crt")).unwrap();
    symlink("current/tls.key", folder.join("tls.key")).unwrap();
    let (certificate, key) = authority.files();
    let tls = Tls::from_files(certificate, key).unwrap();
    assert!(!tls.reload().unwrap());
    symlink("2", folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("current")).unwrap();
    assert!(tls.reload().unwrap());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_changes_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = authority.good();
    let tls = authority.tls(&good).unwrap();
    let port = serve(&tls).await;
    let before = shown(&authority.connect(port).await);
    let with = |certificate: &str, key: &str| Pem {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let fresh = authority.good();
    let swapped = format!("{}{}", authority.pem(), fresh.certificate);
    let unrelated = format!("{}{}", fresh.certificate, stranger.pem());
    for (pem, says) in [
        (
            with(&fresh.certificate, &good.key),
            "is not that of the first",
        ),
        (with(&swapped, &fresh.key), "is not that of the first"),
        (with(&unrelated, &fresh.key), "does not lead to those"),
        (authority.issue((2000, 2001)), "has expired"),
        (authority.issue((2110, 2120)), "is not valid yet"),
        (with("nothing", &fresh.key), "has no certificates"),
        (with(&fresh.key, &fresh.key), "has no certificates"),
        (with(&fresh.certificate, "nothing"), "has no private key"),
        (
            with(&fresh.certificate, &fresh.certificate),
            "has no private key",
        ),
    ] {
        authority.write(&pem);
        let error = tls.reload().expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(shown(&authority.connect(port).await), before, "{says}");
    }
    let missing = tls.use_files("/nowhere/tls.crt", "/nowhere/tls.key");
    assert!(matches!(missing, Err(TlsError::Read { .. })));
    // With all that leads to its authority it is taken.
    let whole = format!("{}{}", fresh.certificate, authority.pem());
    authority.write(&with(&whole, &fresh.key));
    assert!(tls.reload().unwrap());
}

#[test]
fn an_expired_certificate_is_better_than_none() {
    let authority = Authority::new();
    assert!(authority.tls(&authority.issue((2000, 2001))).is_ok());
    let (good, other) = (authority.good(), authority.good());
    let mixed = Pem {
        certificate: good.certificate,
        key: other.key,
    };
    let error = authority.tls(&mixed).unwrap_err();
    assert!(error.hint().unwrap().contains("comes first"));
    let seen = format!("{:?}", portcullis::Error::from(error));
    assert!(
        seen.contains("hint: ") && !seen.contains("PRIVATE"),
        "{seen}"
    );
}

#[tokio::test(start_paused = true)]
async fn files_are_looked_at_while_a_listener_serves() {
    let authority = Authority::new();
    let tls = authority.tls(&authority.good()).unwrap();
    serve(&tls).await;
    authority.write(&authority.good());
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(!tls.reload().unwrap(), "it was taken already");
}

#[tokio::test(start_paused = true)]
async fn sec_ds_02_a_slow_handshake_ends() {
    let authority = Authority::new();
    let port = serve(&authority.tls(&authority.good()).unwrap()).await;
    for sent in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        let ended = tokio::time::timeout(Duration::from_secs(60), end).await;
        assert!(ended.is_ok(), "{sent:?}");
    }
}

#[tokio::test]
async fn sec_ds_02_handshakes_do_not_wait_for_each_other() {
    let authority = Authority::new();
    let port = serve(&authority.tls(&authority.good()).unwrap()).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        stream.write_all(b"\x16\x03\x01").await.unwrap();
        slow.push(stream);
    }
    let quick = async { ask(&mut authority.connect(port).await).await };
    let answer = tokio::time::timeout(Duration::from_secs(9), quick).await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn plain_http_is_told_to_use_https() {
    let authority = Authority::new();
    let port = serve(&authority.tls(&authority.good()).unwrap()).await;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Secret: s3cret\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    // It ends with our own goodbye: whatever is sent is read.
    let mut reading = tokio::io::BufReader::new(&mut stream);
    tokio::io::AsyncBufReadExt::read_line(&mut reading, &mut answer)
        .await
        .unwrap();
    reading.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nThis port speaks HTTPS."),
        "{answer}"
    );
}

#[tokio::test]
async fn a_local_server_with_tls_is_at_an_https_url() {
    let authority = Authority::new();
    let tls = authority.tls(&authority.good()).unwrap();
    let auth = Auth::new(Names).authorization_server("https://auth.example.com");
    let listener = listener().await.tls(tls);
    let port = listener.port();
    tokio::spawn(Server::new("s").auth(auth).serve_on(listener));
    let mut stream = authority.connect(port).await;
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let metadata = format!("resource_metadata=\"https://localhost:{port}/.well-known/");
    assert!(answer.contains(&metadata), "{answer}");
}
