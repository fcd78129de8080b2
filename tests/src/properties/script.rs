//! The source. It does what the steps tell it, one move per poll.

use super::environment::{self, CountsSource, Item, Site};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::Stream;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    thread::panicking,
};

/// What the source does in a poll. Without a move it is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Item,
    Pending,
    /// Wakes, and is pending.
    Woken,
    /// Runs the next step of the sequence first, and then the next move.
    Step,
    Panic,
    End,
}

/// The operations on a source.
#[derive(Clone, Copy, Debug)]
pub(super) enum SourceOp {
    /// Adds moves. It wakes then, unless `silent`.
    Feed {
        moves: Move,
        times: u8,
        silent: bool,
    },
    /// Wakes the waker that it had last.
    Wake,
    /// Wakes a waker that it had before.
    WakeStale,
}

impl<'a> Arbitrary<'a> for SourceOp {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let feed = |moves, times, silent| Self::Feed {
            moves,
            times,
            silent,
        };
        let kind: u8 = u.int_in_range(0..=15)?;
        let times = u.int_in_range(1..=4)?;
        Ok(match kind {
            0..=4 => feed(Move::Item, times, false),
            5 => feed(Move::Item, 10 * times, false),
            6 => feed(Move::Item, times, true),
            7 => feed(Move::Step, 1, true),
            8 => feed(Move::Pending, 1, true),
            9 => feed(Move::Woken, times, false),
            10 => feed(Move::Panic, 1, false),
            11 => feed(Move::End, 1, false),
            12 => Self::WakeStale,
            _ => Self::Wake,
        })
    }
}

/// What a source has still to do, and its state.
#[derive(Debug)]
pub(super) struct Source {
    moves: RefCell<VecDeque<Move>>,
    waker: RefCell<Option<Waker>>,
    stale: RefCell<Vec<Waker>>,
    /// The items that it yielded. For a source of sources, their numbers.
    pub(super) log: RefCell<Vec<usize>>,
    pub(super) polls: Cell<usize>,
    /// Its last poll was pending, and it has not woken since.
    pub(super) idle: Cell<bool>,
    /// How often it woke while it was not idle.
    pub(super) woke_early: Cell<usize>,
    /// Counts wakes and items.
    pub(super) version: Cell<usize>,
    pub(super) ended: Cell<bool>,
    /// How many of its polls panicked.
    pub(super) panics: Cell<usize>,
    pub(super) dropped: Cell<bool>,
    polling: Cell<bool>,
}

impl Source {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            moves: RefCell::default(),
            waker: RefCell::default(),
            stale: RefCell::default(),
            log: RefCell::default(),
            polls: Cell::new(0),
            idle: Cell::new(false),
            woke_early: Cell::new(0),
            version: Cell::new(0),
            ended: Cell::new(false),
            panics: Cell::new(0),
            dropped: Cell::new(false),
            polling: Cell::new(false),
        })
    }

    /// Returns how many items it yielded.
    pub(super) fn yielded(&self) -> usize {
        self.log.borrow().len()
    }

    pub(super) fn op(&self, op: SourceOp) {
        match op {
            SourceOp::Feed {
                moves,
                times,
                silent,
            } => {
                self.feed(moves, times);
                if !silent && self.idle.get() {
                    self.wake();
                }
            }
            SourceOp::Wake => self.wake(),
            SourceOp::WakeStale => {
                let stale = self.stale.borrow_mut().pop();
                if let Some(stale) = stale {
                    // Without a waker of its own it is not idle, and the wake is an early one.
                    if self
                        .waker
                        .borrow()
                        .as_ref()
                        .is_none_or(|waker| waker.will_wake(&stale))
                    {
                        self.woken();
                    }
                    environment::catch(|| stale.wake()).ok();
                }
            }
        }
    }

    pub(super) fn feed(&self, moves: Move, times: u8) {
        for _ in 0..times {
            self.moves.borrow_mut().push_back(moves);
        }
    }

    /// Discards the moves that are left, and ends.
    pub(super) fn end(&self) {
        self.moves.borrow_mut().clear();
        self.feed(Move::End, 1);
        self.wake();
    }

    /// Returns the numbers of the items that it yielded after the first `before`.
    pub(super) fn since(&self, before: usize) -> Vec<usize> {
        self.log.borrow()[before..].to_vec()
    }

    fn woken(&self) {
        if !self.idle.replace(false) {
            self.woke_early.set(self.woke_early.get() + 1);
        }
        self.version.set(self.version.get() + 1);
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            self.woken();
            environment::catch(|| waker.wake()).ok();
        }
    }

    /// Returns the waker that it has, if that belongs to a handle.
    pub(super) fn waker_number(&self) -> Option<usize> {
        self.waker.borrow().as_ref().map(environment::number_of)
    }

    fn arm(&self, waker: &Waker) {
        let waker = waker.clone();
        if let Some(old) = self.waker.borrow_mut().replace(waker) {
            self.stale.borrow_mut().push(old);
        }
        let oldest = {
            let mut stale = self.stale.borrow_mut();
            (stale.len() > 2).then(|| stale.remove(0))
        };
        drop(oldest);
    }
}

/// The stream of a source. It calls `look` when it is polled, and yields what `make` makes.
pub(super) struct Script<T> {
    source: Rc<Source>,
    look: Box<dyn Fn(&Source)>,
    make: Box<dyn Fn(&Source) -> T>,
    _counts: CountsSource,
}

/// A source that yields items.
pub(super) type Items = Script<Item>;

impl<T> Script<T> {
    pub(super) fn new(
        source: &Rc<Source>,
        look: impl Fn(&Source) + 'static,
        make: impl Fn(&Source) -> T + 'static,
    ) -> Self {
        Self {
            source: source.clone(),
            look: Box::new(look),
            make: Box::new(make),
            _counts: CountsSource::new(),
        }
    }
}

impl Items {
    pub(super) fn items(source: &Rc<Source>, look: impl Fn(&Source) + 'static) -> Self {
        Self::new(source, look, |source| {
            let item = Item::new();
            source.log.borrow_mut().push(item.id());
            item
        })
    }
}

impl<T> Stream for Script<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        /// Ends the poll.
        struct Polling<'a>(&'a Source);
        impl Drop for Polling<'_> {
            fn drop(&mut self) {
                self.0.polling.set(false);
                if panicking() {
                    self.0.panics.set(self.0.panics.get() + 1);
                }
            }
        }
        let source = &*self.source;
        assert!(!source.polling.replace(true), "polled within its own poll");
        assert!(!source.ended.get(), "polled after its end");
        let _polling = Polling(source);
        (self.look)(source);
        source.polls.set(source.polls.get() + 1);
        source.idle.set(false);
        environment::spring(Site::Source, None);
        let mut next = source.moves.borrow_mut().pop_front();
        while next == Some(Move::Step) {
            environment::next_step();
            next = source.moves.borrow_mut().pop_front();
        }
        match next {
            Some(Move::Item) => {
                source.version.set(source.version.get() + 1);
                Poll::Ready(Some((self.make)(source)))
            }
            Some(Move::Panic) => environment::panic_at(Site::Source),
            Some(Move::End) => {
                source.ended.set(true);
                Poll::Ready(None)
            }
            Some(Move::Pending | Move::Step) | None => {
                source.arm(cx.waker());
                source.idle.set(true);
                Poll::Pending
            }
            Some(Move::Woken) => {
                source.arm(cx.waker());
                source.woken();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Script<T> {
    fn drop(&mut self) {
        self.source.dropped.set(true);
        self.source.idle.set(false);
        // One at a time, because dropping one may panic or come back here.
        let waker = self.source.waker.borrow_mut().take();
        let _stale = mem::take(&mut *self.source.stale.borrow_mut());
        drop(waker);
        environment::spring(Site::SourceDrop, None);
    }
}

impl<T> fmt::Debug for Script<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
