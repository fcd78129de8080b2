//! Counts the instructions of a push in an interrupt, into the lists of `aiter-core` and into the
//! channels of `embassy-sync`: while no reader waits, and while each reader sleeps in a task of the
//! executor.
#![no_std]
#![no_main]

use aiter_core::{PushAiter, Pusher, fixed, push_aiter};
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
    once_lock::OnceLock,
    pubsub::{PubSubChannel, Subscriber},
};
use futures_lite::Stream;

const CAPACITY: usize = 32;
const FORKS: usize = 4;
const ROUNDS: u32 = 300;

type Samples = Subscriber<'static, Raw, Sample, CAPACITY, FORKS, 0>;

static CHANNEL: Channel<Raw, Sample, CAPACITY> = Channel::new();
static PUBSUB: PubSubChannel<Raw, Sample, CAPACITY, FORKS, 0> = PubSubChannel::new();
static LIST: OnceLock<Pusher<Sample>> = OnceLock::new();
static FIXED: fixed::PushList<Sample, CAPACITY> = fixed::PushList::new();
static FORKED: fixed::PushList<Sample, CAPACITY, FORKS> = fixed::PushList::new();
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

fn into_channel() -> u32 {
    machine::instructions(|| CHANNEL.try_send(SAMPLE).expect("there is room"))
}

fn into_pubsub() -> u32 {
    let publisher = PUBSUB.immediate_publisher();
    machine::instructions(|| publisher.try_publish(SAMPLE).expect("there is room"))
}

fn into_list() -> u32 {
    let pusher = LIST.try_get().expect("set first");
    machine::instructions(|| pusher.push(SAMPLE).expect("readers are there"))
}

fn into_fixed() -> u32 {
    machine::instructions(|| into(&FIXED))
}

fn into_forked() -> u32 {
    machine::instructions(|| into(&FORKED))
}

#[inline(always)]
fn into<const R: usize>(list: &fixed::PushList<Sample, CAPACITY, R>) {
    if cfg!(feature = "slow-push") {
        machine::waste_time();
    }
    list.push(SAMPLE).expect("there is room");
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

impl Reader for PushAiter<Sample> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(self).poll_next(cx).map(drop)
    }

    fn take(&mut self) -> bool {
        self.try_next().is_ok()
    }
}

impl<const R: usize> Reader for fixed::PushAiter<'_, Sample, CAPACITY, R> {
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
        let took = TOOK.load(Relaxed);
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
    measure("Channel::try_send", into_channel, &mut [FromChannel]).await;

    let subscriber = || PUBSUB.subscriber().unwrap();
    measure(
        "PubSubChannel::try_publish",
        into_pubsub,
        &mut [subscriber()],
    )
    .await;
    let mut subscribers: [Samples; FORKS] = core::array::from_fn(|_| subscriber());
    measure("PubSubChannel::try_publish", into_pubsub, &mut subscribers).await;

    let (pusher, mut samples) = push_aiter();
    assert!(LIST.init(pusher).is_ok());
    measure(
        "Pusher::push",
        into_list,
        core::slice::from_mut(&mut samples),
    )
    .await;
    let mut forks: [PushAiter<Sample>; FORKS] = core::array::from_fn(|_| samples.fork());
    drop(samples);
    measure("Pusher::push", into_list, &mut forks).await;

    measure(
        "fixed::PushList::push",
        into_fixed,
        &mut [FIXED.aiter().unwrap()],
    )
    .await;
    let mut forks: [_; FORKS] = core::array::from_fn(|_| FORKED.subscribe().unwrap());
    measure("fixed::PushList::push", into_forked, &mut forks).await;
    finish()
}
