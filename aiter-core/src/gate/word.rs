//! The one word of a gate, and its two sides.
//!
//! | bits | while it is set |
//! |---|---|
//! | `OPEN` | the valve is open: items pass and spend no permit |
//! | `STOPPED` | nothing more is authorised: `push` and `open` do nothing |
//! | the others | how many permits there are |
//!
//! Every combination is valid. What the stream may do:
//!
//! | `OPEN` | permits | `STOPPED` | the stream |
//! |---|---|---|---|
//! | yes | any | any | passes items |
//! | no | > 0 | any | passes items, each for a permit |
//! | no | 0 | no | waits |
//! | no | 0 | yes | is over, and stays so |
//!
//! | call | by | from | to | wakes the stream |
//! |---|---|---|---|---|
//! | push(n) | any gate | not `STOPPED` | n permits more, at most `MAX_PERMITS` | if it waited |
//! | open | any gate | not `STOPPED`, not `OPEN` | `OPEN` | if it waited |
//! | close | any gate | `OPEN` | not `OPEN` | if it is over now |
//! | stop, drop of the last gate | any gate | not `STOPPED` | `STOPPED` | if it is over now |
//! | pass | the stream, with an item | `OPEN` | the same: a look | |
//! | | | not `OPEN`, permits | a permit less | |
//! | | | not `OPEN`, none | the same: the item is kept back | |
//! | give up | the stream at its end, or dropped | any | `STOPPED` alone | it is the stream's own |
//!
//! In every other state a call changes nothing. Permits are taken by the stream alone, so those it has seen are there
//! until it takes them, and each way from *waits* is a gate's: that gate sees in the word it replaced that it has to
//! wake. `docs/design/gate.md` has why no wake is lost.

use crate::{
    sync::{AtomicUsize, Ordering},
    wait::notify::{WakeSink, WakeSource},
};
use core::{fmt, task::Waker};

const OPEN: usize = 1;
const STOPPED: usize = 2;
const PERMIT: usize = 4;

pub(super) const MAX_PERMITS: usize = usize::MAX / PERMIT;

/// What the word said at one look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Look(usize);

impl Look {
    pub(super) fn is_open(self) -> bool {
        self.0 & OPEN != 0
    }

    pub(super) fn is_stopped(self) -> bool {
        self.0 & STOPPED != 0
    }

    pub(super) fn permits(self) -> usize {
        self.0 / PERMIT
    }

    #[inline]
    pub(super) fn may_pass(self) -> bool {
        self.0 & !STOPPED != 0
    }

    pub(super) fn must_wait(self) -> bool {
        self.0 == 0
    }

    pub(super) fn is_over(self) -> bool {
        self.0 == STOPPED
    }

    fn pushed(self, n: usize) -> Self {
        let permits = self.permits().saturating_add(n).min(MAX_PERMITS);
        Self(self.0 % PERMIT + permits * PERMIT)
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look")
            .field("open", &self.is_open())
            .field("stopped", &self.is_stopped())
            .field("permits", &self.permits())
            .finish()
    }
}

struct Word(AtomicUsize);

impl Word {
    #[inline]
    fn look(&self) -> Look {
        // Ordering: Acquire pairs with the releases in `Outside::change` and `Inside::give_up`: what was done before a
        // permit was pushed, the valve opened or the gate stopped is seen by whoever acts on it, and what was done
        // before the end is seen by the gate that learns of it.
        Look(self.0.load(Ordering::Acquire))
    }
}

/// The two sides of a new gate, which is closed and has no permit.
pub(super) fn sides() -> (Inside, Outside) {
    let sink = WakeSink::new(Word(AtomicUsize::new(0)));
    let wake_source = sink.wake_source();
    (Inside(sink), Outside(wake_source))
}

/// The side of the stream. Dropping it gives the permits up.
pub(super) struct Inside(WakeSink<Word>);

impl Inside {
    #[inline]
    pub(super) fn look(&self) -> Look {
        self.0.look()
    }

    /// Whether an item that is there may come out. Spends its permit unless the valve is open. Wait-free.
    #[inline]
    pub(super) fn pass(&mut self) -> bool {
        let seen = self.0.look();
        if seen.is_open() {
            return true;
        }
        if seen.permits() == 0 {
            return false;
        }
        // Ordering: Relaxed, no gate learns anything from it. As a read-modify-write it stays in the release sequence
        // of the push that the look of a later `pass` pairs with.
        self.0.0.fetch_sub(PERMIT, Ordering::Relaxed);
        true
    }

    /// The next change that the stream has to know of wakes `waker`. Look afterwards.
    pub(super) fn register(&mut self, waker: &Waker) {
        self.0.register(waker);
    }

    /// Another task than that of this waker is not woken any more.
    #[inline(always)]
    pub(super) fn clear_for(&mut self, waker: &Waker) {
        self.0.clear_for(waker);
    }

    /// Gives up every permit and the waker: nothing will come out any more.
    pub(super) fn give_up(&mut self) {
        // Ordering: Release pairs with the acquire of a gate's look. Whatever a gate has just added is given up too.
        self.0.0.swap(STOPPED, Ordering::Release);
        self.0.clear();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// The side of the gates, which share it. Dropping it stops the gate.
pub(super) struct Outside(WakeSource<Word>);

impl Outside {
    pub(super) fn look(&self) -> Look {
        self.0.look()
    }

    pub(super) fn push(&self, n: usize) {
        self.change(|seen| match seen.is_stopped() {
            true => seen,
            false => seen.pushed(n),
        });
    }

    pub(super) fn open(&self) -> bool {
        self.change(|seen| match seen.is_stopped() {
            true => seen,
            false => Look(seen.0 | OPEN),
        })
    }

    pub(super) fn close(&self) -> bool {
        self.change(|seen| Look(seen.0 & !OPEN))
    }

    pub(super) fn stop(&self) {
        self.change(|seen| Look(seen.0 | STOPPED));
    }

    /// Makes a change, wakes the stream if it has to know, and says whether there was anything to change.
    fn change(&self, to: impl Fn(Look) -> Look) -> bool {
        let word = &self.0.0;
        // Ordering: Relaxed, the exchange validates it; where nothing is to be changed nothing is to be told.
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let new = to(Look(seen));
            if new.0 == seen {
                return false;
            }
            // Ordering: Release pairs with the acquire in `Word::look`.
            match word.compare_exchange_weak(seen, new.0, Ordering::Release, Ordering::Relaxed) {
                Err(now) => seen = now,
                Ok(_) => {
                    if Look(seen).must_wait() || new.is_over() {
                        self.0.wake();
                    }
                    return true;
                }
            }
        }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.stop();
    }
}
