//! Many token buckets in constant memory.
//!
//! A bucket is kept as one number, the time at which it will be full again (the generic cell rate
//! algorithm of ITU-T I.371): how far that lies ahead is the bucket's *debt*. Buckets are found by a
//! keyed digest, so nobody chooses beside whom he stands. Where there is no place, the bucket with
//! the least debt makes room: a source in debt stays while any other is better off, so nobody gets
//! out of his debt by making noise from elsewhere.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_oauth::Monotonic;

/// So many at once, and one more each interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    burst: u32,
    every: Duration,
}

impl Rate {
    pub(super) const fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every }
    }

    /// So many times as much.
    fn times(self, times: u32) -> Self {
        Self {
            burst: self.burst.saturating_mul(times.max(1)),
            every: self.every / times.max(1),
        }
    }

    /// When a bucket is full again once one more is taken, and how long it is until there is one.
    fn next(self, full_at: u64, now: u64) -> (u64, u64) {
        let every = micros(self.every);
        let next = full_at.max(now).saturating_add(every);
        let allowed = now.saturating_add(every.saturating_mul(self.burst.into()));
        (next, next.saturating_sub(allowed))
    }

    /// As much as somebody finds who stands so.
    fn left_to(self, standing: Standing) -> Self {
        match standing {
            Standing::First => self,
            Standing::Again => Self {
                burst: self.burst / 2,
                ..self
            },
        }
    }
}

/// How somebody stands who wants of what all share. Half of it is kept for those who come for the
/// first time, so that nobody uses up all of it, however much noise he makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody of his network asked for it lately.
    First,
    /// Somebody did.
    Again,
}

/// Whom a request counts for: his bucket, and how many times it is as large as the rate says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) mark: Mark,
    pub(super) times: u32,
}

/// Under which a bucket is found: half of a keyed digest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark([u8; 16]);

impl Mark {
    pub(super) fn of(digest: &[u8; 32]) -> Self {
        let mut mark = [0; 16];
        for (byte, from) in mark.iter_mut().zip(digest) {
            *byte = *from;
        }
        Self(mark)
    }

    /// In which set the bucket is, and its name there, which is never zero.
    fn place(self, sets: usize) -> (usize, u64) {
        let [set, name] = [0, 8].map(|at| {
            let mut half = [0; 8];
            for (byte, from) in half.iter_mut().zip(self.0.iter().skip(at)) {
                *byte = *from;
            }
            u64::from_le_bytes(half)
        });
        let sets = u64::try_from(sets).unwrap_or(1).max(1);
        (usize::try_from(set % sets).unwrap_or(0), name.max(1))
    }
}

/// A place: a bucket's name, and when it is full again, in microseconds of the clock. Both zero where
/// nothing is.
type Slot = [u64; 2];

/// Places of one set. All are looked at for each request.
const WAYS: usize = 8;

/// Buckets of one rate.
#[derive(Debug)]
pub(super) struct Table {
    rate: Rate,
    /// Zeros until they are used, so that an idle server does not hold them.
    slots: Mutex<Vec<Slot>>,
}

impl Table {
    /// Room for so many buckets.
    pub(super) fn new(rate: Rate, buckets: usize) -> Self {
        let sets = buckets.div_ceil(WAYS).max(1);
        Self {
            rate,
            slots: Mutex::new(vec![[0; 2]; sets * WAYS]),
        }
    }

    /// Takes one out of a bucket.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub(super) fn take(&self, source: Source, now: Monotonic) -> Result<(), Duration> {
        self.take_as(source, Standing::First, now)
    }

    /// Takes one out of a bucket that many share.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub(super) fn take_as(
        &self,
        source: Source,
        standing: Standing,
        now: Monotonic,
    ) -> Result<(), Duration> {
        // SECURITY: the second half is for those who come for the first time, so that a flood keeps
        // none of them out (CWE-799); sec_az_14_a_flood_leaves_room_for_those_who_come_first
        let rate = self.rate_of(source).left_to(standing);
        self.with(source.mark, now, |full_at, now| {
            let (next, wait) = rate.next(full_at, now);
            if wait == 0 {
                (next, Ok(()))
            } else {
                (full_at, Err(Duration::from_micros(wait)))
            }
        })
    }

    /// Whether [`take`](Self::take) would find one. Takes none.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub(super) fn look(&self, source: Source, now: Monotonic) -> Result<(), Duration> {
        let rate = self.rate_of(source);
        self.with(source.mark, now, |full_at, now| {
            let (_, wait) = rate.next(full_at, now);
            let found = if wait == 0 {
                Ok(())
            } else {
                Err(Duration::from_micros(wait))
            };
            (full_at, found)
        })
    }

    /// Takes one, also where there is none: an empty bucket stays empty for another interval, and no
    /// longer, whatever comes.
    pub(super) fn charge(&self, source: Source, now: Monotonic) {
        let rate = self.rate_of(source);
        self.with(source.mark, now, |full_at, now| {
            let most = now.saturating_add(micros(rate.every).saturating_mul(rate.burst.into()));
            let (next, _) = rate.next(full_at, now);
            (next.min(most), ())
        });
    }

    /// Gives one back.
    pub(super) fn give_back(&self, source: Source, now: Monotonic) {
        self.with(source.mark, now, |full_at, _| {
            let every = micros(self.rate_of(source).every);
            (full_at.saturating_sub(every), ())
        });
    }

    fn rate_of(&self, source: Source) -> Rate {
        self.rate.times(source.times)
    }

    /// Shows `change` when the bucket is full again, and keeps what it answers.
    fn with<T>(&self, mark: Mark, now: Monotonic, change: impl Fn(u64, u64) -> (u64, T)) -> T {
        let now = micros(now.saturating_since(Monotonic::from_start(Duration::ZERO)));
        let mut slots = self.slots();
        let (set, name) = mark.place(slots.len() / WAYS);
        let places = slots.iter_mut().skip(set * WAYS).take(WAYS);
        let mut least: Option<&mut Slot> = None;
        for slot in places {
            let [named, full_at] = slot;
            if *named == name {
                let (next, answer) = change(*full_at, now);
                *full_at = next;
                return answer;
            }
            // SECURITY: the one with the least debt makes room, so that noise from elsewhere gets
            // nobody out of his own (CWE-799); sec_az_14_noise_pushes_no_source_out_of_its_debt
            if least.as_ref().is_none_or(|[_, other]| *full_at < *other) {
                least = Some(slot);
            }
        }
        let (next, answer) = change(0, now);
        // A bucket that is full need not be remembered.
        if let Some(slot) = least.filter(|_| next > now) {
            *slot = [name, next];
        }
        answer
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots().len()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What one request took, to be given back if it may not be after all.
#[derive(Debug, Default)]
pub(super) struct Taken<'t>(Vec<(&'t Table, Source)>);

impl<'t> Taken<'t> {
    /// Takes one, or gives back all that was taken before.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub(super) fn take(
        &mut self,
        table: &'t Table,
        source: Source,
        now: Monotonic,
    ) -> Result<(), Duration> {
        self.take_as(table, source, Standing::First, now)
    }

    /// The same out of a bucket that many share.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(super) fn take_as(
        &mut self,
        table: &'t Table,
        source: Source,
        standing: Standing,
        now: Monotonic,
    ) -> Result<(), Duration> {
        let taken = table.take_as(source, standing, now);
        match taken {
            Ok(()) => self.0.push((table, source)),
            Err(_) => self.give_back(now),
        }
        taken
    }

    /// Gives back all that was taken.
    pub(super) fn give_back(&mut self, now: Monotonic) {
        for (table, source) in self.0.drain(..) {
            table.give_back(source, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::crypto::sha256;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn source(of: u32) -> Source {
        let mark = Mark::of(&sha256(&of.to_be_bytes()));
        Source { mark, times: 1 }
    }

    #[test]
    fn a_bucket_has_a_burst_and_fills_up_again() {
        let table = Table::new(Rate::new(3, MINUTE), 64);
        for _ in 0..3 {
            assert_eq!(table.look(source(1), at(100)), Ok(()));
            assert_eq!(table.take(source(1), at(100)), Ok(()));
        }
        assert_eq!(table.take(source(1), at(100)), Err(MINUTE));
        assert_eq!(table.look(source(1), at(130)), Err(MINUTE / 2));
        assert_eq!(table.take(source(1), at(160)), Ok(()));
        assert_eq!(table.take(source(1), at(160)), Err(MINUTE));
        assert_eq!(table.take(source(2), at(160)), Ok(()), "another bucket");
        let again = (0..4).map(|_| table.take(source(1), at(10_000)));
        assert_eq!(again.flatten().count(), 3, "and never more");
    }

    #[test]
    fn a_larger_bucket_has_more_and_fills_faster() {
        let table = Table::new(Rate::new(2, MINUTE), 64);
        let mark = source(1).mark;
        let large = Source { mark, times: 10 };
        let taken = (0..100).take_while(|_| table.take(large, at(0)).is_ok());
        assert_eq!(taken.count(), 20);
        assert_eq!(table.take(large, at(0)), Err(MINUTE / 10));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let table = Table::new(Rate::new(1, MINUTE), 64);
        assert_eq!(table.take(source(1), at(5)), Ok(()));
        table.give_back(source(1), at(6));
        assert_eq!(table.take(source(1), at(6)), Ok(()));
        table.give_back(source(1), at(500));
        table.give_back(source(1), at(500));
        let taken = (0..3).map(|_| table.take(source(1), at(500)));
        assert_eq!(taken.flatten().count(), 1, "and never more");
    }

    #[test]
    fn a_charge_does_not_pile_up() {
        let table = Table::new(Rate::new(2, MINUTE), 64);
        for _ in 0..1000 {
            table.charge(source(1), at(0));
        }
        assert_eq!(table.look(source(1), at(0)), Err(MINUTE));
        assert_eq!(table.look(source(1), at(60)), Ok(()));
    }

    #[test]
    fn sec_az_14_noise_pushes_no_source_out_of_its_debt() {
        let table = Table::new(Rate::new(5, MINUTE), 64);
        while table.take(source(0), at(0)).is_ok() {}
        for noise in 1..100_000 {
            let _ = table.take(source(noise), at(0));
        }
        assert!(table.take(source(0), at(0)).is_err());
        assert_eq!(table.len(), 64, "and the table did not grow");
    }
}
