//! Handles, and the waker each was last polled with.

use super::world::{self, Caught, catch};
use std::{
    cell::RefCell,
    fmt,
    task::{Context, Poll},
};

/// The handle that a waker belongs to, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner(pub(super) usize);

/// What a handle waits with.
#[derive(Debug)]
pub(super) struct Waits {
    owner: Owner,
    bell: Option<usize>,
    /// How many wakers it had before.
    bells: usize,
    /// If the last poll was pending: how often the waker had been woken before it.
    pending: Option<usize>,
}

impl Waits {
    fn new(owner: usize) -> Self {
        Self {
            owner: Owner(owner),
            bell: None,
            bells: 0,
            pending: None,
        }
    }

    /// Polls, with another waker than last time if it is to be `fresh`.
    pub(super) fn poll<R>(
        &mut self,
        fresh: bool,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Result<Poll<R>, Caught> {
        let bell = match self.bell {
            Some(bell) if !fresh => bell,
            _ => {
                self.bells += 1;
                world::bell(self.owner, self.bells - 1)
            }
        };
        self.bell = Some(bell);
        let wakes = world::wakes(bell);
        let polled = world::with_waker(bell, |waker| {
            catch(|| poll(&mut Context::from_waker(waker)))
        });
        self.pending = matches!(polled, Ok(Poll::Pending)).then_some(wakes);
        polled
    }

    /// It is to be polled again, whether or not it is woken.
    pub(super) fn stir(&mut self) {
        self.pending = None;
    }

    pub(super) fn owner(&self) -> usize {
        self.owner.0
    }

    /// If the last poll was pending: how often the waker was woken since it began.
    pub(super) fn wakes(&self) -> Option<usize> {
        Some(world::wakes(self.bell?) - self.pending?)
    }

    /// Whether it waits: the last poll was pending, and its waker has not been woken since.
    pub(super) fn sleeps(&self) -> bool {
        self.wakes() == Some(0)
    }

    /// The waker of the last poll.
    pub(super) fn bell(&self) -> Option<usize> {
        self.bell
    }
}

/// A handle that waits.
pub(super) trait Handle {
    fn waits(&self) -> &Waits;
    /// Whether it has seen the end.
    fn has_ended(&self) -> bool;
}

/// Handles, by numbers that are not used again. Whoever does something to a handle takes it out meanwhile.
pub(super) struct Handles<H>(RefCell<Vec<Option<H>>>);

impl<H: Handle> Handles<H> {
    /// Polls who is awake until nobody is.
    pub(super) fn run(&self, poll: impl Fn(usize)) {
        const ENOUGH: usize = 2000;
        for _ in 0..ENOUGH {
            let mut awake = self.numbers();
            awake.retain(|at| {
                let handles = self.0.borrow();
                handles[*at]
                    .as_ref()
                    .is_some_and(|handle| !handle.waits().sleeps() && !handle.has_ended())
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
        Self(RefCell::new(Vec::new()))
    }

    /// One more, unless there are too many: then `make` is not asked.
    pub(super) fn add(&self, make: impl FnOnce(Waits) -> H) {
        self.try_add(|waits| Some(make(waits)));
    }

    /// The same, if it can be made.
    pub(super) fn try_add(&self, make: impl FnOnce(Waits) -> Option<H>) {
        if self.0.borrow().iter().flatten().count() < Self::MOST {
            let at = self.0.borrow().len();
            self.0.borrow_mut().push(None);
            let handle = make(Waits::new(at));
            self.0.borrow_mut()[at] = handle;
        }
    }

    /// The number of the `n`th of those that are there, counted round.
    pub(super) fn pick(&self, n: u8) -> Option<usize> {
        let handles = self.0.borrow();
        let there = || (0..handles.len()).filter(|at| handles[*at].is_some());
        let n = usize::from(n).checked_rem(there().count())?;
        there().nth(n)
    }

    /// The numbers there are.
    pub(super) fn numbers(&self) -> Vec<usize> {
        let handles = self.0.borrow();
        (0..handles.len())
            .filter(|at| handles[*at].is_some())
            .collect()
    }

    pub(super) fn take(&self, at: usize) -> Option<H> {
        self.0.borrow_mut().get_mut(at)?.take()
    }

    /// Takes out the `n`th, counted round.
    pub(super) fn pick_out(&self, n: u8) -> Option<(usize, H)> {
        let at = self.pick(n)?;
        Some((at, self.take(at)?))
    }

    pub(super) fn put(&self, at: usize, handle: H) {
        self.0.borrow_mut()[at] = Some(handle);
    }

    /// Looks at one, if it is there.
    pub(super) fn look(&self, at: usize, look: impl FnOnce(&H)) {
        self.0.borrow()[at].as_ref().map(look);
    }

    /// Looks at those that are there.
    pub(super) fn each(&self, look: impl FnMut(&H)) {
        self.0.borrow().iter().flatten().for_each(look);
    }
}

impl<H> fmt::Debug for Handles<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handles").field(&self.numbers()).finish()
    }
}
