//! What fails around the library: the allocator, and wakers that panic, that poll the stream they wake, or that drop it.
//! Executors that never poll again are in `cancellation.rs`.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "a test program"
)]

#[path = "failures/allocator.rs"]
mod allocator;
#[path = "failures/wakers.rs"]
mod wakers;
