//! Argon2id, off the threads that answer requests, and not too much of it at once.

use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
};
use portcullis_oauth::{Entropy, EntropyError, SecretBytes};
use portcullis_resource_server::Unavailable;
use tokio::sync::{Semaphore, oneshot};

use super::password::Password;

/// Memory in KiB, passes and lanes: the second choice of OWASP for Argon2id, which takes about 20 ms
/// of a core. RFC 9106 section 4 asks for more memory where an attacker has the hashes; ours need the
/// pepper too.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of a hash.
const OUTPUT: usize = 32;

/// So many wait for each core that hashes.
const QUEUE: usize = 32;

/// Hashes passwords and compares them.
pub(super) struct Hasher {
    pool: Pool,
    secret: Arc<Secret>,
    params: Params,
    /// A hash that no password has, which costs as much as that of a password.
    decoy: String,
    #[cfg(test)]
    pub(super) runs: AtomicUsize,
}

/// What no hash is made without, and no row of the database has (RFC 9106 section 3.1, `K`).
struct Secret(SecretBytes);

impl Hasher {
    pub(super) fn new(pepper: SecretBytes, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let params = Params::new(MEMORY, PASSES, LANES, Some(OUTPUT)).unwrap_or(Params::DEFAULT);
        Self::with_params(pepper, entropy, params)
    }

    pub(super) fn with_params(
        pepper: SecretBytes,
        entropy: &dyn Entropy,
        params: Params,
    ) -> Result<Self, EntropyError> {
        let (mut salt, mut output) = ([0; 16], [0; OUTPUT]);
        entropy.fill(&mut salt)?;
        entropy.fill(&mut output)?;
        Ok(Self {
            pool: Pool::new(),
            secret: Arc::new(Secret(pepper)),
            decoy: decoy(&params, &salt, &output),
            params,
            #[cfg(test)]
            runs: AtomicUsize::new(0),
        })
    }

    /// The hash of a password, as PHC writes it.
    pub(super) async fn hash(
        &self,
        password: Password,
        salt: [u8; 16],
    ) -> Result<String, Unavailable> {
        self.count();
        let (secret, params) = (Arc::clone(&self.secret), self.params.clone());
        let hash = self.pool.run(move || {
            let argon = secret.argon(params)?;
            let hash = argon.hash_password_with_salt(password.as_bytes(), &salt);
            hash.ok().map(|hash| hash.to_string())
        });
        hash.await?
            .ok_or_else(|| Unavailable::new("a password could not be hashed"))
    }

    /// Whether a password is that of a hash. Without a hash it is not, after the same work.
    pub(super) async fn verify(
        &self,
        password: Option<Password>,
        hash: Option<String>,
    ) -> Result<bool, Unavailable> {
        self.count();
        let real = hash.is_some() && password.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let password = password.unwrap_or_else(Password::none);
        let (secret, params) = (Arc::clone(&self.secret), self.params.clone());
        let same = self.pool.run(move || {
            let Some(argon) = secret.argon(params) else {
                return false;
            };
            let hash = PasswordHash::new(&hash);
            hash.is_ok_and(|hash| argon.verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(same.await? && real)
    }

    /// Whether a hash was made with other costs than today's.
    pub(super) fn is_outdated(&self, hash: &str) -> bool {
        let hash = PasswordHash::new(hash).ok();
        let today = hash.filter(|hash| {
            hash.algorithm == ARGON2ID_IDENT
                && hash.version == Some(Version::V0x13.into())
                && Params::try_from(hash).is_ok_and(|params| costs(&params) == costs(&self.params))
        });
        today.is_none()
    }

    #[cfg(test)]
    fn count(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests count")]
    fn count(&self) {}
}

impl Secret {
    fn argon(&self, params: Params) -> Option<Argon2<'_>> {
        Argon2::new_with_secret(self.0.expose(), Algorithm::Argon2id, Version::V0x13, params).ok()
    }
}

fn costs(params: &Params) -> (u32, u32, u32) {
    (params.m_cost(), params.t_cost(), params.p_cost())
}

fn decoy(params: &Params, salt: &[u8], output: &[u8]) -> String {
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: params.try_into().unwrap_or_default(),
        salt: Salt::new(salt).ok(),
        hash: Output::new(output).ok(),
    };
    hash.to_string()
}

/// Threads for what takes long: few, and few that wait for them.
///
/// They are threads of its own, because each thread that ever hashed keeps the memory of a hash.
struct Pool {
    places: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Pool {
    fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::of(cores.div_ceil(2).min(8))
    }

    fn of(workers: usize) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..workers {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name("passwords".to_owned());
            if let Err(error) = thread.spawn(move || work(&queue)) {
                tracing::error!(%error, "a thread for passwords could not be started");
            }
        }
        Self {
            places: Arc::new(Semaphore::new(workers * (1 + QUEUE))),
            jobs,
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        // SECURITY: neither the processors nor the memory are left to whoever posts passwords
        // (CWE-400); sec_ds_07_few_passwords_are_hashed_at_once
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| busy())?;
        let (done, outcome) = oneshot::channel();
        let job = move || {
            // Whoever asked may have gone; the work goes on, and so does its place.
            let _held = place;
            let _ = done.send(work());
        };
        let gone = || Unavailable::new("no thread looks at passwords");
        self.jobs.send(Box::new(job)).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())
    }
}

/// Does one job after the other, until nobody can bring any.
fn work(queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // One that panics is its own end, and not the thread's.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(job));
    }
}

fn busy() -> Unavailable {
    Unavailable::new("too many passwords are being looked at").retry_after(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::SeededEntropy;

    use super::*;

    fn hasher(pepper: u8) -> Hasher {
        let params = Params::new(64, 1, 1, Some(OUTPUT)).unwrap();
        let pepper = SecretBytes::new([pepper; 32]);
        Hasher::with_params(pepper, &SeededEntropy::new(1), params).unwrap()
    }

    fn password(text: &str) -> Option<Password> {
        Password::typed(&text.into())
    }

    async fn hash(hasher: &Hasher, text: &str) -> String {
        let hash = hasher.hash(password(text).unwrap(), [3; 16]);
        hash.await.unwrap()
    }

    #[tokio::test]
    async fn the_hash_is_that_of_the_reference() {
        // Made by the reference implementation in C (argon2-cffi-bindings 26.2.0), which was first
        // shown to give the tag of RFC 9106 section 5.3.
        let hasher = hasher(7);
        let made = hash(&hasher, "a password of some length").await;
        assert_eq!(
            made,
            "$argon2id$v=19$m=64,t=1,p=1$AwMDAwMDAwMDAwMDAwMDAw\
             $v4xUGozGWmv1M5ZHGjuHPbq20mFyzQV1oWYq5N0UZ3k"
        );
        let verify = |text, hash: &str| hasher.verify(password(text), Some(hash.to_owned()));
        assert_eq!(
            verify("a password of some length", &made).await.ok(),
            Some(true)
        );
        assert_eq!(
            verify("a password of some lengtH", &made).await.ok(),
            Some(false)
        );
    }

    #[tokio::test]
    async fn a_hash_is_worth_nothing_without_the_pepper() {
        let made = hash(&hasher(7), "a password of some length").await;
        let other = hasher(8);
        let same = other.verify(password("a password of some length"), Some(made));
        assert!(!same.await.unwrap());
    }

    #[tokio::test]
    async fn no_password_is_that_of_the_decoy() {
        let hasher = hasher(7);
        assert!(!hasher.is_outdated(&hasher.decoy), "it costs the same");
        let known = Some(hasher.decoy.clone());
        for hash in [None, known] {
            assert!(
                !hasher
                    .verify(password("anything at all"), hash)
                    .await
                    .unwrap()
            );
        }
        // What cannot be a password is none, whatever was hashed.
        let empty = hasher.hash(Password::none(), [3; 16]).await.unwrap();
        assert!(!hasher.verify(None, Some(empty)).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_other_costs_is_outdated() {
        let made = hash(&hasher(7), "a password of some length").await;
        let entropy = SeededEntropy::new(1);
        let today = Hasher::new(SecretBytes::new([7; 32]), &entropy).unwrap();
        assert!(today.is_outdated(&made));
        assert!(today.is_outdated("no hash"));
        assert!(!today.is_outdated(&today.decoy));
        assert!(today.decoy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[tokio::test]
    async fn sec_ds_07_the_same_few_threads_hash_all_passwords() {
        let pool = Pool::of(2);
        let mut threads = std::collections::HashSet::new();
        for _ in 0..50 {
            threads.insert(pool.run(|| std::thread::current().id()).await.unwrap());
        }
        assert!(threads.len() <= 2, "each keeps the memory of a hash");
        let panicked: Result<(), _> = pool.run(|| panic!("a fault in a job")).await;
        assert!(panicked.is_err());
        assert!(pool.run(|| true).await.unwrap(), "the others go on");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sec_ds_07_few_passwords_are_hashed_at_once() {
        let pool = Arc::new(Pool::of(2));
        let (started, begun) = mpsc::channel();
        let (closed, gate) = mpsc::channel::<()>();
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let waiting: Vec<_> = (0..200)
            .map(|_| {
                let (pool, started, gate) = (Arc::clone(&pool), started.clone(), Arc::clone(&gate));
                tokio::spawn(async move {
                    let work = move || {
                        let _ = started.send(());
                        let _ = gate.lock().unwrap().recv();
                    };
                    pool.run(work).await.is_ok()
                })
            })
            .collect();
        // All but those that have a place are refused at once; of these two are at work.
        let refused = async {
            while waiting.iter().filter(|task| task.is_finished()).count() < 200 - 2 * (1 + QUEUE) {
                tokio::task::yield_now().await;
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(20), refused).await;
        assert!(refused.is_ok(), "too many wait");
        for _ in 0..2 {
            begun.recv().unwrap();
        }
        assert!(begun.try_recv().is_err(), "a third one works");
        drop(closed);
        let mut done = 0;
        for task in waiting {
            done += usize::from(task.await.unwrap());
        }
        assert_eq!(done, 2 * (1 + QUEUE));
    }
}
