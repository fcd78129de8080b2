//! Bounds on how far the forks of a stream may run apart, for
//! [`aiter_forker_with`](crate::aiter_forker_with).
//!
//! | bound | a fork that runs ahead | a fork that falls behind | items kept |
//! |---|---|---|---|
//! | [`unbounded`] | goes on | gets every item | all that the slowest fork has not taken |
//! | [`wait(n)`](wait) | waits for the slowest | gets every item | at most `n` |
//! | [`skip(n)`](skip) | goes on | misses the oldest items, and knows how many | at most `n` |
//!
//! With [`retain(m)`](Unbounded::retain), the latest `m` items stay for readers that come later.
//! [`latest()`](latest) is `skip(1).retain(1)`.

// Each bound is a type of its own, so that forks without a bound contain no code of the others.

use super::{
    place::{MakesForks, Parent, SourceRef},
    pull::RING,
};
use crate::{list::Reader, ring::Ring};

/// How far forks may run apart: [`Unbounded`], [`Wait`] or [`Skip`]. Cannot be implemented outside
/// this crate.
#[allow(private_bounds, reason = "seals the trait")]
#[diagnostic::on_unimplemented(
    message = "a fork cannot have the bound `{Self}`",
    label = "not a bound for forks",
    note = "use `unbounded()`, `wait(n)` or `skip(n)`",
    note = "`retain(m)` and `latest()` are for all forks of a stream: pass them to `aiter_forker_with`"
)]
pub trait Bound: MakePlace + Copy {}

/// The type of items that forks yield under a [`Bound`].
pub trait Yields {
    /// `T` itself, or [`Seen<T>`](Seen) if forks may miss items.
    type Item<T>;
}

/// Makes the places of forks.
pub(crate) trait MakePlace: Yields {
    type Place<T>: MakesForks<T, Item = Self::Item<T>>;

    /// The place of the first fork. `reader` is the only reader of a new list.
    fn first_place<T>(self, reader: Reader<T>, source: SourceRef<'_, T>) -> Self::Place<T>;

    /// The place of a fork that is made from one with any bound.
    fn place_at<T: Clone + Sync>(
        self,
        parent: Parent<'_, T>,
        source: SourceRef<'_, T>,
    ) -> Self::Place<T>;

    /// The bound of a place.
    fn of_place<T>(place: &Self::Place<T>) -> Self;
}

/// What [`aiter_forker_with`](crate::aiter_forker_with) takes: a [`Bound`], or one that
/// [retains](Unbounded::retain) items, which have to be `Clone + Sync` then. Cannot be implemented
/// outside this crate.
#[allow(private_bounds, reason = "seals the trait")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no bound for a stream of `{T}`",
    note = "retained items are cloned for the forks that replay them: they have to be `Clone + Sync`"
)]
pub trait SourceBound<T>: SetUp<T, Own = <Self as SourceBound<T>>::Bound> {
    /// The bound of the first fork.
    type Bound: Bound;
}

pub(crate) trait SetUp<T> {
    type Own;

    /// Sets the source up, of whose list this is the only reader. Returns the bound of the first
    /// fork.
    fn set_up(self, reader: &mut Reader<T>, source: SourceRef<'_, T>) -> Self::Own;
}

impl<T, B: Bound> SourceBound<T> for B {
    type Bound = B;
}

impl<T, B: Bound> SetUp<T> for B {
    type Own = B;

    fn set_up(self, _: &mut Reader<T>, _: SourceRef<'_, T>) -> B {
        self
    }
}

impl<T: Clone + Sync, B: Bound> SourceBound<T> for Retain<B> {
    type Bound = B;
}

impl<T: Clone + Sync, B: Bound> SetUp<T> for Retain<B> {
    type Own = B;

    fn set_up(self, reader: &mut Reader<T>, source: SourceRef<'_, T>) -> B {
        if self.items > 0 {
            let ring = source.ring.get_or_make(|| Ring::near(reader));
            ring.retain(reader.fork(), self.items);
            source.lock.shared().owe(RING);
        }
        self.bound
    }
}

/// No bound: items are kept in a list until the slowest fork has taken them. See [`unbounded`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unbounded(());

/// The bound under which forks wait for the slowest. See [`wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub(super) usize);

/// The bound under which forks that are too far behind miss the oldest items. See [`skip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip(pub(crate) usize);

/// A bound, and how many of the latest items stay for readers that come later. See
/// [`Unbounded::retain`] and [`latest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retain<B> {
    pub(crate) bound: B,
    pub(crate) items: usize,
}

impl Unbounded {
    /// Keeps the latest `m` items for readers that come later and
    /// [replay](crate::Hub::replay) them, beside what the bound keeps. 0 keeps none.
    ///
    /// Use it where a stream or a hub is made, so that a late reader need not start blind: with the
    /// last lines of a chat, or with the current value of a sensor. The retained items are kept
    /// until newer ones displace them, also if every reader has seen them.
    ///
    #[cfg_attr(doc, doc = include_str!("../../docs/pictures/retain.svg"))]
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker_with, bound, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let lines = iter_to_aiter(["hello", "is Ada here?", "not yet", "hello, Ada"]);
    /// let mut guest = aiter_forker_with(bound::unbounded().retain(2), lines);
    /// let chat = guest.hub();
    /// block_on(async {
    ///     for line in ["hello", "is Ada here?", "not yet"] {
    ///         assert_eq!(guest.next().await, Some(line));
    ///     }
    ///     // She sees the last two lines, and then the next one.
    ///     let ada: Vec<_> = chat.replay().collect().await;
    ///     assert_eq!(ada, ["is Ada here?", "not yet", "hello, Ada"]);
    /// });
    /// ```
    pub fn retain(self, m: usize) -> Retain<Self> {
        Retain {
            bound: self,
            items: m,
        }
    }
}

impl Wait {
    /// Keeps the latest `m` items for readers that come later; see [`Unbounded::retain`].
    pub fn retain(self, m: usize) -> Retain<Self> {
        Retain {
            bound: self,
            items: m,
        }
    }
}

impl Skip {
    /// Keeps the latest `m` items for readers that come later; see [`Unbounded::retain`].
    ///
    /// Where `m` is less than `n`, up to `n` items are kept. Where it is more, a reader that
    /// replays with this bound starts with the latest `n` all the same, because it lags by at most
    /// `n`.
    pub fn retain(self, m: usize) -> Retain<Self> {
        Retain {
            bound: self,
            items: m,
        }
    }
}

/// Lets each reader see the newest item only, and retains that one: `skip(1).retain(1)`.
///
/// Use it for a value that changes, such as a setting or a position on a map. A reader that
/// [replays](crate::Hub::replay) gets the current value at once, and then each newer one, or the
/// newest of them if it is slow.
///
/// # Example
/// ```
/// use aiter_core::{aiter_forker_with, bound, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let brightness = iter_to_aiter(["40 %", "55 %", "70 %"]);
/// let mut lamp = aiter_forker_with(bound::latest(), brightness);
/// block_on(async {
///     while lamp.next().await.is_some() {}
///     let current = lamp.hub().replay().next().await.unwrap();
///     assert_eq!((current.missed, current.item), (0, "70 %"));
/// });
/// ```
pub fn latest() -> Retain<Skip> {
    skip(1).retain(1)
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
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/fork_wait.svg"))]
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
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/fork_skip.svg"))]
///
/// Such a fork reads on with the latest `n` items. Items come as [`Seen`], which says how many the
/// fork [missed](Seen::missed) just before.
///
/// Items are kept in a ring buffer that grows to `n` items if that many are kept at a time. An item
/// leaves the buffer when all forks have passed it, or when it is the oldest and the buffer is
/// full. A fork that is held and never polled costs the memory of those `n` items. Where `usize`
/// has 32 bits, a fork that is 2²⁹ items behind may miss some of the latest `n` as well; `missed`
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
/// let temperatures = iter_to_aiter([19, 20, 22, 23, 21]);
/// let mut fast = aiter_forker_with(bound::skip(2), temperatures);
/// let slow = fast.fork();
/// block_on(async {
///     assert_eq!(fast.count().await, 5);
///     let seen: Vec<_> = slow.collect().await;
///     assert_eq!(seen, [Seen { missed: 3, item: 23 }, Seen { missed: 0, item: 21 }]);
/// });
/// ```
#[track_caller]
pub fn skip(n: usize) -> Skip {
    assert!(n > 0, "bound::skip: n must be at least 1");
    Skip(n)
}
