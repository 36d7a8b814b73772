//! What stays while an endpoint is mounted again.

use std::sync::{Arc, OnceLock};

use crate::mcp::room::Room;
use crate::mcp::session::Sessions;

/// The sessions of an endpoint, to be kept while it is mounted again with other settings.
///
/// Whoever opened a session goes on with it: it belongs to the same principal, who needs a token
/// that the new settings accept. See [`Auth::keep_sessions`](super::Auth::keep_sessions).
#[derive(Debug, Clone, Default)]
pub struct KeptSessions(Arc<OnceLock<(Sessions, Room)>>);

impl KeptSessions {
    /// No sessions yet: the first endpoint that is mounted with this makes them.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn get_or(&self, make: impl FnOnce() -> (Sessions, Room)) -> (Sessions, Room) {
        self.0.get_or_init(make).clone()
    }
}
