//! The list, which is also the end that appends.

use super::{
    PushAiter, PushError,
    position::{CLOSED, Laps, Position, closed, tail_flags},
    registry::{NOBODY, ReaderCell},
    slot::Slot,
    waiters::Head,
    word::exchange,
};
use crate::{
    Statistics,
    sync::{Ordering::*, PlainPtr, Word, array_of, const_new, fence},
};
use core::{fmt, mem, ptr};

/// A list of at most `N` items for at most `R` readers, without an allocator: see the [module](super).
///
/// A reference to it is the end that items are pushed into.
// In this order: what a push looks at is near the beginning, where short instructions reach.
#[repr(C)]
pub struct PushList<T, const N: usize, const R: usize = 1> {
    pub(super) head: Head<[ReaderCell; R]>,
    /// `T::clone`, once there may be two readers.
    clone: PlainPtr<()>,
    slots: [Slot<T>; N],
}

// SAFETY: items move from who pushes to who takes them (`T: Send`). They are read by several threads at once only when there
// are several readers, or a reader is shared; both ask for `T: Sync` themselves.
unsafe impl<T: Send, const N: usize, const R: usize> Sync for PushList<T, N, R> {}
// SAFETY: as above.
unsafe impl<T: Send, const N: usize, const R: usize> Send for PushList<T, N, R> {}

/// A position that is the caller's, to be published.
#[must_use = "readers wait for it"]
pub(super) struct Reserved<'a, T> {
    /// What the tail was, with the flag of a sleeper.
    tail: Word,
    slot: &'a Slot<T>,
    lap: Word,
}

/// Why no position was given out.
pub(super) enum Refused {
    Full,
    Stopped,
}

impl<T, const N: usize, const R: usize> PushList<T, N, R> {
    const_new! {
        /// An empty list. Use it in a `static`, or wherever it outlives its readers.
        ///
        /// # Panics
        /// At compile time, if `N` or `R` is 0, or `R` is more than the bits of a word.
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
                head: Head::new(),
                clone: PlainPtr::new(ptr::null_mut()),
                slots: array_of!(Slot::new(); N),
            }
        }
    }

    /// An empty list that has had so many laps.
    #[cfg(all(test, not(aiter_loom)))]
    pub(super) fn after_laps(laps: crate::sync::Word) -> Self {
        let lap = laps * Laps::<N, R>::LAP;
        let list = Self {
            head: Head::new(),
            clone: PlainPtr::new(ptr::null_mut()),
            slots: core::array::from_fn(|_| Slot::free_for(lap)),
        };
        list.head.tail.store(lap, Relaxed);
        list.head.readers.stand(0, lap);
        list
    }

    /// Appends an item, and wakes the readers that wait for it.
    ///
    /// While there is no reader, items are kept for the next one.
    ///
    /// # Errors
    /// Gives the item back if the list is full, or [stopped](Self::stop). An item that was accepted is delivered to each
    /// reader that stays. The list is full if `N` items wait for the slowest reader; a slot counts as taken until its reader
    /// has returned from taking the item.
    ///
    /// # Progress
    /// Lock-free. It never waits for anybody: it looks again only if another push came between its two looks at the tail, and
    /// took the slot, or a reader lay down. On one core that is at most once for each that interrupted this one there; a push
    /// that nobody interrupts, as that of the highest priority, runs straight through. One read-modify-write, and one more for
    /// a reader that it wakes on a gap. A push that is interrupted half-way holds back the items behind its own, and nothing else: others
    /// push and read meanwhile, and readers that come to the gap sleep until it goes on. Wakers run in here.
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

    /// Gets a position, which is then to be published: until that no reader passes it.
    #[inline(always)]
    pub(super) fn reserve(&self) -> Result<Reserved<'_, T>, Refused> {
        loop {
            let tail = self.head.tail.load(Relaxed);
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
                .head
                .tail
                .compare_exchange_weak(tail, next, Relaxed, Relaxed);
            if exchanged.is_ok() {
                // Ordering: Acquire pairs with the Release of the slot in `Slot::take`: who had it before is done with it. It
                // also pairs with that of a flag in `Head::register`, and of the subscriber's place in `subscribe_at`.
                fence(Acquire);
                return Ok(Reserved { tail, slot, lap });
            }
        }
    }

    #[inline(always)]
    pub(super) fn publish(&self, Reserved { tail, slot, lap }: Reserved<'_, T>, item: T) {
        // SAFETY: the position was reserved, and is used up.
        unsafe { slot.publish(lap, item) };
        self.head.wake(tail);
    }

    /// Ends the list for good: what was pushed is still delivered, then the end. Waiting readers wake at once.
    ///
    /// Linearizable against pushes: each push is either accepted, before the stop, or gives its item back. Stopping again
    /// does nothing.
    ///
    /// # Progress
    /// Lock-free: tries again only if a push came, or a reader went to sleep, meanwhile.
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
            let tail = self.head.tail.load(Relaxed);
            if tail & CLOSED != 0 {
                return;
            }
            // Ordering: Acquire as in `reserve`; Release pairs with the Acquire of who finds the list stopped.
            if exchange(&self.head.tail, tail, closed(tail & !tail_flags(R))) {
                return self.head.wake_all(tail);
            }
        }
    }

    /// Whether pushes are refused for good.
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_stopped(&self) -> bool {
        self.tail().1
    }

    /// The reader of a list that has none: it takes up where the last one left, or at the very start.
    ///
    /// `None` while there is a reader; see [`subscribe`](Self::subscribe) and [`PushAiter::fork`] for another one. Items need
    /// not be `Clone` here.
    ///
    /// # Progress
    /// Lock-free: tries again only if another reader came or left meanwhile.
    ///
    /// # Example
    /// ```
    /// use aiter_core::fixed::PushList;
    ///
    /// let list = PushList::<_, 4>::new();
    /// list.push(1).unwrap();
    /// list.push(2).unwrap();
    /// let mut aiter = list.aiter().unwrap();
    /// assert!(list.aiter().is_none());
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// drop(aiter);
    /// assert_eq!(list.aiter().unwrap().try_next(), Ok(2));
    /// ```
    pub fn aiter(&self) -> Option<PushAiter<'_, T, N, R>> {
        let reader = self.head.readers.take_over()?;
        Some(PushAiter::new(
            self,
            reader,
            self.head.readers.place(reader),
            None,
        ))
    }

    /// Another reader, which sees what is pushed from here on; the first one, if there is none, sees what was
    /// [kept](Self::aiter) too. `None` if there are `R` readers.
    ///
    /// Items are cloned for all readers but the last to read them, and several may clone one item at once: hence the bounds.
    ///
    /// # Progress
    /// Lock-free: tries again only if another reader came or left meanwhile. The slots used at this moment stay in use until
    /// this returns; where one of them is reserved and not published, until this reader was polled after its publication.
    ///
    /// # Example
    /// ```
    /// use aiter_core::fixed::PushList;
    ///
    /// let list = PushList::<_, 4, 2>::new();
    /// let first = list.subscribe().unwrap();
    /// list.push(1).unwrap();
    /// let second = list.subscribe().unwrap();
    /// list.push(2).unwrap();
    /// assert!(first.available_iter().eq(&[1, 2]));
    /// assert!(second.available_iter().eq(&[2]));
    /// assert!(list.subscribe().is_none());
    /// ```
    pub fn subscribe(&self) -> Option<PushAiter<'_, T, N, R>>
    where
        T: Clone + Sync,
    {
        loop {
            if let Some(aiter) = self.aiter() {
                return Some(aiter);
            }
            let reader = self.head.readers.claim()?;
            self.allow_clones();
            if self.head.readers.join() {
                return Some(self.subscribe_at(reader));
            }
            // The last reader has left just now: take over its seat.
            self.head.readers.give_back(reader);
        }
    }

    /// Items published behind the tail are nobody else's business if all readers leave: this one has to pass them. So it
    /// stands a lap behind first, where every slot in use is before it, and walks up to the tail.
    fn subscribe_at(&self, reader: usize) -> PushAiter<'_, T, N, R> {
        let lap_before = |tail: Word| Laps::<N, R>::position(tail).wrapping_sub(Laps::<N, R>::LAP);
        self.head
            .readers
            .stand(reader, lap_before(self.head.tail.load(Relaxed)));
        // Ordering: a read-modify-write, in one order with the reservations. Release pairs with the Acquire in `reserve`: who
        // reserves after this, and whoever reads that slot, sees this reader stand. Slots that were reserved before are told
        // apart by their words, in `walk_up`.
        let tail = self.head.tail.fetch_or(0, Release);
        let at = lap_before(tail);
        self.head.readers.stand(reader, at);
        let mut aiter = PushAiter::new(self, reader, at, Some(Laps::<N, R>::position(tail)));
        aiter.walk_up();
        aiter
    }

    /// How the list stands. Looks at one word for each reader.
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
        let behind = |at| Laps::<N, R>::between(at, tail);
        let lags = || {
            self.head
                .readers
                .places()
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
        // SAFETY: positions have the index of a slot, so this stays inside.
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
        self.head.tail.load(Acquire) == closed(at)
    }

    /// The tail, and whether the list is stopped.
    pub(super) fn tail(&self) -> (Position, bool) {
        // Ordering: Acquire pairs with the Release in `stop`.
        let tail = self.head.tail.load(Acquire);
        (Laps::<N, R>::position(tail), tail & CLOSED != 0)
    }

    /// Drops the item of a position if all readers have passed it, and nobody else does.
    ///
    /// A reader that passes does this after it has said so, and a fence. Of those who pass one item the last to fence sees all
    /// others past it; so somebody drops it.
    pub(super) fn drop_passed(&self, at: Position) {
        if self.head.readers.is_passed(at, NOBODY) {
            let lap = Laps::<N, R>::lap(at);
            // SAFETY: all have passed, as seen by an Acquire of their Release, and nobody comes to it any more.
            drop(unsafe {
                self.slot(at)
                    .try_take(lap, lap.wrapping_add(Laps::<N, R>::LAP))
            });
        }
    }

    /// Drops all items that nobody is to read any more, after a reader has left.
    pub(super) fn sweep(&self) {
        /// Goes on when the drop of an item panics.
        struct Sweep<'a, T, const N: usize, const R: usize>(&'a PushList<T, N, R>, usize);
        impl<T, const N: usize, const R: usize> Sweep<'_, T, N, R> {
            fn run(&mut self) {
                while let Some(slot) = self.0.slots.get(self.1) {
                    let index = self.1;
                    self.1 += 1;
                    if let Some(lap) = slot.full_lap() {
                        self.0.drop_passed(Laps::<N, R>::at(lap, index));
                    }
                }
            }
        }
        impl<T, const N: usize, const R: usize> Drop for Sweep<'_, T, N, R> {
            fn drop(&mut self) {
                self.run();
            }
        }
        // Ordering: pairs with the fence of a reader that passes: see `drop_passed`.
        fence(SeqCst);
        let mut sweep = Sweep(self, 0);
        sweep.run();
        mem::forget(sweep);
    }

    /// From here on there may be several readers.
    pub(super) fn allow_clones(&self)
    where
        T: Clone,
    {
        let clone: fn(&T) -> T = T::clone;
        // Ordering: Relaxed, published by the Release with which the new reader stands.
        self.clone.store(clone as *mut (), Relaxed);
    }

    /// Clones an item for a reader that is not the last to read it.
    pub(super) fn clone_item(&self, item: &T) -> T {
        // Ordering: Relaxed, as the other reader was seen to stand; see `allow_clones`.
        let clone = self.clone.load(Relaxed);
        debug_assert!(
            !clone.is_null(),
            "a second reader was made by `allow_clones`"
        );
        // SAFETY: there is another reader, so the pointer was stored, from a function of this type.
        let clone = unsafe { core::mem::transmute::<*mut (), fn(&T) -> T>(clone) };
        clone(item)
    }
}

impl<T, const N: usize, const R: usize> Default for PushList<T, N, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize, const R: usize> fmt::Debug for PushList<T, N, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushList")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}
