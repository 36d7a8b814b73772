//! `key`: the keys that sign tokens.

use anyhow::Result;
use portcullis_authorization_server::{
    KeyInfo, KeyState, Keyring, KeyringError, KeyringSettings, Rotation, reseal,
};
use portcullis_oauth::Timestamp;
use portcullis_resource_server::observe::{AuthorizationEvent, AuthorizationEventKind};
use serde::Serialize;

use crate::args::{FileArgs, KeyCommand, RotateArgs};
use crate::report::{Failure, Problem, Report, Show};
use crate::store::{self, Opened};
use crate::time;

pub(super) async fn key(command: KeyCommand, report: Report) -> Result<()> {
    match command {
        KeyCommand::List(file) => list(file, report).await,
        KeyCommand::Rotate(args) => rotate(args, report).await,
    }
}

async fn list(file: FileArgs, report: Report) -> Result<()> {
    let opened = store::open(file.request(), report).await?;
    let keyring = ring(&opened).await?;
    let keys = keyring.keys().await.map_err(failed)?;
    report.data(&Keys(keys.into_iter().map(Line::from).collect()))
}

async fn rotate(args: RotateArgs, report: Report) -> Result<()> {
    let opened = store::open(args.file.request(), report).await?;
    let keyring = ring(&opened).await?;
    let trail = opened.trail()?;
    let rotation = if args.revoke {
        Rotation::Revoke
    } else {
        Rotation::Overlap
    };
    let key = keyring.rotate(rotation).await.map_err(failed)?;
    let rotated = AuthorizationEvent::new(AuthorizationEventKind::KeyRotated);
    trail.note(if args.revoke {
        rotated.because("revoked")
    } else {
        rotated
    });
    trail.end().await?;
    report.data(&Keys(vec![key.into()]))?;
    if args.revoke {
        let sealed = reseal(&opened.records, opened.clock.now()).await;
        sealed.map_err(store::failed)?;
    }
    Ok(())
}

async fn ring(opened: &Opened) -> Result<Keyring> {
    let ring = Keyring::open(&opened.records, settings(opened)).await;
    ring.map_err(failed)
}

/// The settings of a ring that this process looks into for a moment.
pub(super) fn settings(opened: &Opened) -> KeyringSettings {
    KeyringSettings::new()
        .clock(opened.clock.clone())
        .entropy(opened.entropy.clone())
}

/// Why there is no key, with what its user can do about it.
pub(super) fn failed(error: KeyringError) -> anyhow::Error {
    let problem = match error {
        KeyringError::Store(error) => return store::failed(error),
        KeyringError::Rotating { from } => Problem::new(format!(
            "a new key signs from {} on already",
            time::utc(from)
        ))
        .hint("wait until then, or take the old one away at once with `--revoke`"),
        KeyringError::Contended => {
            Problem::new("others are changing the keys at the same time").hint("try again")
        }
        KeyringError::Derived | KeyringError::Secret(_) | KeyringError::Claims(_) => {
            Problem::new(error.to_string())
        }
        error => return error.into(),
    };
    Failure::from(problem).into()
}

/// Keys, as they are shown.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Keys(Vec<Line>);

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    algorithm: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_at: Option<String>,
    /// When it begins to sign, or is taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes_at: Option<String>,
    #[serde(skip)]
    about: String,
}

impl From<KeyInfo> for Line {
    fn from(key: KeyInfo) -> Self {
        let utc = |time: Timestamp| time::utc(time);
        let (state, change, about) = match key.state {
            KeyState::Next { from } => ("next", Some(from), format!("signs from {}", utc(from))),
            KeyState::Active => ("active", None, "signs".to_owned()),
            KeyState::Retired { until: Some(until) } => {
                ("retired", Some(until), format!("kept until {}", utc(until)))
            }
            _ => ("retired", None, "kept".to_owned()),
        };
        Self {
            id: key.id,
            algorithm: key.algorithm,
            state,
            made_at: key.made_at.map(|at| at.to_string()),
            changes_at: change.map(|at| at.to_string()),
            about,
        }
    }
}

impl Show for Keys {
    fn human(&self) -> String {
        let lines = self.0.iter().map(|key| {
            let (id, algorithm, about) = (&key.id, key.algorithm, &key.about);
            format!("{id}  {algorithm:5}  {:7}  {about}", key.state)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
