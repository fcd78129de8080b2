//! An interrupt after every single instruction of an operation, one run for each: while the task, or a lower interrupt, pushes,
//! takes, goes to sleep, forks. The interrupt reads and pushes as well. Each time both have to get on, both readers have to see
//! the same items in the same order, and nobody may sleep on an item.
#![no_std]
#![no_main]

use aiter_core::{Pusher, fixed, push_aiter};
use aiter_firmware::{Place, finish, machine, prepare, say};
use core::{
    pin::pin,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};
use embassy_executor::Spawner;
use embassy_sync::once_lock::OnceLock;
use futures_lite::Stream;

const CAPACITY: usize = 8;
const READERS: usize = 3;

static HEAP: OnceLock<Pusher<u32>> = OnceLock::new();
static FIXED: fixed::PushList<u32, CAPACITY, READERS> = fixed::PushList::new();
/// Its only reader is below or above.
static SINGLE: fixed::PushList<u32, CAPACITY> = fixed::PushList::new();
/// What the interrupt works with, unless it is at work.
static ABOVE: Place<Above> = Place::new();

/// The first reader of each, unless it is in use.
static FIRST: Place<[Reader; 3]> = Place::new();

/// What the task pushes, and what the interrupt does.
const BELOW: u32 = 1;
const FROM_ABOVE: u32 = 2;

#[derive(Clone, Copy, Debug)]
enum List {
    Heap,
    Fixed,
    SingleBelow,
    SingleAbove,
}

impl List {
    fn push(self, item: u32) {
        match self {
            Self::Heap => HEAP
                .try_get()
                .expect("set first")
                .push(item)
                .expect("readers are there"),
            Self::Fixed => FIXED.push(item).expect("there is room"),
            Self::SingleBelow | Self::SingleAbove => SINGLE.push(item).expect("there is room"),
        }
    }
}

enum Reader {
    Heap(aiter_core::PushAiter<u32>),
    Fixed(fixed::PushAiter<'static, u32, CAPACITY, READERS>),
    Single(fixed::PushAiter<'static, u32, CAPACITY>),
    /// The list's only reader is on the other side.
    None,
}

impl Reader {
    fn fork(&mut self) -> Self {
        match self {
            Self::Heap(aiter) => Self::Heap(aiter.fork()),
            Self::Fixed(aiter) => Self::Fixed(aiter.fork().expect("there is a seat")),
            Self::Single(_) | Self::None => Self::None,
        }
    }

    fn try_next(&mut self) -> Option<u32> {
        match self {
            Self::Heap(aiter) => aiter.try_next().ok(),
            Self::Fixed(aiter) => aiter.try_next().ok(),
            Self::Single(aiter) => aiter.try_next().ok(),
            Self::None => None,
        }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Option<u32>> {
        let cx = &mut Context::from_waker(waker);
        match self {
            Self::Heap(aiter) => pin!(aiter).poll_next(cx),
            Self::Fixed(aiter) => pin!(aiter).poll_next(cx),
            Self::Single(aiter) => pin!(aiter).poll_next(cx),
            Self::None => Poll::Pending,
        }
    }
}

/// A reader and what it has seen.
struct Seer {
    reader: Reader,
    seen: [u32; 4],
    count: usize,
}

impl Seer {
    fn is_there(&self) -> bool {
        !matches!(self.reader, Reader::None)
    }

    fn new(reader: Reader) -> Self {
        Self {
            reader,
            seen: [0; 4],
            count: 0,
        }
    }

    fn see(&mut self, item: Option<u32>) -> bool {
        if let Some(item) = item {
            self.seen[self.count] = item;
            self.count += 1;
        }
        item.is_some()
    }

    fn see_all(&mut self) {
        loop {
            let item = self.reader.try_next();
            if !self.see(item) {
                return;
            }
        }
    }

    /// What was seen; nothing has been seen from here on.
    fn take(&mut self) -> [u32; 4] {
        self.count = 0;
        core::mem::take(&mut self.seen)
    }
}

/// How often a waker was woken.
struct Wakes(AtomicU32);

static WAKES_BELOW: Wakes = Wakes(AtomicU32::new(0));
static WAKES_ABOVE: Wakes = Wakes(AtomicU32::new(0));

impl Wakes {
    fn waker(&'static self) -> Waker {
        static VTABLE: RawWakerVTable =
            RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), wake, wake, |_| {});
        fn wake(data: *const ()) {
            // SAFETY: made of a static of this type, below.
            let wakes = unsafe { &*data.cast::<Wakes>() };
            wakes.0.store(wakes.0.load(Relaxed) + 1, Relaxed);
        }
        // SAFETY: the functions keep to the contract.
        unsafe { Waker::new((&raw const *self).cast(), &VTABLE) }
    }

    fn take(&self) -> u32 {
        let wakes = self.0.load(Relaxed);
        self.0.store(0, Relaxed);
        wakes
    }
}

struct Above {
    list: List,
    seer: Seer,
    /// It has interrupted.
    acted: bool,
    /// It pushed, could not see it, and sleeps: a push that it interrupted has a place before, and has not published it.
    sleeps: bool,
}

impl Above {
    fn interrupt(&mut self) {
        self.seer.see_all();
        self.list.push(FROM_ABOVE);
        self.seer.see_all();
        self.acted = true;
        if self.seer.is_there() && !self.seer.seen.contains(&FROM_ABOVE) {
            self.sleeps = true;
            assert_eq!(self.seer.reader.poll(&WAKES_ABOVE.waker()), Poll::Pending);
        }
    }
}

#[unsafe(no_mangle)]
fn on_timer() {
    machine::stop_timer();
    if let Some(mut above) = ABOVE.take() {
        above.interrupt();
        ABOVE.put(above);
    }
}

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    /// Nobody waits below.
    Push,
    /// The reader below sleeps.
    PushAwaited,
    /// An item that both have yet to read.
    Take,
    Sleep,
    ForkAndDrop,
}

/// Interrupts the operation after so many half instructions. Says whether it was over by then, and if not whether that was
/// between a push's getting its place and its publishing it.
fn run(list: List, below: &mut Seer, operation: Operation, after: u32) -> Option<bool> {
    use Operation::*;
    let waker = WAKES_BELOW.waker();
    match operation {
        Take | ForkAndDrop => list.push(BELOW),
        PushAwaited => assert_eq!(below.reader.poll(&waker), Poll::Pending),
        Push | Sleep => {}
    }
    let mut polled = Poll::Pending;
    machine::start_timer_soon(after);
    match operation {
        Push | PushAwaited => list.push(BELOW),
        Take => {
            let item = below.reader.try_next();
            assert!(below.see(item));
        }
        Sleep => polled = below.reader.poll(&waker),
        ForkAndDrop => drop(below.reader.fork()),
    }
    machine::stop_timer();
    let mut above = ABOVE.take().expect("the interrupt is over");
    let acted = core::mem::take(&mut above.acted);
    let sleeps = core::mem::take(&mut above.sleeps);
    let wakes = WAKES_BELOW.take();
    assert_eq!(
        WAKES_ABOVE.take() != 0,
        sleeps,
        "who sleeps on a gap is woken by its writer"
    );
    match (operation, polled) {
        (PushAwaited, _) => assert!(wakes != 0, "the sleeper is woken"),
        (Sleep, Poll::Pending) => {
            assert_eq!(wakes != 0, acted, "the sleeper is woken by the interrupt")
        }
        (_, Poll::Ready(item)) => assert!(below.see(item)),
        (_, Poll::Pending) => {}
    }
    below.see_all();
    above.seer.see_all();
    let (seen, also) = (below.take(), above.seer.take());
    if below.is_there() && above.seer.is_there() {
        assert_eq!(seen, also, "both see the same in the same order");
    }
    let seen = if below.is_there() { seen } else { also };
    assert_eq!(seen.contains(&BELOW), operation != Sleep);
    assert_eq!(seen.contains(&FROM_ABOVE), acted);
    assert_eq!(seen[2..], [0, 0]);
    ABOVE.put(above);
    acted.then_some(sleeps)
}

/// Interrupts each operation everywhere.
fn everywhere(level: &str, list: List, reader: Reader) -> Reader {
    let mut below = Seer::new(reader);
    let mut seer = Seer::new(below.reader.fork());
    if let List::SingleAbove = list {
        core::mem::swap(&mut below, &mut seer);
    }
    let above = Above {
        list,
        seer,
        acted: false,
        sleeps: false,
    };
    ABOVE.put(above);
    use Operation::*;
    let operations: &[_] = match list {
        List::Heap | List::Fixed => &[Push, PushAwaited, Take, Sleep, ForkAndDrop],
        List::SingleBelow => &[Push, PushAwaited, Take, Sleep],
        List::SingleAbove => &[Push],
    };
    for &operation in operations {
        let (mut points, mut gaps) = (0, 0);
        while let Some(gap) = run(list, &mut below, operation, points) {
            points += 1;
            gaps += u32::from(gap);
        }
        let is_push = matches!(operation, Push | PushAwaited);
        let reads_above = !matches!(list, List::SingleBelow);
        assert_eq!(
            gaps != 0,
            is_push && reads_above,
            "a push is interrupted with its place, before it publishes"
        );
        say!("interrupted {level} {list:?} {operation:?} {points} {gaps}");
    }
    let above = ABOVE.take().expect("the interrupt is over");
    if below.is_there() {
        below.reader
    } else {
        above.seer.reader
    }
}

fn both(level: &str) {
    let [heap, fixed, single] = FIRST.take().expect("put there");
    let heap = everywhere(level, List::Heap, heap);
    let fixed = everywhere(level, List::Fixed, fixed);
    let single = everywhere(level, List::SingleBelow, single);
    let single = everywhere(level, List::SingleAbove, single);
    FIRST.put([heap, fixed, single]);
}

#[unsafe(no_mangle)]
fn on_soft() {
    both("interrupt");
}

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    prepare();
    let (pusher, heap) = push_aiter();
    assert!(HEAP.init(pusher).is_ok());
    let fixed = FIXED.aiter().expect("this is the first reader");
    let single = SINGLE.aiter().expect("this is the only reader");
    let first = [
        Reader::Heap(heap),
        Reader::Fixed(fixed),
        Reader::Single(single),
    ];
    FIRST.put(first);
    both("task");
    machine::fire_soft();
    finish()
}
