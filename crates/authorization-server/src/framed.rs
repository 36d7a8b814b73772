//! One digest of many parts.

use portcullis_oauth::crypto::Sha256;

/// A digest over parts, each framed by its length, so that no two lists of parts read the same.
pub(crate) struct FramedDigest(Sha256);

impl FramedDigest {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn bytes(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn optional(&mut self, text: Option<&str>) {
        self.list(text.into_iter());
    }

    pub(crate) fn list<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        for text in texts {
            self.0.update(b"+");
            self.text(text);
        }
        self.0.update(b".");
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finish()
    }
}
