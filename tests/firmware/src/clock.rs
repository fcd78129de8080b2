//! The time of `embassy-time`, counted by the timer interrupt of a program.

use core::{
    cell::RefCell,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    task::Waker,
};
use critical_section::Mutex;
use embassy_time_driver::{Driver, time_driver_impl};
use embassy_time_queue_utils::Queue;

struct Clock {
    millis: AtomicU32,
    timers: Mutex<RefCell<Queue>>,
}

time_driver_impl!(static CLOCK: Clock = Clock {
    millis: AtomicU32::new(0),
    timers: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        self.millis.load(Relaxed).into()
    }

    /// A timer that is due already is woken with the next millisecond.
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            self.timers.borrow_ref_mut(section).schedule_wake(at, waker)
        });
    }
}

/// A millisecond has passed. Only one interrupt may call this. Returns the time.
pub(crate) fn tick() -> u32 {
    let now = CLOCK.millis.load(Relaxed) + 1;
    CLOCK.millis.store(now, Relaxed);
    critical_section::with(|section| {
        CLOCK
            .timers
            .borrow_ref_mut(section)
            .next_expiration(now.into())
    });
    now
}
