//! Short concurrent histories of the push lists, of hubs, of forks and of shared streams, recorded
//! on real threads and checked against a sequential model. `AITER_LINEARIZABILITY_SECONDS` says how
//! long each test runs (0.5).
//!
//! | file | contents |
//! |---|---|
//! | `checker.rs` | decides whether a model allows a history |
//! | `race.rs` | threads that begin together, and the clock |
//! | `hub.rs` | push hubs, in the same way as the list |
//! | `list.rs` | the push list: its model, random work, planted bugs |
//! | `bounded.rs` | the same for the bounded push list |
//! | `fixed.rs` | the same for the fixed list, with pushes of each kind |
//! | `fork.rs`, `share.rs` | the same for `aiter_forker` and `sharable_aiter` |
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "a test program"
)]

#[path = "linearizability/bounded.rs"]
mod bounded;
#[path = "linearizability/checker.rs"]
mod checker;
#[path = "linearizability/fixed.rs"]
mod fixed;
#[path = "linearizability/fork.rs"]
mod fork;
#[path = "linearizability/hub.rs"]
mod hub;
#[path = "linearizability/list.rs"]
mod list;
#[path = "linearizability/race.rs"]
mod race;
#[path = "linearizability/share.rs"]
mod share;

use futures_core::Stream;
use std::{
    cell::Cell,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::*},
    },
    task::{Context, Poll, Wake, Waker},
};

#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Release);
    }
}

/// Polls a stream, and knows whether it was woken since it was last pending.
#[derive(Debug, Default)]
pub struct PollTracker {
    wakes: Arc<Wakes>,
    pending_since: Option<usize>,
    /// A planted bug: its wakes get lost.
    pub is_deaf: bool,
}

impl PollTracker {
    pub fn poll<S: Stream + Unpin>(&mut self, stream: &mut S) -> Poll<Option<S::Item>> {
        self.poll_with(|cx| Pin::new(stream).poll_next(cx))
    }

    /// The same for whatever can be polled.
    pub fn poll_with<R>(&mut self, poll: impl FnOnce(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
        let before = self.wakes.0.load(Acquire);
        let waker = match self.is_deaf {
            false => Waker::from(self.wakes.clone()),
            true => Waker::noop().clone(),
        };
        let polled = poll(&mut Context::from_waker(&waker));
        self.pending_since = polled.is_pending().then_some(before);
        polled
    }

    /// It got its item in another way, and waits no more.
    pub fn is_served(&mut self) {
        self.pending_since = None;
    }

    /// Returns whether its last poll was pending and nothing has woken it since.
    pub fn is_waiting(&self) -> bool {
        self.pending_since == Some(self.wakes.0.load(Acquire))
    }
}

thread_local! {
    static PULLS: Cell<usize> = const { Cell::new(0) };
}

/// Returns how often this thread has polled a source.
pub fn pulls() -> usize {
    PULLS.get()
}

/// A source that is always ready. A slow one takes some time, so that other threads come meanwhile.
#[derive(Debug)]
pub struct Source {
    items: Range<u8>,
    is_slow: bool,
}

impl Stream for Source {
    type Item = u8;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u8>> {
        PULLS.set(PULLS.get() + 1);
        if self.is_slow {
            let_others_run();
        }
        Poll::Ready(self.items.next())
    }
}

/// Widens a race window, so that other threads get into it on a busy machine too.
fn let_others_run() {
    std::thread::yield_now();
}
