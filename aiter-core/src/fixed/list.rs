//! [`PushList`]: the slots, and the end that items are pushed into.

use super::{
    position::{CLOSED, Laps, Position, closed, is_after, tail_flags},
    push_queue::PushCell,
    registry::ReaderCell,
    slot::Slot,
    state::ListState,
    word::exchange,
};
use crate::{
    Statistics,
    error::PushError,
    sync::{Ordering::*, PlainPtr, Word, array_of, const_new, fence},
};
use core::{fmt, mem, ptr};

/// A list of at most `N` items for at most `R` readers, without an allocator. See the
/// [module](super) for what it is for.
///
/// A shared reference to it is the end that items are pushed into. [`aiter`](Self::aiter) and
/// [`subscribe`](Self::subscribe) make readers. Put it in a `static`, so that interrupt handlers
/// and tasks reach it.
///
/// `P` is how many tasks may [wait for a free slot](Self::push_when_free) at a time, none by
/// default. `O` is `true` for a list in which a push may [drop the oldest
/// item](Self::push_overwriting).
///
/// Each slot takes a word and the item, and each reader and each task that may wait some words.
/// Dropping the list drops the items that no reader has taken.
// The fields stand in this order so that those that a push accesses are near the beginning, where
// short instructions reach.
#[repr(C)]
pub struct PushList<
    T,
    const N: usize,
    const R: usize = 1,
    const P: usize = 0,
    const O: bool = false,
> {
    pub(super) state: ListState<[ReaderCell; R]>,
    /// `T::clone`, once there may be two readers.
    clone: PlainPtr<()>,
    pub(super) slots: [Slot<T>; N],
    /// The tasks that wait for a free slot.
    pub(super) pushers: [PushCell; P],
}

// SAFETY: items move from the pushing thread to the taking thread (`T: Send`). Several threads read
// one at once only if there are several readers, or a reader is shared. Both require `T: Sync`
// themselves.
unsafe impl<T: Send, const N: usize, const R: usize, const P: usize, const O: bool> Sync
    for PushList<T, N, R, P, O>
{
}
// SAFETY: as above.
unsafe impl<T: Send, const N: usize, const R: usize, const P: usize, const O: bool> Send
    for PushList<T, N, R, P, O>
{
}

/// A position that belongs to the caller, who has to publish it.
#[must_use = "readers wait for it"]
pub(super) struct Reserved<'a, T> {
    /// The tail before the reservation, with the flags of the readers that wait.
    pub(super) tail: Word,
    pub(super) slot: &'a Slot<T>,
    pub(super) lap: Word,
}

/// Why no position was reserved.
pub(super) enum Refused {
    Full,
    Stopped,
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> PushList<T, N, R, P, O> {
    const_new! {
        /// Creates an empty list. Use it in a `static`, or wherever the list outlives its readers.
        ///
        /// # Panics
        /// At compile time, if `N` or `R` is 0, if `R` is greater than the number of bits of a
        /// `usize`, or if `N` is so large that positions could not tell laps apart.
        ///
        /// # Example
        /// ```
        /// use aiter_core::fixed::PushList;
        ///
        /// static BYTES: PushList<u8, 64> = PushList::new();
        /// BYTES.push(1).unwrap();
        /// ```
        pub fn new() -> Self {
            const { assert!(Laps::<N, R>::LAP > 0) };
            Self {
                state: ListState::new(),
                clone: PlainPtr::new(ptr::null_mut()),
                slots: array_of!(Slot::new(); N),
                pushers: array_of!(PushCell::new(); P),
            }
        }
    }

    /// An empty list that has been through this many laps.
    #[cfg(all(test, not(aiter_loom)))]
    pub(super) fn after_laps(laps: crate::sync::Word) -> Self {
        let lap = laps * Laps::<N, R>::LAP;
        let list = Self {
            state: ListState::new(),
            clone: PlainPtr::new(ptr::null_mut()),
            slots: core::array::from_fn(|_| Slot::free_for(lap)),
            pushers: array_of!(PushCell::new(); P),
        };
        list.state.tail.store(lap, Relaxed);
        list.state.readers.publish_position(0, lap);
        list
    }

    /// Appends an item, and wakes the readers that wait for it.
    ///
    /// While there is no reader, the list keeps items for the next one.
    ///
    /// # Errors
    /// Gives the item back as [`PushError::Full`] if no slot is free, or as [`PushError::Stopped`]
    /// after a [`stop`](Self::stop). The list is full if `N` items wait for the slowest reader. A
    /// slot counts as used until its reader has returned from taking the item. Every reader that is
    /// not dropped receives each accepted item.
    ///
    /// # Progress
    /// Lock-free. A push retries only if another push took the slot between its load of the tail
    /// and its exchange, or a reader started to wait there. On one core that is at most once for
    /// each operation that interrupted it at this point. A push that is not interrupted, such as
    /// one of the highest priority, runs straight through. It costs one read-modify-write, and one
    /// more for each reader that it wakes at a gap.
    ///
    /// A push that is interrupted half-way holds back the items behind its own, and nothing else:
    /// other contexts push and read meanwhile, and readers that come to the gap sleep until it is
    /// filled. Wakers run inside this call.
    ///
    /// # Example
    /// ```
    /// use aiter_core::fixed::{PushError, PushList};
    ///
    /// let list = PushList::<_, 2>::new();
    /// list.push('a').unwrap();
    /// list.push('b').unwrap();
    /// assert_eq!(list.push('c'), Err(PushError::Full('c')));
    /// ```
    #[inline]
    pub fn push(&self, item: T) -> Result<(), PushError<T>> {
        match self.reserve() {
            Ok(reserved) => {
                self.publish(reserved, item);
                Ok(())
            }
            Err(Refused::Full) => Err(PushError::Full(item)),
            Err(Refused::Stopped) => Err(PushError::Stopped(item)),
        }
    }

    /// Reserves a position. No reader passes it until it is published.
    #[inline(always)]
    pub(super) fn reserve(&self) -> Result<Reserved<'_, T>, Refused> {
        loop {
            let tail = self.state.tail.load(Relaxed);
            let slot = self.slot(tail);
            let lap = slot.word();
            if Laps::<N, R>::is_in_use(lap, tail) {
                return Err(match tail & CLOSED {
                    0 => Refused::Full,
                    _ => Refused::Stopped,
                });
            }
            let next = Laps::<N, R>::next_in(lap, tail);
            let exchanged = self
                .state
                .tail
                .compare_exchange_weak(tail, next, Relaxed, Relaxed);
            if exchanged.is_ok() {
                // Ordering: Acquire pairs with the Release of the slot in `Slot::take`: the
                // previous reader no longer accesses it. It also pairs with the Release of a flag
                // in `ListState::register`, and of the position of a subscriber in `subscribe_at`.
                fence(Acquire);
                return Ok(Reserved { tail, slot, lap });
            }
        }
    }

    #[inline(always)]
    pub(super) fn publish(&self, Reserved { tail, slot, lap }: Reserved<'_, T>, item: T) {
        // SAFETY: the position was reserved, and is used up here.
        unsafe { slot.publish(lap, item) };
        // In a list that may be overwritten, a reader may wait for the item that was there before.
        let lap_before = O.then(|| Laps::<N, R>::oldest(0));
        self.state.wake(tail, lap_before);
    }

    /// Ends the list for good, and wakes the readers that wait. They receive the items that were
    /// pushed before, then the end.
    ///
    /// A stop is linearizable against pushes: each push is either accepted, before the stop, or
    /// gives its item back. Stopping again does nothing.
    ///
    /// # Progress
    /// Lock-free. It retries only if a push came, or a reader started to wait, meanwhile. Wakers
    /// run inside this call.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{TryNextError, fixed::PushList};
    ///
    /// let list = PushList::<_, 4>::new();
    /// let mut aiter = list.aiter().unwrap();
    /// list.push(1).unwrap();
    /// list.stop();
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
    /// ```
    pub fn stop(&self) {
        loop {
            let tail = self.state.tail.load(Relaxed);
            if tail & CLOSED != 0 {
                return;
            }
            // Ordering: Acquire as in `reserve`; Release pairs with the Acquire of a reader that
            // finds the list stopped.
            if exchange(&self.state.tail, tail, closed(tail & !tail_flags(R))) {
                // The readers first, whose wake has the fence, and then, also if the waker of a
                // reader panics, the tasks that wait for a slot.
                let _pushers = scopeguard::guard((), |()| {
                    if P > 0 {
                        self.serve();
                    }
                });
                return self.state.wake_all(tail);
            }
        }
    }

    /// Whether the list was [stopped](Self::stop), so that it refuses pushes for good.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// let list = aiter_core::fixed::PushList::<u8, 4>::new();
    /// assert!(!list.is_stopped());
    /// list.stop();
    /// assert!(list.is_stopped());
    /// ```
    pub fn is_stopped(&self) -> bool {
        self.tail().1
    }

    /// A snapshot of the list's counters, for metrics. It loads one word for each reader.
    ///
    /// While other contexts push and take, the figures may be a few items apart.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// use aiter_core::fixed::PushList;
    ///
    /// let list = PushList::<_, 4, 2>::new();
    /// let mut aiter = list.aiter().unwrap();
    /// let _slow = aiter.fork().unwrap();
    /// list.push('a').unwrap();
    /// list.push('b').unwrap();
    /// aiter.try_next().unwrap();
    /// let now = list.statistics();
    /// assert_eq!((now.pushed, now.taken, now.waiting, now.lag), (2, 1, 1, 2));
    /// ```
    pub fn statistics(&self) -> Statistics {
        let (tail, _) = self.tail();
        let behind = |at| match O && is_after(Laps::<N, R>::oldest(tail), at) {
            // It goes on with the oldest item.
            true => N,
            false => Laps::<N, R>::between(at, tail),
        };
        let lags = || {
            self.state
                .readers
                .positions()
                .map(behind)
                .filter(|lag| *lag <= N)
        };
        let waiting = lags().min().unwrap_or(0);
        let pushed = Laps::<N, R>::count(tail);
        Statistics {
            pushed,
            taken: pushed.wrapping_sub(waiting),
            waiting,
            lag: lags().max().unwrap_or(0),
        }
    }

    #[inline(always)]
    pub(super) fn slot(&self, at: Position) -> &Slot<T> {
        let [one, more] = Laps::<N, R>::offset::<Slot<T>>(at);
        // SAFETY: a position has the index of a slot, so this stays in the array.
        let slot = unsafe { self.slots.as_ptr().byte_add(one) };
        // SAFETY: as above.
        let slot = unsafe { slot.byte_add(more) };
        // SAFETY: it points to a slot of this list.
        unsafe { &*slot }
    }

    /// Whether the list is stopped, and no item is at this position or after it.
    #[inline(always)]
    pub(super) fn ends_at(&self, at: Position) -> bool {
        // Ordering: as in `tail`.
        self.state.tail.load(Acquire) == closed(at)
    }

    /// The tail, and whether the list is stopped.
    pub(super) fn tail(&self) -> (Position, bool) {
        // Ordering: Acquire pairs with the Release in `stop`.
        let tail = self.state.tail.load(Acquire);
        (Laps::<N, R>::position(tail), tail & CLOSED != 0)
    }

    /// Allows several readers from here on.
    pub(super) fn enable_clones(&self)
    where
        T: Clone,
    {
        let clone: fn(&T) -> T = T::clone;
        // Ordering: Relaxed. The Release of the new reader's position publishes it.
        self.clone.store(clone as *mut (), Relaxed);
    }

    /// Clones an item for a reader that is not the last to read it.
    pub(super) fn clone_item(&self, item: &T) -> T {
        // Ordering: Relaxed, because the position of another reader was seen; see `enable_clones`.
        let clone = self.clone.load(Relaxed);
        debug_assert!(
            !clone.is_null(),
            "`enable_clones` comes before a second reader"
        );
        // SAFETY: there is another reader, so the pointer was stored, from a function of this type.
        let clone = unsafe { mem::transmute::<*mut (), fn(&T) -> T>(clone) };
        clone(item)
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Default
    for PushList<T, N, R, P, O>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> fmt::Debug
    for PushList<T, N, R, P, O>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushList")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}
