//! Counts the instructions of a push that may wait, of the take that ends its wait, and of a push
//! that drops the oldest item, beside the same on the channels of `embassy-sync`. See `cost.rs`.
#![no_std]
#![no_main]

use aiter_core::fixed;
use aiter_firmware::{Sample, finish, machine, prepare, say};
use core::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    task::{Context, Poll, Waker},
};
use critical_section::Mutex;
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex as Raw,
    channel::Channel,
    pubsub::{PubSubChannel, Subscriber},
};
use futures_lite::Stream;

const CAPACITY: usize = 32;
const FORKS: usize = 4;
const ROUNDS: u32 = 300;

type Samples = Subscriber<'static, Raw, Sample, CAPACITY, FORKS, 0>;

static CHANNEL: Channel<Raw, Sample, CAPACITY> = Channel::new();
static PUBSUB: PubSubChannel<Raw, Sample, CAPACITY, FORKS, 0> = PubSubChannel::new();
/// A task may wait for a free slot.
static WAITED: fixed::PushList<Sample, CAPACITY, 1, 1> = fixed::PushList::new();
/// They may be overwritten.
static NEWEST: fixed::PushList<Sample, CAPACITY, 1, 0, true> = fixed::PushList::new();
static NEWEST_FORKED: fixed::PushList<Sample, CAPACITY, FORKS, 0, true> = fixed::PushList::new();
/// The interrupt handler's work: pushes, and returns how many instructions that took.
static PUSH: Mutex<Cell<fn() -> u32>> = Mutex::new(Cell::new(|| 0));
static TOOK: AtomicU32 = AtomicU32::new(0);
/// The wakers of as many tasks. Each reader wakes one.
static WAKERS: Mutex<RefCell<[Option<Waker>; FORKS]>> =
    Mutex::new(RefCell::new([const { None }; FORKS]));

#[unsafe(no_mangle)]
fn on_timer() {
    let push = critical_section::with(|cs| PUSH.borrow(cs).get());
    TOOK.store(push(), Relaxed);
}

#[unsafe(no_mangle)]
fn on_soft() {}

const SAMPLE: Sample = Sample::new(7);

fn send() -> u32 {
    machine::instructions(|| assert!(poll_once(&mut CHANNEL.send(SAMPLE))))
}

fn push_when_free() -> u32 {
    machine::instructions(|| {
        slow();
        assert!(poll_once(&mut WAITED.push_when_free(SAMPLE)))
    })
}

/// Polls a push that may wait, and returns whether it is over.
#[inline(always)]
fn poll_once(push: &mut (impl Future + Unpin)) -> bool {
    let cx = &mut Context::from_waker(Waker::noop());
    Pin::new(push).poll(cx).is_ready()
}

fn immediately() -> u32 {
    let publisher = PUBSUB.immediate_publisher();
    machine::instructions(|| publisher.publish_immediate(SAMPLE))
}

fn over_newest() -> u32 {
    machine::instructions(|| overwriting(&NEWEST))
}

fn over_forked() -> u32 {
    machine::instructions(|| overwriting(&NEWEST_FORKED))
}

#[inline(always)]
fn overwriting<const R: usize>(list: &fixed::PushList<Sample, CAPACITY, R, 0, true>) {
    slow();
    list.push_overwriting(SAMPLE).expect("no reader is at it");
}

#[inline(always)]
fn slow() {
    if cfg!(feature = "slow-push") {
        machine::waste_time();
    }
}

/// A reader that takes an item, or registers a waker.
trait Reader {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    /// Takes an item that is available, and registers no waker.
    fn take(&mut self) -> bool;
}

struct FromChannel;

impl Reader for FromChannel {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        CHANNEL.poll_receive(cx).map(drop)
    }

    fn take(&mut self) -> bool {
        CHANNEL.try_receive().is_ok()
    }
}

impl Reader for Samples {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut **self).poll_next(cx).map(drop)
    }

    fn take(&mut self) -> bool {
        self.try_next_message_pure().is_some()
    }
}

impl<const R: usize, const P: usize, const O: bool> Reader
    for fixed::PushAiter<'_, Sample, CAPACITY, R, P, O>
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(self).poll_next(cx).map(drop)
    }

    fn take(&mut self) -> bool {
        self.try_next().is_ok()
    }
}

/// The minimum, the sum and the maximum of the measurements.
struct Costs {
    least: u32,
    sum: u32,
    most: u32,
}

impl Costs {
    fn new() -> Self {
        Self {
            least: u32::MAX,
            sum: 0,
            most: 0,
        }
    }

    fn fire(&mut self) {
        machine::fire_timer();
        self.add(TOOK.load(Relaxed));
    }

    fn add(&mut self, took: u32) {
        self.least = self.least.min(took);
        self.most = self.most.max(took);
        self.sum += took;
    }

    fn say(&self, what: &str, readers: usize, state: &str) {
        let tenths = (self.sum * 10 + ROUNDS / 2) / ROUNDS;
        say!(
            "push {what} {readers} {state} {}.{} {} {}",
            tenths / 10,
            tenths % 10,
            self.least,
            self.most
        );
    }
}

async fn measure(what: &str, push: fn() -> u32, readers: &mut [impl Reader]) {
    let wakers: [Waker; FORKS] = critical_section::with(|cs| {
        let wakers = WAKERS.borrow_ref(cs);
        core::array::from_fn(|i| wakers[i].clone().expect("the tasks have run"))
    });
    critical_section::with(|cs| PUSH.borrow(cs).set(push));
    let mut costs = Costs::new();
    for _ in 0..ROUNDS {
        costs.fire();
        assert!(readers.iter_mut().all(Reader::take));
    }
    costs.say(what, readers.len(), "awake");
    let mut costs = Costs::new();
    for _ in 0..ROUNDS {
        for (reader, waker) in readers.iter_mut().zip(&wakers) {
            assert!(reader.poll(&mut Context::from_waker(waker)).is_pending());
        }
        costs.fire();
        assert!(readers.iter_mut().all(Reader::take));
        // The tasks are in the executor's queue now, and waking them again would cost less.
        let_others_run().await;
    }
    costs.say(what, readers.len(), "asleep");
}

/// Measures a push that drops the oldest item, while no reader reads.
fn measure_full(what: &str, push: fn() -> u32, readers: &mut [impl Reader]) {
    critical_section::with(|cs| PUSH.borrow(cs).set(push));
    for _ in 0..CAPACITY {
        machine::fire_timer();
    }
    let mut costs = Costs::new();
    for _ in 0..ROUNDS {
        costs.fire();
    }
    costs.say(what, readers.len(), "full");
    for reader in readers {
        while reader.take() {}
    }
}

/// Measures how a reader takes an item from a full list, while nobody waits for the slot and while
/// a task does. `push` pushes if there is room, and registers the waker if not.
async fn measure_take<P: Future + Unpin>(
    what: &str,
    push: impl Fn() -> P,
    reader: &mut impl Reader,
) {
    let waker = critical_section::with(|cs| WAKERS.borrow_ref(cs)[0].clone()).expect("it has run");
    for state in ["awake", "asleep"] {
        let mut costs = Costs::new();
        for _ in 0..ROUNDS {
            for _ in 0..CAPACITY {
                assert!(poll_once(&mut push()));
            }
            let mut waiting = push();
            if state == "asleep" {
                let cx = &mut Context::from_waker(&waker);
                assert!(Pin::new(&mut waiting).poll(cx).is_pending());
            }
            costs.add(machine::instructions(|| {
                slow();
                assert!(reader.take())
            }));
            if state == "asleep" {
                assert!(poll_once(&mut waiting));
            }
            while reader.take() {}
            let_others_run().await;
        }
        costs.say(what, 1, state);
    }
}

/// A task that only waits to be woken.
#[embassy_executor::task(pool_size = FORKS)]
async fn sleep(reader: usize) {
    poll_fn(|cx| {
        critical_section::with(|cs| WAKERS.borrow_ref_mut(cs)[reader] = Some(cx.waker().clone()));
        Poll::Pending
    })
    .await
}

/// The executor takes its queue as a whole, and may come to this task first. The second yield makes
/// sure that the others have run.
async fn let_others_run() {
    yield_now().await;
    yield_now().await;
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    for reader in 0..FORKS {
        spawner.spawn(sleep(reader).unwrap());
    }
    let_others_run().await;
    measure("Channel::send", send, &mut [FromChannel]).await;
    measure_take(
        "Channel::try_receive",
        || CHANNEL.send(SAMPLE),
        &mut FromChannel,
    )
    .await;
    let mut reader = WAITED.aiter().unwrap();
    let readers = core::slice::from_mut(&mut reader);
    measure("fixed::PushList::push_when_free", push_when_free, readers).await;
    let push = || WAITED.push_when_free(SAMPLE);
    measure_take("fixed::PushAiter::try_next", push, &mut reader).await;

    let what = "PubSubChannel::publish_immediate";
    let subscriber = || PUBSUB.subscriber().unwrap();
    let mut only = [subscriber()];
    measure(what, immediately, &mut only).await;
    measure_full(what, immediately, &mut only);
    drop(only);
    let mut subscribers: [Samples; FORKS] = core::array::from_fn(|_| subscriber());
    measure(what, immediately, &mut subscribers).await;
    measure_full(what, immediately, &mut subscribers);
    let what = "fixed::PushList::push_overwriting";
    let readers = &mut [NEWEST.aiter().unwrap()];
    measure(what, over_newest, readers).await;
    measure_full(what, over_newest, readers);
    let mut forks: [_; FORKS] = core::array::from_fn(|_| NEWEST_FORKED.subscribe().unwrap());
    measure(what, over_forked, &mut forks).await;
    measure_full(what, over_forked, &mut forks);
    finish()
}
