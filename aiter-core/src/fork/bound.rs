//! Bounds on how far the forks of a stream may run apart, for [`aiter_forker_with`](crate::aiter_forker_with).
//!
//! | bound | a fork that runs ahead | one that falls behind | what is kept at most |
//! |---|---|---|---|
//! | [`unbounded`] | goes on | finds everything | all that the slowest has not taken |
//! | [`wait(n)`](wait) | waits for the slowest | finds everything | `n` items |
//! | [`skip(n)`](skip) | goes on | loses the oldest, and sees how many | `n` items |

// Each bound is a type, so that forks without one pay for none.

use super::place::Places;

/// How far forks may run apart: [`Unbounded`], [`Wait`] or [`Skip`]. Not to be implemented outside this crate.
#[allow(private_bounds, reason = "what a bound does is nobody else's")]
pub trait Bound: Places {}

/// What the forks of a stream of `T` yield under a [`Bound`].
pub trait Yields {
    /// `T` itself, or [`Seen<T>`](Seen) where items are lost.
    type Item<T>;
}

/// Forks run apart as far as they do: items stand in a list until the slowest has passed them. See [`unbounded`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unbounded(());

/// The forks wait for the slowest. See [`wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub(super) usize);

/// Forks that are too far behind lose the oldest items. See [`skip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip(pub(super) usize);

/// What a fork with the bound [`skip`] yields: an item, and how many it missed just before.
///
/// A fork that has missed something has an item to read, so there is one of these for each item, and none besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen<T> {
    /// How many items, since the one that this fork was given before, it has missed. It stays at `usize::MAX` where
    /// there are more.
    pub missed: usize,
    /// The item.
    pub item: T,
}

/// No bound, as in [`aiter_forker`](crate::aiter_forker).
pub fn unbounded() -> Unbounded {
    Unbounded(())
}

/// No fork runs more than `n` items ahead of the slowest: while one has `n` items still to take, active or passive, the
/// stream is not polled. Not for its end either.
///
/// **A fork that is held and not polled stops all others** once they are `n` items ahead: they are pending until it
/// takes an item, is dropped, or the bound is widened. That is the bound at work and no error, so nothing but these says it:
///
/// - [`Fork::is_stalled`](crate::Fork::is_stalled) tells whether the others wait for the slowest now, and `lag` in
///   [`Fork::statistics`](crate::Fork::statistics) how far it is behind. A timeout around `next()` is the place to ask.
/// - Who holds a fork without reading it, drops it, and [forks](crate::Fork::fork) another one off when it wants to read on.
/// - If it is out of reach (leaked, or its task hangs), [`Fork::set_wait`](crate::Fork::set_wait) widens the
///   bound for all of them.
/// - If readers are to be slow at their own expense, [`skip`] is the bound to take.
///
/// A task that takes from one fork in order to feed what reads another one may stop itself in the same way.
///
/// # Progress
/// As without a bound; a fork that takes an item looks whether another waits for that, and one that pulls looks at one
/// word for each fork.
///
/// # Panics
/// If `n` is 0.
///
/// # Example
/// ```
/// use aiter_core::{aiter_forker_with, bound, iter_to_aiter};
/// use futures_lite::{StreamExt, future::{block_on, poll_once}};
///
/// let mut fast = aiter_forker_with(bound::wait(2), iter_to_aiter(1..));
/// let mut slow = fast.fork();
/// block_on(async {
///     assert_eq!((fast.next().await, fast.next().await), (Some(1), Some(2)));
///     assert_eq!(poll_once(fast.next()).await, None);
///     assert!(fast.is_stalled());
///     assert_eq!(slow.next().await, Some(1));
///     assert_eq!(fast.next().await, Some(3));
/// });
/// ```
#[track_caller]
pub fn wait(n: usize) -> Wait {
    assert!(
        n > 0,
        "forks that may not be ahead of each other cannot pull"
    );
    Wait(n)
}

/// A fork that is more than `n` items behind loses the oldest of them: it reads on with the latest `n`, and sees in
/// the first how many it [missed](Seen::missed). Items are [`Seen`].
///
/// No fork is ever waited for. At most `n` items are kept, in a ring that has room for as many once
/// they have all been there; an item goes when the last fork has passed it or it is lost to those
/// that have not. A fork that is held and never polled costs those `n` items. Where words have 32
/// bits, one that is 2³⁰ items behind may lose some of the latest `n` as well, which it sees in
/// `missed`.
///
/// # Progress
/// Forks take items from the ring in turn. One that finds another at it, on another thread, goes to sleep and
/// is woken by that one, which is there no longer than it takes to clone an item, or to drop one that is lost.
///
/// # Panics
/// If `n` is 0.
///
/// # Example
/// ```
/// use aiter_core::{aiter_forker_with, bound::{self, Seen}, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let mut fast = aiter_forker_with(bound::skip(2), iter_to_aiter(1..6));
/// let slow = fast.fork();
/// block_on(async {
///     assert_eq!(fast.map(|seen| seen.item).collect::<Vec<_>>().await, [1, 2, 3, 4, 5]);
///     let seen: Vec<_> = slow.collect().await;
///     assert_eq!(seen, [Seen { missed: 3, item: 4 }, Seen { missed: 0, item: 5 }]);
/// });
/// ```
#[track_caller]
pub fn skip(n: usize) -> Skip {
    assert!(
        n > 0,
        "forks that may not be behind each other lose everything"
    );
    Skip(n)
}

impl Bound for Unbounded {}
impl Bound for Wait {}
impl Bound for Skip {}

impl Yields for Unbounded {
    type Item<T> = T;
}

impl Yields for Wait {
    type Item<T> = T;
}

impl Yields for Skip {
    type Item<T> = Seen<T>;
}
