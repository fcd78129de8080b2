//! A ticket queue of the takers that wait for a shared source.
//!
//! An entry *waits* while it holds the wake source of its taker. To *call* a taker is to move the
//! wake source out of its entry and, once the lock has been released, to wake it. The entry stays
//! in the queue, so that later takers know that this one is before them. A wake source wakes the
//! waker that its taker registered last. So a taker may be called and wait again before its task
//! runs: it then enqueues its ticket anew.

use crate::{
    handoff::{
        Combine, HandoffLock, REQUESTS,
        tickets::{Call, DROPPED, Ticket, TicketHolder, TicketQueue, Tickets, is_before},
    },
    sync::{Ordering, Word},
    wait::{
        spin::{AdaptiveSpin, Taking},
        wake_list::WakeList,
        wake_stack::Node,
        waker_ref::WakeUp,
    },
};
use core::task::Waker;

/// Request: the source has woken.
const WOKEN: usize = REQUESTS[0];
/// Request: there is a ticket in `arrivals`.
pub(super) const ARRIVED: usize = REQUESTS[1];

/// What all takers share without the lock.
#[derive(Debug)]
pub(super) struct TakersShared {
    /// Tickets of takers that found the lock held, or that were dropped.
    tickets: Tickets,
    /// Whether to try again, before waiting, to acquire a lock that is held.
    pub(super) spin: AdaptiveSpin<Taking>,
}

/// What belongs to the holder of the lock.
#[derive(Debug)]
pub(super) struct WaitQueue {
    /// Each entry with the number of its taker's last visit with the lock held. To enqueue a ticket
    /// without the lock does not count as a visit: otherwise two takers could give way to each
    /// other forever.
    queue: TicketQueue<u64>,
    /// How many visits there were so far: numbers the next one.
    visits: u64,
    /// The source's last poll was pending, and it has not woken since.
    idle: bool,
}

/// What a taker that holds the lock may do.
pub(super) enum Admission {
    /// Poll the source.
    Poll,
    /// Let takers that were called earlier run first: wake itself and return.
    GiveWay,
    /// Wait: others are before it, and the source has nothing.
    Wait,
}

pub(super) fn new_lock() -> HandoffLock<TakersShared> {
    let shared = TakersShared {
        tickets: Tickets::new(),
        spin: AdaptiveSpin::new(),
    };
    let queue = WaitQueue {
        queue: TicketQueue::new(),
        visits: 0,
        idle: false,
    };
    HandoffLock::new(shared, queue)
}

impl Combine for TakersShared {
    type State = WaitQueue;
    type FollowUp = Option<WakeList<Node<Ticket>>>;

    #[inline]
    fn nothing_due(&self, queue: &WaitQueue) -> bool {
        // Tickets in `arrivals` need no check: a request is made after each of them.
        (queue.idle || queue.queue.waiting() == 0) && !queue.queue.has_calls()
    }

    fn combine(&self, queue: &mut WaitQueue, requests: usize, follow_up: &mut Self::FollowUp) {
        if requests & WOKEN != 0 {
            queue.idle = false;
        }
        queue.collect(self);
        if !queue.idle && queue.queue.waiting() > 0 {
            queue.queue.call_all();
        }
        queue.queue.take_calls(follow_up);
    }

    fn follow_up(&self, calls: Self::FollowUp) {
        drop(calls);
    }
}

impl WakeUp for HandoffLock<TakersShared> {
    /// The wake of the source.
    fn wake_up(&self) {
        self.notify(WOKEN);
    }
}

impl WaitQueue {
    /// Processes the tickets in `arrivals`: inserts takers that wait, removes those that were
    /// dropped.
    fn collect(&mut self, shared: &TakersShared) {
        if shared.tickets.none_arrived() {
            return;
        }
        for (number, ticket) in shared.tickets.take_arrived() {
            // Ordering: Relaxed, written before the ticket was pushed; `take_arrived` synchronizes.
            if ticket.state.load(Ordering::Relaxed) == DROPPED {
                self.queue.remove(number);
                self.queue.call(Some(ticket));
            } else {
                let visits = &mut self.visits;
                self.queue.insert(number, Some(ticket), || {
                    *visits += 1;
                    *visits - 1
                });
            }
        }
    }

    /// Whether no other taker waits. Then the caller is admitted, and polls the source next.
    #[inline]
    pub(super) fn admits_at_once(&mut self, shared: &TakersShared) -> bool {
        let is_empty = shared.tickets.none_arrived() && self.queue.is_empty();
        // This holds if the coming poll panics, and unless it is pending.
        if is_empty && self.idle {
            self.idle = false;
        }
        is_empty
    }

    /// Decides what a taker may do.
    pub(super) fn admit(&mut self, shared: &TakersShared, taker: &mut Taker) -> Admission {
        self.collect(shared);
        while let Some(front) = self.queue.front() {
            let (first, visit) = (front.number, front.data);
            if taker
                .ticket
                .issued()
                .is_some_and(|own| !is_before(first, own))
            {
                break;
            }
            if self.idle {
                return Admission::Wait;
            }
            if taker.gave_way_to != Some(visit) {
                taker.gave_way_to = Some(visit);
                self.visit(taker.ticket.number(&shared.tickets), None);
                return Admission::GiveWay;
            }
            let wake_source = self.queue.remove(first);
            self.queue.call(wake_source);
        }
        // As in `admits_at_once`.
        self.idle = false;
        Admission::Poll
    }

    /// Lets the taker wait, at its old place if it has one.
    pub(super) fn enqueue(&mut self, shared: &TakersShared, taker: &mut Taker, waker: &Waker) {
        let number = taker.ticket.number(&shared.tickets);
        let wake_source = taker.ticket.wake_source(waker);
        self.visit(number, Some(wake_source));
    }

    /// Lets the taker wait after a poll of the source that was pending.
    #[inline(never)]
    pub(super) fn enqueue_idle(&mut self, shared: &TakersShared, taker: &mut Taker, waker: &Waker) {
        self.enqueue(shared, taker, waker);
        self.idle = true;
    }

    /// Removes a taker that has got its item.
    #[cold]
    pub(super) fn dequeue(&mut self, taker: &mut Taker) {
        taker.gave_way_to = None;
        if let Some(number) = taker.ticket.take_number() {
            self.queue.remove(number);
        }
    }

    /// Inserts or updates the entry of a taker that holds the lock.
    fn visit(&mut self, number: Word, wake_source: Option<Call>) {
        *self.queue.insert(number, wake_source, || 0) = self.visits;
        self.visits += 1;
    }
}

/// A taker's own part.
#[derive(Debug)]
pub(super) struct Taker {
    ticket: TicketHolder,
    /// The visit of the taker that this one gave way to last.
    gave_way_to: Option<u64>,
}

impl Taker {
    pub(super) fn new() -> Self {
        Self {
            ticket: TicketHolder::new(),
            gave_way_to: None,
        }
    }

    /// Whether it has a ticket.
    pub(super) fn is_queued(&self) -> bool {
        self.ticket.issued().is_some()
    }

    /// Drops the registered waker if it is for another task than `waker` is.
    #[inline]
    pub(super) fn clear_for(&mut self, waker: &Waker) {
        self.ticket.clear_for(waker);
    }

    /// Drops the registered waker.
    pub(super) fn clear(&mut self) {
        self.ticket.clear();
    }

    /// Enqueues the taker while another one holds the lock. The caller has to make the request
    /// [`ARRIVED`] afterwards.
    pub(super) fn enqueue_contended(&mut self, shared: &TakersShared, waker: &Waker) {
        self.ticket.register(waker);
        self.ticket.arrive(&shared.tickets);
    }

    /// Whether the taker may be in the queue.
    pub(super) fn is_enqueued(&self) -> bool {
        self.ticket.issued().is_some()
    }

    /// Dequeues the taker for good, whether or not the lock is held. If it may be in the queue, the
    /// caller has to make the request [`ARRIVED`] afterwards, also if this panics.
    pub(super) fn dequeue_contended(&mut self, shared: &TakersShared) {
        if let Some(number) = self.ticket.issued() {
            // Ordering: Relaxed, the push of the ticket publishes it.
            self.ticket.state().store(DROPPED, Ordering::Relaxed);
            self.ticket.leave(&shared.tickets, number);
        }
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// A taker keeps its place for as long as it likes, however many others come meanwhile.
    #[test]
    #[cfg(target_has_atomic = "64")]
    fn the_oldest_ticket_stays_first_and_unique() {
        for others in [
            1,
            1 << 31,
            (1 << 31) + 1,
            u64::from(u32::MAX),
            1 << 32,
            1 << 40,
        ] {
            let lock = new_lock();
            let mut guard = lock.try_lock().unwrap();
            guard.with(|shared, queue| {
                let (mut old, mut new) = (Taker::new(), Taker::new());
                queue.enqueue(shared, &mut old, Waker::noop());
                shared.tickets.skip_to(others as Word);
                queue.enqueue(shared, &mut new, Waker::noop());
                assert_eq!(queue.queue.numbers(), [0, others as Word]);
                queue.enqueue_idle(shared, &mut new, Waker::noop());
                assert!(matches!(queue.admit(shared, &mut new), Admission::Wait));
                assert!(matches!(queue.admit(shared, &mut old), Admission::Poll));
                queue.dequeue(&mut old);
                assert_eq!(queue.queue.numbers().len(), 1);
                queue.dequeue(&mut new);
                assert!(queue.queue.is_empty());
                assert_eq!(queue.queue.waiting(), 0);
            });
        }
    }
}
