//! `token decode`: what a JWT says. It may all be a lie.

use anyhow::Result;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::json::Value;
use portcullis_oauth::{Clock as _, Timestamp};
use serde::Serialize;

use super::parts::Parts;
use crate::args::DecodeArgs;
use crate::report::{Report, Show};
use crate::time;

/// What was not checked.
const NOT_CHECKED: [&str; 6] = [
    "signature",
    "issuer",
    "audience",
    "expiry",
    "type",
    "revocation",
];

#[derive(Debug, Serialize)]
struct Decoded {
    header: Value,
    claims: Value,
    not_checked: [&'static str; 6],
    #[serde(skip)]
    now: Timestamp,
}

pub(super) fn decode(args: &DecodeArgs, report: Report) -> Result<()> {
    let parts = Parts::read(&args.source.read()?)?;
    report.data(&Decoded {
        header: parts.header,
        claims: parts.claims,
        not_checked: NOT_CHECKED,
        now: SystemClock::new().now(),
    })
}

impl Show for Decoded {
    fn human(&self) -> String {
        let mut lines = vec!["header".to_owned()];
        lines.extend(members(&self.header, self.now));
        lines.push("claims".to_owned());
        lines.extend(members(&self.claims, self.now));
        lines.push(format!("not checked: {}", NOT_CHECKED.join(", ")));
        lines.join("\n")
    }
}

fn members(value: &Value, now: Timestamp) -> Vec<String> {
    let members = value.as_object().into_iter().flatten();
    let width = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.chars().count())
        .max();
    let width = width.unwrap_or_default().min(20);
    members
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match value.as_i64().filter(|_| is_time(name)) {
                Some(seconds) => format!("  {name:width$}  {text}  {}", when(seconds, now)),
                None => format!("  {name:width$}  {text}"),
            }
        })
        .collect()
}

fn is_time(name: &str) -> bool {
    matches!(name, "exp" | "iat" | "nbf" | "auth_time" | "updated_at")
}

/// The largest time that a calendar of four digits has.
const LAST: i64 = 253_402_300_799;

fn when(seconds: i64, now: Timestamp) -> String {
    if !(0..=LAST).contains(&seconds) {
        return "(no time of ours)".to_owned();
    }
    let time = Timestamp::from_secs(seconds);
    let distance = if time > now {
        format!("in {}", time::rough(time.duration_since(now)))
    } else {
        format!("{} ago", time::rough(now.duration_since(time)))
    };
    format!("({}, {distance})", time::utc(time))
}
