//! `aiter_forker`: any stream, many readers, and each reader sees every item.
//!
//! | file | contents |
//! |---|---|
//! | [`mod@pull`] | the source, the state that all forks share, and which forks are woken when |
//! | [`mod@place`] | a fork's place: the part of a fork that depends on the bound |
//! | [`mod@bound`] | the bounds as users see them |
//! | [`mod@unbounded`], [`mod@wait`], [`mod@skip`] | the places under each bound |
//! | [`mod@reader`], [`mod@poll`] | the fork, and what it does when it is polled |
//! | [`mod@hub`] | the handle that makes forks at any time |
//!
//! A fork reads from one list (with `skip`: from a ring buffer that the list feeds). An active fork
//! that comes to the end of the list pulls the source: it appends one item to the list and reads it
//! like any other. A [`HandoffLock`](crate::handoff::HandoffLock) guards the source and the list's writer. It is held for one
//! poll of the source, and no fork waits for it. The source is always polled with the same waker,
//! whose wake is the request `WOKEN` to the lock and wakes all active forks that wait.
//!
//! The source is *idle* in two cases: its last poll was pending and it has not woken since, or a
//! fork found no room and `WOKEN` has not been requested since. The fork that makes room requests
//! `WOKEN` too.
//!
//! **The invariant**: whenever the lock is free, either the source is idle, so that a request
//! `WOKEN` is still to come, or every active fork that waits has been woken. So no fork depends on
//! another one being polled again.
//!
//! A fork that finds nothing in the list continues as follows:
//!
//! | fork | lock | source | the fork |
//! |---|---|---|---|
//! | active | held | | registers its waker, makes a request, and looks again; the holder wakes it for a later item or the end |
//! | active | acquired, and there is something in the list now | | takes that |
//! | active | acquired | not idle | polls the source if the bound has room for an item; otherwise makes the source idle, and waits |
//! | active | acquired | idle | waits; a fork that was left waiting for this wake and is polled without it polls the source |
//! | passive | | | registers its waker, makes a request, and looks again; ends for now if there is no active fork |
//!
//! | the poll of the source | the fork that pulls | the source is then | forks that wait |
//! |---|---|---|---|
//! | an item | appends it; takes it directly if it is the only fork | not idle | are woken |
//! | the end | ends the list | dropped | are woken |
//! | pending | waits | idle | still wait |
//! | a panic | ends the list, passes the panic on | dropped | are woken, and panic |

pub mod bound;
mod hub;
mod lossless;
mod place;
mod poll;
mod pull;
mod reader;
mod rooms;
mod skip;
mod unbounded;
mod wait;

pub use hub::{Hub, HubIdle, HubOccupied};
pub use reader::Fork;

use crate::{handoff::Handle, list::open_list_with_reader, ring::Ring, sync::OnceBox};
use bound::{MakePlace, SourceBound, unbounded};
use futures_core::Stream;
use place::SourceRef;
use pull::{ForkShared, ForkSource, new_lock};

/// A fork's or a hub's handle on the source, with the ring beside it.
type SourceHandle<S> = Handle<ForkShared, ForkSource<S>, OnceBox<Ring<<S as Stream>::Item>>>;

/// Lets several readers see every item of one stream. Returns the first [`Fork`], from which the
/// others are made.
///
/// Use it to consume a stream in several places at once, such as a handler, a log and a statistic,
/// each at its own pace. A fork sees every item from the place on at which it was forked.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/fork.svg"))]
///
/// The returned fork is *active*: when it has taken everything that was pulled, it polls the
/// stream. Forks made with [`Fork::fork`] are active too, and the first of them to be polled pulls
/// an item for all. [Passive](Fork::fork_passive) forks only see the items that active ones pull.
/// Forks of both kinds can be made and dropped at any time and on any thread.
///
/// Nothing is read ahead: an item is pulled when an active fork asks for it. While there is a
/// single fork, items pass through it directly. Otherwise they are kept in a list until the slowest
/// fork has taken them, so a fork that is held and not polled keeps all items from its place on.
/// Use [`aiter_forker_with`] to limit that.
///
/// The stream is dropped at its end, or with the last fork. Making a second fork requires items
/// that are `Clone + Sync`.
///
/// # Panics
/// A panic of the stream reaches the fork that polled it. The stream is dropped and nothing more is
/// pulled. Every other fork first yields what was pulled before, and then panics once, so that no
/// reader takes the panic for the end.
///
/// # Cancel safety
/// See [`Fork`].
///
/// # Progress
/// See [`Fork`].
///
/// # Example
/// ```
/// use aiter_core::{aiter_forker, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let mut one = aiter_forker(iter_to_aiter(1..4));
/// let mut other = one.fork();
/// let statistics = one.fork_passive();
/// block_on(async {
///     assert_eq!(one.next().await, Some(1));
///     assert_eq!(other.next().await, Some(1));
///     assert_eq!(other.next().await, Some(2));
///     drop((one, other));
///     // No active fork is left, so nothing more is pulled.
///     assert_eq!(statistics.collect::<Vec<_>>().await, [1, 2]);
/// });
/// ```
pub fn aiter_forker<S: Stream>(stream: S) -> Fork<S> {
    aiter_forker_with(unbounded(), stream)
}

/// Like [`aiter_forker`], with a bound on how far forks run apart and on how many items are kept:
/// [`wait(n)`](bound::wait) or [`skip(n)`](bound::skip).
///
/// The bound has no effect while there is a single fork. A new fork starts at the place of the fork
/// from which it is made, and is as far behind as that one.
///
/// # Panics
/// See [`aiter_forker`].
///
/// # Cancel safety
/// See [`Fork`].
///
/// # Progress
/// See [`Fork`] and the bound.
///
/// # Example
/// ```
/// use aiter_core::{Fork, aiter_forker_with, bound, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// // The bound is part of a fork's type.
/// type Bounded<S> = Fork<S, bound::Skip>;
///
/// let mut fast: Bounded<_> = aiter_forker_with(bound::skip(100), iter_to_aiter(0..1000));
/// let slow = fast.fork();
/// block_on(async {
///     assert_eq!(fast.count().await, 1000);
///     let (missed, seen) = slow.fold((0, 0), |(m, n), seen| (m + seen.missed, n + 1)).await;
///     assert_eq!((missed, seen), (900, 100));
/// });
/// ```
pub fn aiter_forker_with<S: Stream, B: SourceBound<S::Item>>(
    bound: B,
    stream: S,
) -> Fork<S, <B as SourceBound<S::Item>>::Bound> {
    let (writer, mut reader) = open_list_with_reader();
    let handle = Handle::new(new_lock(), ForkSource::new(stream, writer), OnceBox::new());
    let source = || SourceRef {
        lock: handle.as_lock(),
        ring: handle.beside(),
    };
    let bound = bound.set_up(&mut reader, source());
    let place = bound.first_place(reader, source());
    let active = Some(handle.as_lock().shared().register_active());
    Fork::new(handle, place, active)
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
