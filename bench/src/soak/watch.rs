//! What this process has: memory, open files, threads, processes below it, tasks. Linux only.

use std::{collections::HashMap, fmt, fs, process, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::clock::now;

/// What was there at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) rss_kib: usize,
    pub(super) files: usize,
    pub(super) threads: usize,
    /// Of all generations.
    pub(super) processes: usize,
    /// Of the gateways.
    pub(super) tasks: usize,
}

/// A sample once nothing runs any more, or `longest` later.
pub(super) async fn rest(longest: Duration, tasks: impl Fn() -> usize) -> Result<Sample> {
    let start = now();
    // Long enough for what ends by itself at once: connections, streams that nobody reads.
    tokio::time::sleep(SHORTEST).await;
    while descendants()? > 0 && start.elapsed() < longest {
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(PAUSE).await;
    Ok(Sample {
        rss_kib: rss_kib()?,
        files: count("/proc/self/fd")?,
        threads: count("/proc/self/task")?,
        processes: descendants()?,
        tasks: tasks(),
    })
}

const SHORTEST: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(500);

impl Sample {
    /// What is more than it was, beyond what a pool or an allocator may keep.
    pub(super) fn grown_since(&self, early: &Self) -> Option<&'static str> {
        let is_more = |now: usize, then: usize, room: usize| now > then + room;
        [
            (
                is_more(self.rss_kib, early.rss_kib, early.rss_kib / 10 + 8 * 1024),
                "memory grew",
            ),
            (is_more(self.files, early.files, 8), "open files grew"),
            (is_more(self.threads, early.threads, 4), "threads grew"),
            (is_more(self.tasks, early.tasks, 8), "tasks grew"),
        ]
        .into_iter()
        .find_map(|(has_grown, what)| has_grown.then_some(what))
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "rss_kib": self.rss_kib,
            "files": self.files,
            "threads": self.threads,
            "processes": self.processes,
            "tasks": self.tasks,
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rss_kib,
            files,
            threads,
            processes,
            tasks,
        } = self;
        write!(
            f,
            "{rss_kib} KiB, {files} files, {threads} threads, {processes} processes, {tasks} tasks"
        )
    }
}

fn rss_kib() -> Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.context("no `VmRSS`")?.parse().context("`VmRSS`")
}

fn count(folder: &str) -> Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}

/// The processes that this one started, and those that they did.
fn descendants() -> Result<usize> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let id = entry?.file_name().to_string_lossy().parse::<u32>();
        // A process may be gone by now.
        if let Ok(id) = id
            && let Some(parent) = parent(id)
        {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut found = 0;
    let mut open = vec![process::id()];
    while let Some(id) = open.pop() {
        let below = children.remove(&id).unwrap_or_default();
        found += below.len();
        open.extend(below);
    }
    Ok(found)
}

fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // `PID (NAME) STATE PARENT ..`; a name may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Sample;

    const THEN: Sample = Sample {
        rss_kib: 40_000,
        files: 30,
        threads: 4,
        processes: 0,
        tasks: 3,
    };

    #[test]
    fn what_an_allocator_keeps_is_no_growth() {
        let now = Sample {
            rss_kib: 52_000,
            files: 38,
            threads: 8,
            tasks: 11,
            ..THEN
        };
        assert_eq!(now.grown_since(&THEN), None);
    }

    #[test]
    fn each_kind_of_growth_is_found() {
        let (rss_kib, files, threads, tasks) = (52_193, 39, 9, 12);
        for (now, what) in [
            (Sample { rss_kib, ..THEN }, "memory grew"),
            (Sample { files, ..THEN }, "open files grew"),
            (Sample { threads, ..THEN }, "threads grew"),
            (Sample { tasks, ..THEN }, "tasks grew"),
        ] {
            assert_eq!(now.grown_since(&THEN), Some(what));
        }
    }
}
