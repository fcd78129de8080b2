//! Fires an interrupt after every single instruction of an operation, one run for each, while the
//! task, or a lower interrupt, pushes, takes, waits or forks. The interrupt reads and pushes as
//! well. Each time both have to proceed, both readers have to see the same items in the same order,
//! and every reader that waits for an item has to be woken.
#![no_std]
#![no_main]

use aiter_core::{Pusher, fixed, push_aiter};
use aiter_firmware::{Handover, finish, machine, prepare, say};
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
/// The state of the interrupt handler, unless it is running.
static ABOVE: Handover<Above> = Handover::new();

/// The first reader of each list, unless it is in use.
static FIRST: Handover<[Reader; 3]> = Handover::new();

/// The items that the interrupted operation and the interrupt push.
const FROM_BELOW: u32 = 1;
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
    /// The only reader of the list is on the other side.
    None,
}

impl Reader {
    fn fork(&mut self) -> Self {
        match self {
            Self::Heap(aiter) => Self::Heap(aiter.fork()),
            Self::Fixed(aiter) => Self::Fixed(aiter.fork().expect("there is a slot")),
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
struct Observer {
    reader: Reader,
    seen: [u32; 4],
    count: usize,
}

impl Observer {
    fn has_reader(&self) -> bool {
        !matches!(self.reader, Reader::None)
    }

    fn new(reader: Reader) -> Self {
        Self {
            reader,
            seen: [0; 4],
            count: 0,
        }
    }

    fn record(&mut self, item: Option<u32>) -> bool {
        if let Some(item) = item {
            self.seen[self.count] = item;
            self.count += 1;
        }
        item.is_some()
    }

    fn record_all(&mut self) {
        loop {
            let item = self.reader.try_next();
            if !self.record(item) {
                return;
            }
        }
    }

    /// Returns what was seen, and starts again with nothing.
    fn take(&mut self) -> [u32; 4] {
        self.count = 0;
        core::mem::take(&mut self.seen)
    }
}

/// Counts how often a waker was called.
struct Wakes(AtomicU32);

static WAKES_BELOW: Wakes = Wakes(AtomicU32::new(0));
static WAKES_ABOVE: Wakes = Wakes(AtomicU32::new(0));

impl Wakes {
    fn waker(&'static self) -> Waker {
        static VTABLE: RawWakerVTable =
            RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), wake, wake, |_| {});
        fn wake(data: *const ()) {
            // SAFETY: the pointer comes from a static of this type, below.
            let wakes = unsafe { &*data.cast::<Wakes>() };
            wakes.0.store(wakes.0.load(Relaxed) + 1, Relaxed);
        }
        // SAFETY: the functions keep the contract.
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
    observer: Observer,
    /// It has interrupted.
    acted: bool,
    /// It pushed, could not see its item, and waits, because a push that it interrupted has
    /// reserved a position before and has not published it.
    waits: bool,
}

impl Above {
    fn interrupt(&mut self) {
        self.observer.record_all();
        self.list.push(FROM_ABOVE);
        self.observer.record_all();
        self.acted = true;
        if self.observer.has_reader() && !self.observer.seen.contains(&FROM_ABOVE) {
            self.waits = true;
            assert_eq!(
                self.observer.reader.poll(&WAKES_ABOVE.waker()),
                Poll::Pending
            );
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

/// The operation that is interrupted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    /// No reader waits below.
    Push,
    /// The reader below waits.
    PushAwaited,
    /// Takes an item that both have still to read.
    Take,
    Sleep,
    ForkAndDrop,
}

/// Interrupts the operation after this many half instructions. Returns `None` if it was finished by
/// then, and otherwise whether it was a push between its reservation and its publication.
fn run(list: List, below: &mut Observer, operation: Operation, after: u32) -> Option<bool> {
    use Operation::*;
    let waker = WAKES_BELOW.waker();
    match operation {
        Take | ForkAndDrop => list.push(FROM_BELOW),
        PushAwaited => assert_eq!(below.reader.poll(&waker), Poll::Pending),
        Push | Sleep => {}
    }
    let mut polled = Poll::Pending;
    machine::start_timer_soon(after);
    match operation {
        Push | PushAwaited => list.push(FROM_BELOW),
        Take => {
            let item = below.reader.try_next();
            assert!(below.record(item));
        }
        Sleep => polled = below.reader.poll(&waker),
        ForkAndDrop => drop(below.reader.fork()),
    }
    machine::stop_timer();
    let mut above = ABOVE.take().expect("the interrupt is over");
    let acted = core::mem::take(&mut above.acted);
    let waits = core::mem::take(&mut above.waits);
    let wakes = WAKES_BELOW.take();
    assert_eq!(
        WAKES_ABOVE.take() != 0,
        waits,
        "the push that fills a gap wakes the reader there"
    );
    match (operation, polled) {
        (PushAwaited, _) => assert!(wakes != 0, "the waiting reader is woken"),
        (Sleep, Poll::Pending) => {
            assert_eq!(wakes != 0, acted, "the interrupt wakes the waiting reader")
        }
        (_, Poll::Ready(item)) => assert!(below.record(item)),
        (_, Poll::Pending) => {}
    }
    below.record_all();
    above.observer.record_all();
    let (seen, also) = (below.take(), above.observer.take());
    if below.has_reader() && above.observer.has_reader() {
        assert_eq!(seen, also, "both see the same items in the same order");
    }
    let seen = if below.has_reader() { seen } else { also };
    assert_eq!(seen.contains(&FROM_BELOW), operation != Sleep);
    assert_eq!(seen.contains(&FROM_ABOVE), acted);
    assert_eq!(seen[2..], [0, 0]);
    ABOVE.put(above);
    acted.then_some(waits)
}

/// Interrupts each operation at every instruction.
fn everywhere(level: &str, list: List, reader: Reader) -> Reader {
    let mut below = Observer::new(reader);
    let mut observer = Observer::new(below.reader.fork());
    if let List::SingleAbove = list {
        core::mem::swap(&mut below, &mut observer);
    }
    let above = Above {
        list,
        observer,
        acted: false,
        waits: false,
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
            "a push is interrupted between its reservation and its publication"
        );
        say!("interrupted {level} {list:?} {operation:?} {points} {gaps}");
    }
    let above = ABOVE.take().expect("the interrupt is over");
    if below.has_reader() {
        below.reader
    } else {
        above.observer.reader
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
