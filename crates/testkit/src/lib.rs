#![forbid(unsafe_code)]
//! placeholder

mod logs;

pub use crate::logs::CapturedLogs;
pub use portcullis_oauth::{MockClock, SeededEntropy};
