//! Interrupts at the worst moments: between a push's reservation and its publication, while a
//! reader takes an item, and while a reader is about to wait. The interrupt has to proceed, and so
//! has the interrupted code afterwards.
//!
//! There are three priorities: the task, the software interrupt above it, and the timer interrupt
//! above both. User code that the list calls at that moment fires the interrupt: an iterator, the
//! `Clone` of an item, the `Clone` of a waker.
#![no_std]
#![no_main]

use aiter_core::{PushAiter, Pusher, TryNextError, push_aiter};
use aiter_firmware::{Handover, finish, machine, prepare, say};
use core::{
    iter::once,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};
use embassy_executor::Spawner;
use embassy_sync::once_lock::OnceLock;
use futures_lite::Stream;

static PUSHER: OnceLock<Pusher<Item>> = OnceLock::new();
static SOFT: Handler = Handler::new();
static TIMER: Handler = Handler::new();
/// Hooks for the `Clone` of an item, and the `Clone` of a waker.
static ON_CLONE: Handover<fn()> = Handover::new();
static ON_WAKER: Handover<fn()> = Handover::new();
static WAKES: AtomicUsize = AtomicUsize::new(0);

/// An item whose clone may fire an interrupt.
#[derive(Debug, PartialEq)]
struct Item(u32);

impl Clone for Item {
    fn clone(&self) -> Self {
        run(&ON_CLONE);
        Self(self.0)
    }
}

/// What an interrupt does the next time, with a reader of its own.
struct Handler {
    reader: Handover<PushAiter<Item>>,
    act: Handover<fn(&mut PushAiter<Item>)>,
}

impl Handler {
    const fn new() -> Self {
        Self {
            reader: Handover::new(),
            act: Handover::new(),
        }
    }

    fn has(&self, reader: PushAiter<Item>) {
        self.reader.put(reader);
    }

    fn does(&self, act: fn(&mut PushAiter<Item>)) {
        self.act.put(act);
    }

    fn run(&self) {
        // Interrupts may come while it acts.
        if let Some(act) = self.act.take() {
            let mut reader = self.reader.take().expect("put there first");
            act(&mut reader);
            self.has(reader);
        }
    }

    /// Checks that it has acted.
    #[track_caller]
    fn acted(&self) {
        assert!(self.act.take().is_none());
    }
}

fn run(hook: &Handover<fn()>) {
    if let Some(hook) = hook.take() {
        hook();
    }
}

#[unsafe(no_mangle)]
fn on_timer() {
    TIMER.run();
}

#[unsafe(no_mangle)]
fn on_soft() {
    SOFT.run();
}

fn push(number: u32) {
    let pusher = PUSHER.try_get().expect("set first");
    pusher.push(Item(number)).expect("readers are there");
}

#[track_caller]
fn takes(reader: &mut PushAiter<Item>, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        assert_eq!(reader.try_next(), Ok(Item(number)));
    }
    assert_eq!(reader.try_next(), Err(TryNextError::Empty));
}

fn poll(reader: &mut PushAiter<Item>) -> Poll<Option<Item>> {
    Pin::new(reader).poll_next(&mut Context::from_waker(&waker()))
}

/// A waker that counts its wakes.
fn waker() -> Waker {
    const WAKER: RawWaker = RawWaker::new(core::ptr::null(), &VTABLE);
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            run(&ON_WAKER);
            WAKER
        },
        |_| wake(),
        |_| wake(),
        |_| {},
    );
    fn wake() {
        WAKES.store(WAKES.load(Relaxed) + 1, Relaxed);
    }
    // SAFETY: there is no data, and all functions keep the contract.
    unsafe { Waker::from_raw(WAKER) }
}

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    prepare();
    let (pusher, mut reader) = push_aiter();
    SOFT.has(reader.fork());
    TIMER.has(reader.fork());
    assert!(PUSHER.init(pusher).is_ok());
    writer_between_reserving_and_publishing(&mut reader);
    reader_while_it_takes(&mut reader);
    reader_about_to_sleep(&mut reader);
    finish()
}

/// A push of the task has reserved its position and has not published it. The interrupt reads and
/// finds no item, pushes, waits at the gap, and returns. Even the timer, on top of it, pushes its
/// item.
fn writer_between_reserving_and_publishing(reader: &mut PushAiter<Item>) {
    SOFT.does(|reader| {
        assert_eq!(reader.try_next(), Err(TryNextError::Empty));
        push(1);
        assert_eq!(
            reader.try_next(),
            Err(TryNextError::Empty),
            "it is behind the gap"
        );
        TIMER.does(|_| push(2));
        machine::fire_timer();
        TIMER.acted();
        assert_eq!(poll(reader), Poll::Pending);
        assert_eq!(WAKES.load(Relaxed), 0, "items behind a gap wake no reader");
    });
    let item = || {
        machine::fire_soft();
        SOFT.acted();
        Item(0)
    };
    let pusher = PUSHER.try_get().expect("set first");
    pusher
        .push_all(once(()).map(|()| item()))
        .expect("readers are there");
    assert_eq!(WAKES.load(Relaxed), 1, "the reader at the gap is woken");
    WAKES.store(0, Relaxed);
    takes(reader, 0..3);
    SOFT.does(|reader| takes(reader, 0..3));
    machine::fire_soft();
    SOFT.acted();
    say!("writer-interrupted ok");
}

/// The software interrupt is interrupted itself while it takes an item: the timer takes the same
/// item, and pushes.
fn reader_while_it_takes(reader: &mut PushAiter<Item>) {
    TIMER.does(|reader| takes(reader, 0..3));
    machine::fire_timer();
    TIMER.acted();
    push(3);
    SOFT.does(|reader| {
        TIMER.does(|reader| {
            takes(reader, [3]);
            push(4);
        });
        ON_CLONE.put(|| {
            machine::fire_timer();
            TIMER.acted();
        });
        takes(reader, [3, 4]);
    });
    machine::fire_soft();
    SOFT.acted();
    takes(reader, [3, 4]);
    say!("reader-interrupted ok");
}

/// The task found no item and registers its waker. Before it has done so, the interrupt pushes: the
/// task has to see the item, or to be woken.
fn reader_about_to_sleep(reader: &mut PushAiter<Item>) {
    SOFT.does(|_| push(5));
    ON_WAKER.put(|| {
        machine::fire_soft();
        SOFT.acted();
    });
    let polled = match poll(reader) {
        Poll::Pending => {
            assert_eq!(WAKES.load(Relaxed), 1, "it waits, and was not woken");
            poll(reader)
        }
        ready => ready,
    };
    assert_eq!(polled, Poll::Ready(Some(Item(5))));
    SOFT.acted();
    say!("waiter-interrupted ok");
}
