//! Tests with random calls, and random calls from within those: from the iterator of a batch, from
//! the clone and the drop of an item, and from wakers.

use super::super::{
    block::{FIRST_TAIL, tail_distance},
    shared::List,
};
use super::*;
use alloc::{collections::BTreeMap, rc::Rc};
use core::{
    cell::{Cell, RefCell},
    mem,
    sync::atomic::AtomicBool,
};
use std::{panic::resume_unwind, thread_local};

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

struct World {
    list: Arc<List<Item>>,
    writer: Writer<Item>,
    readers: RefCell<Vec<Handle>>,
    /// The number of the item in each slot.
    items: RefCell<BTreeMap<usize, usize>>,
    live: Cell<isize>,
    next: Cell<usize>,
    random: Cell<u64>,
    depth: Cell<usize>,
    /// How many calls may still be made.
    calls: Cell<usize>,
    panics: bool,
}

struct Handle {
    reader: Reader<Item>,
    /// The reader does not read the slots before this one, or has taken their items.
    from: usize,
    woken: Arc<Flag>,
    sleeps: bool,
    /// A panic may have cost it an item.
    is_lenient: bool,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Relaxed);
        within(8);
    }
}

struct Item(usize);

impl Clone for Item {
    fn clone(&self) -> Self {
        let clone = item(self.0);
        within(6);
        clone
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        let Some(world) = world() else { return };
        world.live.set(world.live.get() - 1);
        within(6);
    }
}

fn world() -> Option<Rc<World>> {
    WORLD.with(|world| world.borrow().clone())
}

fn item(n: usize) -> Item {
    let world = world().unwrap();
    world.live.set(world.live.get() + 1);
    Item(n)
}

/// Makes another call sometimes, and sometimes panics.
fn within(one_in: usize) {
    let Some(world) = world() else { return };
    if world.depth.get() < 5 && world.below(one_in) == 0 {
        world.step();
    }
    if world.panics && !std::thread::panicking() && world.below(40) == 0 {
        resume_unwind(Box::new(()));
    }
}

impl World {
    fn below(&self, n: usize) -> usize {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        (x >> 11) as usize % n
    }

    fn tail(&self) -> usize {
        tail_distance(FIRST_TAIL, self.list.tail.load(Relaxed))
    }

    fn new_item(&self, at: usize) -> Item {
        let n = self.next.get();
        self.next.set(n + 1);
        self.items.borrow_mut().insert(at, n);
        item(n)
    }

    fn step(&self) {
        if self.calls.get() == 0 {
            return;
        }
        self.calls.set(self.calls.get() - 1);
        self.depth.set(self.depth.get() + 1);
        let result = catch_unwind(AssertUnwindSafe(|| self.call()));
        self.depth.set(self.depth.get() - 1);
        if let Err(panic) = result {
            // It is not a panic of this test.
            if panic.downcast_ref::<()>().is_none() {
                resume_unwind(panic);
            }
        }
    }

    fn any(&self) -> Option<Handle> {
        let mut readers = self.readers.borrow_mut();
        let len = readers.len();
        (len != 0).then(|| readers.swap_remove(self.below(len)))
    }

    fn add(&self, reader: Reader<Item>, from: usize) {
        self.readers.borrow_mut().push(Handle {
            reader,
            from,
            woken: Arc::new(Flag(AtomicBool::new(false))),
            sleeps: false,
            is_lenient: false,
        });
    }

    fn call(&self) {
        match self.below(20) {
            0..4 => {
                if self.list.is_closed() {
                    return;
                }
                let item = self.new_item(self.tail());
                assert!(self.writer.push(item).is_ok());
            }
            4..8 => {
                if self.list.is_closed() {
                    return;
                }
                let len = match self.below(4) {
                    0 => 1 + self.below(3 * SLOTS),
                    1 => 1 + self.below(SLOTS),
                    _ => 1 + self.below(3),
                };
                let yields = if self.below(3) == 0 {
                    self.below(len + 1)
                } else {
                    len
                };
                let from = self.tail();
                let mut items = (0..yields).map(|n| {
                    within(1 + len.min(20) / 3);
                    self.new_item(from + n)
                });
                assert!(self.writer.push_batch(len, &mut items).is_ok());
            }
            8..10 => {
                if self.readers.borrow().len() > 12 {
                    return;
                }
                if !self.list.is_closed() {
                    let from = self.tail() + 1;
                    let reader = self.writer.subscribe();
                    self.add(reader, from);
                }
            }
            10 => {
                let Some(mut of) = self.any() else { return };
                if self.readers.borrow().len() < 12 {
                    let other = of.reader.fork();
                    self.add(other, of.from);
                    self.readers.borrow_mut().last_mut().unwrap().is_lenient = of.is_lenient;
                }
                self.readers.borrow_mut().push(of);
            }
            11..13 => {
                let few = self.readers.borrow().len() < 2;
                if !few || self.below(8) == 0 {
                    drop(self.any());
                }
            }
            _ => self.take(),
        }
    }

    fn take(&self) {
        let Some(handle) = self.any() else { return };
        struct Back<'a>(&'a World, Option<Handle>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                let mut handle = self.1.take().unwrap();
                handle.is_lenient |= std::thread::panicking();
                self.0.readers.borrow_mut().push(handle);
            }
        }
        let mut back = Back(self, Some(handle));
        let times = match self.below(3) {
            0 => self.below(2 * SLOTS),
            _ => self.below(4),
        };
        for _ in 0..times {
            let handle = back.1.as_mut().unwrap();
            handle.sleeps = false;
            let found = if self.below(2) == 0 {
                handle.woken.0.store(false, Relaxed);
                let waker = Waker::from(handle.woken.clone());
                let found = poll(&mut handle.reader, &waker);
                handle.sleeps = found.is_pending();
                found
            } else {
                handle.reader.next()
            };
            match found {
                Poll::Ready(Some(item)) => {
                    let items = self.items.borrow();
                    let mut next = items.range(handle.from..);
                    let mut at = next.next().unwrap();
                    while handle.is_lenient && *at.1 != item.0 {
                        at = next.next().unwrap();
                    }
                    assert_eq!(*at.1, item.0);
                    handle.is_lenient = false;
                    handle.from = at.0 + 1;
                    drop(items);
                    drop(item);
                }
                _ => break,
            }
        }
    }

    /// Checks what holds while no call is under way.
    fn check(&self) {
        let readers = self.readers.borrow();
        if readers.is_empty() {
            assert_eq!(self.live.get(), 0, "items are kept that no reader takes");
        }
        for handle in readers.iter() {
            if handle.sleeps && !handle.woken.0.load(Relaxed) {
                assert!(handle.reader.peek().finds_nothing(), "a wake was lost");
            }
        }
        if !readers.is_empty() {
            assert!(
                !self.list.registry.has_gap_waiters(),
                "a reader that sleeps at a gap is still counted"
            );
            let first = readers.iter().map(|handle| handle.from).min().unwrap();
            let most = self.items.borrow().range(first..).count() + 2 * SLOTS;
            assert!(self.live.get() as usize <= most, "items are kept");
        }
    }
}

fn run(seed: u64, panics: bool) {
    let list = List::new(None);
    let world = Rc::new(World {
        list: list.clone(),
        writer: Writer::new(list.clone()),
        readers: RefCell::default(),
        items: RefCell::default(),
        live: Cell::new(0),
        next: Cell::new(0),
        random: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        depth: Cell::new(0),
        calls: Cell::new(400),
        panics,
    });
    WORLD.with(|it| *it.borrow_mut() = Some(world.clone()));
    world.add(Reader::first(list), 0);
    while world.calls.get() != 0 {
        world.step();
        world.check();
    }
    let readers = mem::take(&mut *world.readers.borrow_mut());
    let is_quiet = catch_unwind(AssertUnwindSafe(|| drop(readers))).is_ok();
    world.depth.set(100);
    let is_kept = world.live.get() != 0;
    WORLD.with(|it| it.borrow_mut().take());
    assert!(!is_quiet || !is_kept, "items are kept that no reader takes");
}

#[test]
fn random_calls_within_calls() {
    // Under Miri each run takes seconds.
    let runs = if cfg!(miri) { 2 } else { 300 };
    for seed in 0..runs {
        for panics in [false, true] {
            let result = catch_unwind(|| run(seed, panics));
            WORLD.with(|it| it.borrow_mut().take());
            if let Err(panic) = result {
                std::eprintln!("seed {seed}, panics {panics}");
                resume_unwind(panic);
            }
        }
    }
}
