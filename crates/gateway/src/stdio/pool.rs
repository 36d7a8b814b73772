//! Which process serves whom: how many there are, and when one may be started again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_oauth::Monotonic;
use portcullis_resource_server::mcp::session::SessionOwner;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::fault::Fault;
use super::limits::StdioLimits;
use super::process::{End, Era, Launch, Process, Setup, Watch, lock};
use super::source::{Source, Values};

/// Whom a process serves; `None` is everybody.
pub(super) type Owner = Option<SessionOwner>;

/// Requests with the same key share a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) owner: Owner,
    pub(super) era: Era,
    // SECURITY: a token that says something else, such as a role that was taken away, is not
    // served by the old command; sec_gw_18_a_changed_claim_is_another_process
    pub(super) values: Values,
}

#[derive(Debug)]
pub(super) struct Pool {
    setup: Arc<Setup>,
    source: Source,
    seats: Mutex<HashMap<Key, Arc<Process>>>,
    /// Taken before `seats` where both are.
    state: Mutex<State>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    living: HashMap<u64, Living>,
    backoffs: HashMap<Owner, Backoff>,
    is_stopped: bool,
}

#[derive(Debug)]
struct Living {
    owner: Owner,
    process: Arc<Process>,
}

/// What keeps ending is not started at once.
#[derive(Debug, Clone, Copy)]
struct Backoff {
    failures: u32,
    not_before: Monotonic,
    forgotten: Monotonic,
}

impl Pool {
    pub(super) fn new(setup: Arc<Setup>, source: Source) -> Self {
        let processes = setup.limits.processes.min(Semaphore::MAX_PERMITS);
        Self {
            setup,
            source,
            seats: Mutex::default(),
            state: Mutex::default(),
            room: Arc::new(Semaphore::new(processes)),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The process that serves a key, if it runs.
    pub(super) fn find(&self, key: &Key) -> Option<Arc<Process>> {
        let seats = lock(&self.seats);
        let process = seats.get(key)?;
        (!process.is_closed()).then(|| Arc::clone(process))
    }

    /// The process that serves a key, started if there is none.
    pub(super) fn obtain(self: &Arc<Self>, key: &Key) -> Result<Arc<Process>, Fault> {
        if let Some(process) = self.find(key) {
            return Ok(process);
        }
        let mut state = lock(&self.state);
        if let Some(process) = self.find(key) {
            return Ok(process);
        }
        let process = self.start_in(&mut state, key)?;
        lock(&self.seats).insert(key.clone(), Arc::clone(&process));
        Ok(process)
    }

    /// A process that nobody else gets.
    pub(super) fn start(self: &Arc<Self>, key: &Key) -> Result<Arc<Process>, Fault> {
        self.start_in(&mut lock(&self.state), key)
    }

    fn start_in(self: &Arc<Self>, state: &mut State, key: &Key) -> Result<Arc<Process>, Fault> {
        let now = self.setup.clock.monotonic();
        if state.is_stopped {
            return Err(Fault::Busy { retry: LATER });
        }
        if let Some(backoff) = state.backoffs.get(&key.owner)
            && now < backoff.not_before
        {
            let retry = backoff.not_before.saturating_since(now);
            return Err(Fault::Busy { retry });
        }
        // SECURITY: one user's processes leave room for those of others;
        // sec_mt_06_one_user_cannot_take_every_process
        if !state.make_room_for(&key.owner, self.setup.limits) {
            return Err(Fault::Busy { retry: LATER });
        }
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let permit = permit.map_err(|_| Fault::Busy { retry: LATER })?;
        state.last += 1;
        let launch = Launch {
            setup: Arc::clone(&self.setup),
            era: key.era,
            start: self.source.start(&key.values),
            tasks: &self.tasks,
            permit,
            watch: self.watch(state.last, key),
        };
        let process = Process::start(launch).map_err(|error| {
            self.source.report(&self.setup.name, &error);
            state.failed(&key.owner, now, self.setup.limits.backoff);
            Fault::Unstartable
        })?;
        let living = Living {
            owner: key.owner.clone(),
            process: Arc::clone(&process),
        };
        state.living.insert(state.last, living);
        Ok(process)
    }

    fn watch(self: &Arc<Self>, number: u64, key: &Key) -> Watch {
        let (pool, owner) = (Arc::downgrade(self), key.owner.clone());
        let ended = move |end: End| {
            if let Some(pool) = pool.upgrade().filter(|_| !end.was_asked) {
                pool.failed(&owner, end);
            }
        };
        let pool = Arc::downgrade(self);
        let gone = move || {
            if let Some(pool) = pool.upgrade() {
                pool.gone(number);
            }
        };
        Watch {
            ended: Box::new(ended),
            gone: Box::new(gone),
        }
    }

    /// A process ended by itself.
    fn failed(&self, owner: &Owner, end: End) {
        let (now, backoff) = (self.setup.clock.monotonic(), self.setup.limits.backoff);
        let mut state = lock(&self.state);
        if end.lived >= backoff.1 {
            state.backoffs.remove(owner);
        }
        state.failed(owner, now, backoff);
    }

    /// A process and its tree are gone.
    fn gone(&self, number: u64) {
        let mut state = lock(&self.state);
        if let Some(living) = state.living.remove(&number) {
            let mut seats = lock(&self.seats);
            seats.retain(|_, process| !Arc::ptr_eq(process, &living.process));
        }
    }

    /// Ends what rests for too long and fails what takes too long.
    pub(super) fn sweep(&self) {
        let now = self.setup.clock.monotonic();
        for process in self.living() {
            process.expire(now);
            process.end_if_idle(now);
        }
        lock(&self.state)
            .backoffs
            .retain(|_, backoff| now < backoff.forgotten);
    }

    fn living(&self) -> Vec<Arc<Process>> {
        let state = lock(&self.state);
        let living = state.living.values();
        living.map(|living| Arc::clone(&living.process)).collect()
    }

    /// Ends all processes, and starts no more.
    pub(super) fn end(&self) {
        lock(&self.state).is_stopped = true;
        for process in self.living() {
            process.end();
        }
        self.tasks.close();
    }

    /// Until the last process is gone.
    pub(super) async fn ended_all(&self) {
        self.tasks.wait().await;
    }
}

impl State {
    fn failed(&mut self, owner: &Owner, now: Monotonic, (first, longest): (Duration, Duration)) {
        let failures = self
            .backoffs
            .get(owner)
            .map_or(0, |backoff| backoff.failures);
        let doublings = failures.checked_sub(1);
        let wait = doublings.map_or(Duration::ZERO, |doublings| {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            first.saturating_mul(factor).min(longest)
        });
        let not_before = now.saturating_add(wait);
        let backoff = Backoff {
            failures: failures.saturating_add(1).min(MOST_FAILURES),
            not_before,
            forgotten: not_before.saturating_add(longest),
        };
        self.backoffs.insert(owner.clone(), backoff);
    }

    /// Whether an owner may have one more process. A user's one that rested longest may go for it.
    fn make_room_for(&self, owner: &Owner, limits: StdioLimits) -> bool {
        let (most, may_end) = match owner {
            None => return true,
            Some(SessionOwner::Principal(_)) => (limits.processes_per_user, true),
            // SECURITY: strangers must not end each other's processes, nor take those of users;
            // sec_mt_06_strangers_leave_room
            Some(_) => ((limits.processes / 2).max(1), false),
        };
        let user = owner.as_ref().and_then(user_of);
        let is_theirs = |living: &&Living| living.owner.as_ref().and_then(user_of) == user;
        let theirs: Vec<&Living> = self.living.values().filter(is_theirs).collect();
        let running = || theirs.iter().filter(|living| !living.process.is_closed());
        if running().count() < most {
            // Those that are ending are not gone yet.
            return theirs.len() < most.saturating_mul(2);
        }
        let resting = running().filter_map(|living| Some((living.process.resting()?, living)));
        let oldest = resting.min_by_key(|(since, _)| *since);
        match oldest.filter(|_| may_end) {
            Some((_, living)) => living.process.end(),
            None => return false,
        }
        true
    }
}

/// The same user, through whatever client.
fn user_of(owner: &SessionOwner) -> Option<(&str, &str)> {
    match owner {
        SessionOwner::Principal(principal) => Some((principal.issuer(), principal.subject())),
        _ => None,
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for process in self.living() {
            process.end();
        }
    }
}

/// When to come back to a full house.
const LATER: Duration = Duration::from_secs(5);
const MOST_FAILURES: u32 = 16;
