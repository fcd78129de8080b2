//! What is available to a reader now: [`PushAiter::available_iter`], and how many items there are.

use super::{
    list::PushList,
    position::{Laps, Position},
    reader::{PushAiter, Start},
    slot::SlotState,
};
use core::{fmt, marker::PhantomData};

impl<T, const N: usize, const R: usize, const P: usize, const O: bool>
    PushAiter<'_, T, N, R, P, O>
{
    /// Iterates over the items that are available now, without taking them. It also yields items
    /// that are pushed while the iterator is in use.
    ///
    /// It does not compile for a list that may be [overwritten](PushList::push_overwriting),
    /// because an item must not be overwritten while it is lent.
    ///
    /// # Progress
    /// Each step is wait-free.
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
    pub fn available_iter(&self) -> AvailableIter<'_, T, N, R, P, O> {
        const {
            assert!(
                !O,
                "the items of a list that may be overwritten cannot be lent"
            );
        }
        self.lend()
    }

    fn lend(&self) -> AvailableIter<'_, T, N, R, P, O> {
        AvailableIter {
            list: self.list,
            at: self.at,
            start: self.start,
            _items: PhantomData,
        }
    }

    /// How many items are available now, or this many if there are more.
    fn count(&self, most: usize) -> usize {
        if O {
            self.count_overwritable(most)
        } else {
            self.lend().take(most).count()
        }
    }

    /// How many items are available now. It visits each of them, and counts exactly those that are
    /// published. See [`is_len_at_least`](Self::is_len_at_least) and
    /// [`statistics`](Self::statistics) for cheaper answers.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// let list = aiter_core::fixed::PushList::<_, 8>::new();
    /// let aiter = list.aiter().unwrap();
    /// list.push('a').unwrap();
    /// list.push('b').unwrap();
    /// assert_eq!(aiter.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        if O {
            self.count_overwritable(N)
        } else {
            self.lend().count()
        }
    }

    /// Whether no item is available now. More may come, unless the reader [is
    /// terminated](futures_core::FusedStream::is_terminated).
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_empty(&self) -> bool {
        !self.is_item_available()
    }

    /// Whether an item is available now.
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_item_available(&self) -> bool {
        self.is_len_at_least(1)
    }

    /// Whether at least `n` items are available now. It visits at most `n` of them.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// let list = aiter_core::fixed::PushList::<_, 8>::new();
    /// let aiter = list.aiter().unwrap();
    /// assert!(!aiter.is_len_at_least(1));
    /// list.push('a').unwrap();
    /// assert!(aiter.is_len_at_least(1));
    /// ```
    pub fn is_len_at_least(&self, n: usize) -> bool {
        self.count(n) == n
    }
}

/// The iterator that [`PushAiter::available_iter`] returns. It borrows the reader, so no item that
/// it yields is taken meanwhile.
pub struct AvailableIter<
    'a,
    T,
    const N: usize,
    const R: usize = 1,
    const P: usize = 0,
    const O: bool = false,
> {
    list: &'a PushList<T, N, R, P, O>,
    at: Position,
    start: Start,
    _items: PhantomData<&'a T>,
}

impl<'a, T, const N: usize, const R: usize, const P: usize, const O: bool> Iterator
    for AvailableIter<'a, T, N, R, P, O>
{
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            let slot = self.list.slot(self.at);
            let found = slot.state::<R, O>(Laps::<N, R>::lap(self.at));
            if let SlotState::Empty = found {
                return None;
            }
            let is_before = self.start.after(self.at) != self.at;
            self.at = Laps::<N, R>::next(self.at);
            if !is_before {
                self.start = Start::REACHED;
                // SAFETY: the item is published, and the borrowed reader is at it or before it.
                return Some(unsafe { slot.item() });
            }
        }
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Clone
    for AvailableIter<'_, T, N, R, P, O>
{
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T: fmt::Debug, const N: usize, const R: usize, const P: usize, const O: bool> fmt::Debug
    for AvailableIter<'_, T, N, R, P, O>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
