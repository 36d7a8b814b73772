//! Who is asking.

use portcullis_resource_server::AccessToken;

/// The caller of one request, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody was verified.
    Nobody,
    /// The user of this machine, on a transport without OAuth.
    Local(AccessToken),
    /// The holder of a verified token, who can be challenged for more.
    Bearer(AccessToken),
}

impl Caller {
    pub(crate) fn token(&self) -> Option<&AccessToken> {
        match self {
            Self::Nobody => None,
            Self::Local(token) | Self::Bearer(token) => Some(token),
        }
    }

    /// Whether a challenge can reach somebody who can answer it.
    pub(crate) fn can_step_up(&self) -> bool {
        matches!(self, Self::Bearer(_))
    }

    /// The bytes that stand for this caller where something is bound to it. Two callers never
    /// share them: each part carries its length.
    pub(crate) fn binding(&self) -> Vec<u8> {
        let Some(token) = self.token() else {
            return b"nobody".to_vec();
        };
        let parts = [
            token.issuer(),
            token.subject(),
            token.client_id().unwrap_or_default(),
        ];
        parts.iter().fold(b"token".to_vec(), |mut bytes, part| {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
            bytes
        })
    }
}
