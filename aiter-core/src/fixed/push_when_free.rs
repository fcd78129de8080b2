//! [`PushList::push_when_free`]: a push that waits for a free slot.

use super::{
    list::{PushList, Refused, Reserved},
    position::{CLOSED, Laps, tail_flags},
    push_queue::{self, NO_CELL, Place},
};
use crate::{
    error::Stopped,
    sync::{Ordering::*, fence},
};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use scopeguard::ScopeGuard;

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> PushList<T, N, R, P, O> {
    /// Appends an item as soon as there is a free slot for it. Use it in tasks that produce faster
    /// than the slowest reader reads, and that may be held up.
    ///
    /// The type of the list says how many tasks may wait at a time: `P`, its last parameter. It is
    /// 0 unless you choose another number, and then this function does not compile. So a list on
    /// which no task waits has neither memory nor instructions for it.
    ///
    /// # Example
    /// Commands for a slow device. Two tasks may send, and the device holds them up:
    /// ```
    /// use aiter_core::fixed::PushList;
    /// use futures_lite::{StreamExt, future::{block_on, zip}};
    ///
    /// static COMMANDS: PushList<u32, 4, 1, 2> = PushList::new();
    ///
    /// async fn send(from: u32) {
    ///     for n in 0..10 {
    ///         COMMANDS.push_when_free(from + n).await.expect("the device is there");
    ///     }
    /// }
    ///
    /// async fn device() -> usize {
    ///     COMMANDS.aiter().unwrap().take(20).count().await
    /// }
    ///
    /// let sent = zip(send(100), send(200));
    /// assert_eq!(block_on(zip(sent, device())).1, 20);
    /// ```
    ///
    /// # Order
    /// Waits are first come, first served: a call does not overtake those that wait already, unless
    /// there is a free slot for each of them too. [`push`](Self::push) takes any free slot at once,
    /// because an interrupt cannot wait for a task. If it takes the slot for which a task was
    /// woken, that task keeps its place and waits on.
    ///
    /// A wait that is not polled any more, or was forgotten, keeps its place. It keeps one slot
    /// from the waits behind it, and none from `push`.
    ///
    /// # Errors
    /// [`Stopped`], with the item, after a [`stop`](Self::stop), which wakes all that wait.
    ///
    /// # Panics
    /// If `P` tasks wait already when this one has to. The item is dropped with the future.
    ///
    /// # Cancel safety
    /// Dropping the future pushes nothing, drops the item, and wakes the next task if this one had
    /// been woken for a slot. It keeps the waker of its last pending poll.
    ///
    /// # Progress
    /// Lock-free, and a push like any other if there is a slot and nobody waits. A reader that
    /// frees a slot looks at `P` words, and wakes the task for which there is room now. The wake
    /// runs in that reader's call. A reader may be polled from an interrupt while a task waits.
    #[inline]
    pub fn push_when_free(&self, item: T) -> PushWhenFree<'_, T, N, R, P, O> {
        const {
            assert!(
                P > 0,
                "no task may wait on this list: choose how many with `PushList<T, N, R, P>`"
            );
        }
        PushWhenFree {
            list: self,
            cell: NO_CELL,
            item: Some(item),
        }
    }

    /// Reserves a position if there is also a slot for each wait that is before this one.
    #[inline(always)]
    fn reserve_in_turn(&self, cell: usize) -> Result<Reserved<'_, T>, Refused> {
        if push_queue::is_in_use(&self.pushers) && !self.is_turn_of(cell) {
            return Err(if self.is_stopped() {
                Refused::Stopped
            } else {
                Refused::Full
            });
        }
        self.reserve()
    }

    #[cold]
    #[inline(never)]
    fn is_turn_of(&self, cell: usize) -> bool {
        self.has_room_behind(push_queue::count_before(&self.pushers, cell))
    }

    /// Whether more slots than that are free, from the tail on. The tail may move on meanwhile, and
    /// then the answer may be too favorable: a push decides by its exchange.
    fn has_room_behind(&self, count: usize) -> bool {
        // Ordering: Relaxed. The callers have fenced, or try again after a fence.
        let tail = self.state.tail.load(Relaxed);
        let mut at = tail & !tail_flags(R);
        tail & CLOSED == 0
            && (0..=count).all(|_| {
                let is_free = !Laps::<N, R>::is_in_use(self.slot(at).word(), at);
                at = Laps::<N, R>::next(at);
                is_free
            })
    }

    /// A reader calls this after it has freed a slot.
    #[inline(always)]
    pub(super) fn slot_freed(&self) {
        if P > 0 {
            // Ordering: pairs with the fence in `push_queue::wait`. Either this reader sees that a
            // task waits, or that task sees the free slot.
            fence(SeqCst);
            if push_queue::is_in_use(&self.pushers) {
                self.serve();
            }
        }
    }

    /// Wakes every wait that has room, in their order.
    #[cold]
    #[inline(never)]
    fn serve(&self) {
        let wakes = Wakes {
            list: self,
            last: None,
            count: 0,
        };
        // Continues with the others if a waker panics.
        let mut wakes = scopeguard::guard(wakes, |mut rest| rest.run());
        wakes.run();
        ScopeGuard::into_inner(wakes);
    }
}

/// The waits that have still to be looked at.
struct Wakes<'a, T, const N: usize, const R: usize, const P: usize, const O: bool> {
    list: &'a PushList<T, N, R, P, O>,
    last: Option<Place>,
    /// How many places were looked at.
    count: usize,
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Wakes<'_, T, N, R, P, O> {
    fn run(&mut self) {
        while let Some(place) = push_queue::next_in_line(&self.list.pushers, self.last) {
            if !self.list.has_room_behind(self.count) {
                return;
            }
            self.last = Some(place);
            self.count += 1;
            if let Some(waker) = self.list.pushers[place.cell].take_waker() {
                waker.wake();
            }
        }
    }
}

/// The future of [`PushList::push_when_free`].
#[must_use = "futures do nothing unless polled"]
pub struct PushWhenFree<
    'a,
    T,
    const N: usize,
    const R: usize,
    const P: usize,
    const O: bool = false,
> {
    list: &'a PushList<T, N, R, P, O>,
    /// Its cell among those that wait.
    cell: usize,
    item: Option<T>,
}

/// The item is never pinned.
impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Unpin
    for PushWhenFree<'_, T, N, R, P, O>
{
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool>
    PushWhenFree<'_, T, N, R, P, O>
{
    /// Leaves the line, if it waits.
    #[inline(always)]
    fn leave(&mut self) {
        if self.cell != NO_CELL {
            self.leave_line();
        }
    }

    #[cold]
    #[inline(never)]
    fn leave_line(&mut self) {
        let list = self.list;
        let cell = core::mem::replace(&mut self.cell, NO_CELL);
        // Also if the drop of the waker panics.
        let _serve = scopeguard::guard((), |()| {
            if push_queue::is_in_use(&list.pushers) {
                list.serve();
            }
        });
        // SAFETY: the cell belongs to this wait, which has forgotten it.
        unsafe { push_queue::leave(&list.pushers, cell) };
    }

    #[cold]
    #[inline(never)]
    fn wait(&mut self, cx: &Context<'_>) {
        let pushers = &self.list.pushers;
        if self.cell == NO_CELL {
            self.cell =
                push_queue::claim(pushers).expect("more tasks wait than the list has room for");
        }
        // SAFETY: the cell belongs to this wait.
        unsafe { push_queue::wait(pushers, self.cell, cx.waker()) };
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Future
    for PushWhenFree<'_, T, N, R, P, O>
{
    type Output = Result<(), Stopped<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let list = this.list;
        assert!(this.item.is_some(), "polled after it was ready");
        let mut is_registered = false;
        loop {
            let reserved = match list.reserve_in_turn(this.cell) {
                Err(Refused::Full) if is_registered => return Poll::Pending,
                Err(Refused::Full) => {
                    this.wait(cx);
                    is_registered = true;
                    continue;
                }
                reserved => reserved,
            };
            let item = this.item.take().expect("asserted above");
            let result = match reserved {
                Ok(reserved) => Ok(list.publish(reserved, item)),
                Err(_) => Err(Stopped(item)),
            };
            this.leave();
            return Poll::Ready(result);
        }
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> Drop
    for PushWhenFree<'_, T, N, R, P, O>
{
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> fmt::Debug
    for PushWhenFree<'_, T, N, R, P, O>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushWhenFree")
            .field("is_waiting", &(self.cell != NO_CELL))
            .finish_non_exhaustive()
    }
}
