//! Users who come from an identity provider: what of its word counts here.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "asked at the provider's callback")
)]
mod allow;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "asked at the provider's callback")
)]
mod claims;

pub use self::allow::AllowList;
pub use self::claims::ClaimsPassthrough;
