//! Lengths of time, as people write them.

use std::time::Duration;

use super::raw::RawDuration;

impl RawDuration {
    /// The length; `None` when the text is none.
    pub(crate) fn read(&self) -> Option<Duration> {
        match self {
            Self::Seconds(seconds) => Some(Duration::from_secs(*seconds)),
            Self::Text(text) => parse(text.trim()),
        }
    }
}

/// The length that a text says: `500ms`, `10s`, `5m`, `2h`, `30d`, or seconds without a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u32 = number.parse().ok()?;
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number.into())),
        "" | "s" => Some(Duration::from_secs(number.into())),
        "m" => Some(Duration::from_secs(u64::from(number) * 60)),
        "h" => Some(Duration::from_secs(u64::from(number) * 3600)),
        "d" => Some(Duration::from_secs(u64::from(number) * 86_400)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_a_number_and_a_unit() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("10", Some(10_000)),
            ("5m", Some(300_000)),
            ("2h", Some(7_200_000)),
            ("2 h", Some(7_200_000)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("30d", Some(2_592_000_000)),
            ("1w", None),
            ("1.5s", None),
            ("99999999999s", None),
        ] {
            let read = parse(text).map(|length| length.as_millis());
            assert_eq!(read, expected, "{text}");
        }
    }
}
