//! What a scan shows of a document.

use std::borrow::Cow;

use super::text::Quoted;

/// The longest path that is shown, in names.
pub(super) const PATH: usize = 4;

/// A value that [`scan_members`](super::scan_members) passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Member<'a> {
    /// An object; its members follow.
    Object,
    /// An array.
    Array,
    /// A string, a number, `true`, `false` or `null`, as its JSON text.
    Scalar(&'a str),
}

impl<'a> Member<'a> {
    /// The text of a string, its escapes resolved; `None` for every other value.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let quoted = self.json()?.strip_prefix('"')?;
        let raw = quoted.strip_suffix('"')?;
        let has_escapes = raw.contains('\\');
        Some(Quoted { raw, has_escapes }.text())
    }

    /// The JSON text of a scalar, to be repeated as it came.
    pub fn json(self) -> Option<&'a str> {
        match self {
            Self::Scalar(json) => Some(json),
            Self::Object | Self::Array => None,
        }
    }
}
