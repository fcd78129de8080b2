//! `push_aiter_bounded`: a push list in which at most `n` items wait.
//!
//! | file | what it knows |
//! |---|---|
//! | `places.rs` | how many places are taken, and who hears of one that becomes free |
//! | `waiters.rs` | which pushers wait for a place, in which order, and which of them have one |
//! | `pusher.rs`, `push.rs`, `permit.rs` | the pushing end: what takes a place and fills it |
//! | `sink.rs` | a pusher as a `Sink` |
//! | `weak.rs` | what does not keep the list open |
//! | `aiter.rs`, `next_many.rs` | the yielding end, which tells of the places that it frees |
//!
//! A push first takes a *place*, by one exchange of a word that counts them. Then it is a push into
//! the list, which knows of no limit. See `docs/design/bounded.md`.

mod aiter;
#[cfg(all(test, aiter_loom))]
mod loom;
mod next_many;
mod permit;
mod places;
mod push;
mod pusher;
#[cfg(feature = "sink")]
mod sink;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
mod waiters;
mod weak;

pub use aiter::BoundedAiter;
pub use next_many::BoundedNextMany;
pub use permit::{OwnedPermit, Permit};
pub use push::{BoundedPush, Reserve, ReserveOwned};
pub use pusher::BoundedPusher;
#[cfg(feature = "sink")]
pub use sink::BoundedSink;
pub use weak::WeakBoundedPusher;

use crate::list;
use places::Places;
use waiters::new_shared;

/// Creates a list in which at most `n` items wait: pushers wait while it is full, and so run no
/// further ahead of the consumers than that.
///
/// Use it where items may come faster than they are consumed, and the producer should slow down
/// then: a reader of a socket, a task that walks through a large file, a pool of workers that
/// report to one collector. Where the producer cannot wait (an interrupt, a callback), take
/// [`push_aiter`](crate::push_aiter), or [`try_push`](BoundedPusher::try_push) and handle the
/// refusal.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/push_bounded.svg"))]
///
/// An item counts until the slowest consumer has taken it, [forks](BoundedAiter::fork) included. So
/// a fork that is not polled holds the pushers up; drop it to let them go on.
/// [Permits](BoundedPusher::reserve) count from the moment they are given.
///
/// **First come, first served.** Pushers that wait get their places in the order in which they
/// began to wait, and no later push overtakes them, [`try_push`](BoundedPusher::try_push) included.
/// A place that becomes free belongs to the first one from then on. Items stand in the list in the
/// order in which they were pushed, that is, in which a push with a place ran.
///
/// An `n` of `usize::MAX` is a limit like any other; no memory is allocated ahead. Where words have
/// 32 bits, a limit is at most 402 653 181, which is more than the items that a list can hold.
///
/// # Panics
/// If `n` is 0.
///
/// # Progress
/// Lock-free: no operation waits for another thread. An item costs two read-modify-writes, one for
/// its place and one for its slot, and none when it is taken. Memory is allocated block by block,
/// as for an unbounded list.
///
/// # Example
/// ```
/// use aiter_core::push_aiter_bounded;
/// use futures_lite::{StreamExt, future::{block_on, zip}};
///
/// let (pusher, mut lines) = push_aiter_bounded(2);
/// let produce = async move {
///     for line in ["GET /", "Host: example.org", "Accept: */*", ""] {
///         // Waits whenever two lines have not been read yet.
///         pusher.push(line).await.unwrap();
///     }
/// };
/// let consume = async {
///     let mut count = 0;
///     while let Some(_line) = lines.next().await {
///         assert!(lines.len() <= 2);
///         count += 1;
///     }
///     count
/// };
/// assert_eq!(block_on(zip(produce, consume)).1, 4);
/// ```
#[track_caller]
pub fn push_aiter_bounded<T>(n: usize) -> (BoundedPusher<T>, BoundedAiter<T>) {
    assert!(n != 0, "push_aiter_bounded: n must be at least 1");
    let (writer, reader) = list::list();
    let shared = new_shared(Places::new(n, writer.observe()));
    (
        BoundedPusher::new(writer, shared.clone()),
        BoundedAiter::new(reader, shared),
    )
}
