//! Entry points of the fuzz targets: plain functions that must not panic on any bytes. The tests run
//! them over the committed corpora.

use bytes::Bytes;

use crate::data_keys::{self, DataKeys};
use crate::envelope::{Envelope, SealKey, associated};
use crate::lock::Lock;
use crate::{Row, SealingKeys};

/// The secret that the corpus was sealed under.
pub const SECRET: &str = "a secret of the corpus, known to all";

/// What is sealed under a known key opens only if it is whole; whatever else there is, is refused.
pub fn envelope(data: &[u8]) {
    let Ok(key) = SealKey::new(SECRET.as_bytes()) else {
        return;
    };
    let Ok(envelope) = Envelope::parse(data) else {
        return;
    };
    let place = associated(&[b"corpus"]);
    if let Ok(plain) = key.open(&place, &envelope) {
        // Version, name of the key, salt and nonce, then as much again as the text, and the tag.
        assert_eq!(data.len(), plain.len() + 1 + 8 + 16 + 12 + 16);
        assert!(key.open(&associated(&[b"elsewhere"]), &envelope).is_err());
    }
}

/// The row that holds a store's keys: sealed as in a database, and as it is once it was opened.
pub fn keys(data: &[u8]) {
    if let Ok(sealing) = SealingKeys::from_secrets(&[SECRET.into()]) {
        let row = Row::new(data_keys::ROW, Bytes::copy_from_slice(data));
        assert!(DataKeys::from_row(&Lock::Keys(sealing), &row).is_err() || data.len() > 53);
        assert!(DataKeys::from_row(&Lock::None, &row).is_err() || data.first() == Some(&2));
    }
    // A format, a root of 32 bytes, and 40 bytes for each key.
    assert!(DataKeys::parse(data).is_err() || data.len() % 40 == 33);
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_corpus_holds_can_be_opened() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let read = |name: &str| std::fs::read(root.join(name)).unwrap();
        let sealed = read("store_envelope/whole");
        let key = SealKey::new(SECRET.as_bytes()).unwrap();
        let envelope = Envelope::parse(&sealed).unwrap();
        let plain = key.open(&associated(&[b"corpus"]), &envelope).unwrap();
        assert_eq!(*plain, b"text");
        let sealing = SealingKeys::from_secrets(&[SECRET.into()]).unwrap();
        let row = Row::new(data_keys::ROW, read("store_keys/row").into());
        assert!(DataKeys::from_row(&Lock::Keys(sealing), &row).is_ok());
        assert!(DataKeys::parse(&read("store_keys/opened")).is_ok());
    }

    proptest! {
        #[test]
        fn sec_st_03_any_bytes_pass(any in proptest::collection::vec(any::<u8>(), 0..300)) {
            envelope(&any);
            envelope(&[&[1], &any[..]].concat());
            keys(&any);
            keys(&[&[1], &any[..]].concat());
        }

        #[test]
        fn what_is_sealed_opens_as_it_was(
            plain in proptest::collection::vec(any::<u8>(), 0..300),
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..4),
            seed in any::<u64>(),
        ) {
            let key = SealKey::new(SECRET.as_bytes()).unwrap();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let place = associated(&parts);
            let sealed = key.seal(&SeededEntropy::new(seed), &place, &plain).unwrap();
            let opened = Envelope::parse(&sealed).and_then(|parsed| key.open(&place, &parsed));
            prop_assert_eq!(&*opened.unwrap(), &plain);
            // No other list of parts is the same place.
            let other = associated(&[&parts[..], &[b""]].concat());
            let opened = Envelope::parse(&sealed).and_then(|parsed| key.open(&other, &parsed));
            prop_assert!(opened.is_err());
        }
    }
}
