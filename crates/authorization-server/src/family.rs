//! What ends together.

use portcullis_store::Family;

/// All that a user has: sessions, codes and grants. Whoever ends a user ends this family, so all of
/// them spell it here.
pub(crate) fn of_user(subject: &str) -> Family {
    Family::new("user", subject.to_owned())
}
