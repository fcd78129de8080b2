//! Threads that begin together, many times over, and a clock that orders what they do.

use std::{
    fmt::Debug,
    hint, panic,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::*},
    },
    thread,
    time::{Duration, Instant},
};

/// Counts calls and returns. A call that the clock puts after a return also happens after it in the
/// memory model.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    pub fn now(&self) -> u64 {
        self.0.fetch_add(1, AcqRel)
    }
}

/// The work of one thread in one round.
pub type Work<R> = Box<dyn FnOnce(&Clock) -> R + Send>;

/// The work of a thread for this round, and then its result.
type Job<R> = Mutex<(Option<Work<R>>, Option<R>)>;

/// How long each of these tests runs: half a second, or `AITER_LINEARIZABILITY_SECONDS`.
pub fn time() -> Duration {
    std::env::var("AITER_LINEARIZABILITY_SECONDS").map_or(Duration::from_millis(500), |seconds| {
        Duration::from_secs_f64(
            seconds
                .parse()
                .expect("AITER_LINEARIZABILITY_SECONDS is a number"),
        )
    })
}

/// Runs rounds of work on `threads` threads that begin together, until the time is over or `check`
/// returns `false`. Returns the number of rounds.
pub fn race<R: Send>(
    threads: usize,
    time: Duration,
    mut work: impl FnMut(u64) -> Vec<Work<R>>,
    mut check: impl FnMut(u64, Vec<R>) -> bool,
) -> u64 {
    let begin = Instant::now();
    let clock = Clock::default();
    let slots: Vec<Job<R>> = (0..threads).map(|_| Mutex::default()).collect();
    // Both count over all rounds: the threads that are ready to begin, and those that have
    // finished.
    let (ready, back) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let reach = |counter: &AtomicUsize, count: usize| {
        let mut turns = 0;
        while counter.load(Acquire) < count {
            turns += 1;
            match turns {
                ..200 => hint::spin_loop(),
                _ => thread::yield_now(),
            }
        }
    };
    let started = AtomicUsize::new(0);
    let mut rounds = 0;
    thread::scope(|scope| {
        let (started, slots, ready, back, clock) = (&started, &slots, &ready, &back, &clock);
        for slot in slots {
            scope.spawn(move || {
                for round in 1.. {
                    reach(started, round);
                    let Some(work) = slot.lock().unwrap().0.take() else {
                        return;
                    };
                    ready.fetch_add(1, AcqRel);
                    reach(ready, round * threads);
                    // A panic belongs to the round, and must not leave a thread waiting.
                    let done = panic::catch_unwind(panic::AssertUnwindSafe(|| work(clock)));
                    slot.lock().unwrap().1 = done.ok();
                    back.fetch_add(1, AcqRel);
                }
            });
        }
        let over = EndOfRace(started);
        while begin.elapsed() < time {
            let work = work(rounds);
            assert_eq!(work.len(), threads);
            for (slot, work) in slots.iter().zip(work) {
                slot.lock().unwrap().0 = Some(work);
            }
            rounds += 1;
            started.store(rounds as usize, Release);
            reach(back, rounds as usize * threads);
            let done = slots
                .iter()
                .map(|slot| slot.lock().unwrap().1.take().expect("a thread panicked"))
                .collect();
            if !check(rounds - 1, done) {
                break;
            }
        }
        drop(over);
    });
    assert!(rounds > 0, "{time:?} is too short for a single round");
    rounds
}

/// Runs a search for the time that such a test has, with another seed each time. The search returns
/// how many histories there were, and the first one that does not fit, with its seed.
pub fn assert_none_found(what: &str, search: impl FnOnce(u64, Duration) -> (u64, Option<String>)) {
    let (rounds, found) = search(fastrand::u64(..), time());
    assert!(found.is_none(), "{}", found.unwrap());
    println!("{rounds} histories {what}");
}

/// The same with a planted bug, which has to be found.
pub fn assert_found(flaw: impl Debug, search: impl FnOnce(Duration) -> (u64, Option<String>)) {
    let (rounds, found) = search(Duration::from_secs(60));
    assert!(
        found.is_some(),
        "{flaw:?} went unnoticed in {rounds} rounds"
    );
    println!("{flaw:?}: found in round {rounds}");
}

/// Ends the threads of a race, also on a panic: they find no work.
struct EndOfRace<'a>(&'a AtomicUsize);

impl Drop for EndOfRace<'_> {
    fn drop(&mut self) {
        self.0.store(usize::MAX, Release);
    }
}
