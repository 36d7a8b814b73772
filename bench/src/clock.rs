//! The one place that looks at the clock: measuring time is this program's purpose.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "it measures, and decides nothing by it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
