//! Clients: most of them call what misbehaves, and some of these leave before they are answered.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use http::StatusCode;
use http_body_util::BodyExt as _;
use portcullis_testkit::FakeIdp;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    gateway::token,
    host::Host,
    load::web::{begin, once},
    server::calls::{self, ECHO, TEXT},
};

const HTTP: [&str; 8] = [
    "echo", "crash", "cut", "garbage", "hang", "silent", "flood", "endless",
];
const STDIO: [&str; 7] = [
    "echo", "crash", "hang", "flood", "garbage", "endless", "fork",
];

/// Users who call what misbehaves, and clients that each of them runs.
const USERS: usize = 4;
const CLIENTS: usize = 2;

/// How long a client waits for one answer, and how long one that leaves.
const PATIENCE: Duration = Duration::from_secs(3);
const IMPATIENCE: Duration = Duration::from_millis(20);

/// After a refusal, and between calls of the good tool.
const PAUSE: Duration = Duration::from_millis(20);

/// A client reads no more of one answer.
const MOST: usize = 4 * 1024 * 1024;

/// The gateways, and the tokens of each user there.
pub(super) struct Places(Vec<Place>);

#[derive(Clone)]
struct Place {
    host: Host,
    tools: &'static [&'static str],
    /// Those who misbehave, and behind them the one who does not.
    tokens: Arc<[String]>,
    knows_sessions: bool,
}

impl Places {
    /// Over HTTP and on stdio, in this order.
    pub(super) fn new(idp: &FakeIdp, [http, stdio]: &[Host; 2]) -> Self {
        let tokens = |host: &Host| {
            let users = (0..=USERS).map(|user| token(idp, host, &format!("user-{user}")));
            users.collect()
        };
        Self(vec![
            Place {
                tokens: tokens(http),
                host: http.clone(),
                tools: &HTTP,
                knows_sessions: false,
            },
            Place {
                tokens: tokens(stdio),
                host: stdio.clone(),
                tools: &STDIO,
                knows_sessions: true,
            },
        ])
    }
}

/// What one round of load came to.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Calls of what misbehaves.
    pub(super) bad: usize,
    /// Those of them for which there was no room, or which came too soon after a crash.
    pub(super) refused: usize,
    /// Calls of a good user to a good tool.
    pub(super) good: usize,
    /// Those of them that failed.
    pub(super) failed: Vec<String>,
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bad,
            refused,
            good,
            failed,
        } = self;
        write!(
            f,
            "{bad} calls, {refused} refused, {good} good ones, {} failed",
            failed.len()
        )
    }
}

/// Loads all places for a while.
pub(super) async fn load(places: &Places, time: Duration) -> Calls {
    let stop = Arc::new(AtomicBool::new(false));
    let (mut misbehaving, mut good) = (JoinSet::new(), JoinSet::new());
    for place in &places.0 {
        for client in 0..USERS * CLIENTS {
            misbehaving.spawn(misbehave(place.clone(), client, Arc::clone(&stop)));
        }
        good.spawn(behave(place.clone(), Arc::clone(&stop)));
    }
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut calls = Calls::default();
    for (bad, refused) in misbehaving.join_all().await {
        calls.bad += bad;
        calls.refused += refused;
    }
    for (count, failed) in good.join_all().await {
        calls.good += count;
        calls.failed.extend(failed);
    }
    calls
}

/// Calls one tool after the other, and leaves every third time. Counts calls, and refusals.
async fn misbehave(place: Place, client: usize, stop: Arc<AtomicBool>) -> (usize, usize) {
    let token = place.tokens.get(client % USERS).map(String::as_str);
    let (mut count, mut refused) = (0, 0);
    for (at, tool) in place.tools.iter().cycle().enumerate().skip(client) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let patience = if at.is_multiple_of(3) {
            IMPATIENCE
        } else {
            PATIENCE
        };
        count += 1;
        let answer = timeout(patience, call(&place, at, token, tool)).await;
        // That a call fails is what it is made for.
        if let Ok(Ok(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)) = answer {
            refused += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
    (count, refused)
}

async fn call(place: &Place, at: usize, token: Option<&str>, tool: &str) -> Result<StatusCode> {
    let request = if place.knows_sessions && at.is_multiple_of(2) {
        match calls::try_session(&place.host, token).await? {
            Ok(session) => calls::legacy_call(token, &session, tool)?,
            Err(refused) => return Ok(refused),
        }
    } else {
        calls::modern_call(token, tool)?
    };
    let answer = begin(&place.host, request).await?;
    let status = answer.status();
    let mut body = answer.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame?.data_ref().map_or(0, bytes::Bytes::len);
        if read > MOST {
            break;
        }
    }
    Ok(status)
}

/// Calls the good tool as one who does nothing else; each call has to succeed.
async fn behave(place: Place, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let token = place.tokens.last().map(String::as_str);
    let (mut count, mut failed) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        if let Err(error) = echo(&place, token).await {
            failed.push(format!("{error:#}"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    (count, failed)
}

async fn echo(place: &Place, token: Option<&str>) -> Result<()> {
    let call = once(&place.host, calls::modern_call(token, ECHO)?);
    let answer = timeout(PATIENCE, call).await??;
    if !String::from_utf8_lossy(answer.body()).contains(TEXT) {
        bail!("the answer is another one");
    }
    Ok(())
}
