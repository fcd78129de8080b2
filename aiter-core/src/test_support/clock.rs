//! A clock that stands still until a test sets it.

extern crate std;

use crate::{Clock, Sleep};
use alloc::{collections::BTreeMap, sync::Arc};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A timer and a clock, which starts at zero. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub(crate) struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now: Duration,
    made: u64,
    /// The live timers, by when they are due and their number.
    timers: BTreeMap<(Duration, u64), Option<Waker>>,
}

impl ManualClock {
    /// Moves the time on by `duration`, and wakes the tasks of the timers that are due then, in
    /// their order.
    pub(crate) fn advance(&self, duration: Duration) {
        let now = self.state().now;
        self.set(now.saturating_add(duration));
    }

    /// Sets the time, which may go back, and wakes as `advance` does.
    pub(crate) fn set(&self, now: Duration) {
        self.state().now = now;
        while let Some(waker) = self.pop_due() {
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Takes the first timer that is due. Its waker is called without the lock, as it may make,
    /// poll and drop timers.
    fn pop_due(&self) -> Option<Option<Waker>> {
        let mut state = self.state();
        let now = state.now;
        let first = state.timers.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// How many timers wait for a later time: neither due nor dropped.
    pub(crate) fn live(&self) -> usize {
        self.state().timers.len()
    }

    /// How many timers were ever made.
    pub(crate) fn made(&self) -> u64 {
        self.state().made
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleep for ManualClock {
    type Sleep = ManualSleep;

    fn sleep(&self, duration: Duration) -> ManualSleep {
        let mut state = self.state();
        let key = (state.now.saturating_add(duration), state.made);
        state.made += 1;
        if !duration.is_zero() {
            state.timers.insert(key, None);
        }
        ManualSleep {
            clock: self.clone(),
            key,
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.state().now
    }
}

/// Ready once its timer was due, also if the time goes back after that.
#[derive(Debug)]
pub(crate) struct ManualSleep {
    clock: ManualClock,
    key: (Duration, u64),
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.clock.state();
        let is_due = self.key.0 <= state.now;
        let Some(kept) = state.timers.get_mut(&self.key).filter(|_| !is_due) else {
            return Poll::Ready(());
        };
        let replaced = kept.replace(waker);
        // The drop of a waker may drop timers.
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        let waker = self.clock.state().timers.remove(&self.key);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::Wakes;
    use alloc::{boxed::Box, task::Wake};
    use core::pin::pin;

    #[test]
    fn timers_wake_when_they_are_due_and_not_before() {
        let clock = ManualClock::default();
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        let mut late = pin!(clock.sleep(Duration::from_secs(2)));
        let mut early = pin!(clock.sleep(Duration::from_secs(1)));
        assert!(late.as_mut().poll(&mut cx).is_pending());
        assert!(early.as_mut().poll(&mut cx).is_pending());
        clock.advance(Duration::from_millis(999));
        assert_eq!((wakes.taken(), clock.live(), clock.made()), (0, 2, 2));
        clock.advance(Duration::from_millis(1));
        assert_eq!((wakes.taken(), clock.live()), (1, 1));
        assert!(early.as_mut().poll(&mut cx).is_ready());
        // The time may go back, and has no effect on a timer that was due.
        clock.set(Duration::ZERO);
        assert!(early.as_mut().poll(&mut cx).is_ready());
        assert!(late.as_mut().poll(&mut cx).is_pending());
        clock.set(Duration::from_secs(2));
        assert_eq!((wakes.taken(), clock.live()), (1, 0));
        assert!(late.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn dropped_timers_wake_nobody() {
        let clock = ManualClock::default();
        let (wakes, waker) = Wakes::new();
        let mut timer = Box::pin(clock.sleep(Duration::MAX));
        assert!(
            timer
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(waker);
        drop(timer);
        assert_eq!(Arc::strong_count(&wakes), 1);
        clock.advance(Duration::MAX);
        assert_eq!((wakes.taken(), clock.live()), (0, 0));
    }

    /// Drops the timer that wakes it.
    struct Drops(Mutex<Option<Pin<Box<ManualSleep>>>>);

    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().take();
        }
    }

    #[test]
    fn a_waker_may_use_the_clock() {
        let clock = ManualClock::default();
        let drops = Arc::new(Drops(Mutex::new(None)));
        let waker = Waker::from(drops.clone());
        let mut timer = Box::pin(clock.sleep(Duration::from_secs(1)));
        assert!(
            timer
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(waker);
        *drops.0.lock().unwrap() = Some(timer);
        clock.advance(Duration::from_secs(1));
        assert!(drops.0.lock().unwrap().is_none());
        assert_eq!((clock.live(), Arc::strong_count(&drops)), (0, 1));
    }

    #[test]
    fn a_timer_of_no_time_is_ready_at_once() {
        let clock = ManualClock::default();
        let mut timer = pin!(clock.sleep(Duration::ZERO));
        assert_eq!((clock.live(), clock.made()), (0, 1));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(timer.as_mut().poll(&mut cx).is_ready());
    }
}
