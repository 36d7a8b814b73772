//! Which browser it is.

use portcullis_oauth::crypto::{Sha256, base64url, ct_eq};
use portcullis_oauth::{Entropy, EntropyError, SecretString};

/// A browser, as its cookie names it: 128 random bits. Whoever knows them can go on with what the
/// browser is in the middle of.
#[derive(Clone, Debug)]
pub(crate) struct Browser(SecretString);

/// By what a browser is known to those who must not become it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BrowserDigest([u8; 32]);

impl Browser {
    /// A browser that nobody has seen yet.
    ///
    /// # Errors
    /// [`EntropyError`] without randomness.
    pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(base64url::encode(bytes).into()))
    }

    /// Reads the value of a cookie.
    pub(crate) fn parse(cookie: &str) -> Option<Self> {
        let bytes = base64url::decode_strict(cookie).ok()?;
        (bytes.len() == 16).then(|| Self(cookie.into()))
    }

    /// The value for the cookie.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// By what it is known.
    pub(crate) fn digest(&self) -> BrowserDigest {
        let mut digest = Sha256::new();
        digest.update(b"portcullis browser\0");
        digest.update(self.0.expose().as_bytes());
        BrowserDigest(digest.finish())
    }
}

impl BrowserDigest {
    /// Whether that browser is meant.
    pub(super) fn is(&self, browser: &Browser) -> bool {
        ct_eq(&self.0, &browser.digest().0)
    }

    /// From its bytes.
    pub(super) const fn of_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
