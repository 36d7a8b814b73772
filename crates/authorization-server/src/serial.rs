//! How values are written into records.

use std::borrow::Cow;
use std::fmt;

use portcullis_oauth::crypto::{base64url, ct_eq, hmac_sha256};
use portcullis_oauth::{CodeVerifier, SecretString, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A keyed digest of a secret, by which the secret can be recognised and not found.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(key: &[u8], secret: &[u8]) -> Self {
        Self(hmac_sha256(key, secret))
    }

    pub(crate) fn matches(&self, other: &Self) -> bool {
        ct_eq(&self.0, &other.0)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes::deserialize(deserializer).map(Self)
    }
}

/// Bytes as base64url.
pub(crate) mod bytes {
    use super::{Cow, Deserialize as _, Deserializer, Serializer, base64url, de};

    pub(crate) fn serialize<S: Serializer, const N: usize>(
        value: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = base64url::decode_strict(&*text).map_err(de::Error::custom)?;
        bytes
            .try_into()
            .map_err(|_| de::Error::custom("another number of bytes"))
    }
}

/// Times as seconds since 1970.
pub(crate) mod seconds {
    use super::{Deserialize as _, Deserializer, Serializer, Timestamp};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(
        value: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(value.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_secs)
    }
}

/// Times that may be absent.
pub(crate) mod seconds_option {
    use super::{Deserialize as _, Deserializer, Serialize as _, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Timestamp::as_secs).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Option::<i64>::deserialize(deserializer).map(|value| value.map(Timestamp::from_secs))
    }
}

/// Secrets, in the open: for records that are sealed as a whole.
pub(crate) mod secret {
    use super::{Deserialize as _, Deserializer, SecretString, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        value: &SecretString,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecretString, D::Error> {
        String::deserialize(deserializer).map(SecretString::from)
    }
}

/// Secrets that may be absent; as [`secret`].
pub(crate) mod secret_option {
    use super::{Deserialize as _, Deserializer, SecretString, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<SecretString>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value
            .as_ref()
            .map(SecretString::expose)
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SecretString>, D::Error> {
        Option::<String>::deserialize(deserializer).map(|value| value.map(SecretString::from))
    }
}

/// The secret of an authorization request; as [`secret`].
pub(crate) mod verifier {
    use super::{CodeVerifier, Cow, Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        value: &CodeVerifier,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<CodeVerifier, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        CodeVerifier::parse(&text).map_err(de::Error::custom)
    }
}
