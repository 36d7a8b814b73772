#![forbid(unsafe_code)]
//! One use of each item that clippy.toml disallows. Nothing of this is ever run.

use std::hash::{DefaultHasher, RandomState};

pub fn time() {
    let _ = std::time::SystemTime::now();
    let _ = std::time::Instant::now();
    let _ = tokio::time::Instant::now();
}

pub fn randomness(out: &mut [u8]) {
    let _ = aws_lc_rs::rand::fill(out);
    let _ = aws_lc_rs::rand::SystemRandom::new();
}

pub fn environment() {
    let _ = std::env::var("X");
    let _ = std::env::var_os("X");
    let _ = std::env::vars();
    let _ = std::env::vars_os();
}

pub fn parsers(value: serde_json::Value) {
    let _ = serde_json::from_str::<serde_json::Value>("");
    let _ = serde_json::from_slice::<serde_json::Value>(b"");
    let _ = serde_json::from_reader::<_, serde_json::Value>(std::io::empty());
    let _ = serde_json::from_value::<serde_json::Value>(value);
    let _ = url::Url::parse("");
}

pub fn clients() {
    drop(reqwest::get(""));
    let _ = reqwest::Client::new();
    let _ = reqwest::Client::builder();
    let _ = reqwest::ClientBuilder::new();
}

pub fn hashers(_: DefaultHasher, _: RandomState) {}

pub fn extractors(_: axum::Form<u8>, _: axum::extract::Query<u8>, _: axum::Json<u8>) {}

pub async fn span() {
    let span = tracing::Span::none();
    let entered = span.enter();
    std::future::ready(()).await;
    drop(entered);
}
