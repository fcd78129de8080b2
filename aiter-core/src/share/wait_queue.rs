//! A ticket queue of the takers that wait for a shared source.
//!
//! An entry *waits* while it holds the wake source of its taker. To *call* a taker is to move the
//! wake source out of its entry and, once the lock has been released, to wake it. The entry stays
//! in the queue, so that later takers know that this one is before them. A wake source wakes the
//! waker that its taker registered last. So a taker may be called and wait again before its task
//! runs: it then enqueues its ticket anew.

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

/// The capacity for calls that is kept between two releases of the lock.
const SMALL: usize = 64;

/// Request: the source has woken.
const WOKEN: usize = REQUESTS[0];
/// Request: there is a ticket in `arrivals`.
pub(super) const ARRIVED: usize = REQUESTS[1];

/// What all takers share without the lock.
#[derive(Debug)]
pub(super) struct TakersShared {
    /// Tickets of takers that found the lock held, or that were dropped.
    arrivals: WakeStack<Ticket>,
    next_number: AtomicWord,
    /// Whether to try again, before waiting, to acquire a lock that is held.
    pub(super) spin: AdaptiveSpin<Taking>,
}

/// What a taker passes to the holder of the lock through `arrivals`.
#[derive(Debug)]
pub(super) struct Ticket {
    number: AtomicWord,
    /// Not 0 once the taker has been dropped.
    dropped: AtomicUsize,
}

/// What belongs to the holder of the lock.
#[derive(Debug)]
pub(super) struct WaitQueue {
    /// In the order of their numbers.
    entries: VecDeque<QueuedTaker>,
    /// How many entries wait.
    waiting: usize,
    /// How many visits there were so far: numbers the next one.
    visits: u64,
    /// Wake sources to wake, or only to drop, after the lock has been released.
    calls: Vec<WakeSource<Node<Ticket>>>,
    /// The source's last poll was pending, and it has not woken since.
    idle: bool,
}

#[derive(Debug)]
struct QueuedTaker {
    number: Word,
    /// The number of the taker's last visit with the lock held. To enqueue a ticket without the
    /// lock does not count as a visit: otherwise two takers could give way to each other forever.
    visit: u64,
    wake_source: Option<WakeSource<Node<Ticket>>>,
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
        arrivals: WakeStack::new(),
        next_number: AtomicWord::new(0),
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

/// Whether the ticket `number` was issued before `other`. Numbers may wrap: two of them compare
/// correctly, and are distinct, as long as fewer than half of all numbers were issued between them.
/// With 64 bits that always holds. With 32 bits, on targets without wider atomics, a taker that
/// stays away while 2³¹ others begin to wait may lose its place, or a wake, to one of them.
fn is_before(number: Word, other: Word) -> bool {
    (number.wrapping_sub(other) as SignedWord) < 0
}

impl Combine for TakersShared {
    type State = WaitQueue;
    type FollowUp = Option<WakeList<Node<Ticket>>>;

    #[inline]
    fn nothing_due(&self, queue: &WaitQueue) -> bool {
        // Tickets in `arrivals` need no check: a request is made after each of them.
        (queue.idle || queue.waiting == 0) && queue.calls.is_empty()
    }

    fn combine(&self, queue: &mut WaitQueue, requests: usize, follow_up: &mut Self::FollowUp) {
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
            follow_up
                .get_or_insert_default()
                .extend(queue.calls.drain(..));
            queue.calls.shrink_to(SMALL);
        }
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
        if shared.arrivals.is_empty() {
            return;
        }
        for wake_source in shared.arrivals.take_all() {
            // Ordering: Relaxed, written before the ticket was pushed; `take_all` synchronizes.
            let number = wake_source.number.load(Ordering::Relaxed);
            // Ordering: Relaxed, as above.
            if wake_source.dropped.load(Ordering::Relaxed) != 0 {
                self.remove(number);
                self.calls.push(wake_source);
            } else {
                self.insert(number, Some(wake_source));
            }
        }
    }

    /// Whether no other taker waits. Then the caller is admitted, and polls the source next.
    #[inline]
    pub(super) fn admits_at_once(&mut self, shared: &TakersShared) -> bool {
        let is_empty = shared.arrivals.is_empty() && self.entries.is_empty();
        // This holds if the coming poll panics, and unless it is pending.
        if is_empty && self.idle {
            self.idle = false;
        }
        is_empty
    }

    /// Decides what a taker may do.
    pub(super) fn admit(&mut self, shared: &TakersShared, taker: &mut Taker) -> Admission {
        self.collect(shared);
        while let Some(front) = self.entries.front() {
            if taker
                .number
                .is_some_and(|own| !is_before(front.number, own))
            {
                break;
            }
            if self.idle {
                return Admission::Wait;
            }
            if taker.gave_way_to != Some(front.visit) {
                taker.gave_way_to = Some(front.visit);
                self.visit(taker.number(shared), None);
                return Admission::GiveWay;
            }
            let wake_source = self.remove(front.number);
            self.calls.extend(wake_source);
        }
        // As in `admits_at_once`.
        self.idle = false;
        Admission::Poll
    }

    /// Lets the taker wait, at its old place if it has one.
    pub(super) fn enqueue(&mut self, shared: &TakersShared, taker: &mut Taker, waker: &Waker) {
        let number = taker.number(shared);
        let wake_source = taker.wake_source(waker);
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
        if let Some(number) = taker.number.take() {
            self.remove(number);
        }
    }

    fn find(&self, number: Word) -> Result<usize, usize> {
        let at = self
            .entries
            .partition_point(|entry| is_before(entry.number, number));
        match self.entries.get(at) {
            Some(entry) if entry.number == number => Ok(at),
            _ => Err(at),
        }
    }

    /// Inserts or updates the entry of a taker that holds the lock.
    fn visit(&mut self, number: Word, wake_source: Option<WakeSource<Node<Ticket>>>) {
        let at = self.insert(number, wake_source);
        self.entries[at].visit = self.visits;
        self.visits += 1;
    }

    fn insert(&mut self, number: Word, wake_source: Option<WakeSource<Node<Ticket>>>) -> usize {
        let at = self.find(number).unwrap_or_else(|at| {
            let visit = self.visits;
            self.visits = visit + 1;
            let entry = QueuedTaker {
                number,
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

    /// Removes the entry, if there is one. Returns its wake source if it waits.
    fn remove(&mut self, number: Word) -> Option<WakeSource<Node<Ticket>>> {
        let at = self.find(number).ok()?;
        let wake_source = self.entries.remove(at)?.wake_source;
        shrink(&mut self.entries);
        self.waiting -= usize::from(wake_source.is_some());
        wake_source
    }
}

/// A taker's own part: its ticket's number while it waits, and the sink that wakes it, which is
/// allocated when it waits for the first time.
#[derive(Debug)]
pub(super) struct Taker {
    number: Option<Word>,
    /// The visit of the taker that this one gave way to last.
    gave_way_to: Option<u64>,
    sink: Option<WakeSink<Node<Ticket>>>,
}

impl Taker {
    pub(super) fn new() -> Self {
        Self {
            number: None,
            gave_way_to: None,
            sink: None,
        }
    }

    /// Whether it has a ticket.
    pub(super) fn is_queued(&self) -> bool {
        self.number.is_some()
    }

    fn number(&mut self, shared: &TakersShared) -> Word {
        *self.number.get_or_insert_with(|| {
            // Ordering: Relaxed, only the order of the numbers matters.
            shared.next_number.fetch_add(1, Ordering::Relaxed)
        })
    }

    fn sink(&mut self) -> &mut WakeSink<Node<Ticket>> {
        self.sink.get_or_insert_with(|| {
            WakeSink::new(Node::new(Ticket {
                number: AtomicWord::new(0),
                dropped: AtomicUsize::new(0),
            }))
        })
    }

    /// Registers `waker`, and returns a wake source for it.
    fn wake_source(&mut self, waker: &Waker) -> WakeSource<Node<Ticket>> {
        let sink = self.sink();
        sink.register(waker);
        sink.wake_source()
    }

    /// Drops the registered waker if it is for another task than `waker` is.
    #[inline]
    pub(super) fn clear_for(&mut self, waker: &Waker) {
        if let Some(sink) = &mut self.sink {
            sink.clear_for(waker);
        }
    }

    /// Drops the registered waker.
    pub(super) fn clear(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.clear();
        }
    }

    /// Enqueues the taker while another one holds the lock. The caller has to make the request
    /// [`ARRIVED`] afterwards.
    pub(super) fn enqueue_contended(&mut self, shared: &TakersShared, waker: &Waker) {
        let number = self.number(shared);
        let wake_source = self.wake_source(waker);
        // Ordering: Relaxed, the push into `arrivals` publishes it.
        wake_source.number.store(number, Ordering::Relaxed);
        shared.arrivals.push(wake_source);
    }

    /// Dequeues the taker for good, whether or not the lock is held. If this returns `true` the
    /// caller has to make the request [`ARRIVED`] afterwards.
    pub(super) fn dequeue_contended(&mut self, shared: &TakersShared) -> bool {
        let Some(number) = self.number else {
            return false;
        };
        let sink = self.sink();
        // The wakers are dropped here, and not by the holder of the lock.
        sink.clear();
        // Ordering: Relaxed, the push into `arrivals` publishes both stores.
        sink.number.store(number, Ordering::Relaxed);
        sink.dropped.store(1, Ordering::Relaxed);
        shared.arrivals.push(sink.wake_source());
        true
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
                shared.next_number.store(others as Word, Ordering::Relaxed);
                queue.enqueue(shared, &mut new, Waker::noop());
                let numbers: Vec<_> = queue.entries.iter().map(|entry| entry.number).collect();
                assert_eq!(numbers, [0, others as Word]);
                queue.enqueue_idle(shared, &mut new, Waker::noop());
                assert!(matches!(queue.admit(shared, &mut new), Admission::Wait));
                assert!(matches!(queue.admit(shared, &mut old), Admission::Poll));
                queue.dequeue(&mut old);
                assert_eq!(queue.entries.len(), 1);
                queue.dequeue(&mut new);
                assert_eq!((queue.entries.len(), queue.waiting), (0, 0));
            });
        }
    }
}
