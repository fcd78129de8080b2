//! Tickets: the order in which tasks wait for what the holder of a [`HandoffLock`] gives out.
//!
//! A task that has to wait takes a *ticket* with the next number, and passes it to the holder of
//! the lock through a lock-free stack. The holder sorts the tickets into its queue. Takers of a
//! shared stream and pushers of a bounded list wait in this way; what the holder does with the
//! queue is theirs.
//!
//! | state of a ticket | set by | meaning |
//! |---|---|---|
//! | [`WAITING`] | | the task waits, or is between two waits |
//! | [`DROPPED`] | its task | the task does not wait any more |
//! | other values | the holder | an answer of the holder, for those queues that give one |
//!
//! [`HandoffLock`]: super::HandoffLock

use crate::{
    sync::{AtomicUsize, AtomicWord, Ordering, SignedWord, Word},
    util::shrink::shrink,
    wait::{
        notify::{WakeSink, WakeSource},
        wake_stack::{Node, WakeStack},
    },
};
use alloc::{collections::VecDeque, vec::Vec};
use core::{mem, task::Waker};
use scopeguard::guard;

/// The capacity for calls that is kept between two releases of the lock.
const SMALL: usize = 64;

/// The state of a ticket whose task waits.
pub(crate) const WAITING: usize = 0;
/// The state of a ticket whose task does not wait any more.
pub(crate) const DROPPED: usize = 1;

/// The waking end of a ticket.
pub(crate) type Call = WakeSource<Node<Ticket>>;

/// What a waiting task passes to the holder of the lock.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: AtomicWord,
    pub(crate) state: AtomicUsize,
}

/// Issues the numbers, and carries the tickets to the holder of the lock. It is shared without the
/// lock.
#[derive(Debug)]
pub(crate) struct Tickets {
    /// Tickets of tasks that began to wait, or that were dropped.
    arrivals: WakeStack<Ticket>,
    next_number: AtomicWord,
}

/// Whether the ticket `number` was issued before `other`. Numbers may wrap: two of them compare
/// correctly, and are distinct, as long as fewer than half of all numbers were issued between them.
/// With 64 bits that always holds. With 32 bits, on targets without wider atomics, a task that
/// stays away while 2³¹ others begin to wait may lose its place, or a wake, to one of them.
pub(crate) fn is_before(number: Word, other: Word) -> bool {
    (number.wrapping_sub(other) as SignedWord) < 0
}

impl Tickets {
    pub(crate) fn new() -> Self {
        Self {
            arrivals: WakeStack::new(),
            next_number: AtomicWord::new(0),
        }
    }

    /// Whether no ticket is on its way to the holder. One that is being pushed may be missed.
    #[inline]
    pub(crate) fn none_arrived(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// Takes the tickets that have arrived, each with its number. What their tasks wrote before is
    /// visible.
    pub(crate) fn take_arrived(&self) -> impl Iterator<Item = (Word, Call)> {
        self.arrivals.take_all().map(|ticket| {
            // Ordering: Relaxed, written before the ticket was pushed; `take_all` synchronizes.
            (ticket.number.load(Ordering::Relaxed), ticket)
        })
    }

    #[cfg(all(test, not(aiter_loom)))]
    pub(crate) fn skip_to(&self, number: Word) {
        self.next_number.store(number, Ordering::Relaxed);
    }
}

/// The waiting tasks in the order of their numbers, each with data of type `E`. It belongs to the
/// holder of the lock.
#[derive(Debug)]
pub(crate) struct TicketQueue<E> {
    entries: VecDeque<Entry<E>>,
    /// How many entries have a wake source.
    waiting: usize,
    /// Wake sources to wake, or only to drop, after the lock has been released.
    calls: Vec<Call>,
}

#[derive(Debug)]
pub(crate) struct Entry<E> {
    pub(crate) number: Word,
    pub(crate) data: E,
    wake_source: Option<Call>,
}

impl<E> TicketQueue<E> {
    pub(crate) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            waiting: 0,
            calls: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries wait to be called.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn front(&self) -> Option<&Entry<E>> {
        self.entries.front()
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

    /// Inserts the entry of a ticket, or updates its wake source. `data` is called for a new entry.
    pub(crate) fn insert(
        &mut self,
        number: Word,
        wake_source: Option<Call>,
        data: impl FnOnce() -> E,
    ) -> &mut E {
        let at = self.find(number).unwrap_or_else(|at| {
            let entry = Entry {
                number,
                data: data(),
                wake_source: None,
            };
            self.entries.insert(at, entry);
            at
        });
        self.waiting += usize::from(wake_source.is_some());
        let replaced = mem::replace(&mut self.entries[at].wake_source, wake_source);
        self.waiting -= usize::from(replaced.is_some());
        &mut self.entries[at].data
    }

    /// Removes an entry, if there is one. Returns its wake source if it waits.
    pub(crate) fn remove(&mut self, number: Word) -> Option<Call> {
        let at = self.find(number).ok()?;
        self.remove_at(at)
    }

    /// Removes the first entry. Returns its wake source if it waits.
    pub(crate) fn pop_front(&mut self) -> Option<Call> {
        self.remove_at(0)
    }

    fn remove_at(&mut self, at: usize) -> Option<Call> {
        let wake_source = self.entries.remove(at)?.wake_source;
        shrink(&mut self.entries);
        self.waiting -= usize::from(wake_source.is_some());
        wake_source
    }

    /// Has the wake source woken, or only dropped if nothing is registered, after the lock has been
    /// released.
    pub(crate) fn call(&mut self, wake_source: Option<Call>) {
        self.calls.extend(wake_source);
    }

    /// Calls every task that waits. The entries stay.
    pub(crate) fn call_all(&mut self) {
        self.waiting = 0;
        let called = self
            .entries
            .iter_mut()
            .filter_map(|entry| entry.wake_source.take());
        self.calls.extend(called);
    }

    /// Calls the first task without taking its entry's wake source.
    pub(crate) fn call_front_again(&mut self) {
        let front = self.entries.front();
        self.calls
            .extend(front.and_then(|entry| entry.wake_source.clone()));
    }

    #[inline]
    pub(crate) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Moves the calls into the follow-up work of the holder.
    pub(crate) fn take_calls<W: Default + Extend<Call>>(&mut self, follow_up: &mut Option<W>) {
        if !self.calls.is_empty() {
            follow_up
                .get_or_insert_default()
                .extend(self.calls.drain(..));
            self.calls.shrink_to(SMALL);
        }
    }

    #[cfg(all(test, not(aiter_loom)))]
    pub(crate) fn numbers(&self) -> Vec<Word> {
        self.entries.iter().map(|entry| entry.number).collect()
    }
}

/// A task's own part: the number of its ticket while it waits, and the sink that wakes it, which is
/// allocated when it waits for the first time.
#[derive(Debug)]
pub(crate) struct TicketHolder {
    number: Option<Word>,
    sink: Option<WakeSink<Node<Ticket>>>,
}

impl TicketHolder {
    pub(crate) const fn new() -> Self {
        Self {
            number: None,
            sink: None,
        }
    }

    /// The number of the ticket, if the task has one.
    #[inline]
    pub(crate) fn issued(&self) -> Option<Word> {
        self.number
    }

    /// Forgets the ticket, and returns its number. The next wait takes another one.
    pub(crate) fn take_number(&mut self) -> Option<Word> {
        self.number.take()
    }

    pub(crate) fn number(&mut self, tickets: &Tickets) -> Word {
        *self.number.get_or_insert_with(|| {
            // Ordering: Relaxed, only the order of the numbers matters.
            tickets.next_number.fetch_add(1, Ordering::Relaxed)
        })
    }

    fn sink(&mut self) -> &mut WakeSink<Node<Ticket>> {
        self.sink.get_or_insert_with(|| {
            WakeSink::new(Node::new(Ticket {
                number: AtomicWord::new(0),
                state: AtomicUsize::new(WAITING),
            }))
        })
    }

    /// Registers `waker`.
    pub(crate) fn register(&mut self, waker: &Waker) {
        self.sink().register(waker);
    }

    /// Registers `waker`, and returns a wake source for it.
    pub(crate) fn wake_source(&mut self, waker: &Waker) -> Call {
        self.register(waker);
        self.sink().wake_source()
    }

    /// The state of the ticket, which the holder may have changed.
    pub(crate) fn state(&mut self) -> &AtomicUsize {
        &self.sink().state
    }

    /// Drops the registered waker if it is for another task than `waker` is.
    #[inline]
    pub(crate) fn clear_for(&mut self, waker: &Waker) {
        if let Some(sink) = &mut self.sink {
            sink.clear_for(waker);
        }
    }

    /// Drops the registered waker.
    pub(crate) fn clear(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.clear();
        }
    }

    /// Passes the ticket to the holder of the lock. The caller has registered a waker, and has to
    /// make a request afterwards.
    pub(crate) fn arrive(&mut self, tickets: &Tickets) {
        let number = self.number(tickets);
        let sink = self.sink();
        // Ordering: Relaxed, the push into `arrivals` publishes it.
        sink.number.store(number, Ordering::Relaxed);
        tickets.arrivals.push(sink.wake_source());
    }

    /// Passes a ticket to the holder whose state says that the task waits no more. The caller has
    /// to make a request afterwards.
    pub(crate) fn leave(&mut self, tickets: &Tickets, number: Word) {
        // Also if the drop of a waker panics.
        let mut this = guard(self, |this| {
            this.number = Some(number);
            this.arrive(tickets);
        });
        // The wakers are dropped here, and not by the holder of the lock.
        this.clear();
    }
}
