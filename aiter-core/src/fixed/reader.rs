//! The end that yields.

use super::{
    PushList,
    position::{Laps, Position, is_after, tail_flags},
    slot::Found,
    waiters::{Head, WaitOutcome},
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

/// A reader of a [`PushList`]; a [`Stream`].
///
/// The only reader moves items out. Several clone them, and the last to read an item moves it; if two read the last
/// copy at once, both clone it, and one of them drops the original. A slot is free again when the slowest reader has passed it.
///
/// When it is dropped, items that it alone was still to read are dropped with it; the last reader leaves them to the next:
/// see [`PushList::aiter`]. One that is forgotten keeps its place for good.
///
/// # Cancel safety
/// All state is in the aiter and the list: dropping a future that waits for its next item loses nothing. The waker of the
/// last poll is kept until a push calls it, or the aiter is polled with another one, or dropped.
///
/// # Progress
/// Polling is wait-free for the only reader, but that going to sleep may have to try again when a push or another reader
/// comes at that moment. With others it is lock-free: it looks at their places again if one of them was forked meanwhile. It
/// neither spins nor wakes itself; a slot whose push is under way is slept on, and that push wakes the sleeper. A push wakes its
/// sleepers itself and leaves it to nobody.
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
pub struct PushAiter<'a, T, const N: usize, const R: usize = 1> {
    list: &'a PushList<T, N, R>,
    reader: usize,
    /// Also in the seat, but for a moment.
    at: Position,
    /// A subscriber's first item, as long as it has not come there: what is before is passed.
    start: Option<Position>,
    /// `Send` and `Sync` are said below.
    _items: PhantomData<*const T>,
}

// SAFETY: a reader moves items to its thread (`T: Send`). Items are read by several threads at once only when there are
// several readers, and a second one is made for `T: Sync` alone.
unsafe impl<T: Send, const N: usize, const R: usize> Send for PushAiter<'_, T, N, R> {}
// SAFETY: a shared reader lends items (`T: Sync`) and moves none.
unsafe impl<T: Send + Sync, const N: usize, const R: usize> Sync for PushAiter<'_, T, N, R> {}

impl<'a, T, const N: usize, const R: usize> PushAiter<'a, T, N, R> {
    pub(super) fn new(
        list: &'a PushList<T, N, R>,
        reader: usize,
        at: Position,
        start: Option<Position>,
    ) -> Self {
        Self {
            list,
            reader,
            at,
            start,
            _items: PhantomData,
        }
    }

    /// The list it reads, which is the end that items are pushed into.
    pub fn list(&self) -> &'a PushList<T, N, R> {
        self.list
    }

    /// Another reader, which yields the same items from here on. `None` if there are `R` readers.
    ///
    /// From then on items are cloned for all readers but the last to read them. Several may clone one item at once, each on
    /// its thread, hence the bounds: `Send` alone would not be sound.
    ///
    /// # Panics
    /// When `T::clone` panics, the panic reaches the reader that polled; the item is lost to that one, and to no other.
    ///
    /// # Progress
    /// O(1); lock-free, tries again only if another reader came or left meanwhile.
    pub fn fork(&mut self) -> Option<Self>
    where
        T: Clone + Sync,
    {
        let Self {
            list, at, start, ..
        } = *self;
        let reader = list.head.readers.claim()?;
        list.allow_clones();
        list.head.readers.join();
        list.head.readers.stand(reader, at);
        list.head.readers.forked();
        Some(Self::new(list, reader, at, start))
    }

    /// Takes the next item if it is there, without waiting.
    ///
    /// # Errors
    /// [`TryNextError::Empty`] when nothing is there now, [`TryNextError::Ended`] when nothing will come any more.
    ///
    /// # Progress
    /// As polling.
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

    /// Its seat, known beforehand where there is one.
    #[inline(always)]
    fn reader(&self) -> usize {
        if R == 1 { 0 } else { self.reader }
    }

    /// Moves on to the next position, from what the caller has at hand of it.
    #[inline(always)]
    fn step(&mut self, list: &PushList<T, N, R>, at: Position) {
        self.at = Laps::<N, R>::next(at);
        list.head.readers.stand(self.reader(), self.at);
    }

    /// Moves on from an item that it leaves where it is: to others, or, if all have passed, to nobody.
    fn pass(&mut self) {
        let Self { list, at, .. } = *self;
        self.step(list, at);
        // Ordering: pairs with the same fence of others: see `PushList::drop_passed`.
        fence(SeqCst);
        list.drop_passed(at);
    }

    /// Passes what was reserved before this subscriber came, up to a slot that is not published yet.
    pub(super) fn walk_up(&mut self) {
        while let Some(start) = self.start {
            if !is_after(start, self.at) {
                self.start = None;
                return;
            }
            let Self { list, at, .. } = *self;
            match list.slot(at).find(Laps::<N, R>::lap(at)) {
                Found::Nothing => return,
                Found::Item | Found::Passed => self.pass(),
            }
        }
    }

    /// Takes the next item, if it is there. Else says where it looked, which saves the caller another load.
    #[inline(always)]
    fn take(&mut self) -> Result<T, Position> {
        if R > 1 {
            self.walk_up();
        }
        let Self { list, at, .. } = *self;
        let (slot, lap) = (list.slot(at), Laps::<N, R>::lap(at));
        if !slot.is_full(lap) {
            return Err(at);
        }
        if R == 1 || list.head.readers.is_passed(at, self.reader) {
            // SAFETY: published; all others have passed it, and they see this reader at it until it is gone.
            let item = unsafe { slot.take(lap.wrapping_add(Laps::<N, R>::LAP)) };
            self.step(list, at);
            Ok(item)
        } else {
            let pass = Pass(self);
            // SAFETY: published; it stays until this reader passes it, below, also if the clone panics.
            let item = list.clone_item(unsafe { slot.item() });
            drop(pass);
            Ok(item)
        }
    }

    /// The items that are there now, to look at. Takes nothing; sees items that are pushed while it is used.
    ///
    /// # Progress
    /// Wait-free for each item.
    ///
    /// # Example
    /// ```
    /// let list = aiter_core::fixed::PushList::<_, 8>::new();
    /// list.push(1).unwrap();
    /// list.push(2).unwrap();
    /// let mut aiter = list.aiter().unwrap();
    /// assert_eq!(aiter.available_iter().sum::<i32>(), 3);
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// ```
    pub fn available_iter(&self) -> AvailableIter<'_, T, N, R> {
        AvailableIter {
            list: self.list,
            at: self.at,
            start: self.start,
            _items: PhantomData,
        }
    }

    /// How many items are there now: exact for what has been published. Looks at each of them.
    pub fn len(&self) -> usize {
        self.available_iter().count()
    }

    /// Whether no item is there now. More may come, unless it [has ended](FusedStream::is_terminated).
    pub fn is_empty(&self) -> bool {
        !self.is_item_available()
    }

    /// Whether an item is there now.
    pub fn is_item_available(&self) -> bool {
        self.is_len_at_least(1)
    }

    /// Whether at least `n` items are there now. Looks at no more than that many.
    pub fn is_len_at_least(&self, n: usize) -> bool {
        self.available_iter().take(n).count() == n
    }

    /// Whether the list was [stopped](PushList::stop). Items pushed before may still be there.
    pub fn is_stopped(&self) -> bool {
        self.list.is_stopped()
    }

    /// How the list stands, with all its readers: see [`PushList::statistics`].
    pub fn statistics(&self) -> Statistics {
        self.list.statistics()
    }
}

/// Passes an item, also when its clone panics.
struct Pass<'r, 'a, T, const N: usize, const R: usize>(&'r mut PushAiter<'a, T, N, R>);

impl<T, const N: usize, const R: usize> Drop for Pass<'_, '_, T, N, R> {
    fn drop(&mut self) {
        self.0.pass();
    }
}

impl<T, const N: usize, const R: usize> Stream for PushAiter<'_, T, N, R> {
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
            let head: &Head = &list.head;
            // SAFETY: the seat is this reader's, which is borrowed for itself; seats are handed on by an Acquire of a Release.
            match unsafe { head.register(this.reader(), tail_flags(R), at, waker.take()) } {
                WaitOutcome::Waiting => return Poll::Pending,
                WaitOutcome::Recheck => {}
                WaitOutcome::Ended => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // First: what is pushed between the two looks is in the second.
        let (tail, stopped) = self.list.tail();
        let at = self.start.unwrap_or(self.at);
        let most = stopped.then(|| Laps::<N, R>::between(at, tail));
        (self.len(), most)
    }
}

impl<T, const N: usize, const R: usize> FusedStream for PushAiter<'_, T, N, R> {
    #[inline]
    fn is_terminated(&self) -> bool {
        self.list.ends_at(self.at)
    }
}

impl<T, const N: usize, const R: usize> Drop for PushAiter<'_, T, N, R> {
    fn drop(&mut self) {
        /// Leaves, also when the drop of the waker panics.
        struct Leave<'r, 'a, T, const N: usize, const R: usize>(&'r PushAiter<'a, T, N, R>);
        impl<T, const N: usize, const R: usize> Drop for Leave<'_, '_, T, N, R> {
            fn drop(&mut self) {
                let PushAiter { list, reader, .. } = *self.0;
                // The only reader is the last one, too.
                if list.head.readers.leave(reader) && R > 1 {
                    list.sweep();
                }
            }
        }
        let leave = Leave(self);
        let head: &Head = &leave.0.list.head;
        // SAFETY: as in `poll_next`; this reader is still there.
        unsafe { head.unregister(leave.0.reader(), tail_flags(R), leave.0.at) };
    }
}

impl<T, const N: usize, const R: usize> fmt::Debug for PushAiter<'_, T, N, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushAiter")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}

/// Looks at the items that are there: see [`PushAiter::available_iter`].
pub struct AvailableIter<'a, T, const N: usize, const R: usize = 1> {
    list: &'a PushList<T, N, R>,
    at: Position,
    start: Option<Position>,
    _items: PhantomData<&'a T>,
}

impl<'a, T, const N: usize, const R: usize> Iterator for AvailableIter<'a, T, N, R> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            let slot = self.list.slot(self.at);
            let found = slot.find(Laps::<N, R>::lap(self.at));
            if let Found::Nothing = found {
                return None;
            }
            let is_before = self.start.is_some_and(|start| is_after(start, self.at));
            self.at = Laps::<N, R>::next(self.at);
            if !is_before {
                self.start = None;
                // SAFETY: published, and the reader that is borrowed stands at it or before it.
                return Some(unsafe { slot.item() });
            }
        }
    }
}

impl<T, const N: usize, const R: usize> Clone for AvailableIter<'_, T, N, R> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T: fmt::Debug, const N: usize, const R: usize> fmt::Debug for AvailableIter<'_, T, N, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
