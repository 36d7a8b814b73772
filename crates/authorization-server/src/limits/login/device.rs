//! Devices that were here before.

use std::fmt;
use std::time::Duration;

use portcullis_oauth::crypto::{base64url, hmac_sha256, hmac_sha256_verify};
use portcullis_oauth::{EntropyError, SecretBytes, SecretString, SharedEntropy, Timestamp};

/// Bytes of a device's name.
const NAME: usize = 16;
/// Bytes of a time.
const TIME: usize = 8;
/// Bytes of a tag.
const TAG: usize = 32;

/// How long a device is known after its last login.
const KNOWN: Duration = Duration::from_secs(180 * 86_400);

/// What a browser keeps of a login, so that attempts from it are told from those of strangers. Its
/// value is base64url; the cookie is called `device`, as `ui::cookie` spells it.
#[must_use = "set it in the browser"]
pub(crate) struct DeviceCookie(SecretString);

impl DeviceCookie {
    /// The value.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// How long a browser should keep it.
    pub(crate) const LIFETIME: Duration = KNOWN;
}

impl fmt::Debug for DeviceCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceCookie([redacted])")
    }
}

/// Writes and reads device cookies.
#[derive(Debug)]
pub(super) struct Devices {
    key: SecretBytes,
    entropy: SharedEntropy,
}

impl Devices {
    pub(super) fn new(key: SecretBytes, entropy: SharedEntropy) -> Self {
        Self { key, entropy }
    }

    /// A cookie for a device with a name of its own.
    pub(super) fn issue(
        &self,
        account: &str,
        now: Timestamp,
    ) -> Result<DeviceCookie, EntropyError> {
        let mut name = [0; NAME];
        self.entropy.fill(&mut name)?;
        let mut signed = Vec::with_capacity(NAME + TIME + TAG);
        signed.extend_from_slice(&name);
        signed.extend_from_slice(&now.as_secs().to_be_bytes());
        let tag = hmac_sha256(self.key.expose(), &message(&signed, account));
        signed.extend_from_slice(&tag);
        Ok(DeviceCookie(SecretString::new(base64url::encode(signed))))
    }

    /// The name of the device, if its cookie is one of ours, for this account, and not too old.
    pub(super) fn name(&self, cookie: &str, account: &str, now: Timestamp) -> Option<[u8; NAME]> {
        // Nothing of ours is longer; there is no need to decode it.
        if cookie.len() > (NAME + TIME + TAG).div_ceil(3) * 4 {
            return None;
        }
        let bytes = base64url::decode_strict(cookie).ok()?;
        let (signed, tag) = bytes.split_last_chunk::<TAG>()?;
        // SECURITY: a cookie of another account, or one that somebody made up, is worth nothing
        // (OWASP, device cookies); sec_op_14_a_device_cookie_is_for_one_account
        if !hmac_sha256_verify(self.key.expose(), &message(signed, account), tag) {
            return None;
        }
        let (name, time) = signed.split_first_chunk::<NAME>()?;
        let since = Timestamp::from_secs(i64::from_be_bytes(time.try_into().ok()?));
        (now.duration_since(since) < KNOWN).then_some(*name)
    }
}

/// What is signed. The first part has one length, so that no two parts can trade bytes.
fn message(signed: &[u8], account: &str) -> Vec<u8> {
    [signed, account.as_bytes()].concat()
}
