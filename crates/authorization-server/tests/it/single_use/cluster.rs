//! Processes on one file, as one site: each request goes to the next of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;

use super::process::Process;

/// The processes, and the folder with their file, which goes with them.
#[derive(Clone)]
pub(super) struct Cluster(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    provider: Option<String>,
    processes: Mutex<Vec<Arc<Process>>>,
    turn: AtomicUsize,
}

impl Cluster {
    pub(super) async fn start(processes: usize) -> Self {
        Self::before(None, processes).await
    }

    /// Proxies, where there is a provider.
    pub(super) async fn before(provider: Option<&str>, processes: usize) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("single-use-{}-{count}", std::process::id());
        // On a disk: a folder for temporary files may be in memory.
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut all = Vec::new();
        for _ in 0..processes {
            all.push(Arc::new(Process::start(&folder, provider).await));
        }
        Self(Arc::new(Inner {
            folder,
            provider: provider.map(str::to_owned),
            processes: Mutex::new(all),
            turn: AtomicUsize::new(0),
        }))
    }

    /// All of them, by turns.
    pub(super) fn site(&self) -> Router {
        let cluster = self.clone();
        Router::new().fallback(move |request: Request| {
            let process = cluster.next();
            async move { process.answer(request).await }
        })
    }

    /// Ends one in the middle of whatever it does.
    pub(super) fn kill(&self, at: usize) {
        self.process(at).kill();
    }

    /// Starts one anew.
    pub(super) async fn restart(&self, at: usize) {
        let Inner {
            folder, provider, ..
        } = &*self.0;
        let process = Arc::new(Process::start(folder, provider.as_deref()).await);
        self.0.processes.lock().unwrap()[at] = process;
    }

    fn next(&self) -> Arc<Process> {
        let turn = self.0.turn.fetch_add(1, Ordering::SeqCst);
        let count = self.0.processes.lock().unwrap().len();
        self.process(turn % count)
    }

    fn process(&self, at: usize) -> Arc<Process> {
        Arc::clone(&self.0.processes.lock().unwrap()[at])
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.processes.lock().unwrap().clear();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
