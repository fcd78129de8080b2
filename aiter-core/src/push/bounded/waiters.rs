//! The pushers that wait for a place: the holder of a [`HandoffLock`] gives places to the first
//! ones in the queue.
//!
//! # States of a ticket
//! | state | set by | the pusher's task | when it is dropped |
//! |---|---|---|---|
//! | [`WAITING`] | | waits | → `DROPPED`, and asks the holder to remove the ticket |
//! | [`GRANTED`] | the holder, when there is a place for it | has the place | gives the place back |
//! | [`DROPPED`] | the task | is gone | |
//! | [`ANSWERED`] | the holder: from `WAITING` when the list is closed; from `DROPPED` when it has counted that | the push is refused | nothing |
//!
//! Both sides leave `WAITING` by a read-modify-write, so that exactly one of them does: either the
//! task has the place and gives it back, or the holder gives it to the next one.

use super::places::Places;
use crate::{
    Stopped,
    handoff::{
        Combine, HandoffLock, REQUESTS,
        tickets::{DROPPED, Ticket, TicketHolder, TicketQueue, Tickets, WAITING},
    },
    sync::{Arc, Ordering::Relaxed},
    wait::{
        spin::{AdaptiveSpin, Waiting},
        wake_list::WakeList,
        wake_stack::Node,
    },
};
use core::task::{Poll, Waker};
use scopeguard::{ScopeGuard, guard};

/// The state of a ticket whose task has a place.
const GRANTED: usize = 2;
/// The state of a ticket that the holder has done with.
const ANSWERED: usize = 3;

/// Request: a place may have become free, or the list was closed.
const ROOM: usize = REQUESTS[0];
/// Request: there is a ticket in `tickets`.
const ARRIVED: usize = REQUESTS[1];

/// What all handles of a bounded list share.
pub(super) type Shared<T> = HandoffLock<Waiters<T>>;

/// The part that is shared without the lock.
pub(super) struct Waiters<T> {
    pub(super) places: Places<T>,
    tickets: Tickets,
    /// Whether to look for a place again before waiting.
    spin: AdaptiveSpin<Waiting>,
}

pub(super) fn new_shared<T>(places: Places<T>) -> Arc<Shared<T>> {
    let waiters = Waiters {
        places,
        tickets: Tickets::new(),
        spin: AdaptiveSpin::new(),
    };
    let queue = Queue {
        tickets: TicketQueue::new(),
        is_known: false,
    };
    Arc::new(HandoffLock::new(waiters, queue))
}

/// What belongs to the holder of the lock.
pub(super) struct Queue {
    /// The pushers that wait, and have no answer yet.
    tickets: TicketQueue<()>,
    /// The last look at the readers found no place, and those that have passed an item since then
    /// have reported that.
    is_known: bool,
}

impl<T> Combine for Waiters<T> {
    type State = Queue;
    type FollowUp = Option<WakeList<Node<Ticket>>>;

    /// Each change is made in `combine`, which leaves nothing.
    #[inline]
    fn nothing_due(&self, _: &Queue) -> bool {
        true
    }

    fn combine(&self, queue: &mut Queue, requests: usize, follow_up: &mut Self::FollowUp) {
        let tickets = &mut queue.tickets;
        self.collect(tickets);
        let is_room = requests & ROOM != 0;
        let is_watched = self.places.is_watched();
        // While readers report, each place that becomes free is a request of its own. So a pusher
        // that arrives need not look at all readers.
        let is_known = queue.is_known && is_watched && !is_room;
        queue.is_known = self.answer(tickets, is_known) || is_known;
        if !tickets.is_empty() && !is_watched {
            let is_ordered = self.places.watch();
            if !is_ordered {
                // The first pusher looks again a little later.
                tickets.call_front_again();
            }
            queue.is_known = self.answer(tickets, false) && is_ordered;
        } else if is_watched && is_room && tickets.is_empty() && !tickets.has_calls() {
            // Not as soon as the last pusher has its place: often it waits again at once, and to
            // watch anew costs a heavy fence.
            self.places.unwatch();
        }
        tickets.take_calls(follow_up);
    }

    fn follow_up(&self, calls: Self::FollowUp) {
        drop(calls);
    }
}

impl<T> Waiters<T> {
    /// Sorts the tickets that have arrived into the queue, and removes those that were dropped.
    fn collect(&self, queue: &mut TicketQueue<()>) {
        if self.tickets.none_arrived() {
            return;
        }
        for (number, ticket) in self.tickets.take_arrived() {
            // Ordering: Relaxed, written before the ticket was pushed; `take_arrived` synchronizes.
            if ticket.state.load(Relaxed) == WAITING {
                queue.insert(number, Some(ticket), || ());
            } else {
                let entry = queue.remove(number);
                queue.call(entry);
                self.count_dropped(&ticket);
                queue.call(Some(ticket));
            }
        }
    }

    /// Gives free places to the first pushers, or refuses all of them if the list is closed. Looks
    /// at the readers unless the limit `is_known`. Returns whether there was no place for the last.
    fn answer(&self, tickets: &mut TicketQueue<()>, is_known: bool) -> bool {
        let is_closed = self.places.is_closed();
        while !tickets.is_empty() {
            if !is_closed && !self.places.has_place_for(tickets.len(), is_known) {
                return true;
            }
            let Some(ticket) = tickets.pop_front() else {
                continue;
            };
            let answer = if is_closed { ANSWERED } else { GRANTED };
            // Ordering: Relaxed. The wake that follows publishes it, and a task that sees it
            // earlier learns nothing from it but that it has the place.
            let answered = ticket
                .state
                .compare_exchange(WAITING, answer, Relaxed, Relaxed);
            // A ticket that was dropped comes once more, and gives up its claim then.
            if answered.is_ok() && is_closed {
                self.places.give_back();
            }
            tickets.call(Some(ticket));
        }
        false
    }

    /// Gives up the claim of a ticket that was dropped while it waited, once. The ticket must not
    /// be in the queue any more: its claim would be missing there.
    fn count_dropped(&self, ticket: &Ticket) {
        // Ordering: Relaxed, because it only decides who counts.
        if ticket.state.swap(ANSWERED, Relaxed) == DROPPED {
            self.places.give_back();
        }
    }
}

impl<T> Shared<T> {
    pub(super) fn places(&self) -> &Places<T> {
        &self.shared().places
    }

    /// Tells the pushers that wait of a place that may have become free, or of the close. To be
    /// called after that. `is_relevant` is asked only if a pusher may wait.
    #[inline]
    pub(super) fn announce(&self, is_relevant: impl FnOnce() -> bool) {
        if self.places().is_watched_after_fence() {
            self.announce_slow(is_relevant());
        }
    }

    #[cold]
    #[inline(never)]
    fn announce_slow(&self, is_relevant: bool) {
        if is_relevant {
            self.request(ROOM);
        }
    }

    /// Gives back a place that holds no item.
    pub(super) fn give_back(&self) {
        self.places().give_back();
        self.announce(|| true);
    }
}

/// A wait for a place. The place belongs to it from the answer on, until
/// [`poll`](Self::poll) has returned it.
pub(super) struct Wait {
    /// Its number is issued while it waits.
    ticket: TicketHolder,
}

impl Wait {
    pub(super) fn new() -> Self {
        Self {
            ticket: TicketHolder::new(),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.ticket.issued().is_some()
    }

    /// Takes a place, or has the task woken when there is one. Fails if the list is closed.
    #[inline]
    pub(super) fn poll<T>(
        &mut self,
        shared: &Shared<T>,
        waker: &Waker,
    ) -> Poll<Result<(), Stopped<()>>> {
        if !self.is_waiting() && shared.places().try_take_known() {
            return Poll::Ready(Ok(()));
        }
        self.poll_slow(shared, waker)
    }

    #[cold]
    #[inline(never)]
    fn poll_slow<T>(&mut self, shared: &Shared<T>, waker: &Waker) -> Poll<Result<(), Stopped<()>>> {
        if self.is_waiting() {
            self.ticket.register(waker);
            if let Some(answer) = self.take_answer(shared) {
                return Poll::Ready(answer);
            }
        } else if shared.places().try_take_first() {
            return Poll::Ready(Ok(()));
        } else if shared.places().is_closed() {
            return Poll::Ready(Err(Stopped(())));
        } else if shared
            .shared()
            .spin
            .spin_until(|| shared.places().try_take_first())
        {
            return Poll::Ready(Ok(()));
        } else {
            // Before the claim, because the clone of a waker may panic.
            self.ticket.register(waker);
            // From here on no later call overtakes this one.
            if shared.places().claim() {
                self.take_place(shared);
                return Poll::Ready(Ok(()));
            }
            self.ticket.arrive(&shared.shared().tickets);
        }
        shared.request(ARRIVED);
        self.take_answer(shared).map_or(Poll::Pending, Poll::Ready)
    }

    fn take_answer<T>(&mut self, shared: &Shared<T>) -> Option<Result<(), Stopped<()>>> {
        // Ordering: Relaxed, see `Waiters::answer`.
        match self.ticket.state().load(Relaxed) {
            GRANTED => {
                self.take_place(shared);
                Some(Ok(()))
            }
            ANSWERED => {
                self.ticket = TicketHolder::new();
                Some(Err(Stopped(())))
            }
            _ => None,
        }
    }

    /// Ends the wait with a place. The waker is dropped, and if that panics the place goes to the
    /// next one.
    fn take_place<T>(&mut self, shared: &Shared<T>) {
        let place = guard(shared, Shared::give_back);
        self.ticket = TicketHolder::new();
        ScopeGuard::into_inner(place);
    }

    /// Ends the wait. A place that it has goes to the next one.
    pub(super) fn cancel<T>(&mut self, shared: &Shared<T>) {
        let Some(number) = self.ticket.take_number() else {
            return;
        };
        // Ordering: Relaxed, because it only decides who has the place; see `Places::try_claim`.
        match self.ticket.state().swap(DROPPED, Relaxed) {
            GRANTED => shared.give_back(),
            WAITING => {
                // Also if the drop of the waker panics.
                let _request = guard(shared, |shared| shared.request(ARRIVED));
                self.ticket.leave(&shared.shared().tickets, number);
            }
            _ => {}
        }
    }
}
