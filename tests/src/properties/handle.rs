//! Handles, and the waker that each was last polled with.

use super::environment::{self, Caught, catch};
use std::{
    cell::RefCell,
    fmt,
    task::{Context, Poll},
};

/// The number of the handle that a waker belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner(pub(super) usize);

/// The waker that a handle waits with, and the state of its last poll.
#[derive(Debug)]
pub(super) struct Waits {
    owner: Owner,
    waker: Option<usize>,
    /// How many wakers it had before.
    wakers: usize,
    /// If the last poll was pending: how often the waker had been woken before it.
    pending: Option<usize>,
}

impl Waits {
    fn new(owner: usize) -> Self {
        Self {
            owner: Owner(owner),
            waker: None,
            wakers: 0,
            pending: None,
        }
    }

    /// Polls with the waker of last time, or with another one if `fresh`.
    pub(super) fn poll<R>(
        &mut self,
        fresh: bool,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Result<Poll<R>, Caught> {
        let waker = match self.waker {
            Some(waker) if !fresh => waker,
            _ => {
                self.wakers += 1;
                environment::new_waker(self.owner, self.wakers - 1)
            }
        };
        self.waker = Some(waker);
        let wakes = environment::wakes(waker);
        let polled = environment::with_waker(waker, |waker| {
            catch(|| poll(&mut Context::from_waker(waker)))
        });
        self.pending = matches!(polled, Ok(Poll::Pending)).then_some(wakes);
        polled
    }

    /// Has it polled again, whether or not it is woken.
    pub(super) fn repoll(&mut self) {
        self.pending = None;
    }

    pub(super) fn owner(&self) -> usize {
        self.owner.0
    }

    /// If the last poll was pending: how often the waker was woken since that poll began.
    pub(super) fn wakes(&self) -> Option<usize> {
        Some(environment::wakes(self.waker?) - self.pending?)
    }

    /// Returns whether it waits: its last poll was pending, and its waker was not woken since.
    pub(super) fn sleeps(&self) -> bool {
        self.wakes() == Some(0)
    }

    /// Returns the waker of the last poll.
    pub(super) fn waker_number(&self) -> Option<usize> {
        self.waker
    }
}

/// A handle that waits.
pub(super) trait Handle {
    fn waits(&self) -> &Waits;
    /// Returns whether it has seen the end.
    fn has_ended(&self) -> bool;
}

/// Handles, by numbers that are not used again. A handle is taken out while something is done to
/// it.
pub(super) struct Handles<H> {
    handles: RefCell<Vec<Option<H>>>,
    /// The number of the first one.
    first: usize,
}

impl<H: Handle> Handles<H> {
    /// Polls the handles that are awake until none is.
    pub(super) fn run(&self, poll: impl Fn(usize)) {
        const ENOUGH: usize = 2000;
        for _ in 0..ENOUGH {
            let mut awake = self.numbers();
            awake.retain(|at| {
                let mut is_awake = false;
                self.look(*at, |handle| {
                    is_awake = !handle.waits().sleeps() && !handle.has_ended();
                });
                is_awake
            });
            if awake.is_empty() {
                return;
            }
            awake.into_iter().for_each(&poll);
        }
        panic!("handles go on waking each other");
    }
}

impl<H> Handles<H> {
    const MOST: usize = 24;

    pub(super) fn new() -> Self {
        Self::from_number(0)
    }

    /// Handles with numbers from `first` on, which tell them from those of another kind.
    pub(super) fn from_number(first: usize) -> Self {
        let handles = RefCell::new(Vec::new());
        Self { handles, first }
    }

    /// Returns whether a number is one of these handles' and not of those before them.
    pub(super) fn has_number(&self, at: usize) -> bool {
        at >= self.first
    }

    /// Adds a handle. If there are too many, it does not call `make`.
    pub(super) fn add(&self, make: impl FnOnce(Waits) -> H) {
        self.try_add(|waits| Some(make(waits)));
    }

    /// The same, if it can be made.
    pub(super) fn try_add(&self, make: impl FnOnce(Waits) -> Option<H>) {
        if self.handles.borrow().iter().flatten().count() < Self::MOST {
            let index = self.handles.borrow().len();
            self.handles.borrow_mut().push(None);
            let handle = make(Waits::new(self.first + index));
            self.handles.borrow_mut()[index] = handle;
        }
    }

    /// Returns the number of the `n`th handle, modulo their count.
    pub(super) fn pick(&self, n: u8) -> Option<usize> {
        let there = self.numbers();
        let n = usize::from(n).checked_rem(there.len())?;
        Some(there[n])
    }

    /// Returns the numbers of all handles.
    pub(super) fn numbers(&self) -> Vec<usize> {
        let handles = self.handles.borrow();
        (0..handles.len())
            .filter(|index| handles[*index].is_some())
            .map(|index| self.first + index)
            .collect()
    }

    pub(super) fn take(&self, at: usize) -> Option<H> {
        let index = at.checked_sub(self.first)?;
        self.handles.borrow_mut().get_mut(index)?.take()
    }

    /// Takes out the `n`th handle, modulo their count.
    pub(super) fn pick_out(&self, n: u8) -> Option<(usize, H)> {
        let at = self.pick(n)?;
        Some((at, self.take(at)?))
    }

    pub(super) fn put(&self, at: usize, handle: H) {
        self.handles.borrow_mut()[at - self.first] = Some(handle);
    }

    /// Looks at a handle, if it exists.
    pub(super) fn look(&self, at: usize, look: impl FnOnce(&H)) {
        self.handles.borrow()[at - self.first].as_ref().map(look);
    }

    /// Looks at each handle.
    pub(super) fn each(&self, look: impl FnMut(&H)) {
        self.handles.borrow().iter().flatten().for_each(look);
    }
}

impl<H> fmt::Debug for Handles<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handles").field(&self.numbers()).finish()
    }
}
