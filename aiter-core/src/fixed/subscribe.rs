//! [`PushList::aiter`] and [`PushList::subscribe`]: how readers are added to a list.

use super::{
    list::PushList,
    position::Laps,
    reader::{PushAiter, Start},
};
use crate::sync::{Ordering::*, Word};

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> PushList<T, N, R, P, O> {
    /// Creates the reader of a list that has none. It continues where the last reader stopped, or
    /// begins with the first item.
    ///
    /// Returns `None` while there is a reader. Use [`subscribe`](Self::subscribe) or
    /// [`PushAiter::fork`] to add another one. Items need not be `Clone` here.
    ///
    /// # Progress
    /// Lock-free. It retries only if another reader was created or dropped meanwhile.
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
    pub fn aiter(&self) -> Option<PushAiter<'_, T, N, R, P, O>> {
        let reader = self.state.readers.take_over()?;
        let at = self.state.readers.position(reader);
        let mut aiter = PushAiter::new(self, reader, at, Start::REACHED);
        if O {
            // What was overwritten before it came is not missed.
            aiter.forget_missed();
        }
        Some(aiter)
    }

    /// Creates a reader, which receives the items that are pushed from here on. If there is no
    /// other reader, it also receives the items that were [kept](Self::aiter). Returns `None` if
    /// there are `R` readers already.
    ///
    /// Items are cloned for every reader except the last one to read them. Several readers may
    /// clone one item at once, each on its thread, hence the bounds.
    ///
    /// # Progress
    /// Lock-free. It retries only if another reader was created or dropped meanwhile.
    ///
    /// The slots that are in use at this moment stay in use until this call returns. If one of them
    /// is reserved and not published yet, it stays in use until this reader is polled after its
    /// publication.
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
    pub fn subscribe(&self) -> Option<PushAiter<'_, T, N, R, P, O>>
    where
        T: Clone + Sync,
    {
        loop {
            if let Some(aiter) = self.aiter() {
                return Some(aiter);
            }
            let reader = self.state.readers.claim()?;
            self.enable_clones();
            if self.state.readers.count_reader() {
                return Some(self.subscribe_at(reader));
            }
            // The last reader was dropped just now: take over its cell.
            self.state.readers.release(reader);
        }
    }

    /// Registers a subscriber.
    ///
    /// An item that is reserved behind the tail, and published after all other readers were
    /// dropped, must have a reader that passes it. So this reader starts a lap behind the tail,
    /// where every slot in use is after it, and catches up with the tail.
    fn subscribe_at(&self, reader: usize) -> PushAiter<'_, T, N, R, P, O> {
        let lap_before = |tail: Word| Laps::<N, R>::position(tail).wrapping_sub(Laps::<N, R>::LAP);
        self.state
            .readers
            .publish_position(reader, lap_before(self.state.tail.load(Relaxed)));
        // Ordering: a read-modify-write, so that it is in one modification order with the
        // reservations. Release pairs with the Acquire in `reserve`: a push that reserves after
        // this, and each reader of its slot, sees the position of this reader. Slots that were
        // reserved before are told apart by their words, in `catch_up`.
        let tail = self.state.tail.fetch_or(0, Release);
        let at = lap_before(tail);
        self.state.readers.publish_position(reader, at);
        let start = Start::Ahead(Laps::<N, R>::position(tail));
        let mut aiter = PushAiter::new(self, reader, at, start);
        aiter.catch_up();
        aiter
    }
}
