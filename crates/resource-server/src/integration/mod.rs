//! The token as an argument, in frameworks that others wrote.

mod axum;
#[cfg(feature = "rmcp")]
mod rmcp;

#[cfg(feature = "rmcp")]
pub use self::rmcp::MaybeAccessToken;
