//! [`PushAiter`]: the end that yields the items.

use super::{
    list::PushList,
    position::{Laps, Position, is_after, tail_flags},
    slot::SlotState,
    state::{ListState, WaitOutcome},
};
use crate::{
    Statistics, TryNextError,
    sync::{Ordering::*, fence},
};
use core::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};

/// A reader of a [`PushList`], which yields its items as a [`Stream`].
///
/// A single reader moves items out. Several readers clone them, except the last one to read an
/// item, which moves it out. If two readers read the last copy at once, both clone it, and one of
/// them drops the original. A slot is free again once the slowest reader has passed it.
///
/// When a reader is dropped, the items that only this reader had still to read are dropped with it.
/// The last reader leaves its items to the next one, see [`PushList::aiter`]. A reader that is
/// leaked keeps its position for good, so the list fills up.
///
/// # Cancel safety
/// All state is in the reader and the list, so dropping a future that waits for the next item loses
/// nothing. The reader keeps the waker of its last pending poll until a push or a stop calls it,
/// until the reader is polled with another waker, or until it is dropped.
///
/// # Progress
/// Polling is wait-free for a single reader, except that registering its waker retries if a push or
/// another reader comes at that moment. With several readers it is lock-free: it loads their
/// positions again if one of them was forked meanwhile. A poll never spins and never wakes itself.
/// If the push of the next slot is under way, the reader sleeps, and that push wakes it. A push
/// calls all wakers itself, and delegates none to another context.
///
/// # Example
/// ```
/// use aiter_core::fixed::PushList;
/// use futures_lite::{StreamExt, future::block_on};
///
/// let list = PushList::<_, 8, 2>::new();
/// let mut aiter = list.aiter().unwrap();
/// let mut fork = aiter.fork().unwrap();
/// list.push("seen by both").unwrap();
/// assert_eq!(block_on(aiter.next()), block_on(fork.next()));
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct PushAiter<
    'a,
    T,
    const N: usize,
    const R: usize = 1,
    const P: usize = 0,
    const O: bool = false,
> {
    pub(super) list: &'a PushList<T, N, R, P, O>,
    pub(super) reader: usize,
    /// The position, which the reader's cell also holds, except while the reader moves on.
    pub(super) at: Position,
    pub(super) start: Start,
    /// `Send` and `Sync` are implemented below.
    _items: PhantomData<*const T>,
}

/// Where the first item of a reader is. It takes the room of an `Option`, because a reader that has
/// still to come to its first item has missed nothing.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// At this position. A subscriber passes what is before.
    Ahead(Position),
    /// The reader has come there, and has missed this many items since.
    Reached { missed: usize },
}

impl Start {
    pub(super) const REACHED: Self = Self::Reached { missed: 0 };

    /// The position of the first item, or that of the reader if it is further on.
    pub(super) fn after(self, at: Position) -> Position {
        match self {
            Self::Ahead(start) if is_after(start, at) => start,
            _ => at,
        }
    }
}

// SAFETY: a reader moves items to its thread (`T: Send`). Several threads read one at once only if
// there are several readers, and a second one is created only for `T: Sync`.
unsafe impl<T: Send, const N: usize, const R: usize, const P: usize, const O: bool> Send
    for PushAiter<'_, T, N, R, P, O>
{
}
// SAFETY: a shared reader lends items (`T: Sync`) and moves none.
unsafe impl<T: Send + Sync, const N: usize, const R: usize, const P: usize, const O: bool> Sync
    for PushAiter<'_, T, N, R, P, O>
{
}

impl<'a, T, const N: usize, const R: usize, const P: usize, const O: bool>
    PushAiter<'a, T, N, R, P, O>
{
    pub(super) fn new(
        list: &'a PushList<T, N, R, P, O>,
        reader: usize,
        at: Position,
        start: Start,
    ) -> Self {
        Self {
            list,
            reader,
            at,
            start,
            _items: PhantomData,
        }
    }

    /// The list that this reader reads, which is also the end that items are pushed into.
    ///
    /// # Example
    /// ```
    /// let list = aiter_core::fixed::PushList::<_, 8>::new();
    /// let mut aiter = list.aiter().unwrap();
    /// aiter.list().push(1).unwrap();
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// ```
    pub fn list(&self) -> &'a PushList<T, N, R, P, O> {
        self.list
    }

    /// Creates another reader, which yields the same items from here on. Returns `None` if there
    /// are `R` readers already.
    ///
    /// From then on items are cloned for every reader except the last one to read them. Several
    /// readers may clone one item at once, each on its thread, hence the bounds: `Send` alone would
    /// not be sound.
    ///
    /// # Panics
    /// A panic of `T::clone` reaches the reader that polled. That reader loses the item, and the
    /// others still receive it.
    ///
    /// # Progress
    /// Lock-free. It retries only if another reader was created or dropped meanwhile.
    ///
    /// # Example
    /// ```
    /// let list = aiter_core::fixed::PushList::<_, 4, 2>::new();
    /// let mut first = list.aiter().unwrap();
    /// let mut second = first.fork().unwrap();
    /// list.push(1).unwrap();
    /// assert_eq!((first.try_next(), second.try_next()), (Ok(1), Ok(1)));
    /// assert!(first.fork().is_none());
    /// ```
    pub fn fork(&mut self) -> Option<Self>
    where
        T: Clone + Sync,
    {
        if O {
            // What was overwritten before the fork came is not missed by it.
            self.skip_missed();
        }
        let Self {
            list, at, start, ..
        } = *self;
        let start = match start {
            Start::Ahead(_) => start,
            Start::Reached { .. } => Start::REACHED,
        };
        let reader = list.state.readers.claim()?;
        list.enable_clones();
        list.state.readers.count_reader();
        list.state.readers.publish_position(reader, at);
        list.state.readers.count_fork();
        Some(Self::new(list, reader, at, start))
    }

    /// Takes the next item if one is available, without waiting.
    ///
    /// # Errors
    /// [`TryNextError::Empty`] if no item is available now, [`TryNextError::Ended`] if none will
    /// come any more.
    ///
    /// # Progress
    /// As polling, without the registration of a waker.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{TryNextError, fixed::PushList};
    ///
    /// let list = PushList::<_, 8>::new();
    /// let mut aiter = list.aiter().unwrap();
    /// assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
    /// list.push('a').unwrap();
    /// assert_eq!(aiter.try_next(), Ok('a'));
    /// ```
    #[inline]
    pub fn try_next(&mut self) -> Result<T, TryNextError> {
        match self.take() {
            Ok(item) => Ok(item),
            Err(at) if self.list.ends_at(at) => Err(TryNextError::Ended),
            Err(_) => Err(TryNextError::Empty),
        }
    }

    /// The index of its cell, which is a constant for a single reader.
    #[inline(always)]
    pub(super) fn reader(&self) -> usize {
        if R == 1 { 0 } else { self.reader }
    }

    /// Moves on to the next position. The caller passes what it already has in registers.
    #[inline(always)]
    pub(super) fn advance(&mut self, list: &PushList<T, N, R, P, O>, at: Position) {
        self.at = Laps::<N, R>::next(at);
        list.state.readers.publish_position(self.reader(), self.at);
    }

    /// Moves on from an item that it leaves in its slot. If all readers have passed the item, one
    /// of them drops it.
    pub(super) fn pass(&mut self) {
        let Self { list, at, .. } = *self;
        self.advance(list, at);
        // Ordering: pairs with the same fence of other readers, see `PushList::drop_passed`.
        fence(SeqCst);
        list.drop_passed(at);
    }

    /// Passes what was reserved before this subscriber came, up to a slot that is not published
    /// yet. Returns whether the reader has come to its first item.
    pub(super) fn catch_up(&mut self) -> bool {
        while let Start::Ahead(start) = self.start {
            if !is_after(start, self.at) {
                self.start = Start::REACHED;
                break;
            }
            let Self { list, at, .. } = *self;
            match list.slot(at).state::<R, O>(Laps::<N, R>::lap(at)) {
                SlotState::Empty => return false,
                SlotState::Published | SlotState::Passed => self.pass(),
            }
        }
        true
    }

    /// Takes the next item, if it is available. Otherwise returns the position of the empty slot,
    /// which saves the caller a load.
    #[inline(always)]
    fn take(&mut self) -> Result<T, Position> {
        if O {
            return self.take_overwritable();
        }
        if R > 1 && !self.catch_up() {
            return Err(self.at);
        }
        let Self { list, at, .. } = *self;
        let (slot, lap) = (list.slot(at), Laps::<N, R>::lap(at));
        if !slot.is_full(lap) {
            return Err(at);
        }
        if R == 1 || list.state.readers.is_passed(at, self.reader) {
            // SAFETY: the item is published. All other readers have passed it, and they see this
            // reader at it until it is moved out.
            let item = unsafe { slot.take(lap.wrapping_add(Laps::<N, R>::LAP)) };
            self.advance(list, at);
            list.slot_freed();
            Ok(item)
        } else {
            // Passes the item, also if the clone panics.
            let pass = scopeguard::guard(self, |reader| reader.pass());
            // SAFETY: the item is published, and stays until this reader passes it, below.
            let item = list.clone_item(unsafe { slot.item() });
            // Not left to the end of the scope: if the drop of the passed item panics there, what
            // is returned leaks.
            drop(pass);
            Ok(item)
        }
    }

    /// Whether the list was [stopped](PushList::stop). Items that were pushed before may still be
    /// available.
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_stopped(&self) -> bool {
        self.list.is_stopped()
    }

    /// A snapshot of the counters of the list, with all its readers. See [`PushList::statistics`].
    ///
    /// # Progress
    /// Wait-free.
    pub fn statistics(&self) -> Statistics {
        self.list.statistics()
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Stream
    for PushAiter<'_, T, N, R, P, O>
{
    type Item = T;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let mut waker = Some(cx.waker());
        loop {
            let list = this.list;
            let at = match this.take() {
                Ok(item) => return Poll::Ready(Some(item)),
                Err(at) => at,
            };
            let state: &ListState = &list.state;
            // SAFETY: the cell belongs to this reader, which is borrowed mutably. Cells pass from
            // one reader to the next by an Acquire of a Release.
            match unsafe { state.register(this.reader(), tail_flags(R), at, waker.take()) } {
                WaitOutcome::Waiting => return Poll::Pending,
                WaitOutcome::Recheck => {}
                WaitOutcome::Ended => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The tail is loaded first: items that are pushed in between are counted below.
        let (tail, stopped) = self.list.tail();
        let most = stopped.then(|| {
            let most = Laps::<N, R>::between(self.start.after(self.at), tail);
            if O { most.min(N) } else { most }
        });
        (self.len(), most)
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> FusedStream
    for PushAiter<'_, T, N, R, P, O>
{
    #[inline]
    fn is_terminated(&self) -> bool {
        self.list.ends_at(self.at)
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Drop
    for PushAiter<'_, T, N, R, P, O>
{
    fn drop(&mut self) {
        let Self { list, at, .. } = *self;
        // Unregisters the reader, also if the drop of its waker panics.
        let _leave = scopeguard::guard(self.reader, |reader| {
            // A single reader is also the last one.
            if list.state.readers.leave(reader) && R > 1 {
                list.drop_all_passed();
            }
        });
        let state: &ListState = &list.state;
        // SAFETY: as in `poll_next`; the reader is still registered.
        unsafe { state.unregister(self.reader(), tail_flags(R), at) };
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> fmt::Debug
    for PushAiter<'_, T, N, R, P, O>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushAiter")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}
