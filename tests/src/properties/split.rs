//! `split_by`: each item goes to the part of its key, and waits there. The model knows what waits,
//! so it knows whether the source may be held back, and by whom.

use super::{
    Pair,
    environment::{self, Caught, Site, Trap},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
};
use aiter_core::{Part, SplitBy, split_by};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

type Item = environment::Item;
type Key = fn(&Item) -> usize;

/// How many keys there are: an item's key is its number, modulo this.
const KEYS: usize = 3;

/// The operations on the outer stream and the parts. A number selects one, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    Poll { consumer: u8, fresh: bool },
    PollAll,
    Drop(u8),
    Source(SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=31)?;
        Ok(match kind {
            0..=14 => Op::Poll {
                consumer: u.arbitrary()?,
                fresh: u.int_in_range(0..=3)? == 3,
            },
            15 => Op::PollAll,
            16..=17 => Op::Drop(u.arbitrary()?),
            18..=28 => Op::Source(u.arbitrary()?),
            _ => Op::Trap(u.arbitrary()?),
        })
    }
}

#[derive(Debug)]
enum Stage {
    Outer(SplitBy<Items, usize, Key>),
    Part(usize, Part<Items, usize, Key>),
}

#[derive(Debug)]
struct Consumer {
    stage: Stage,
    ended: bool,
    waits: Waits,
}

impl Handle for Consumer {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// What a poll gave.
enum Given {
    Item(Item),
    Part(usize, Part<Items, usize, Key>),
}

impl Stage {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Given>> {
        match self {
            Self::Outer(outer) => Pin::new(outer)
                .poll_next(cx)
                .map(|next| next.map(|(key, part)| Given::Part(key, part))),
            Self::Part(_, part) => Pin::new(part)
                .poll_next(cx)
                .map(|next| next.map(Given::Item)),
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            Self::Outer(outer) => outer.is_terminated(),
            Self::Part(_, part) => part.is_terminated(),
        }
    }
}

/// What waits for one key.
#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<usize>,
    is_taken: bool,
}

/// A source that is split, with up to `N` items in each part.
#[derive(Debug)]
pub(super) struct Split<const N: usize> {
    source: Rc<Source>,
    consumers: Handles<Consumer>,
    keys: RefCell<[Waiting; KEYS]>,
    /// How many items of the source the model has put into `keys`.
    put: Cell<usize>,
    outer_dropped: Cell<bool>,
    /// The drop of the source has panicked.
    drop_panicked: Cell<bool>,
    /// A panic took an item, or a part, along. From then on the model knows too little.
    unsure: Cell<bool>,
}

impl<const N: usize> Split<N> {
    /// Puts what the source has yielded where it belongs.
    fn put(&self) {
        let mut keys = self.keys.borrow_mut();
        for item in self.source.since(self.put.get()) {
            let waiting = &mut keys[item % KEYS];
            if waiting.is_taken || !self.outer_dropped.get() {
                waiting.items.push_back(item);
            }
        }
        self.put.set(self.source.yielded());
    }

    /// Whether the last item is in hand: its part is full, or `N` parts wait already.
    fn is_held(&self) -> bool {
        let keys = self.keys.borrow();
        let untaken = keys
            .iter()
            .filter(|waiting| !waiting.is_taken && !waiting.items.is_empty());
        untaken.count() > N || keys.iter().any(|waiting| waiting.items.len() > N)
    }

    fn has_something(&self, stage: &Stage) -> bool {
        let keys = self.keys.borrow();
        match stage {
            Stage::Outer(_) => keys
                .iter()
                .any(|waiting| !waiting.is_taken && !waiting.items.is_empty()),
            Stage::Part(key, _) => !keys[*key].items.is_empty(),
        }
    }

    fn has_panicked(&self) -> bool {
        self.source.panics.get() > 0 || self.drop_panicked.get()
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut consumer) = self.consumers.take(at) else {
            return;
        };
        let polled = consumer.waits.poll(fresh, |cx| consumer.stage.poll(cx));
        self.put();
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(given))) => {
                assert!(!consumer.ended, "something comes after the end");
                match given {
                    Given::Item(given) => {
                        self.take_item(&consumer.stage, given.id());
                        item = Some(given);
                    }
                    Given::Part(key, part) => {
                        let waiting = &mut self.keys.borrow_mut()[key];
                        let has_items = !waiting.items.is_empty();
                        assert!(
                            self.unsure.get() || !waiting.is_taken && has_items,
                            "a part without an item, or beside another one"
                        );
                        waiting.is_taken = true;
                        self.consumers.add(|waits| Consumer {
                            stage: Stage::Part(key, part),
                            ended: false,
                            waits,
                        });
                    }
                }
            }
            Ok(Poll::Ready(None)) => {
                assert!(
                    self.source.ended.get() || self.has_panicked(),
                    "ended too early"
                );
                assert!(
                    self.unsure.get() || !self.has_something(&consumer.stage),
                    "ended before what waits"
                );
                consumer.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(!consumer.ended, "pending after the end");
            }
            Err(Caught::Planned(site)) => {
                // An item or a part may have been taken, and was dropped.
                if matches!(site, Site::Wake | Site::WakerDrop | Site::Drop) {
                    self.unsure.set(true);
                }
                if site == Site::SourceDrop {
                    self.drop_panicked.set(true);
                }
                consumer.ended = consumer.stage.is_terminated();
            }
            Err(Caught::Reported) => {
                assert!(self.has_panicked(), "nothing has panicked");
                assert!(
                    self.unsure.get() || !self.has_something(&consumer.stage),
                    "a panic comes before what waits"
                );
                consumer.ended = true;
            }
        }
        self.consumers.put(at, consumer);
        environment::drop_value(item);
    }

    fn take_item(&self, stage: &Stage, item: usize) {
        let Stage::Part(key, _) = stage else {
            panic!("the outer stream has no items");
        };
        assert_eq!(item % KEYS, *key, "an item of another key");
        let items = &mut self.keys.borrow_mut()[*key].items;
        match self.unsure.get() {
            true => while items.pop_front().is_some_and(|lost| lost != item) {},
            false => assert_eq!(items.pop_front(), Some(item), "an item is lost"),
        }
    }
}

impl<const N: usize> Pair for Split<N> {
    type Op = Op;

    fn new() -> Self {
        let source = Source::new();
        let consumers = Handles::new();
        let key: Key = |item| item.id() % KEYS;
        consumers.add(|waits| Consumer {
            stage: Stage::Outer(split_by(N, key, Items::items(&source, |_| {}))),
            ended: false,
            waits,
        });
        Self {
            source,
            consumers,
            keys: RefCell::default(),
            put: Cell::new(0),
            outer_dropped: Cell::new(false),
            drop_panicked: Cell::new(false),
            unsure: Cell::new(false),
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { consumer, fresh } => {
                if let Some(at) = self.consumers.pick(consumer) {
                    self.poll_with(at, fresh);
                }
            }
            Op::PollAll => self
                .consumers
                .numbers()
                .into_iter()
                .for_each(|at| self.poll_one(at)),
            Op::Drop(n) => {
                if let Some(at) = self.consumers.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Source(op) => self.source.op(op),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        self.poll_with(handle, false);
    }

    fn drop_one(&self, handle: usize) {
        let Some(consumer) = self.consumers.take(handle) else {
            return;
        };
        self.put();
        {
            let mut keys = self.keys.borrow_mut();
            match consumer.stage {
                Stage::Outer(_) => {
                    self.outer_dropped.set(true);
                    for waiting in keys.iter_mut().filter(|waiting| !waiting.is_taken) {
                        waiting.items.clear();
                    }
                }
                Stage::Part(key, _) => {
                    let waiting = &mut keys[key];
                    waiting.is_taken = false;
                    // The item in hand finds another part.
                    let ended = self.has_panicked() || self.outer_dropped.get();
                    let gone = if ended { usize::MAX } else { N };
                    waiting.items.drain(..gone.min(waiting.items.len()));
                }
            }
        }
        environment::drop_value(consumer);
    }

    fn check(&self) {
        self.put();
        let source = &self.source;
        let mut count = 0;
        let ended = source.ended.get() || self.has_panicked();
        let held = self.is_held();
        self.consumers.each(|consumer| {
            count += 1;
            if consumer.waits.sleeps() {
                assert!(!consumer.ended && !ended, "sleeps after the end");
                let may_sleep = source.idle.get() || held;
                assert!(may_sleep || self.unsure.get(), "stranded");
                let has_something = self.has_something(&consumer.stage);
                assert!(!has_something || self.unsure.get(), "has something to take");
            }
            assert_eq!(consumer.stage.is_terminated(), consumer.ended);
        });
        assert_eq!(
            source.dropped.get(),
            ended || count == 0,
            "the source lives as long as it is needed"
        );
        if !self.unsure.get() {
            let waiting: usize = self.keys.borrow().iter().map(|key| key.items.len()).sum();
            let alive = environment::all_alive();
            // The item in hand may be one that is dropped by the next poll.
            assert!(
                alive == waiting || self.outer_dropped.get() && alive == waiting + 1,
                "{alive} items are kept, and {waiting} wait"
            );
        }
        if environment::is_plain() {
            assert!(environment::live_wakers() <= 2 * count, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.consumers.run(|at| self.poll_one(at));
    }
}
