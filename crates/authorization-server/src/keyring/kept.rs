//! The record of the ring in the store, and changes of it.

use portcullis_oauth::Timestamp;
use portcullis_store::Records;

use super::ring::{Ring, RingKey};
use super::{KeyringError, KeyringSettings};

/// How often somebody else may have been first.
const TRIES: usize = 8;

/// The record, or a first one.
pub(super) async fn load_or_make(
    records: &Records,
    settings: &KeyringSettings,
    now: Timestamp,
) -> Result<Ring, KeyringError> {
    if records.get::<Ring>(Ring::KEY).await?.is_none() {
        let (id, key) = settings.fresh(None)?;
        let private = key.to_pkcs8_der().ok_or(KeyringError::Key)?;
        let first = Ring::first(RingKey::new(id, private, settings.life, now));
        // Where another replica was first, its key is the one.
        let _ = records.insert_new(&first).await?;
    }
    change(records, |ring| Ok(ring.with_life(settings.life, now))).await
}

/// Changes the record, as often as it takes, and says what is in it then.
pub(super) async fn change(
    records: &Records,
    change: impl Fn(&Ring) -> Result<Option<Ring>, KeyringError>,
) -> Result<Ring, KeyringError> {
    for _ in 0..TRIES {
        let read = records.get::<Ring>(Ring::KEY).await?;
        let read = read.ok_or(KeyringError::Key)?;
        let Some(next) = change(&read)? else {
            return Ok(read.into_inner());
        };
        if records.compare_and_swap(&read, &next).await? {
            return Ok(next);
        }
    }
    Err(KeyringError::Contended)
}
