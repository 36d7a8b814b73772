//! A closed-loop load generator: each connection sends its next request when the answer to the last
//! one is complete. Every answer is checked; a fast error is not a result.

pub(crate) mod pipe;
pub(crate) mod web;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::{clock::now, login};

/// What is loaded: the requests that are sent again and again, and what their answers have to hold.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Http(web::Target),
    Pipe(pipe::Target),
    /// Each is a complete login.
    Login(login::Target),
}

impl Target {
    /// How long the server has been at work so far, where the system tells.
    pub(crate) fn server_time(&self) -> Option<Duration> {
        match self {
            Self::Http(target) => target.server_time(),
            Self::Pipe(target) => target.server_time(),
            Self::Login(target) => target.server_time(),
        }
    }

    /// Loads the target through `connections` for a while; returns how long each request took.
    pub(crate) async fn load(&self, connections: usize, time: Duration) -> Result<Vec<Duration>> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for at in 0..connections {
            let caller = self.caller(at).await?;
            workers.spawn(call_again(caller, Arc::clone(&stop)));
        }
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(worker) = workers.join_next().await {
            all.extend(worker??);
        }
        Ok(all)
    }

    async fn caller(&self, at: usize) -> Result<Caller> {
        Ok(match self {
            Self::Http(target) => Caller::Http(Box::new(target.caller(at).await?)),
            Self::Pipe(target) => Caller::Pipe(target.clone()),
            Self::Login(target) => Caller::Login(Box::new(target.walker().await?)),
        })
    }
}

/// One connection.
enum Caller {
    Http(Box<web::Caller>),
    Pipe(pipe::Target),
    Login(Box<login::Walker>),
}

async fn call_again(mut caller: Caller, stop: Arc<AtomicBool>) -> Result<Vec<Duration>> {
    let mut taken = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let start = now();
        match &mut caller {
            Caller::Http(caller) => caller.call().await?,
            Caller::Pipe(target) => target.call().await?,
            Caller::Login(walker) => walker.call().await?,
        }
        taken.push(start.elapsed());
    }
    Ok(taken)
}

/// Whether `body` contains `expected`; everything contains nothing.
fn holds(body: &[u8], expected: &[u8]) -> bool {
    expected.is_empty() || body.windows(expected.len()).any(|part| part == expected)
}

fn start_of(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}
