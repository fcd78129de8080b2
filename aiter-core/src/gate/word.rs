//! The word that holds the state of a gate, as the stream and the gates see it.
//!
//! | bits | meaning |
//! |---|---|
//! | `OPEN` | the valve is open: items pass and spend no permit |
//! | `STOPPED` | nothing more is authorized: `push` and `open` do nothing |
//! | the others | the number of permits |
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
//! | `push_up_to(n, max)` | any gate | not `STOPPED`, fewer than `max` permits | n more permits, at most `max` | if it waited |
//! | `push(n)` | any gate | not `STOPPED` | n more permits, at most `MAX_PERMITS` | if it waited |
//! | `open` | any gate | not `STOPPED`, not `OPEN` | `OPEN` | if it waited |
//! | `close` | any gate | `OPEN` | not `OPEN` | if it is over now |
//! | `stop`, drop of the last gate | any gate | not `STOPPED` | `STOPPED` | if it is over now |
//! | `try_pass` | the stream, with an item | `OPEN` | unchanged | |
//! | | | not `OPEN`, permits | one permit less | |
//! | | | not `OPEN`, no permit | unchanged: the item is held back | |
//! | `give_up` | the stream at its end, or dropped | any | `STOPPED` alone | (it is the stream itself) |
//!
//! In every other state a call changes nothing. Only the stream takes permits, so permits that it
//! has seen stay until it takes them. Only a gate leads out of *waits*, and that gate sees in the
//! word that it replaced that it has to wake the stream. See `aiter-core/docs/design/gate.md` for
//! why no wake is lost.

use crate::{
    sync::{AtomicUsize, Ordering},
    wait::notify::{WakeSink, WakeSource},
};
use core::{fmt, task::Waker};

const OPEN: usize = 1;
const STOPPED: usize = 2;
const PERMIT: usize = 4;

pub(super) const MAX_PERMITS: usize = usize::MAX / PERMIT;

/// A value of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct GateState(usize);

impl GateState {
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

    /// With `n` more permits, or as many as there is room for below `max`.
    fn pushed(self, n: usize, max: usize) -> Self {
        let room = max.min(MAX_PERMITS).saturating_sub(self.permits());
        Self(self.0 + n.min(room) * PERMIT)
    }
}

impl fmt::Debug for GateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateState")
            .field("open", &self.is_open())
            .field("stopped", &self.is_stopped())
            .field("permits", &self.permits())
            .finish()
    }
}

struct Word(AtomicUsize);

impl Word {
    #[inline]
    fn load(&self) -> GateState {
        // Ordering: Acquire pairs with the releases in `GateSide::change` and
        // `StreamSide::give_up`. The stream sees what was done before a permit was pushed, the
        // valve opened or the gate stopped, and a gate that learns of the end sees what was done
        // before it.
        GateState(self.0.load(Ordering::Acquire))
    }
}

/// A new word, closed and without permits: the stream's side and the gates' side of it.
pub(super) fn sides() -> (StreamSide, GateSide) {
    let sink = WakeSink::new(Word(AtomicUsize::new(0)));
    let wake_source = sink.wake_source();
    (StreamSide(sink), GateSide(wake_source))
}

/// The stream's side. Dropping it gives up the permits.
pub(super) struct StreamSide(WakeSink<Word>);

impl StreamSide {
    #[inline]
    pub(super) fn load(&self) -> GateState {
        self.0.load()
    }

    /// Whether an item that the source has yielded may pass. Spends a permit for it unless the
    /// valve is open. Wait-free.
    #[inline]
    pub(super) fn try_pass(&mut self) -> bool {
        let state = self.0.load();
        if state.is_open() {
            return true;
        }
        if state.permits() == 0 {
            return false;
        }
        // Ordering: Relaxed, no gate learns anything from it. As a read-modify-write it continues
        // the release sequence of the pushes before it, with which a later `load` pairs.
        self.0.0.fetch_sub(PERMIT, Ordering::Relaxed);
        true
    }

    /// Registers `waker` for the next change that the stream has to know of. The caller has to load
    /// the word afterwards.
    pub(super) fn register(&mut self, waker: &Waker) {
        self.0.register(waker);
    }

    /// Drops the registered waker if it is for another task than `waker` is.
    #[inline]
    pub(super) fn clear_for(&mut self, waker: &Waker) {
        self.0.clear_for(waker);
    }

    /// Gives up every permit and the waker, because no item will pass any more.
    pub(super) fn give_up(&mut self) {
        // Ordering: Release pairs with the Acquire of a gate's `load`. The swap also gives up what
        // a gate has just added.
        self.0.0.swap(STOPPED, Ordering::Release);
        self.0.clear();
    }
}

impl Drop for StreamSide {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// The gates' side, which all gates share. Dropping it stops the gate.
pub(super) struct GateSide(WakeSource<Word>);

impl GateSide {
    pub(super) fn load(&self) -> GateState {
        self.0.load()
    }

    /// Returns how many permits were added.
    pub(super) fn push_up_to(&self, n: usize, max: usize) -> usize {
        let (before, after) = self.change(|state| match state.is_stopped() {
            true => state,
            false => state.pushed(n, max),
        });
        after.permits() - before.permits()
    }

    pub(super) fn open(&self) -> bool {
        let (before, after) = self.change(|state| match state.is_stopped() {
            true => state,
            false => GateState(state.0 | OPEN),
        });
        before != after
    }

    pub(super) fn close(&self) -> bool {
        let (before, after) = self.change(|state| GateState(state.0 & !OPEN));
        before != after
    }

    pub(super) fn stop(&self) {
        self.change(|state| GateState(state.0 | STOPPED));
    }

    /// Applies a change and wakes the stream if it has to know. Returns the states before and after
    /// it.
    fn change(&self, to: impl Fn(GateState) -> GateState) -> (GateState, GateState) {
        let word = &self.0.0;
        // Ordering: Relaxed, the exchange validates it. If there is nothing to change, there is
        // nothing to publish either.
        let mut current = GateState(word.load(Ordering::Relaxed));
        loop {
            let new = to(current);
            if new == current {
                return (current, new);
            }
            // Ordering: Release pairs with the Acquire in `Word::load`.
            match word.compare_exchange_weak(current.0, new.0, Ordering::Release, Ordering::Relaxed)
            {
                Err(now) => current = GateState(now),
                Ok(_) => {
                    if current.must_wait() || new.is_over() {
                        self.0.wake();
                    }
                    return (current, new);
                }
            }
        }
    }
}

impl Drop for GateSide {
    fn drop(&mut self) {
        self.stop();
    }
}
