//! When to try again: what every 429 and every 503 says (RFC 9110 section 10.2.3, RFC 6585 section
//! 4), to people and to programs.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use http::header::RETRY_AFTER;

/// When to try again what does not work at the moment, where nobody knows better.
pub(crate) const SHORTLY: Duration = Duration::from_secs(5);

/// Adds `Retry-After` to an answer that cannot be the last one: whole seconds, rounded up, and at
/// least one.
pub(crate) fn retry_after(response: &mut Response, wait: Option<Duration>) {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = wait.unwrap_or(SHORTLY).as_millis().div_ceil(1000).max(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn sec_ds_09_who_is_turned_away_learns_for_how_long() {
        let told = |status: u16, wait: Option<u64>| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            retry_after(&mut response, wait.map(Duration::from_millis));
            let said = response.headers().get(RETRY_AFTER);
            said.map(|value| value.to_str().unwrap().to_owned())
        };
        for status in [429, 503] {
            assert_eq!(told(status, None).as_deref(), Some("5"));
            for (millis, seconds) in [(0, "1"), (1, "1"), (2_000, "2"), (2_001, "3")] {
                assert_eq!(told(status, Some(millis)).as_deref(), Some(seconds));
            }
        }
        for status in [200, 303, 400, 401, 500] {
            assert_eq!(told(status, Some(1)), None, "{status}");
        }
    }
}
