//! HTTPS: a certificate and its key, from files that may change.

mod handshake;
mod pair;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::ServerConfig;

pub(super) use self::handshake::handshake;
use self::pair::{Fingerprint, Pair};

/// A certificate and its key, as PEM, for a [`Listener`](super::Listener) that speaks HTTPS.
///
/// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1. While a listener serves, it looks at the files every five
/// seconds: a new pair is used for the connections that come after, and those that are open stay.
/// What cannot be used, or is not valid now, is logged, and the pair before it goes on.
///
/// ```no_run
/// use portcullis::{Server, listener::{Listener, Tls}};
///
/// # async fn serve() -> portcullis::Result<()> {
/// let tls = Tls::from_files("/etc/portcullis/tls.crt", "/etc/portcullis/tls.key")?;
/// let listener = Listener::bind("127.0.0.1:8443").await?.tls(tls);
/// Server::new("hello").serve_on(listener).await // at https://localhost:8443/mcp
/// # }
/// ```
///
/// The certificate's file begins with that of this server; those that lead to its authority follow.
/// A key with a password cannot be used. Clones are the same pair.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<State>>);

struct State {
    files: Files,
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
    fault: Option<&'static str>,
}

/// Where a pair is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// There is no certificate in its file, or something that is none.
    #[error("`{}` has no certificates as PEM", path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// There is no private key in its file, or one with a password.
    #[error("`{}` has no private key as PEM, or one with a password", path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("the key in `{}` is not that of the first certificate in `{}`", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A kind of certificate or key that is not supported.
    #[error("the certificate in `{}` cannot be used with its key", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// What the TLS library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Clients would refuse it. Only a pair that is to take another's place is looked at so.
    #[error("the certificate in `{}` {fault}", path.display())]
    Refused {
        /// The certificate's file.
        path: PathBuf,
        /// Why clients would refuse it.
        fault: &'static str,
    },
}

impl TlsError {
    /// What its reader can do next, if there is one obvious thing.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mismatch { .. } => {
                Some("this server's certificate comes first, then those that lead to its authority")
            }
            Self::NoKey { .. } => Some("take the password away: `openssl pkey -in KEY -out NEW`"),
            _ => None,
        }
    }
}

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

impl Tls {
    /// Reads a certificate and its key.
    ///
    /// A certificate that clients would refuse, such as an expired one, is used and logged: there
    /// is no better one yet.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read, holds something else, or the two do not belong
    /// together.
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = Files {
            certificate: certificate.into(),
            key: key.into(),
        };
        let pair = Pair::read(&files)?;
        if let Some(fault) = pair.fault {
            let path = files.certificate.display();
            tracing::warn!(certificate = %path, "the certificate {fault}: clients refuse it");
        }
        Ok(Self(Arc::new(RwLock::new(State {
            files,
            config: pair.config,
            fingerprint: pair.fingerprint,
            fault: pair.fault,
        }))))
    }

    /// Why clients would refuse the certificate in use, as far as one can tell without their
    /// authorities: `has expired`, `is not valid yet`. It was looked at when it was read.
    pub fn fault(&self) -> Option<&'static str> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.fault
    }

    /// Reads the files again. Says whether there is a new pair, which is then used for the
    /// connections that come.
    ///
    /// # Errors
    /// [`TlsError`] when the new pair cannot be used or would be refused. The one before it stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        self.take(self.files())
    }

    /// Uses the pair in other files from now on. Says whether it is a new one.
    ///
    /// # Errors
    /// See [`reload`](Self::reload).
    pub fn use_files(
        &self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<bool, TlsError> {
        self.take(Files {
            certificate: certificate.into(),
            key: key.into(),
        })
    }

    fn take(&self, files: Files) -> Result<bool, TlsError> {
        let pair = Pair::read(&files)?;
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if pair.fingerprint == state.fingerprint {
            state.files = files;
            return Ok(false);
        }
        // What is refused is no better than what there is.
        if let Some(fault) = pair.fault {
            let path = files.certificate;
            return Err(TlsError::Refused { path, fault });
        }
        tracing::info!(certificate = %files.certificate.display(), "a new certificate is in use");
        *state = State {
            files,
            config: pair.config,
            fingerprint: pair.fingerprint,
            fault: None,
        };
        Ok(true)
    }

    fn files(&self) -> Files {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.files.clone()
    }

    /// What a connection that comes now is served with.
    fn config(&self) -> Arc<ServerConfig> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.config)
    }

    /// Looks at the files for as long as it is asked to.
    pub(super) async fn watch(&self) {
        let mut faults = Faults::default();
        loop {
            tokio::time::sleep(EVERY).await;
            let tls = self.clone();
            // By another thread: a file may be on a disk far away.
            let looked = tokio::task::spawn_blocking(move || tls.reload()).await;
            if let Ok(looked) = looked
                && let Some(error) = faults.worth_saying(looked)
            {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "the certificate in use stays");
            }
        }
    }
}

/// What went wrong with the files, and how often.
#[derive(Debug, Default)]
struct Faults {
    last: Option<String>,
    times: u32,
}

impl Faults {
    /// A fault that was there the last time too, once. One file is written after the other, so what
    /// is seen in between is no fault yet.
    fn worth_saying(&mut self, looked: Result<bool, TlsError>) -> Option<TlsError> {
        let Err(error) = looked else {
            *self = Self::default();
            return None;
        };
        let text = error.to_string();
        if self.last.as_ref() == Some(&text) {
            self.times = self.times.saturating_add(1);
        } else {
            self.last = Some(text);
            self.times = 1;
        }
        (self.times == 2).then_some(error)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files()).finish()
    }
}

/// The bytes of a file. A certificate with all that lead to its authority has a few thousand.
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    const MOST: u64 = 1024 * 1024;
    portcullis_fetch::file::read(path, MOST).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_new_pair_is_no_fault_and_a_fault_is_said_once() {
        let fault = |path: &str| {
            Err(TlsError::NoKey {
                path: PathBuf::from(path),
            })
        };
        let mut faults = Faults::default();
        let mut said = |looked| faults.worth_saying(looked).is_some();
        assert!(!said(fault("a")));
        assert!(!said(Ok(true)));
        assert!(!said(fault("a")) && said(fault("a")) && !said(fault("a")));
        assert!(!said(fault("b")) && said(fault("b")));
        assert!(!said(Ok(false)));
        assert!(!said(fault("b")) && said(fault("b")));
    }
}
