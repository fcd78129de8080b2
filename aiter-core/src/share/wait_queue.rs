//! The line of those who wait for a shared source: tickets, calls, arrivals.
//!
//! An entry *waits* while it holds its alarm. To *call* is to take the alarm out and, once the baton has been put
//! down, to ring it; the entry stays, so that later takers know who is before them. An alarm rings the waker that its
//! taker registered last, so an entry may be called and its taker wait again, by a letter in the inbox.

use crate::{
    handoff::{Combine, HandoffLock, REQUESTS},
    sync::{AtomicUsize, AtomicWord, Ordering, SignedWord, Word},
    util::shrink::shrink,
    wait::{
        notify::{WakeSink, WakeSource},
        spin::{AdaptiveSpin, Taking},
        wake_list::WakeList,
        wake_stack::{Node, WakeStack},
        waker_ref::WakeUp,
    },
};
use alloc::{collections::VecDeque, vec::Vec};
use core::{mem, task::Waker};

/// Memory for as many calls is kept.
const SMALL: usize = 64;

/// The source has woken.
const WOKEN: usize = REQUESTS[0];
/// There is a letter in the inbox.
pub(super) const ARRIVED: usize = REQUESTS[1];

/// What all takers share.
#[derive(Debug)]
pub(super) struct TakersShared {
    arrivals: WakeStack<Ticket>,
    next_ticket: AtomicWord,
    /// Whether to look again for a baton that is held.
    pub(super) spin: AdaptiveSpin<Taking>,
}

/// What a taker writes on its letter.
#[derive(Debug)]
pub(super) struct Ticket {
    number: AtomicWord,
    /// Not 0 once the taker has been dropped.
    gone: AtomicUsize,
}

/// What belongs to the holder of the baton.
#[derive(Debug)]
pub(super) struct WaitQueue {
    /// In the order of their tickets.
    entries: VecDeque<Entry>,
    /// How many entries wait.
    waiting: usize,
    /// How often somebody came.
    visits: u64,
    /// To be rung, or only dropped, when the baton is down.
    calls: Vec<WakeSource<Node<Ticket>>>,
    /// The source's last poll was pending, and it has not woken since.
    idle: bool,
}

#[derive(Debug)]
struct Entry {
    ticket: Word,
    /// The number of its last visit with the baton in hand. A visit in vain, by letter, does not count: else two
    /// takers could keep each other from their turns.
    visit: u64,
    wake_source: Option<WakeSource<Node<Ticket>>>,
}

/// What a taker may do that has the baton.
pub(super) enum Admission {
    /// It is its turn.
    Poll,
    /// Others were called before it: once round the executor.
    GiveWay,
    /// Others are before it, and there is nothing to have.
    Wait,
}

pub(super) fn lock() -> HandoffLock<TakersShared> {
    let shared = TakersShared {
        arrivals: WakeStack::new(),
        next_ticket: AtomicWord::new(0),
        spin: AdaptiveSpin::new(),
    };
    let queue = WaitQueue {
        entries: VecDeque::new(),
        waiting: 0,
        visits: 0,
        calls: Vec::new(),
        idle: false,
    };
    HandoffLock::new(shared, queue)
}

/// Whether a ticket is older. The numbers may wrap: two are compared rightly, and told apart, as long as fewer than half of all
/// were given out between them. That is for ever with 64 bits. With 32, where no more can be exchanged at once, a taker that stays
/// away for as long as 2³¹ others begin to wait may lose its place, or a wake, to one of them.
fn before(ticket: Word, other: Word) -> bool {
    (ticket.wrapping_sub(other) as SignedWord) < 0
}

impl Combine for TakersShared {
    type State = WaitQueue;
    type After = Option<WakeList<Node<Ticket>>>;

    #[inline]
    fn nothing_due(&self, queue: &WaitQueue) -> bool {
        // A letter that is in comes with a note, which is left after it.
        (queue.idle || queue.waiting == 0) && queue.calls.is_empty()
    }

    fn combine(&self, queue: &mut WaitQueue, requests: usize, after: &mut Self::After) {
        if requests & WOKEN != 0 {
            queue.idle = false;
        }
        queue.collect(self);
        if !queue.idle && queue.waiting > 0 {
            queue.waiting = 0;
            let called = queue
                .entries
                .iter_mut()
                .filter_map(|entry| entry.wake_source.take());
            queue.calls.extend(called);
        }
        if !queue.calls.is_empty() {
            after.get_or_insert_default().extend(queue.calls.drain(..));
            queue.calls.shrink_to(SMALL);
        }
    }

    fn follow_up(&self, calls: Self::After) {
        drop(calls);
    }
}

impl WakeUp for HandoffLock<TakersShared> {
    /// The wake of the source.
    fn wake_up(&self) {
        self.tell(WOKEN);
    }
}

impl WaitQueue {
    /// Reads the letters: puts in line who has come, strikes off who has gone.
    fn collect(&mut self, shared: &TakersShared) {
        if shared.arrivals.is_empty() {
            return;
        }
        for wake_source in shared.arrivals.take_all() {
            // Ordering: Relaxed, written before the letter was put in; `drain` synchronises.
            let ticket = wake_source.number.load(Ordering::Relaxed);
            // Ordering: Relaxed, as above.
            if wake_source.gone.load(Ordering::Relaxed) != 0 {
                self.remove(ticket);
                self.calls.push(wake_source);
            } else {
                self.insert(ticket, Some(wake_source));
            }
        }
    }

    /// Whether nobody else is there: then it is the turn of whoever comes, who goes on to poll the source.
    #[inline]
    pub(super) fn begins_empty(&mut self, shared: &TakersShared) -> bool {
        let is_empty = shared.arrivals.is_empty() && self.entries.is_empty();
        // What holds unless the poll to come is pending, and if it panics.
        if is_empty && self.idle {
            self.idle = false;
        }
        is_empty
    }

    /// Decides what the taker may do.
    pub(super) fn turn(&mut self, shared: &TakersShared, place: &mut Taker) -> Admission {
        self.collect(shared);
        while let Some(front) = self.entries.front() {
            if place.ticket.is_some_and(|mine| !before(front.ticket, mine)) {
                break;
            }
            if self.idle {
                return Admission::Wait;
            }
            if place.gave_way_to != Some(front.visit) {
                place.gave_way_to = Some(front.visit);
                self.come(place.ticket(shared), None);
                return Admission::GiveWay;
            }
            let wake_source = self.remove(front.ticket);
            self.calls.extend(wake_source);
        }
        // As in `begins_empty`.
        self.idle = false;
        Admission::Poll
    }

    /// The taker waits, at its old place if it has one.
    pub(super) fn join(&mut self, shared: &TakersShared, place: &mut Taker, waker: &Waker) {
        let ticket = place.ticket(shared);
        let wake_source = place.wake_source(waker);
        self.come(ticket, Some(wake_source));
    }

    /// The source has nothing for the taker.
    #[inline(never)]
    pub(super) fn rest(&mut self, shared: &TakersShared, place: &mut Taker, waker: &Waker) {
        self.join(shared, place, waker);
        self.idle = true;
    }

    /// The taker has got what it came for.
    #[cold]
    pub(super) fn leave(&mut self, place: &mut Taker) {
        place.gave_way_to = None;
        if let Some(ticket) = place.ticket.take() {
            self.remove(ticket);
        }
    }

    fn find(&self, ticket: Word) -> Result<usize, usize> {
        let at = self
            .entries
            .partition_point(|entry| before(entry.ticket, ticket));
        match self.entries.get(at) {
            Some(entry) if entry.ticket == ticket => Ok(at),
            _ => Err(at),
        }
    }

    /// Puts in line who has come with the baton in hand.
    fn come(&mut self, ticket: Word, wake_source: Option<WakeSource<Node<Ticket>>>) {
        let at = self.insert(ticket, wake_source);
        self.entries[at].visit = self.visits;
        self.visits += 1;
    }

    fn insert(&mut self, ticket: Word, wake_source: Option<WakeSource<Node<Ticket>>>) -> usize {
        let at = self.find(ticket).unwrap_or_else(|at| {
            let visit = self.visits;
            self.visits = visit + 1;
            let entry = Entry {
                ticket,
                visit,
                wake_source: None,
            };
            self.entries.insert(at, entry);
            at
        });
        self.waiting += usize::from(wake_source.is_some());
        let replaced = mem::replace(&mut self.entries[at].wake_source, wake_source);
        self.waiting -= usize::from(replaced.is_some());
        at
    }

    /// Takes the entry out, if it is there, and with it the alarm of one that waits.
    fn remove(&mut self, ticket: Word) -> Option<WakeSource<Node<Ticket>>> {
        let at = self.find(ticket).ok()?;
        let wake_source = self.entries.remove(at)?.wake_source;
        shrink(&mut self.entries);
        self.waiting -= usize::from(wake_source.is_some());
        wake_source
    }
}

/// A taker's side: its ticket while it waits, and what it is woken by once it has had to wait.
#[derive(Debug)]
pub(super) struct Taker {
    ticket: Option<Word>,
    /// The visit of the taker that this one gave way to last.
    gave_way_to: Option<u64>,
    sink: Option<WakeSink<Node<Ticket>>>,
}

impl Taker {
    pub(super) fn new() -> Self {
        Self {
            ticket: None,
            gave_way_to: None,
            sink: None,
        }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.ticket.is_some()
    }

    fn ticket(&mut self, shared: &TakersShared) -> Word {
        *self.ticket.get_or_insert_with(|| {
            // Ordering: Relaxed, only the order of the numbers matters.
            shared.next_ticket.fetch_add(1, Ordering::Relaxed)
        })
    }

    fn sink(&mut self) -> &mut WakeSink<Node<Ticket>> {
        self.sink.get_or_insert_with(|| {
            WakeSink::new(Node::new(Ticket {
                number: AtomicWord::new(0),
                gone: AtomicUsize::new(0),
            }))
        })
    }

    /// An alarm that rings `waker`.
    fn wake_source(&mut self, waker: &Waker) -> WakeSource<Node<Ticket>> {
        let sink = self.sink();
        sink.register(waker);
        sink.wake_source()
    }

    /// Another task than that of this waker is not woken any more.
    #[inline(always)]
    pub(super) fn clear_for(&mut self, waker: &Waker) {
        if let Some(sink) = &mut self.sink {
            sink.clear_for(waker);
        }
    }

    /// Nobody is woken any more.
    pub(super) fn clear(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.clear();
        }
    }

    /// Joins the line by letter, while another has the baton. A note has to follow.
    pub(super) fn enqueue_contended(&mut self, shared: &TakersShared, waker: &Waker) {
        let ticket = self.ticket(shared);
        let wake_source = self.wake_source(waker);
        // Ordering: Relaxed, the inbox publishes it.
        wake_source.number.store(ticket, Ordering::Relaxed);
        shared.arrivals.push(wake_source);
    }

    /// Leaves the line by letter, for good. True if a note has to follow.
    pub(super) fn give_up(&mut self, shared: &TakersShared) -> bool {
        let Some(ticket) = self.ticket else {
            return false;
        };
        let sink = self.sink();
        // The wakers are dropped here, not by the holder of the baton.
        sink.clear();
        // Ordering: Relaxed, the inbox publishes both.
        sink.number.store(ticket, Ordering::Relaxed);
        sink.gone.store(1, Ordering::Relaxed);
        shared.arrivals.push(sink.wake_source());
        true
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// A taker has its place for as long as it likes, however many come meanwhile.
    #[test]
    #[cfg(target_has_atomic = "64")]
    fn an_old_place_stays_the_first_and_is_nobody_elses() {
        for others in [
            1,
            1 << 31,
            (1 << 31) + 1,
            u64::from(u32::MAX),
            1 << 32,
            1 << 40,
        ] {
            let lock = lock();
            let mut guard = lock.try_take().unwrap();
            guard.with(|shared, queue| {
                let (mut old, mut new) = (Taker::new(), Taker::new());
                queue.join(shared, &mut old, Waker::noop());
                shared.next_ticket.store(others as Word, Ordering::Relaxed);
                queue.join(shared, &mut new, Waker::noop());
                let tickets: Vec<_> = queue.entries.iter().map(|entry| entry.ticket).collect();
                assert_eq!(tickets, [0, others as Word]);
                queue.rest(shared, &mut new, Waker::noop());
                assert!(matches!(queue.turn(shared, &mut new), Admission::Wait));
                assert!(matches!(queue.turn(shared, &mut old), Admission::Poll));
                queue.leave(&mut old);
                assert_eq!(queue.entries.len(), 1);
                queue.leave(&mut new);
                assert_eq!((queue.entries.len(), queue.waiting), (0, 0));
            });
        }
    }
}
