//! Virtual time, which passes only when a test or an executor advances it.

use aiter_core::{Clock, Sleep};
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// A timer and a clock for tests. It starts at zero and stands still until the test or an
/// [`Executor`](crate::Executor) advances it.
///
/// Clones share one time. A timer is due when its duration has passed since the call of `sleep`.
/// Advancing the time wakes the tasks of all timers that are due by then, in the order in which
/// they are due. Timers that are due at the same moment wake in the order in which they were made.
/// The woken tasks all see the new time.
///
/// Times beyond [`Duration::MAX`] count as that.
///
/// # Example
///
/// ```
/// use aiter_test::{Clock, Sleep, VirtualTime};
/// use futures_lite::future::{block_on, poll_once};
/// use std::time::Duration;
///
/// let time = VirtualTime::new();
/// let mut tea = time.sleep(Duration::from_secs(180));
/// assert_eq!(block_on(poll_once(&mut tea)), None);
/// time.advance(Duration::from_secs(180));
/// assert_eq!(block_on(poll_once(&mut tea)), Some(()));
/// assert_eq!(time.now().as_secs(), 180);
/// ```
#[derive(Clone, Default)]
pub struct VirtualTime(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Duration,
    made: u64,
    /// The timers that wait, by the time when they are due and their number.
    timers: BTreeMap<(Duration, u64), Option<Waker>>,
}

impl VirtualTime {
    /// Makes a new time, which starts at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Advances the time by `duration` in one step, and wakes the tasks of the timers that are due
    /// by then.
    ///
    /// To let tasks run at each timer on the way, use
    /// [`Executor::run_for`](crate::Executor::run_for).
    pub fn advance(&self, duration: Duration) {
        let now = self.state().now;
        self.set(now.saturating_add(duration));
    }

    /// Advances the time to the next timer that waits, and wakes tasks as
    /// [`advance`](Self::advance) does. Returns `false` if no timer waits.
    pub fn advance_to_next(&self) -> bool {
        let Some(due) = self.next_due() else {
            return false;
        };
        let now = self.state().now;
        self.set(now.max(due));
        true
    }

    /// Sets the time. It may go back, as the clock of a real system may. Wakes tasks as
    /// [`advance`](Self::advance) does. Timers that were due before stay due.
    pub fn set(&self, now: Duration) {
        self.state().now = now;
        while let Some(waker) = self.pop_due() {
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Returns the time when the next timer is due, if one waits.
    pub fn next_due(&self) -> Option<Duration> {
        let state = self.state();
        let (&(due, _), _) = state.timers.first_key_value()?;
        Some(due)
    }

    /// Returns the number of timers that wait. Timers that are due or were dropped do not count.
    pub fn timers(&self) -> usize {
        self.state().timers.len()
    }

    /// Returns the number of timers that have been made.
    pub fn timers_made(&self) -> u64 {
        self.state().made
    }

    /// Takes the first timer that is due. Its waker is called without the lock, because it may
    /// make, poll and drop timers.
    fn pop_due(&self) -> Option<Option<Waker>> {
        let mut state = self.state();
        let now = state.now;
        let first = state.timers.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleep for VirtualTime {
    type Sleep = VirtualSleep;

    fn sleep(&self, duration: Duration) -> VirtualSleep {
        let mut state = self.state();
        let key = (state.now.saturating_add(duration), state.made);
        state.made += 1;
        if !duration.is_zero() {
            state.timers.insert(key, None);
        }
        VirtualSleep {
            time: self.clone(),
            key,
        }
    }
}

impl Clock for VirtualTime {
    fn now(&self) -> Duration {
        self.state().now
    }
}

impl fmt::Debug for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("VirtualTime")
            .field("now", &state.now)
            .field("timers", &state.timers.len())
            .finish()
    }
}

/// A timer of a [`VirtualTime`]. It completes once it is due, also if the time goes back after
/// that. With a duration of zero it completes at once.
#[must_use = "futures do nothing unless polled"]
pub struct VirtualSleep {
    time: VirtualTime,
    key: (Duration, u64),
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Wakers are cloned and dropped without the lock, because both run code of others.
        let waker = cx.waker().clone();
        let mut state = self.time.state();
        let is_due = self.key.0 <= state.now;
        let Some(kept) = state.timers.get_mut(&self.key).filter(|_| !is_due) else {
            return Poll::Ready(());
        };
        let replaced = kept.replace(waker);
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        let removed = self.time.state().timers.remove(&self.key);
        drop(removed);
    }
}

impl fmt::Debug for VirtualSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualSleep")
            .field("due", &self.key.0)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
