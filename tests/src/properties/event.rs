//! Tasks that wait for an event of a hub.

use super::{
    environment::{self, Caught},
    handle::{Handle, Handles, Waits},
};
use std::{pin::Pin, task::Poll};

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Idle,
    Occupied,
    Stopped,
}

/// The number of the first task that waits, higher than that of any reader.
pub(super) const FIRST_WAIT: usize = 1 << 16;

/// A task that waits for an event. Its future gives back the handle that it waits with, if any.
pub(super) struct EventWait<H> {
    future: Pin<Box<dyn Future<Output = Option<H>>>>,
    pub(super) event: Event,
    /// The event has come about since its last poll was pending.
    pub(super) is_due: bool,
    has_ended: bool,
    waits: Waits,
}

impl<H> EventWait<H> {
    pub(super) fn new(
        event: Event,
        waits: Waits,
        future: impl Future<Output = Option<H>> + 'static,
    ) -> Self {
        Self {
            future: Box::pin(future),
            event,
            is_due: false,
            has_ended: false,
            waits,
        }
    }

    /// Whether it has a handle of the hub.
    pub(super) fn has_handle(&self) -> bool {
        self.event != Event::Stopped && !self.has_ended
    }

    /// Polls it, unless it has ended, and checks the result. `is` says how things stand.
    pub(super) fn poll(
        &mut self,
        fresh: bool,
        is: impl Fn(Event) -> bool,
    ) -> Result<Poll<Option<H>>, Caught> {
        if self.has_ended {
            return Ok(Poll::Ready(None));
        }
        let (future, sprung) = (&mut self.future, environment::sprung());
        let polled = self.waits.poll(fresh, |cx| future.as_mut().poll(cx));
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        if let Ok(polled) = &polled {
            let is_over = is(self.event);
            assert!(
                !undisturbed || polled.is_ready() == is_over,
                "{:?}",
                self.event
            );
            self.has_ended = polled.is_ready();
            self.is_due = false;
        }
        polled
    }

    /// Checks that it is not left asleep.
    pub(super) fn check(&self, is: impl Fn(Event) -> bool) {
        assert!(!self.waits.sleeps() || !is(self.event), "stranded");
        if let Some(wakes) = self.waits.wakes().filter(|_| environment::is_plain()) {
            assert_eq!(wakes, usize::from(self.is_due), "wakes");
        }
    }
}

impl<H> Handle for EventWait<H> {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// Records that an event has come about.
pub(super) fn due<H>(waits: &Handles<EventWait<H>>, event: Event) {
    for at in waits.numbers() {
        if let Some(mut wait) = waits.take(at) {
            wait.is_due |= wait.event == event;
            waits.put(at, wait);
        }
    }
}
