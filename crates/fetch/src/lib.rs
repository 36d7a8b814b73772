#![forbid(unsafe_code)]
//! Placeholder front page
