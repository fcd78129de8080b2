//! The line of those who wait for a shared source: tickets, calls, arrivals.
//!
//! An entry *waits* while it holds its alarm. To *call* is to take the alarm out and, once the baton has been put
//! down, to ring it; the entry stays, so that later takers know who is before them. An alarm rings the waker that its
//! taker registered last, so an entry may be called and its taker wait again, by a letter in the inbox.

use crate::{
    handoff::{Baton, NOTES, Settle},
    sync::{AtomicUsize, AtomicWord, Ordering, SignedWord, Word},
    util::shrink::shrink,
    wait::{
        notify::{Alarm, Sleeper},
        spin::{Probe, Taking},
        wake_list::Batch,
        wake_stack::{Inbox, Letter},
        waker_ref::WakeUp,
    },
};
use alloc::{collections::VecDeque, vec::Vec};
use core::{mem, task::Waker};

/// Memory for as many calls is kept.
const SMALL: usize = 64;

/// The source has woken.
const WOKEN: usize = NOTES[0];
/// There is a letter in the inbox.
pub(super) const ARRIVED: usize = NOTES[1];

/// What all takers share.
#[derive(Debug)]
pub(super) struct Turns {
    inbox: Inbox<Ticket>,
    next_ticket: AtomicWord,
    /// Whether to look again for a baton that is held.
    pub(super) probe: Probe<Taking>,
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
pub(super) struct Line {
    /// In the order of their tickets.
    entries: VecDeque<Entry>,
    /// How many entries wait.
    waiting: usize,
    /// How often somebody came.
    visits: u64,
    /// To be rung, or only dropped, when the baton is down.
    calls: Vec<Alarm<Letter<Ticket>>>,
    /// The source's last poll was pending, and it has not woken since.
    idle: bool,
}

#[derive(Debug)]
struct Entry {
    ticket: Word,
    /// The number of its last visit with the baton in hand. A visit in vain, by letter, does not count: else two
    /// takers could keep each other from their turns.
    visit: u64,
    alarm: Option<Alarm<Letter<Ticket>>>,
}

/// What a taker may do that has the baton.
pub(super) enum Turn {
    /// It is its turn.
    Poll,
    /// Others were called before it: once round the executor.
    GiveWay,
    /// Others are before it, and there is nothing to have.
    Wait,
}

pub(super) fn baton() -> Baton<Turns> {
    let turns = Turns {
        inbox: Inbox::new(),
        next_ticket: AtomicWord::new(0),
        probe: Probe::new(),
    };
    let line = Line {
        entries: VecDeque::new(),
        waiting: 0,
        visits: 0,
        calls: Vec::new(),
        idle: false,
    };
    Baton::new(turns, line)
}

/// Whether a ticket is older. The numbers may wrap: two are compared rightly, and told apart, as long as fewer than half of all
/// were given out between them. That is for ever with 64 bits. With 32, where no more can be exchanged at once, a taker that stays
/// away for as long as 2³¹ others begin to wait may lose its place, or a wake, to one of them.
fn before(ticket: Word, other: Word) -> bool {
    (ticket.wrapping_sub(other) as SignedWord) < 0
}

impl Settle for Turns {
    type State = Line;
    type After = Option<Batch<Letter<Ticket>>>;

    #[inline]
    fn is_settled(&self, line: &Line) -> bool {
        // A letter that is in comes with a note, which is left after it.
        (line.idle || line.waiting == 0) && line.calls.is_empty()
    }

    fn settle(&self, line: &mut Line, notes: usize, after: &mut Self::After) {
        if notes & WOKEN != 0 {
            line.idle = false;
        }
        line.collect(self);
        if !line.idle && line.waiting > 0 {
            line.waiting = 0;
            let called = line
                .entries
                .iter_mut()
                .filter_map(|entry| entry.alarm.take());
            line.calls.extend(called);
        }
        if !line.calls.is_empty() {
            after.get_or_insert_default().extend(line.calls.drain(..));
            line.calls.shrink_to(SMALL);
        }
    }

    fn follow_up(&self, calls: Self::After) {
        drop(calls);
    }
}

impl WakeUp for Baton<Turns> {
    /// The wake of the source.
    fn wake_up(&self) {
        self.tell(WOKEN);
    }
}

impl Line {
    /// Reads the letters: puts in line who has come, strikes off who has gone.
    fn collect(&mut self, turns: &Turns) {
        if turns.inbox.is_empty() {
            return;
        }
        for alarm in turns.inbox.drain() {
            // Ordering: Relaxed, written before the letter was put in; `drain` synchronises.
            let ticket = alarm.number.load(Ordering::Relaxed);
            // Ordering: Relaxed, as above.
            if alarm.gone.load(Ordering::Relaxed) != 0 {
                self.strike(ticket);
                self.calls.push(alarm);
            } else {
                self.insert(ticket, Some(alarm));
            }
        }
    }

    /// Whether nobody else is there: then it is the turn of whoever comes, who goes on to poll the source.
    #[inline]
    pub(super) fn begins_empty(&mut self, turns: &Turns) -> bool {
        let is_empty = turns.inbox.is_empty() && self.entries.is_empty();
        // What holds unless the poll to come is pending, and if it panics.
        if is_empty && self.idle {
            self.idle = false;
        }
        is_empty
    }

    /// Decides what the taker may do.
    pub(super) fn turn(&mut self, turns: &Turns, place: &mut Place) -> Turn {
        self.collect(turns);
        while let Some(front) = self.entries.front() {
            if place.ticket.is_some_and(|mine| !before(front.ticket, mine)) {
                break;
            }
            if self.idle {
                return Turn::Wait;
            }
            if place.gave_way_to != Some(front.visit) {
                place.gave_way_to = Some(front.visit);
                self.come(place.ticket(turns), None);
                return Turn::GiveWay;
            }
            let alarm = self.strike(front.ticket);
            self.calls.extend(alarm);
        }
        // As in `begins_empty`.
        self.idle = false;
        Turn::Poll
    }

    /// The taker waits, at its old place if it has one.
    pub(super) fn join(&mut self, turns: &Turns, place: &mut Place, waker: &Waker) {
        let ticket = place.ticket(turns);
        let alarm = place.alarm(waker);
        self.come(ticket, Some(alarm));
    }

    /// The source has nothing for the taker.
    #[inline(never)]
    pub(super) fn rest(&mut self, turns: &Turns, place: &mut Place, waker: &Waker) {
        self.join(turns, place, waker);
        self.idle = true;
    }

    /// The taker has got what it came for.
    #[cold]
    pub(super) fn leave(&mut self, place: &mut Place) {
        place.gave_way_to = None;
        if let Some(ticket) = place.ticket.take() {
            self.strike(ticket);
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
    fn come(&mut self, ticket: Word, alarm: Option<Alarm<Letter<Ticket>>>) {
        let at = self.insert(ticket, alarm);
        self.entries[at].visit = self.visits;
        self.visits += 1;
    }

    fn insert(&mut self, ticket: Word, alarm: Option<Alarm<Letter<Ticket>>>) -> usize {
        let at = self.find(ticket).unwrap_or_else(|at| {
            let visit = self.visits;
            self.visits = visit + 1;
            let entry = Entry {
                ticket,
                visit,
                alarm: None,
            };
            self.entries.insert(at, entry);
            at
        });
        self.waiting += usize::from(alarm.is_some());
        let replaced = mem::replace(&mut self.entries[at].alarm, alarm);
        self.waiting -= usize::from(replaced.is_some());
        at
    }

    /// Takes the entry out, if it is there, and with it the alarm of one that waits.
    fn strike(&mut self, ticket: Word) -> Option<Alarm<Letter<Ticket>>> {
        let at = self.find(ticket).ok()?;
        let alarm = self.entries.remove(at)?.alarm;
        shrink(&mut self.entries);
        self.waiting -= usize::from(alarm.is_some());
        alarm
    }
}

/// A taker's side: its ticket while it waits, and what it is woken by once it has had to wait.
#[derive(Debug)]
pub(super) struct Place {
    ticket: Option<Word>,
    /// The visit of the taker that this one gave way to last.
    gave_way_to: Option<u64>,
    sleeper: Option<Sleeper<Letter<Ticket>>>,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            ticket: None,
            gave_way_to: None,
            sleeper: None,
        }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.ticket.is_some()
    }

    fn ticket(&mut self, turns: &Turns) -> Word {
        *self.ticket.get_or_insert_with(|| {
            // Ordering: Relaxed, only the order of the numbers matters.
            turns.next_ticket.fetch_add(1, Ordering::Relaxed)
        })
    }

    fn sleeper(&mut self) -> &mut Sleeper<Letter<Ticket>> {
        self.sleeper.get_or_insert_with(|| {
            Sleeper::new(Letter::new(Ticket {
                number: AtomicWord::new(0),
                gone: AtomicUsize::new(0),
            }))
        })
    }

    /// An alarm that rings `waker`.
    fn alarm(&mut self, waker: &Waker) -> Alarm<Letter<Ticket>> {
        let sleeper = self.sleeper();
        sleeper.register(waker);
        sleeper.alarm()
    }

    /// Another task than that of this waker is not woken any more.
    #[inline(always)]
    pub(super) fn clear_for(&mut self, waker: &Waker) {
        if let Some(sleeper) = &mut self.sleeper {
            sleeper.clear_for(waker);
        }
    }

    /// Nobody is woken any more.
    pub(super) fn clear(&mut self) {
        if let Some(sleeper) = &mut self.sleeper {
            sleeper.clear();
        }
    }

    /// Joins the line by letter, while another has the baton. A note has to follow.
    pub(super) fn queue_up(&mut self, turns: &Turns, waker: &Waker) {
        let ticket = self.ticket(turns);
        let alarm = self.alarm(waker);
        // Ordering: Relaxed, the inbox publishes it.
        alarm.number.store(ticket, Ordering::Relaxed);
        turns.inbox.put(alarm);
    }

    /// Leaves the line by letter, for good. True if a note has to follow.
    pub(super) fn give_up(&mut self, turns: &Turns) -> bool {
        let Some(ticket) = self.ticket else {
            return false;
        };
        let sleeper = self.sleeper();
        // The wakers are dropped here, not by the holder of the baton.
        sleeper.clear();
        // Ordering: Relaxed, the inbox publishes both.
        sleeper.number.store(ticket, Ordering::Relaxed);
        sleeper.gone.store(1, Ordering::Relaxed);
        turns.inbox.put(sleeper.alarm());
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
            let baton = baton();
            let mut held = baton.try_take().unwrap();
            held.with(|turns, line| {
                let (mut old, mut new) = (Place::new(), Place::new());
                line.join(turns, &mut old, Waker::noop());
                turns.next_ticket.store(others as Word, Ordering::Relaxed);
                line.join(turns, &mut new, Waker::noop());
                let tickets: Vec<_> = line.entries.iter().map(|entry| entry.ticket).collect();
                assert_eq!(tickets, [0, others as Word]);
                line.rest(turns, &mut new, Waker::noop());
                assert!(matches!(line.turn(turns, &mut new), Turn::Wait));
                assert!(matches!(line.turn(turns, &mut old), Turn::Poll));
                line.leave(&mut old);
                assert_eq!(line.entries.len(), 1);
                line.leave(&mut new);
                assert_eq!((line.entries.len(), line.waiting), (0, 0));
            });
        }
    }
}
