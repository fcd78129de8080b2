//! [`PushList::push_overwriting`], and how readers go on after it.
//!
//! The states of a slot that only such lists have are in [`slot`](super::slot). An overwriting push
//! that finds the slot of the tail full takes two steps: it keeps readers from the oldest item
//! (`OVERWRITING`), and it reserves the position. Between them the readers at the oldest item see a
//! gap, as they do while a push is interrupted. The second step decides: from then on the tail is
//! more than a lap ahead of the item, which is lost to every reader that is not past it.
//!
//! | the oldest item, at `p` | the tail | a reader at `p` | next |
//! |---|---|---|---|
//! | published | at `p` one lap on | takes it | a push keeps readers from it |
//! | `OVERWRITING` | at `p` one lap on | waits, at a gap | a push reserves the position, and owns the slot; a push, this one or another, finds the list stopped → published, and wakes those that wait at `p` |
//! | `OVERWRITING` | further on | goes on with the oldest item that may still be there, one lap before the tail | the push moves the item out, publishes its own, wakes those that wait at `p`, and drops the old one |
//!
//! The push that finds an item `OVERWRITING` need not be the one that wrote that. If it has
//! interrupted that one, it reserves the position itself, and the other push goes on with the next.

use super::{
    list::{PushList, Refused, Reserved},
    position::{CLOSED, Laps, Position, is_after},
    reader::{PushAiter, Start},
    slot::{Occupied, SlotState, is_published, occupied},
};
use crate::{
    error::PushError,
    sync::{Ordering::*, Word, fence},
};

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> PushList<T, N, R, P, O> {
    /// Appends an item, and drops the oldest one if the list is full. Use it where only the newest
    /// items count, and where the push must not fail because a reader is slow: measurements,
    /// positions, the state of a button.
    ///
    /// The type of the list says that it may be overwritten, by `true` for its last parameter.
    /// Without that, this function does not compile: the readers of such a list have to make sure
    /// that nobody takes an item from under them, and readers of other lists do not pay for that.
    /// [`push`](Self::push) gives the item back where such a list is full, as in any other list.
    ///
    /// Every reader that has still to read the dropped item goes on with the oldest one that is
    /// left, and [counts](PushAiter::missed) those that it missed.
    ///
    /// # Example
    /// An interrupt measures, and a task that may be slow wants to know what it missed:
    /// ```
    /// use aiter_core::fixed::PushList;
    ///
    /// /// The last four temperatures, for one reader.
    /// static TEMPERATURES: PushList<u32, 4, 1, 0, true> = PushList::new();
    ///
    /// let mut aiter = TEMPERATURES.aiter().unwrap();
    /// for celsius in 20..30 {
    ///     TEMPERATURES.push_overwriting(celsius).unwrap();
    /// }
    /// assert_eq!(aiter.missed(), 6);
    /// assert_eq!(aiter.try_next(), Ok(26));
    /// ```
    ///
    /// # Errors
    /// Gives the item back as [`PushError::Stopped`] after a [`stop`](Self::stop), and as
    /// [`PushError::Full`] if the list is full and the oldest item is in use at this very moment: a
    /// reader takes or clones it, or a push writes it or moves it out. On one core that is only so
    /// if this call has interrupted that operation.
    ///
    /// # Panics
    /// A panic of the drop of the oldest item reaches the caller, after the push.
    ///
    /// # Progress
    /// Lock-free, as [`push`](Self::push). It costs one more read-modify-write where the list is
    /// full. While it is interrupted before it has reserved its position, the readers of the oldest
    /// item sleep, and this call wakes them. Wakers run inside this call, and so does the drop of
    /// the oldest item.
    #[inline]
    pub fn push_overwriting(&self, item: T) -> Result<(), PushError<T>> {
        const {
            assert!(
                O,
                "this list must not be overwritten: choose that with `PushList<T, N, R, P, true>`"
            );
        }
        match self.reserve_overwriting() {
            Ok((reserved, overwrites)) => {
                self.publish_over(reserved, overwrites, item);
                Ok(())
            }
            Err(Refused::Full) => Err(PushError::Full(item)),
            Err(Refused::Stopped) => Err(PushError::Stopped(item)),
        }
    }

    /// Reserves a position, and says whether the slot has still the item of the lap before.
    #[inline(always)]
    pub(super) fn reserve_overwriting(&self) -> Result<(Reserved<'_, T>, bool), Refused> {
        loop {
            let tail = self.state.tail.load(Relaxed);
            let slot = self.slot(tail);
            let word = slot.word();
            let lap = Laps::<N, R>::lap(tail);
            let overwrites = word != lap;
            if overwrites {
                let lap_before = Laps::<N, R>::oldest(lap);
                if is_published(word, lap_before) {
                    if !slot.try_overwrite(word) {
                        continue;
                    }
                } else {
                    match occupied(word, lap_before) {
                        Occupied::Overwriting => {}
                        Occupied::Later => continue,
                        // Also if the tail is closed: every slot is far behind it.
                        Occupied::Busy => return Err(self.refused(tail)),
                    }
                }
            }
            let next = Laps::<N, R>::next_in(lap, tail);
            let exchanged = self
                .state
                .tail
                .compare_exchange_weak(tail, next, Relaxed, Relaxed);
            if exchanged.is_ok() {
                // Ordering: Acquire as in `reserve`, and it pairs with the Release in `Slot::leave`
                // and `Slot::publish`, through the word of a slot that is being overwritten: no
                // reader accesses the item any more, and it was written completely.
                fence(Acquire);
                return Ok((Reserved { tail, slot, lap }, overwrites));
            }
        }
    }

    /// Why no position is reserved. If the list was stopped while a push was about to overwrite the
    /// oldest item, that goes back to the readers: its position is never reserved.
    #[cold]
    #[inline(never)]
    fn refused(&self, tail: Word) -> Refused {
        if tail & CLOSED == 0 {
            return Refused::Full;
        }
        self.undo_overwrite(Laps::<N, R>::oldest(Laps::<N, R>::position(tail)));
        Refused::Stopped
    }

    /// Publishes an item, in place of the oldest one if that is still there.
    #[inline(always)]
    pub(super) fn publish_over(&self, reserved: Reserved<'_, T>, overwrites: bool, item: T) {
        let _old = overwrites.then(|| {
            // SAFETY: the caller has reserved the position of a slot in that state.
            unsafe { reserved.slot.take_overwritten() }
        });
        // It also wakes the readers that wait for the old item.
        self.publish(reserved, item);
    }

    /// Gives an item back to the readers after a stop.
    pub(super) fn undo_overwrite(&self, at: Position) {
        if self.slot(at).undo_overwrite(Laps::<N, R>::lap(at)) {
            // Ordering: pairs with the fence in `ListState::register`, and with that of a reader
            // that passes the item, see `drop_passed`.
            fence(SeqCst);
            let _wake = scopeguard::guard((), |()| self.state.wake_gap_waiters(at));
            if R > 1 {
                self.drop_passed(at);
            }
        }
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool>
    PushAiter<'_, T, N, R, P, O>
{
    /// How many items this reader has missed since it was created, because they were
    /// [overwritten](PushList::push_overwriting) before it came to them. The difference of two
    /// calls says how many it missed in between. It wraps at half of what a `usize` counts.
    ///
    /// The count is exact at any time, also before the reader is polled again. What was overwritten
    /// before the reader was created does not count. It stays 0 in a list that is not overwritten.
    ///
    /// A reader that misses 2³⁰ items in a row on a processor that exchanges 32 bits (2²² with
    /// eight readers) counts them modulo that number. See `aiter-core/docs/design/fixed.md` for
    /// other sizes.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// use aiter_core::fixed::PushList;
    ///
    /// let list = PushList::<_, 2, 2, 0, true>::new();
    /// let mut slow = list.aiter().unwrap();
    /// let mut fast = slow.fork().unwrap();
    /// for n in 0..5 {
    ///     list.push_overwriting(n).unwrap();
    ///     assert_eq!(fast.try_next(), Ok(n));
    /// }
    /// assert_eq!((fast.missed(), slow.missed()), (0, 3));
    /// assert_eq!(slow.try_next(), Ok(3));
    /// ```
    pub fn missed(&self) -> usize {
        if !O {
            return 0;
        }
        self.missed_before(Laps::<N, R>::oldest(self.list.tail().0))
    }

    /// How many items it has missed if the oldest one that is left is at this position.
    fn missed_before(&self, oldest: Position) -> usize {
        let from = self.start.after(self.at);
        let more = if is_after(oldest, from) {
            Laps::<N, R>::between(from, oldest)
        } else {
            0
        };
        self.start.missed().wrapping_add(more)
    }

    /// Goes on with the oldest item that may still be there, if the reader's own was overwritten.
    #[cold]
    #[inline(never)]
    pub(super) fn skip_missed(&mut self) -> bool {
        let oldest = Laps::<N, R>::oldest(self.list.tail().0);
        if !is_after(oldest, self.at) {
            return false;
        }
        let missed = self.missed_before(oldest);
        if self.start.after(oldest) == oldest {
            self.start = Start::reached(missed);
        }
        self.at = oldest;
        let state = &self.list.state;
        state.readers.publish_position(self.reader(), oldest);
        // Ordering: pairs with the fence in `ListState::wake`. If the reader waits at a gap
        // already, the push that fills this one sees its new position, or it sees the slot filled.
        fence(SeqCst);
        true
    }

    /// Starts to count what the reader misses, from the oldest item that is there.
    #[cold]
    pub(super) fn forget_missed(&mut self) {
        self.skip_missed();
        self.start = Start::REACHED;
    }

    /// [`take`](Self::take) in a list that may be overwritten.
    pub(super) fn take_overwritable(&mut self) -> Result<T, Position> {
        loop {
            let has_come = R == 1 || self.catch_up();
            let Self { list, at, .. } = *self;
            let (slot, lap) = (list.slot(at), Laps::<N, R>::lap(at));
            let next_lap = lap.wrapping_add(Laps::<N, R>::LAP);
            if R > 1 {
                if has_come && slot.try_enter::<R>(lap) {
                    return Ok(self.take_entered());
                }
            } else if slot.is_full(lap) {
                // SAFETY: there is no other reader, and a push that overwrites the item loses the
                // exchange.
                if let Some(item) = unsafe { slot.try_take(lap, next_lap) } {
                    self.advance(list, at);
                    list.slot_freed();
                    return Ok(item);
                }
            }
            if !self.skip_missed() {
                return Err(self.at);
            }
        }
    }

    /// Takes the item at which this reader is counted.
    fn take_entered(&mut self) -> T {
        let Self { list, at, .. } = *self;
        let (slot, lap) = (list.slot(at), Laps::<N, R>::lap(at));
        if list.state.readers.is_passed(at, self.reader) {
            // SAFETY: all other readers have passed the item, and they are not counted at it any
            // more, which they stop before they move on. This one is, so it is not overwritten.
            let item = unsafe { slot.take(lap.wrapping_add(Laps::<N, R>::LAP)) };
            self.advance(list, at);
            list.slot_freed();
            return item;
        }
        // Leaves and passes the item, also if the clone panics.
        let pass = scopeguard::guard(self, |reader| {
            slot.leave(lap);
            reader.pass();
        });
        // SAFETY: the item is published, and stays while this reader is counted at it.
        let item = list.clone_item(unsafe { slot.item() });
        // As in `take`.
        drop(pass);
        item
    }

    /// How many items are available now, or this many if there are more.
    pub(super) fn count_overwritable(&self, most: usize) -> usize {
        let list = self.list;
        let oldest = Laps::<N, R>::oldest(list.tail().0);
        let mut at = self.start.after(self.at);
        if is_after(oldest, at) {
            at = oldest;
        }
        let positions = core::iter::repeat_with(|| {
            let (slot, lap) = (list.slot(at), Laps::<N, R>::lap(at));
            at = Laps::<N, R>::next(at);
            slot.state::<R, O>(lap)
        });
        positions
            .take(most)
            .take_while(|state| matches!(state, SlotState::Published))
            .count()
    }
}
