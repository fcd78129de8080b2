//! Bounds on how far the forks of a stream may run apart, for
//! [`aiter_forker_with`](crate::aiter_forker_with).
//!
//! | bound | a fork that runs ahead | a fork that falls behind | items kept |
//! |---|---|---|---|
//! | [`unbounded`] | goes on | gets every item | all that the slowest fork has not taken |
//! | [`wait(n)`](wait) | waits for the slowest | gets every item | at most `n` |
//! | [`skip(n)`](skip) | goes on | misses the oldest items, and knows how many | at most `n` |

// Each bound is a type of its own, so that forks without a bound contain no code of the others.

use super::place::{ForkPlace, Parent, SourceRef};
use crate::list::Reader;

/// How far forks may run apart: [`Unbounded`], [`Wait`] or [`Skip`]. Cannot be implemented outside
/// this crate.
#[allow(private_bounds, reason = "seals the trait")]
pub trait Bound: MakePlace {}

/// The type of items that forks yield under a [`Bound`].
pub trait Yields {
    /// `T` itself, or [`Seen<T>`](Seen) if forks may miss items.
    type Item<T>;
}

/// Makes the places of forks.
pub(crate) trait MakePlace: Yields {
    type Place<T>: ForkPlace<T, Item = Self::Item<T>>;

    /// The place of the first fork. `reader` is the only reader of a new list.
    fn first_place<T>(self, reader: Reader<T>, source: SourceRef<'_, T>) -> Self::Place<T>;

    /// The place of a fork that is made from one with any bound.
    fn place_at<T: Clone + Sync>(
        self,
        parent: Parent<'_, T>,
        source: SourceRef<'_, T>,
    ) -> Self::Place<T>;
}

/// No bound: items are kept in a list until the slowest fork has taken them. See [`unbounded`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unbounded(());

/// The bound under which forks wait for the slowest. See [`wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub(super) usize);

/// The bound under which forks that are too far behind miss the oldest items. See [`skip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip(pub(super) usize);

/// A bound, and how many of the latest items stay for readers that come later. See
/// [`Unbounded::retain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retain<B> {
    pub(crate) bound: B,
    pub(crate) items: usize,
}

impl Unbounded {
    /// Keeps the latest `m` items for readers that [replay](crate::PushHub::replay), beside what
    /// the bound keeps. 0 keeps none.
    pub fn retain(self, m: usize) -> Retain<Self> {
        Retain {
            bound: self,
            items: m,
        }
    }
}

impl Skip {
    /// Keeps the latest `m` items for readers that [replay](crate::PushHub::replay), beside what
    /// the bound keeps. 0 keeps none. `m` may exceed the `n` of the bound: a reader still lags by
    /// at most `n` items.
    pub fn retain(self, m: usize) -> Retain<Self> {
        Retain {
            bound: self,
            items: m,
        }
    }

    pub(crate) fn limit(self) -> usize {
        self.0
    }
}

/// The current value, and then the newest: `skip(1).retain(1)`.
///
/// Use it for a state that changes: a configuration, a price, a position. A reader that
/// [replays](crate::PushHub::replay) gets the current value at once, and then each new one; if it is
/// slow it sees only the newest.
///
/// # Example
/// ```
/// use aiter_core::{bound, push_hub};
///
/// let price = push_hub(bound::latest());
/// price.push(100).unwrap();
/// price.push(101).unwrap();
/// let mut ticker = price.replay();
/// assert_eq!(ticker.try_next().unwrap().item, 101);
/// price.push(102).unwrap();
/// price.push(103).unwrap();
/// let seen = ticker.try_next().unwrap();
/// assert_eq!((seen.missed, seen.item), (1, 103));
/// ```
pub fn latest() -> Retain<Skip> {
    Skip(1).retain(1)
}

/// An item that a fork with the bound [`skip`] yields, with the number of items that the fork
/// missed just before it.
///
/// A fork that has missed items always has an item left to read. So each item comes with one
/// `Seen`, and there is no `Seen` without an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen<T> {
    /// How many items this fork has missed since the previous one that it yielded. Saturates at
    /// `usize::MAX`.
    pub missed: usize,
    /// The item.
    pub item: T,
}

/// Lets forks run apart without a bound, as [`aiter_forker`](crate::aiter_forker) does.
pub fn unbounded() -> Unbounded {
    Unbounded(())
}

/// Lets no fork run more than `n` items ahead of the slowest, so that no fork misses an item and at
/// most `n` items are kept.
///
/// While a fork, active or passive, has `n` items left to take, the stream is not polled, not even
/// for its end.
///
/// **A fork that is held and not polled stops all others** once they are `n` items ahead. They are
/// pending until that fork takes an item, is dropped, or the bound is raised. This is what the
/// bound asks for and no error, so nothing reports it by itself:
///
/// - [`Fork::is_stalled`](crate::Fork::is_stalled) tells whether the others wait for the slowest
///   fork now, and `lag` in [`Fork::statistics`](crate::Fork::statistics) how far that one is
///   behind. A timeout around `next()` is a good place to check.
/// - A task that stops reading a fork should drop it, and [fork](crate::Fork::fork) another one
///   when it wants to read on.
/// - If the fork cannot be reached because it was leaked or its task hangs,
///   [`Fork::set_wait`](crate::Fork::set_wait) raises the bound for all forks.
/// - If slow readers may miss items, use [`skip`] instead.
///
/// A task that takes from one fork and feeds a task that reads another one can stop itself in the
/// same way.
///
/// # Panics
/// If `n` is 0.
///
/// # Progress
/// As without a bound. In addition, a fork that takes an item checks whether another one waits for
/// that, and a fork that pulls loads one word per fork.
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
    assert!(n > 0, "bound::wait: n must be at least 1");
    Wait(n)
}

/// Lets a fork that is more than `n` items behind miss the oldest of them, so that at most `n`
/// items are kept and no fork ever waits for another.
///
/// Such a fork reads on with the latest `n` items. Items come as [`Seen`], which says how many the
/// fork [missed](Seen::missed) just before.
///
/// Items are kept in a ring buffer that grows to `n` items if that many are kept at a time. An item
/// leaves the buffer when all forks have passed it, or when it is the oldest and the buffer is
/// full. A fork that is held and never polled costs the memory of those `n` items. Where `usize`
/// has 32 bits, a fork that is 2³⁰ items behind may miss some of the latest `n` as well; `missed`
/// counts them.
///
/// # Panics
/// If `n` is 0.
///
/// # Progress
/// Forks access the buffer one at a time. A fork that finds another thread accessing it is pending
/// and is woken by that thread, which stays no longer than it takes to clone an item or to drop the
/// items that are missed.
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
    assert!(n > 0, "bound::skip: n must be at least 1");
    Skip(n)
}
