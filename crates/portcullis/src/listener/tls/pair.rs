//! A certificate and its key, read and compared.

use std::{sync::Arc, time::Duration};

use portcullis_fetch::system::SystemClock;
use portcullis_oauth::{
    Clock as _, SecretBytes,
    crypto::{Sha256, sha256},
};
use rustls::{
    CertificateError, RootCertStore, ServerConfig,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};

use super::{Files, TlsError, read};

/// What two pairs are told apart by.
pub(super) type Fingerprint = [u8; 32];

/// A certificate and its key that belong together.
pub(super) struct Pair {
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: Fingerprint,
    /// Why clients would refuse it now.
    pub(super) fault: Option<&'static str>,
}

/// The versions of HTTP, the better one first (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

impl Pair {
    pub(super) fn read(files: &Files) -> Result<Self, TlsError> {
        let certificate = read(&files.certificate)?;
        let key = SecretBytes::new(read(&files.key)?);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| TlsError::NoCertificate {
            path: files.certificate.clone(),
        })?;
        let secret = PrivateKeyDer::from_pem_slice(key.expose());
        let secret = secret.map_err(|_| TlsError::NoKey {
            path: files.key.clone(),
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let fault = fault(&chain, &provider);
        let config = config(chain, secret, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            },
            other => TlsError::Unusable {
                path: files.certificate.clone(),
                source: Box::new(other),
            },
        })?;
        let mut both = Sha256::new();
        both.update(&sha256(&certificate));
        both.update(&sha256(key.expose()));
        Ok(Self {
            config: Arc::new(config),
            fingerprint: both.finish(),
            fault,
        })
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// Why clients would refuse the first certificate, as far as one can tell without their authorities:
/// it is taken to be vouched for by whatever comes with it.
fn fault(chain: &[CertificateDer<'_>], provider: &Arc<CryptoProvider>) -> Option<&'static str> {
    let (own, others) = chain.split_first()?;
    let mut roots = RootCertStore::empty();
    for certificate in chain {
        // One that cannot be read as an authority is none.
        let _ = roots.add(certificate.clone());
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let verifier = verifier.build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let now = u64::try_from(SystemClock::new().now().as_secs()).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let Err(rustls::Error::InvalidCertificate(fault)) =
        verifier.verify_server_cert(own, others, &name, &[], now)
    else {
        return None;
    };
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Some("has expired"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some("is not valid yet")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Some("is not for servers")
        }
        // A certificate alone may lead to an authority that clients know.
        CertificateError::UnknownIssuer | CertificateError::BadSignature if !others.is_empty() => {
            Some("does not lead to those that follow it")
        }
        _ => None,
    }
}
