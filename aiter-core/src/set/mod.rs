//! The ready set: many pinned children, of which only those that woke are polled.
//!
//! - `chunk`: the memory of up to 32 children, their ready bits, their wakers
//! - `head`: the stack of chunks that woke, the sleep of the owner
//! - `queue`: the owner's lists of chunks
//! - this file: who is polled when
//!
//! # Turns
//!
//! The owner takes what woke into its queue at the beginning of a *round*, and gives each chunk that is then in the queue one
//! *turn*: its ready bits are cleared, then each child they name is polled. A child that yields an item is stayed on
//! for up to `STAY` items; if it may have more, it is polled again in the chunk's next turn, without having woken. Fresh
//! children wait for their chunk's next turn likewise. So between two turns of a ready child each other ready child has
//! at most two, and at least one if it was ready before the round began.
//!
//! | a chunk is | `queued` | ready bits | its next turn comes |
//! |---|---|---|---|
//! | idle | no | none | never |
//! | woken | no | some | after the owner took it from the stack |
//! | waiting | yes | none or some | in the round after it was queued |
//! | waiting and woken | yes | some, not `taken` | as above; those bits only in the turn after that |
//!
//! The last row is why `taken` exists: bits of a chunk that is on the stack must stand, or the next wake would push it twice.
#![allow(unsafe_code)]
mod chunk;
mod head;
#[cfg(all(test, aiter_loom))]
mod models;
mod queue;
#[cfg(all(test, not(aiter_loom)))]
mod tests;

use chunk::{Chunk, Header, SLOTS, lend, slot_of, tag};
use core::{
    fmt,
    marker::PhantomData,
    mem,
    pin::Pin,
    ptr,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;
use head::Owner;
use queue::{Queue, Roster, own};

/// Items taken from a ready child before the next one is looked at.
const STAY: u32 = 8;

/// What polling a child gave.
#[derive(Debug)]
pub(crate) enum Turn<R> {
    /// An item; the child may have more.
    Item(R),
    /// Its last item; the child is dropped.
    Last(R),
    /// Nothing more; the child is dropped.
    End,
    /// Nothing until it wakes.
    Pending,
}

/// What serving the children gave.
#[derive(Debug)]
pub(crate) enum Served<R> {
    /// An item of one of them.
    Out(R),
    /// No child is ready.
    Idle,
    /// The budget is used up while children are ready: let others run, and come back.
    Spent,
}

/// What one poll of a set may do without an item to show for it.
#[derive(Debug)]
pub(crate) struct Budget {
    polls: u32,
    takes: u32,
}

impl Budget {
    #[inline]
    pub(crate) const fn new() -> Self {
        // Two takes: what woke before this poll, and what woke meanwhile. Who wakes itself each time waits for the next poll.
        Self {
            polls: 128,
            takes: 2,
        }
    }

    /// Counts a poll that brought no item. `false` if it was the last.
    #[inline]
    pub(crate) fn spend(&mut self) -> bool {
        self.polls = self.polls.saturating_sub(1);
        self.is_left()
    }

    #[inline]
    pub(crate) fn is_left(&self) -> bool {
        self.polls > 0
    }
}

/// Children that are polled when they woke, and a source of further ones with a waker of its own.
pub(crate) struct ReadySet<C> {
    /// The child whose turn it is: its slot and its waker's data. Valid while `stay` is not 0.
    child: *mut C,
    data: *const (),
    /// Items it may still yield in this turn.
    stay: u32,
    source_ready: bool,
    lists: Lists,
    children: PhantomData<C>,
}

/// All that does not depend on what the children are.
struct Lists {
    owner: Owner,
    roster: Roster,
    queue: Queue,
    /// Turns until the round is over.
    round: usize,
    /// The chunk whose turn it is, or null, and its ready children that were not yet polled.
    turn: *mut Chunk,
    bits: usize,
    /// A chunk without slots whose waker is the source's; null before it is needed.
    source: *mut Chunk,
    /// Children, slots, and chunks without a child.
    len: usize,
    slots: usize,
    empty: usize,
}

// SAFETY: the children go where the set goes; wakers on other threads never touch them, only headers, which are atomic.
unsafe impl<C: Send> Send for ReadySet<C> {}
// SAFETY: a shared set shows its children to `for_each` only, as shared references.
unsafe impl<C: Sync> Sync for ReadySet<C> {}
impl<C> Unpin for ReadySet<C> {}

impl<C> ReadySet<C> {
    pub(crate) fn new() -> Self {
        Self {
            child: ptr::null_mut(),
            data: ptr::null(),
            stay: 0,
            source_ready: true,
            lists: Lists {
                owner: Owner::new(),
                roster: Roster::new(),
                queue: Queue::new(),
                round: 0,
                turn: ptr::null_mut(),
                bits: 0,
                source: ptr::null_mut(),
                len: 0,
                slots: 0,
                empty: 0,
            },
            children: PhantomData,
        }
    }

    /// Children in the set.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.lists.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.len == 0
    }

    /// Adds a child, to be polled in a coming turn.
    pub(crate) fn insert(&mut self, child: C) {
        let (chunk, slot) = self.lists.vacancy::<C>();
        // SAFETY: a vacant slot of a chunk of ours.
        let place = unsafe { Chunk::slot::<C>(chunk, slot) };
        // SAFETY: as above.
        unsafe { place.write(child) };
        self.lists.occupy(chunk, slot);
        // SAFETY: the set's chunk, no other reference to `own`.
        unsafe { own(chunk) }.again |= 1 << slot;
        self.lists.queue.push(chunk);
    }

    /// Polls a fresh child where it is to stay, and adds it only if it is not done at once.
    #[inline]
    pub(crate) fn admit<R>(
        &mut self,
        child: C,
        step: impl FnOnce(Pin<&mut C>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let (chunk, slot) = self.lists.vacancy::<C>();
        // SAFETY: a vacant slot of a chunk of ours.
        let place = unsafe { Chunk::slot::<C>(chunk, slot) };
        // SAFETY: as above.
        unsafe { place.write(child) };
        let guest = Guest(place);
        // SAFETY: the chunk outlives this call.
        let waker = unsafe { lend(tag(chunk, slot)) };
        // SAFETY: it was just written there.
        let child = unsafe { &mut *place };
        // SAFETY: the child stays in its slot until it is dropped there.
        let child = unsafe { Pin::new_unchecked(child) };
        let polled = step(child, &mut Context::from_waker(&waker));
        if polled.is_pending() {
            mem::forget(guest);
            self.lists.occupy(chunk, slot);
        }
        polled
    }

    /// Whether the source is to be polled: from the beginning, and again whenever it woke.
    #[inline]
    pub(crate) fn is_source_ready(&self) -> bool {
        self.source_ready
    }

    /// Polls the source with a waker of its own; it stays ready unless it is pending. Drops it when it ends or panics.
    #[inline]
    pub(crate) fn poll_source<S: Stream>(
        &mut self,
        source: Pin<&mut Option<S>>,
    ) -> Poll<Option<S::Item>> {
        if self.lists.source.is_null() {
            self.lists.source = Chunk::new::<C>(0, self.lists.owner.head().clone());
        }
        // SAFETY: the chunk lives as long as the set.
        let waker = unsafe { lend(tag(self.lists.source, 0)) };
        self.source_ready = false;
        let mut close = Close(source);
        let Some(open) = close.0.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = open.poll_next(&mut Context::from_waker(&waker));
        if !matches!(polled, Poll::Ready(None)) {
            self.source_ready = polled.is_ready();
            mem::forget(close);
        }
        polled
    }

    /// Polls children that are ready until one has an item. A panic of `step` takes its child away, the set goes on.
    #[inline]
    pub(crate) fn serve<R>(
        &mut self,
        budget: &mut Budget,
        mut step: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Turn<R>,
    ) -> Served<R> {
        loop {
            if self.stay == 0 {
                if !budget.is_left() {
                    return Served::Spent;
                }
                match self.lists.next(budget, &mut self.source_ready) {
                    Next::Child(chunk, slot) => {
                        // SAFETY: an occupied slot of a chunk of ours.
                        self.child = unsafe { Chunk::slot::<C>(chunk, slot) };
                        self.data = tag(chunk, slot);
                        self.stay = STAY;
                    }
                    Next::Idle => return Served::Idle,
                    Next::Spent => return Served::Spent,
                }
            }
            if let Some(item) = self.stay(&mut step) {
                return Served::Out(item);
            }
            budget.spend();
        }
    }

    /// Polls the child whose turn it is, if one is left from the last call; `None` if it has no item.
    #[inline]
    pub(crate) fn stay<R>(
        &mut self,
        step: &mut impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Turn<R>,
    ) -> Option<R> {
        if self.stay == 0 {
            return None;
        }
        match self.poll_child(step) {
            Turn::Item(item) => {
                self.stay -= 1;
                if self.stay == 0 {
                    self.lists.again(slot_of(self.data));
                }
                Some(item)
            }
            Turn::Last(item) => {
                self.remove();
                Some(item)
            }
            Turn::End => {
                self.remove();
                None
            }
            Turn::Pending => {
                self.stay = 0;
                None
            }
        }
    }

    #[inline]
    fn poll_child<R>(
        &mut self,
        step: &mut impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Turn<R>,
    ) -> Turn<R> {
        // SAFETY: the child's chunk outlives this call.
        let waker = unsafe { lend(self.data) };
        let lost = Lost(self);
        // SAFETY: the child is there while `stay` is not 0.
        let child = unsafe { &mut *lost.0.child };
        // SAFETY: it stays in its slot until it is dropped there.
        let child = unsafe { Pin::new_unchecked(child) };
        let turn = step(child, &mut Context::from_waker(&waker));
        mem::forget(lost);
        turn
    }

    /// Drops the child whose turn it is.
    fn remove(&mut self) {
        self.stay = 0;
        self.lists.vacate(slot_of(self.data));
        // SAFETY: the child was there, and its slot is vacant from now on, also if this panics.
        unsafe { self.child.drop_in_place() }
    }

    /// Goes to sleep: `waker` is woken when a child or the source wakes. `false` if one has: then serve again.
    pub(crate) fn park(&mut self, waker: &Waker) -> bool {
        self.lists.owner.park(waker)
    }

    /// Shows every child.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&C)) {
        let mut chunk = self.lists.roster.front;
        while !chunk.is_null() {
            // SAFETY: the roster holds live chunks; nobody writes while the set is shared.
            let own = unsafe { &(*chunk).own };
            let mut bits = own.occupied;
            while bits != 0 {
                // SAFETY: an occupied slot.
                let child = unsafe { Chunk::slot::<C>(chunk, bits.trailing_zeros() as usize) };
                // SAFETY: as above.
                f(unsafe { &*child });
                bits &= bits - 1;
            }
            chunk = own.next;
        }
    }

    /// Drops the children and lets the chunks go. Can be called again after a child panicked.
    fn drain(&mut self) {
        while !self.lists.roster.front.is_null() {
            let chunk = self.lists.roster.front;
            // SAFETY: the set's chunk, and each access on its own.
            while unsafe { own(chunk) }.occupied != 0 {
                // SAFETY: as above.
                let own = unsafe { own(chunk) };
                let slot = own.occupied.trailing_zeros() as usize;
                own.occupied &= own.occupied - 1;
                // SAFETY: it was occupied until now.
                let child = unsafe { Chunk::slot::<C>(chunk, slot) };
                // SAFETY: as above.
                unsafe { child.drop_in_place() };
            }
            self.lists.roster.unlink(chunk);
            // SAFETY: the set's reference, and the children are gone.
            unsafe { Header::release(chunk.cast()) };
        }
    }
}

/// The next one to be polled.
enum Next {
    Child(*mut Chunk, usize),
    Idle,
    Spent,
}

impl Lists {
    /// Chooses the child to be polled next: the rest of this turn, then the next turn, then the next round.
    fn next(&mut self, budget: &mut Budget, source_ready: &mut bool) -> Next {
        loop {
            if self.bits != 0 {
                let slot = self.bits.trailing_zeros() as usize;
                self.bits &= self.bits - 1;
                return Next::Child(self.turn, slot);
            }
            if !self.turn.is_null() {
                let chunk = mem::replace(&mut self.turn, ptr::null_mut());
                self.give_back(chunk);
            }
            if self.round == 0 {
                if self.owner.has_woken() {
                    if budget.takes > 0 {
                        budget.takes -= 1;
                        self.take(source_ready);
                    } else if self.queue.len == 0 {
                        return Next::Spent;
                    }
                }
                self.round = self.queue.len;
                if self.round == 0 {
                    return Next::Idle;
                }
            }
            self.round -= 1;
            self.turn = self.queue.pop();
            // SAFETY: the set's chunk, no other reference to `own`.
            let own = unsafe { own(self.turn) };
            let mut bits = mem::take(&mut own.again);
            if mem::take(&mut own.taken) {
                // SAFETY: alive. The bits go before the children are polled: who wakes during its poll is polled again.
                bits |= unsafe { &(*self.turn).header }.clear();
            }
            // Wakers outlive their children: a bit may be of a slot that is vacant.
            self.bits = bits & own.occupied;
        }
    }

    /// Takes what woke into the queue, first come first.
    fn take(&mut self, source_ready: &mut bool) {
        let mut chunk = self.owner.take();
        let mut first: *mut Header = ptr::null_mut();
        while !chunk.is_null() {
            // SAFETY: chunks on the stack are alive until the owner took them.
            let link = unsafe { &(*chunk).below };
            // SAFETY: the stack was taken, and nobody writes a link while the ready bits stand.
            let below = link.with_mut(|link| mem::replace(unsafe { &mut *link }, first));
            first = chunk;
            chunk = below;
        }
        while !first.is_null() {
            // SAFETY: as above.
            let link = unsafe { &(*first).below };
            // SAFETY: as above.
            let next = link.with(|link| unsafe { *link });
            let chunk = first.cast::<Chunk>();
            if chunk == self.source {
                // SAFETY: alive.
                unsafe { &*first }.clear();
                *source_ready = true;
            } else {
                // SAFETY: the set's chunk, no other reference to `own`.
                unsafe { own(chunk) }.taken = true;
                self.queue.push(chunk);
            }
            first = next;
        }
    }

    /// The child whose turn it is may have more.
    fn again(&mut self, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `own`.
        unsafe { own(self.turn) }.again |= 1 << slot;
        self.queue.push(self.turn);
    }

    /// A vacant slot, of a new chunk if need be.
    #[inline]
    fn vacancy<C>(&mut self) -> (*mut Chunk, usize) {
        let mut chunk = self.roster.front;
        // SAFETY: the roster holds live chunks; no other reference to `own`.
        if chunk.is_null() || unsafe { own(chunk) }.occupied == unsafe { own(chunk) }.full {
            chunk = self.grow::<C>();
        }
        // SAFETY: as above.
        (
            chunk,
            unsafe { own(chunk) }.occupied.trailing_ones() as usize,
        )
    }

    #[cold]
    fn grow<C>(&mut self) -> *mut Chunk {
        let slots = self.slots.clamp(4.min(SLOTS), SLOTS);
        let chunk = Chunk::new::<C>(slots, self.owner.head().clone());
        self.slots += slots;
        self.empty += 1;
        self.roster.push_front(chunk);
        chunk
    }

    /// A child was put in a vacant slot.
    fn occupy(&mut self, chunk: *mut Chunk, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `own`.
        let own = unsafe { own(chunk) };
        self.len += 1;
        self.empty -= usize::from(own.occupied == 0);
        own.occupied |= 1 << slot;
        if own.occupied == own.full {
            self.roster.unlink(chunk);
            self.roster.push_back(chunk);
        }
    }

    /// The child whose turn it is leaves its slot.
    fn vacate(&mut self, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `own`.
        let own = unsafe { own(self.turn) };
        let was_full = own.occupied == own.full;
        own.occupied &= !(1 << slot);
        self.len -= 1;
        self.empty += usize::from(own.occupied == 0);
        if was_full {
            self.roster.unlink(self.turn);
            self.roster.push_front(self.turn);
        }
    }

    /// Frees a chunk after its turn if it has no child, and is not the only such.
    fn give_back(&mut self, chunk: *mut Chunk) {
        // SAFETY: the set's chunk, no other reference to `own`.
        let own = unsafe { own(chunk) };
        if own.occupied != 0 || own.queued || self.empty < 2 {
            return;
        }
        // SAFETY: alive.
        if !unsafe { &(*chunk).header }.retire() {
            return; // It woke: it comes by the stack, and back here.
        }
        self.empty -= 1;
        self.slots -= own.full.count_ones() as usize;
        self.roster.unlink(chunk);
        // SAFETY: the set's reference; it has no child, and is in none of the lists.
        unsafe { Header::release(chunk.cast()) }
    }
}

/// A fresh child that is being polled: dropped in its slot unless it stays.
struct Guest<C>(*mut C);

impl<C> Drop for Guest<C> {
    fn drop(&mut self) {
        // SAFETY: the child is in the slot, which counts as vacant.
        unsafe { self.0.drop_in_place() }
    }
}

/// Drops a source that ended or panicked.
struct Close<'a, S>(Pin<&'a mut Option<S>>);

impl<S> Drop for Close<'_, S> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// Takes a child away that panics.
struct Lost<'a, C>(&'a mut ReadySet<C>);

impl<C> Drop for Lost<'_, C> {
    fn drop(&mut self) {
        self.0.remove();
    }
}

impl<C> Drop for ReadySet<C> {
    fn drop(&mut self) {
        /// Goes on with the other children if one panics.
        struct Rest<'a, C>(&'a mut ReadySet<C>);
        impl<C> Drop for Rest<'_, C> {
            fn drop(&mut self) {
                self.0.drain();
                let source = mem::replace(&mut self.0.lists.source, ptr::null_mut());
                if !source.is_null() {
                    // SAFETY: the set's reference.
                    unsafe { Header::release(source.cast()) }
                }
            }
        }
        let rest = Rest(self);
        rest.0.drain();
    }
}

impl<C> fmt::Debug for ReadySet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadySet")
            .field("len", &self.lists.len)
            .finish_non_exhaustive()
    }
}
