//! Tests of the set with children that are controlled from outside.

extern crate std;

mod budget;
mod memory;
mod round_robin;

use super::{Budget, ChildPoll, ReadySet, Served, chunk::SLOTS};
use crate::test_support::Wakes;
use alloc::{
    boxed::Box, collections::VecDeque, rc::Rc, string::String, sync::Arc, task::Wake, vec, vec::Vec,
};
use core::{
    cell::{Cell, RefCell},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};
use std::panic::catch_unwind;

/// What a child does, observed and controlled from outside.
#[derive(Default)]
struct Script {
    /// What the next polls give: `Some` an item, `None` the end. When used up, the child is
    /// pending.
    items: RefCell<VecDeque<Option<u32>>>,
    /// The child always has an item.
    endless: Cell<bool>,
    wakes_itself: Cell<bool>,
    panics: Cell<bool>,
    polls: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    log: Rc<RefCell<Vec<u32>>>,
}

impl Script {
    fn push(&self, item: Option<u32>) {
        self.items.borrow_mut().push_back(item);
    }

    fn wake(&self) {
        let waker = self.waker.borrow().clone().expect("polled before");
        waker.wake_by_ref();
    }

    fn poll(&self, cx: &mut Context<'_>) -> ChildPoll<u32> {
        self.polls.set(self.polls.get() + 1);
        assert!(!self.panics.get(), "as told by the test");
        if self.endless.get() {
            return ChildPoll::Item(0);
        }
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        if self.wakes_itself.get() {
            cx.waker().wake_by_ref();
        }
        match self.items.borrow_mut().pop_front() {
            Some(Some(item)) => ChildPoll::Item(item),
            Some(None) => ChildPoll::End,
            None => ChildPoll::Pending,
        }
    }
}

/// A child that logs its drop, and may panic there.
struct Child(Rc<Script>, u32, bool);

impl Drop for Child {
    fn drop(&mut self) {
        self.0.log.borrow_mut().push(self.1);
        assert!(!self.2, "drop of {}", self.1);
    }
}

fn child(script: &Rc<Script>) -> Child {
    Child(script.clone(), 0, false)
}

fn step(child: Pin<&mut Child>, cx: &mut Context<'_>) -> ChildPoll<u32> {
    child.0.poll(cx)
}

/// One poll as an operator does it: serves, and parks when idle.
fn poll(set: &mut ReadySet<Child>, waker: &Waker) -> Poll<u32> {
    let mut budget = Budget::new();
    loop {
        match set.serve(&mut budget, step) {
            Served::Item(item) => return Poll::Ready(item),
            Served::Idle if set.park(waker) => return Poll::Pending,
            Served::Idle => {}
            Served::Spent => {
                waker.wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

fn scripts(n: usize) -> Vec<Rc<Script>> {
    (0..n).map(|_| Rc::default()).collect()
}
