//! The consumers of a split stream that wait, and the requests to its lock, which decide when each
//! of them is woken.
//!
//! To *call* a consumer is to move its wake source out of `waiting` and to wake it once the lock
//! has been released.

use crate::{
    handoff::{Combine, Deposits, HandoffLock, REQUESTS},
    wait::{
        notify::WakeSource,
        spin::{AdaptiveSpin, Taking},
        wake_list::WakeList,
        wake_stack::{Node, WakeStack},
        waker_ref::WakeUp,
    },
};
use alloc::vec::Vec;
use core::mem;

/// Request: the source has woken.
const WOKEN: usize = REQUESTS[0];
/// Request: there is a wake source in `arrivals`.
pub(super) const ARRIVED: usize = REQUESTS[1];
/// Request: there is a number in `left`.
pub(super) const LEFT: usize = REQUESTS[2];

/// The capacity for calls that is kept between two releases of the lock.
const SMALL: usize = 64;

/// The waking end of a consumer.
pub(super) type Call = WakeSource<Node<()>>;

/// What all consumers share without the lock.
pub(super) struct SplitShared {
    /// Consumers that found the lock held, and so have not looked for their items.
    pub(super) arrivals: WakeStack<()>,
    /// The numbers of consumers that were dropped.
    pub(super) left: Deposits<usize>,
    /// Whether to try again, before waiting, to acquire a lock that is held.
    pub(super) spin: AdaptiveSpin<Taking>,
}

/// Which consumer may pull while the lock is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceState {
    /// Any consumer may pull. All that waited have been called.
    Open,
    /// Only a consumer that was left waiting for the source and is polled again. The source's last
    /// poll was pending, and it has not woken since.
    Idle,
    /// Only the consumer that the item in hand is for, and which has no room.
    Blocked,
}

/// What belongs to the holder of the lock.
pub(super) struct Waiters {
    pub(super) source: SourceState,
    waiting: Waiting,
    /// Wake sources to wake after the lock has been released.
    calls: Vec<Call>,
}

pub(super) fn new_lock() -> HandoffLock<SplitShared> {
    let shared = SplitShared {
        arrivals: WakeStack::new(),
        left: Deposits::new(),
        spin: AdaptiveSpin::new(),
    };
    let waiters = Waiters {
        source: SourceState::Open,
        waiting: Waiting::default(),
        calls: Vec::new(),
    };
    HandoffLock::new(shared, waiters)
}

impl Combine for SplitShared {
    type State = Waiters;
    type FollowUp = Option<WakeList<Node<()>>>;

    #[inline]
    fn nothing_due(&self, waiters: &Waiters) -> bool {
        (waiters.source != SourceState::Open || waiters.waiting.is_empty())
            && waiters.calls.is_empty()
    }

    fn combine(&self, waiters: &mut Waiters, requests: usize, follow_up: &mut Self::FollowUp) {
        if requests & WOKEN != 0 && waiters.source == SourceState::Idle {
            waiters.source = SourceState::Open;
        }
        // The item in hand may be for the consumer that was dropped. This holder may be the thread
        // that wakes the source, which has no access to the queues. So the consumers that wait are
        // called, and look.
        if requests & LEFT != 0 && waiters.source == SourceState::Blocked {
            waiters.source = SourceState::Open;
        }
        if requests & ARRIVED != 0 {
            waiters.calls.extend(self.arrivals.take_all());
        }
        if waiters.source == SourceState::Open {
            waiters.calls.extend(waiters.waiting.take_all());
        }
        if !waiters.calls.is_empty() {
            follow_up
                .get_or_insert_default()
                .extend(waiters.calls.drain(..));
            waiters.calls.shrink_to(SMALL);
        }
    }

    fn follow_up(&self, calls: Self::FollowUp) {
        drop(calls);
    }
}

impl WakeUp for HandoffLock<SplitShared> {
    /// The wake of the source.
    fn wake_up(&self) {
        self.notify(WOKEN);
    }
}

impl Waiters {
    /// Registers a consumer that does not wait yet.
    pub(super) fn insert(&mut self, number: usize, call: Call) {
        self.waiting.insert(number, call);
    }

    /// Ends the wait of a consumer. Returns its wake source if it has not been called.
    #[inline]
    pub(super) fn remove(&mut self, number: usize) -> Option<Call> {
        self.waiting.remove(number)
    }

    /// Calls a consumer if it waits.
    #[inline]
    pub(super) fn call(&mut self, number: usize) {
        self.calls.extend(self.waiting.remove(number));
    }

    /// Frees memory after the last part was dropped.
    pub(super) fn shrink(&mut self) {
        self.waiting.shrink();
    }
}

/// Wake sources by the numbers of their consumers. Every operation on one of them takes constant
/// time.
#[derive(Default)]
struct Waiting {
    entries: Vec<(usize, Call)>,
    /// For each number, the index of its entry plus one, or 0 if there is none.
    places: Vec<usize>,
}

impl Waiting {
    #[inline]
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn insert(&mut self, number: usize, call: Call) {
        if self.places.len() <= number {
            self.places.resize(number + 1, 0);
        }
        self.entries.push((number, call));
        self.places[number] = self.entries.len();
    }

    #[inline]
    fn remove(&mut self, number: usize) -> Option<Call> {
        let index = mem::take(self.places.get_mut(number)?).checked_sub(1)?;
        let (_, call) = self.entries.swap_remove(index);
        if let Some(&(moved, _)) = self.entries.get(index) {
            self.places[moved] = index + 1;
        }
        Some(call)
    }

    fn take_all(&mut self) -> impl Iterator<Item = Call> {
        for &(number, _) in &self.entries {
            self.places[number] = 0;
        }
        self.entries.drain(..).map(|(_, call)| call)
    }

    fn shrink(&mut self) {
        self.entries.shrink_to(SMALL);
        let last = self.entries.iter().map(|&(number, _)| number + 1).max();
        self.places.truncate(last.unwrap_or(0));
        self.places.shrink_to(SMALL);
    }
}
