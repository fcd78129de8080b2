//! Timers. The time goes on as the steps tell it.

use super::environment::{self, catch};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// The time, and the timers that are not due yet.
#[derive(Debug, Default)]
pub(super) struct Time {
    now: Cell<u64>,
    /// By when they are due and their number.
    timers: RefCell<BTreeMap<(u64, usize), Option<Waker>>>,
    made: Cell<usize>,
}

impl Time {
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Returns how many timers were ever made.
    pub(super) fn made(&self) -> usize {
        self.made.get()
    }

    /// Returns how many timers are alive and not due yet.
    pub(super) fn live(&self) -> usize {
        self.timers.borrow().len()
    }

    /// Moves the time on, and wakes the tasks of the timers that are due then.
    pub(super) fn advance(&self, by: u64) {
        self.now.set(self.now.get() + by);
        while let Some(waker) = self.pop_due() {
            if let Some(waker) = waker {
                catch(|| waker.wake()).ok();
            }
        }
    }

    fn pop_due(&self) -> Option<Option<Waker>> {
        let mut timers = self.timers.borrow_mut();
        let first = timers.first_entry()?;
        (first.key().0 <= self.now.get()).then(|| first.remove())
    }

    pub(super) fn timer(self: &Rc<Self>, lasts: u64) -> Timer {
        let due = (self.now.get() + lasts, self.made.get());
        self.made.set(due.1 + 1);
        if lasts > 0 {
            self.timers.borrow_mut().insert(due, None);
        }
        Timer(self.clone(), due)
    }

    /// Returns whether a timer that is not due yet is going to wake this waker.
    pub(super) fn wakes(&self, waker: Option<usize>) -> bool {
        let timers = self.timers.borrow();
        timers
            .values()
            .flatten()
            .any(|timer| Some(environment::number_of(timer)) == waker)
    }
}

/// A timer: ready once it was due.
#[derive(Debug)]
pub(super) struct Timer(Rc<Time>, (u64, usize));

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The clone may run other steps, in which it becomes due.
        let waker = cx.waker().clone();
        let _replaced = match self.0.timers.borrow_mut().get_mut(&self.1) {
            Some(kept) => kept.replace(waker),
            None => return Poll::Ready(()),
        };
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let waker = self.0.timers.borrow_mut().remove(&self.1);
        drop(waker);
    }
}
