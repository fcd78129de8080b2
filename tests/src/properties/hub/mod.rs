//! A push hub. Its model is the log of the items that were pushed, and a place in it for each
//! reader.
//!
//! In the middle of a batch, steps that run within it leave the hub's handles alone, because the
//! model does not know how much of the batch has been pushed by then.

mod kind;
mod op;

pub(super) use kind::{Latest, Lossless};

use super::{
    Pair,
    environment::{self, Caught, Item, Site, catch},
    event::{Event, EventWait, FIRST_WAIT, due},
    handle::{Handle, Handles, Waits},
};
use aiter_core::{PushHub, Stopped, TryNextError, WeakPushHub, bound, push_hub};
use kind::{Any, Kind};
use op::{Op, Own};
use std::{
    cell::{Cell, RefCell},
    task::Poll,
};

struct Reader {
    aiter: Any,
    own: Own,
    /// How much of the log it has passed, or had missed when it was made.
    at: usize,
    /// A reader that may miss items may have lost those before this place to a panic.
    lost: usize,
    /// It may have lost the count of what it missed to a panic.
    is_unsure: bool,
    has_taken: bool,
    has_ended: bool,
    /// It was made after the stop of a hub that retains nothing, and does not count.
    is_late: bool,
    waits: Waits,
}

impl Handle for Reader {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.aiter.is_terminated()
    }
}

/// How many items a block of the list has, at most.
const BLOCK: usize = 64;

/// A hub and its readers.
pub(super) struct Hubs<K: Kind> {
    hubs: Handles<PushHub<Item, K::Bound>>,
    /// How many handles keep it open, including those in use.
    open: Cell<usize>,
    weak: Handles<WeakPushHub<Item, K::Bound>>,
    readers: Handles<Reader>,
    /// Whether there was a reader.
    had_reader: Cell<bool>,
    /// The least and the largest limit of all readers that might miss items.
    limits: Cell<(usize, usize)>,
    /// How many readers count, including those that are being polled.
    counted: Cell<usize>,
    waits: Handles<EventWait<PushHub<Item, K::Bound>>>,
    log: RefCell<Vec<usize>>,
    /// Readers that may miss items may have lost those before this place, because their clone
    /// panicked.
    lost: Cell<usize>,
    stopped: Cell<bool>,
    /// A batch is being pushed.
    in_batch: Cell<bool>,
}

impl<K: Kind> Hubs<K> {
    fn pushed(&self) -> usize {
        self.log.borrow().len()
    }

    /// How much of the log a reader has passed or missed.
    fn place(&self, reader: &Reader) -> usize {
        match reader.own {
            Own::Unbounded => reader.at,
            Own::Skip(n) => reader.at.max(self.pushed().saturating_sub(n)),
        }
    }

    /// The same, with all that it may have lost to panics.
    fn last_place(&self, reader: &Reader) -> usize {
        let place = self.place(reader);
        match reader.own {
            Own::Unbounded => place,
            Own::Skip(_) => place.max(reader.lost).max(self.lost.get()),
        }
    }

    /// How many items the hub itself keeps.
    fn retained(&self) -> usize {
        match self.open.get() {
            0 => 0,
            _ => K::RETAINS.min(self.pushed()),
        }
    }

    /// Notes the result of what may spring traps. Any call may clone items for the readers that may
    /// miss some, and if that panics they lose what has been pushed.
    fn note<R>(&self, result: Result<R, Caught>) -> Result<R, Caught> {
        if let Err(Caught::Planned(Site::Clone)) = result {
            self.lost.set(self.pushed());
        }
        result
    }

    fn catch<R>(&self, f: impl FnOnce() -> R) -> Result<R, Caught> {
        self.note(catch(f))
    }

    fn with_hub(&self, n: u8, f: impl FnOnce(&PushHub<Item, K::Bound>)) {
        if self.in_batch.get() {
            return;
        }
        if let Some((at, hub)) = self.hubs.pick_out(n) {
            f(&hub);
            self.hubs.put(at, hub);
        }
    }

    fn is(&self, event: Event) -> bool {
        match event {
            Event::Idle => self.counted.get() == 0,
            Event::Occupied => self.counted.get() > 0,
            Event::Stopped => self.stopped.get(),
        }
    }

    fn push(&self, hub: &PushHub<Item, K::Bound>) {
        let item = Item::new();
        let (id, is_stopped) = (item.id(), self.stopped.get());
        if !is_stopped {
            self.log.borrow_mut().push(id);
        }
        // A panic takes nothing from the readers: the item was pushed before.
        if let Ok(pushed) = self.catch(|| hub.push(item)) {
            assert_eq!(pushed.is_err(), is_stopped);
            if let Err(Stopped(item)) = pushed {
                assert_eq!(item.id(), id);
                environment::drop_value(item);
            }
        }
    }

    fn push_all(&self, hub: &PushHub<Item, K::Bound>, items: usize) {
        let items: Vec<_> = (0..items).map(|_| Item::new()).collect();
        let ids: Vec<_> = items.iter().map(Item::id).collect();
        let is_stopped = self.stopped.get();
        if !is_stopped {
            self.log.borrow_mut().extend(&ids);
        }
        self.in_batch.set(true);
        let pushed = self.catch(|| hub.push_all(items));
        self.in_batch.set(false);
        match pushed {
            Ok(Ok(())) => assert!(!is_stopped || ids.is_empty()),
            Ok(Err(Stopped(items))) => {
                assert!(is_stopped && items.iter().map(Item::id).eq(ids));
                items.into_iter().for_each(environment::drop_value);
            }
            // The rest of the batch was lost.
            Err(_) => self.log.borrow_mut().truncate(hub.statistics().pushed),
        }
    }

    /// Counts a reader that was made.
    fn count(&self) {
        self.had_reader.set(true);
        self.counted.set(self.counted.get() + 1);
        if self.counted.get() == 1 {
            due(&self.waits, Event::Occupied);
        }
    }

    fn join(&self, hub: &PushHub<Item, K::Bound>, replays: bool, own: Option<Own>) {
        self.readers.try_add(|waits| {
            let bound = own.unwrap_or(K::OWN);
            let most = match bound {
                Own::Unbounded => usize::MAX,
                Own::Skip(n) => n,
            };
            let start = || {
                let last = if replays { K::RETAINS.min(most) } else { 0 };
                self.pushed().saturating_sub(last)
            };
            let (first, sprung) = (start(), environment::sprung());
            let is_late = self.stopped.get() && K::RETAINS == 0;
            let aiter = self.catch(|| match (own, replays) {
                (None, false) => K::reader(hub.subscribe()),
                (None, true) => K::reader(hub.replay()),
                (Some(Own::Unbounded), false) => {
                    Any::Lossless(hub.subscribe_with(bound::unbounded()))
                }
                (Some(Own::Unbounded), true) => Any::Lossless(hub.replay_with(bound::unbounded())),
                (Some(Own::Skip(n)), false) => Any::Lossy(hub.subscribe_with(bound::skip(n))),
                (Some(Own::Skip(n)), true) => Any::Lossy(hub.replay_with(bound::skip(n))),
            });
            let aiter = aiter.ok()?;
            // What is pushed within the call comes before its moment or after it.
            let is_disturbed = sprung != environment::sprung();
            let (at, lost) = match &aiter {
                Any::Lossless(aiter) if is_disturbed => {
                    let at = self.pushed() - aiter.len();
                    assert!((first..=start()).contains(&at), "starts at {at}");
                    (at, 0)
                }
                _ => (first, if is_disturbed { start() } else { 0 }),
            };
            if !is_late {
                self.count();
            }
            if let Own::Skip(n) = bound {
                let (least, most) = self.limits.get();
                self.limits.set((least.min(n), most.max(n)));
            }
            Some(Reader {
                aiter,
                own: bound,
                at,
                lost,
                is_unsure: false,
                has_taken: false,
                has_ended: false,
                is_late,
                waits,
            })
        });
    }

    fn fork(&self, n: u8) {
        let Some((number, mut parent)) = self.readers.pick_out(n) else {
            return;
        };
        self.readers.try_add(|waits| {
            let aiter = self.catch(|| parent.aiter.fork()).ok()?;
            if !parent.is_late {
                self.count();
            }
            Some(Reader {
                aiter,
                waits,
                ..parent
            })
        });
        self.readers.put(number, parent);
    }

    /// Takes the next item of a reader, in one of the possible ways.
    fn take(
        &self,
        number: usize,
        take: impl FnOnce(&mut Reader) -> Result<Poll<Option<(usize, Item)>>, Caught>,
    ) {
        let Some(mut reader) = self.readers.take(number) else {
            return;
        };
        let may_miss = matches!(reader.own, Own::Skip(_));
        if may_miss && self.in_batch.get() {
            return self.readers.put(number, reader);
        }
        let (sprung, before) = (environment::sprung(), self.place(&reader));
        let found = take(&mut reader);
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        let (now, last) = (self.place(&reader), self.last_place(&reader));
        let mut taken_item = None;
        match found {
            Ok(Poll::Ready(Some((missed, item)))) => {
                let taken = self.log.borrow().iter().rposition(|id| *id == item.id());
                let taken = taken.expect("an item of the hub");
                assert!((before..=last).contains(&taken), "{before} {taken} {last}");
                assert!(!undisturbed || last > now || taken == now, "{now} {taken}");
                if !reader.is_unsure {
                    let expected = match reader.has_taken {
                        true => taken - reader.at,
                        false => 0,
                    };
                    assert_eq!(missed, expected, "missed");
                }
                (reader.at, reader.has_taken, reader.is_unsure) = (taken + 1, true, false);
                taken_item = Some(item);
            }
            Ok(Poll::Ready(None)) => {
                assert!(
                    self.stopped.get() && last >= self.pushed(),
                    "ended too early"
                );
                reader.has_ended = true;
            }
            Ok(Poll::Pending) => {
                let has_nothing = last >= self.pushed() && !self.stopped.get();
                assert!(!undisturbed || has_nothing, "pending");
            }
            // The item may have gone with the panic.
            Err(_) => match &reader.aiter {
                Any::Lossless(aiter) => reader.at = self.pushed() - aiter.len(),
                Any::Lossy(_) => {
                    (reader.lost, reader.is_unsure) = (self.pushed(), true);
                    // It has come to the end if the drop of its waker panicked there.
                    reader.has_ended = reader.aiter.is_terminated();
                    assert!(!reader.has_ended || self.stopped.get(), "ended too early");
                }
            },
        }
        self.readers.put(number, reader);
        environment::drop_value(taken_item);
    }

    fn poll_with(&self, number: usize, fresh: bool) {
        self.take(number, |reader| {
            let Reader { aiter, waits, .. } = reader;
            self.note(waits.poll(fresh, |cx| aiter.poll(cx)))
        });
    }

    fn try_next(&self, number: usize) {
        self.take(number, |reader| {
            reader.waits.repoll();
            self.catch(|| match reader.aiter.try_next() {
                Ok(item) => Poll::Ready(Some(item)),
                Err(TryNextError::Ended) => Poll::Ready(None),
                Err(TryNextError::Empty) => Poll::Pending,
            })
        });
    }

    fn wait(&self, hub: &PushHub<Item, K::Bound>, event: Event) {
        self.waits.add(|waits| {
            let hub = hub.clone();
            let wait = match event {
                Event::Idle => EventWait::new(event, waits, async move {
                    hub.idle().await;
                    Some(hub)
                }),
                Event::Occupied => EventWait::new(event, waits, async move {
                    hub.occupied().await;
                    Some(hub)
                }),
                Event::Stopped => {
                    let stopped = hub.stopped();
                    EventWait::new(event, waits, async move {
                        stopped.await;
                        None
                    })
                }
            };
            self.open
                .set(self.open.get() + usize::from(wait.has_handle()));
            wait
        });
    }

    fn poll_wait(&self, number: usize, fresh: bool) {
        let Some(mut wait) = self.waits.take(number) else {
            return;
        };
        let has_handle = wait.has_handle();
        match wait.poll(fresh, |event| self.is(event)) {
            Ok(polled) => {
                self.waits.put(number, wait);
                if let Poll::Ready(Some(hub)) = polled {
                    self.drop_hub(hub);
                }
            }
            // The panic has taken the future along, with its handle.
            Err(_) => {
                if has_handle {
                    self.close_one();
                }
                environment::drop_value(wait);
            }
        }
    }

    /// Records that a handle which keeps the hub open is about to be dropped.
    fn close_one(&self) {
        self.open.set(self.open.get() - 1);
        if self.open.get() == 0 {
            self.stop();
        }
    }

    fn stop(&self) {
        if !self.stopped.replace(true) {
            due(&self.waits, Event::Stopped);
        }
    }

    fn drop_hub(&self, hub: PushHub<Item, K::Bound>) {
        self.close_one();
        self.catch(|| drop(hub)).ok();
    }
}

impl<K: Kind> Pair for Hubs<K> {
    type Op = Op;

    fn new() -> Self {
        let hubs = Handles::new();
        hubs.add(|_| push_hub(K::bound()));
        Self {
            hubs,
            open: Cell::new(1),
            weak: Handles::new(),
            readers: Handles::new(),
            had_reader: Cell::new(false),
            limits: Cell::new((usize::MAX, 0)),
            counted: Cell::new(0),
            waits: Handles::from_number(FIRST_WAIT),
            log: RefCell::default(),
            lost: Cell::new(0),
            stopped: Cell::new(false),
            in_batch: Cell::new(false),
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Push { hub, times } => {
                self.with_hub(hub, |hub| (0..times).for_each(|_| self.push(hub)));
            }
            Op::PushAll { hub, items } => self.with_hub(hub, |hub| self.push_all(hub, items)),
            Op::Join { hub, replays, own } => {
                self.with_hub(hub, |hub| self.join(hub, replays, own));
            }
            Op::Fork(n) => self.fork(n),
            Op::Poll { reader, fresh } => {
                if let Some(at) = self.readers.pick(reader) {
                    self.poll_with(at, fresh);
                }
            }
            Op::TryNext { reader, times } => {
                if let Some(at) = self.readers.pick(reader) {
                    (0..times).for_each(|_| self.try_next(at));
                }
            }
            Op::PollAll => {
                let waits = self.waits.numbers();
                let all = self.readers.numbers().into_iter().chain(waits);
                all.for_each(|at| self.poll_one(at));
            }
            Op::DropReader(n) => {
                if let Some(at) = self.readers.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::CloneHub(n) => self.with_hub(n, |hub| {
                self.hubs.add(|_| {
                    self.open.set(self.open.get() + 1);
                    hub.clone()
                });
            }),
            Op::DropHub(n) => {
                if let Some((_, hub)) = self.hubs.pick_out(n) {
                    self.drop_hub(hub);
                }
            }
            Op::Downgrade(n) => self.with_hub(n, |hub| self.weak.add(|_| hub.downgrade())),
            Op::Upgrade(n) => {
                if let Some((at, weak)) = self.weak.pick_out(n) {
                    self.hubs.try_add(|_| {
                        let hub = weak.upgrade();
                        assert_eq!(hub.is_some(), self.open.get() > 0, "upgrade");
                        self.open.set(self.open.get() + usize::from(hub.is_some()));
                        hub
                    });
                    self.weak.put(at, weak);
                }
            }
            Op::Wait(n, event) => self.with_hub(n, |hub| self.wait(hub, event)),
            Op::PollWait { wait, fresh } => {
                if let Some(at) = self.waits.pick(wait) {
                    self.poll_wait(at, fresh);
                }
            }
            Op::DropWait(n) => {
                if let Some(at) = self.waits.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Stop(n) => self.with_hub(n, |hub| {
                self.stop();
                self.catch(|| hub.stop()).ok();
            }),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        if self.waits.has_number(handle) {
            self.poll_wait(handle, false);
        } else {
            self.poll_with(handle, false);
        }
    }

    fn drop_one(&self, handle: usize) {
        if let Some(wait) = self.waits.take(handle) {
            if wait.has_handle() {
                self.close_one();
            }
            self.catch(|| drop(wait)).ok();
        } else if let Some(reader) = self.readers.take(handle) {
            if !reader.is_late {
                self.counted.set(self.counted.get() - 1);
                if self.counted.get() == 0 {
                    due(&self.waits, Event::Idle);
                }
            }
            self.catch(|| drop(reader)).ok();
        }
    }

    fn check(&self) {
        let (log, stopped) = (self.log.borrow(), self.stopped.get());
        let pushed = log.len();
        let are_alive = |from: usize| log[from..].iter().all(|item| environment::alive(*item) > 0);
        assert!(
            are_alive(pushed - self.retained()),
            "a retained item is lost"
        );
        self.hubs.each(|hub| {
            assert_eq!(hub.is_stopped(), stopped);
            assert_eq!(hub.readers(), self.counted.get());
            if environment::is_plain() {
                assert_eq!(hub.statistics().pushed, pushed);
            }
        });
        self.readers.each(|reader| {
            assert!(are_alive(self.last_place(reader)), "an item is lost");
            assert_eq!(reader.aiter.is_stopped(), stopped);
            let has_nothing = self.last_place(reader) >= pushed && !stopped;
            assert!(!reader.waits.sleeps() || has_nothing, "stranded");
            match &reader.aiter {
                Any::Lossless(aiter) => {
                    let there = aiter.available_iter().map(Item::id);
                    assert!(there.eq(log[reader.at..].iter().copied()), "available");
                    assert_eq!(aiter.len(), pushed - reader.at);
                    let has_ended = stopped && reader.at == pushed;
                    assert_eq!(reader.aiter.is_terminated(), has_ended);
                }
                Any::Lossy(_) => assert_eq!(reader.aiter.is_terminated(), reader.has_ended),
            }
        });
        self.waits.each(|wait| wait.check(|event| self.is(event)));
        if environment::is_plain() {
            self.check_exactly(pushed);
        }
    }

    fn wind_up(&self) {
        // Tasks that wait with a handle of the hub keep it open.
        for at in self.waits.numbers() {
            let mut has_hub = false;
            self.waits.look(at, |wait| has_hub = wait.has_handle());
            if has_hub {
                self.drop_one(at);
            }
        }
        while let Some((_, hub)) = self.hubs.pick_out(0) {
            self.drop_hub(hub);
        }
        self.readers.run(|at| self.poll_one(at));
        self.waits.run(|at| self.poll_one(at));
    }
}

impl<K: Kind> Hubs<K> {
    /// Checks what holds as long as no trap was sprung.
    fn check_exactly(&self, pushed: usize) {
        // The list keeps what the hub retains and what readers that lose nothing have still to
        // take. The others share a ring, which keeps what one of them may take. If their limits
        // were not all the same, items that all have passed may stay there, up to the largest one.
        let (mut listed, mut in_sight) = (self.retained(), 0);
        let mut most = 0;
        let (mut readers, mut waits) = (0, 0);
        self.readers.each(|reader| {
            readers += 1;
            let there = pushed - self.place(reader);
            match reader.own {
                Own::Unbounded => listed = listed.max(there),
                Own::Skip(n) => {
                    in_sight = in_sight.max(there);
                    most = most.max(n);
                }
            }
            if let Some(wakes) = reader.waits.wakes() {
                let has_news = there > 0 || self.stopped.get();
                // A reader that comes to a hub without retained items may wake others.
                let is_exact = K::RETAINS > 0;
                assert!(
                    wakes == usize::from(has_news) || !is_exact && wakes == 1,
                    "{wakes} wakes"
                );
            }
        });
        self.waits.each(|wait| {
            waits += usize::from(!wait.has_ended());
        });
        let alive = environment::all_alive();
        let (least, largest) = self.limits.get();
        let in_ring = if least < largest { most } else { in_sight };
        // What a hub that retains items has passed while a reader was behind may stay until its
        // block is left.
        let in_block = match K::RETAINS > 0 && self.had_reader.get() {
            true => BLOCK,
            false => 0,
        };
        let expected = listed + in_sight..=listed + in_ring + in_block;
        assert!(
            expected.contains(&alive),
            "{alive} items alive, not {expected:?}"
        );
        assert!(
            environment::live_wakers() <= 2 * readers + waits,
            "wakers are kept"
        );
    }
}
