//! Failures around the library: an allocator that fails; wakers that panic, that poll the stream
//! they wake, or that drop it; system calls that are forbidden; threads that no longer exist after
//! a `fork(2)`. Executors that never poll again are in `cancellation.rs`.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "a test program"
)]

#[path = "failures/allocator.rs"]
mod allocator;
#[path = "failures/child.rs"]
mod child;
#[path = "failures/everything.rs"]
mod everything;
#[cfg(target_os = "linux")]
#[path = "failures/fork.rs"]
mod fork;
#[cfg(target_os = "linux")]
#[path = "failures/system_calls.rs"]
mod system_calls;
#[path = "failures/wakers.rs"]
mod wakers;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::AcqRel},
    },
    task::Wake,
};

/// A waker that counts.
#[derive(Default)]
struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, AcqRel);
    }
}
