//! Times, as people read them.

use std::time::Duration;

use portcullis_oauth::Timestamp;

/// `2026-11-21 16:05:00 UTC`.
pub(crate) fn utc(time: Timestamp) -> String {
    let text = time.to_string().replace('T', " ");
    text.replace('Z', " UTC")
}

/// `2026-11-21 16:05`, in UTC.
pub(crate) fn minute(time: Timestamp) -> String {
    time.to_string()
        .replace('T', " ")
        .chars()
        .take(16)
        .collect()
}

/// `3 h`, `2 d`: the largest unit of which there are two or more.
pub(crate) fn rough(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_utc() {
        let leap = Timestamp::from_secs(951_782_400);
        assert_eq!(utc(leap), "2000-02-29 00:00:00 UTC");
        assert_eq!(minute(leap), "2000-02-29 00:00");
    }

    #[test]
    fn lengths_are_rough() {
        let rough = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!(
            [rough(90), rough(150), rough(7_200), rough(172_800)],
            ["90 s", "2 min", "2 h", "2 d"]
        );
    }
}
