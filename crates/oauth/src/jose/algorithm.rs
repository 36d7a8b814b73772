use std::fmt;

use crate::crypto::KeyKind;

/// A signature algorithm of RFC 7518 section 3 or RFC 8037. There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// `EdDSA` on Ed25519.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// The algorithm of this name, compared byte for byte. `Ed25519`, the name that RFC 9864
    /// gives it, is [`EdDsa`](Self::EdDsa).
    pub fn parse(name: &str) -> Option<Self> {
        // SECURITY: `none` in any spelling is no algorithm (RFC 8725 section 3.2);
        // sec_jwt_03_none_is_no_algorithm
        match name {
            "Ed25519" => Some(Self::EdDsa),
            _ => Self::ALL.into_iter().find(|known| known.as_str() == name),
        }
    }

    /// The name in a JOSE header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Whether the key is a secret that both sides share.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// Whether a key of this kind can be used with it.
    pub const fn fits(self, kind: KeyKind) -> bool {
        match kind {
            KeyKind::Rsa => matches!(
                self,
                Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512
            ),
            KeyKind::P256 => matches!(self, Self::Es256),
            KeyKind::P384 => matches!(self, Self::Es384),
            KeyKind::P521 => matches!(self, Self::Es512),
            KeyKind::Ed25519 => matches!(self, Self::EdDsa),
            KeyKind::Hmac => self.is_symmetric(),
        }
    }

    /// Bytes of its digest, and of the shortest secret where it takes one.
    pub(crate) const fn digest_len(self) -> usize {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 | Self::Hs256 => 32,
            Self::Rs384 | Self::Ps384 | Self::Es384 | Self::Hs384 => 48,
            Self::Rs512 | Self::Ps512 | Self::Es512 | Self::Hs512 | Self::EdDsa => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
