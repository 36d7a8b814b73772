//! What is kept: records, by collection and key, in families.

use std::borrow::Cow;

use portcullis_oauth::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of record. Its name is part of every key and of what every value is sealed to, so it never
/// changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Collection(&'static str);

impl Collection {
    /// A collection of this name: lower-case letters and `_`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// What records belong together, over all collections: they can be listed and deleted at once.
///
/// A family is named by a kind and whatever identifies one of that kind: `("user", subject)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Family {
    kind: &'static str,
    name: Cow<'static, str>,
}

impl Family {
    /// The family of that kind and name.
    pub fn new(kind: &'static str, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// The kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Which of its kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A value that is kept, as a JSON object of at most 64 KiB inside its seal. A member that is added
/// later has a serde default.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Where records of this type are.
    const COLLECTION: Collection;

    /// What identifies this one in its collection. It is hashed before it is stored.
    fn key(&self) -> Cow<'_, [u8]>;

    /// When it ends; nothing if it does not.
    fn expires_at(&self) -> Option<Timestamp>;

    /// What it belongs to, at most four families.
    fn families(&self) -> Vec<Family> {
        Vec::new()
    }
}
