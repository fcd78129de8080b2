//! The same program as `aiter.rs` on the channels of `embassy-sync`, to compare size and memory.
#![no_std]
#![no_main]

use aiter_firmware::{Order, SAMPLES, Sample, Sensor, finish, machine, prepare, say};
use embassy_executor::Spawner;
use embassy_futures::{
    select::{Either, select},
    yield_now,
};
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex as Raw,
    channel::Channel,
    pubsub::{PubSubChannel, Subscriber},
    semaphore::{GreedySemaphore, Semaphore},
};

const CAPACITY: usize = 32;
const READERS: usize = 5;

type Samples = Subscriber<'static, Raw, Sample, CAPACITY, READERS, 1>;
/// The name of a reader, and how many samples it saw.
type Report = (&'static str, u32);

static SENSOR: Sensor = Sensor::new();
static CHANNEL: PubSubChannel<Raw, Sample, CAPACITY, READERS, 1> = PubSubChannel::new();
static GATE: GreedySemaphore<Raw> = GreedySemaphore::new(0);
static READY: Channel<Raw, Sample, 4> = Channel::new();
static REPORTS: Channel<Raw, Report, 3> = Channel::new();

#[unsafe(no_mangle)]
fn on_timer() {
    let publisher = CHANNEL.immediate_publisher();
    let publish = |sample| {
        publisher
            .try_publish(sample)
            .expect("the channel is not full")
    };
    SENSOR.tick().into_iter().flatten().for_each(publish);
}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    let samples = || CHANNEL.subscriber().unwrap();
    spawner.spawn(read_gated(samples()).unwrap());
    spawner.spawn(permit(samples()).unwrap());
    spawner.spawn(fill(samples()).unwrap());
    spawner.spawn(read_ready().unwrap());
    spawner.spawn(read_joined(samples(), samples()).unwrap());
    machine::start_timer(10_000);
    for _ in 0..3 {
        let (who, seen) = REPORTS.receive().await;
        say!("{who} {seen}");
    }
    machine::stop_timer();
    finish()
}

/// Samples pass as they are permitted.
#[embassy_executor::task]
async fn read_gated(mut samples: Samples) {
    let mut order = Order::new("gated");
    for _ in 0..SAMPLES {
        GATE.acquire(1).await.unwrap().disarm();
        order.check(samples.next_message_pure().await);
    }
    REPORTS.send(("gated", order.finish())).await;
}

/// Permits eight samples for every eight that arrive, and all at the end.
#[embassy_executor::task]
async fn permit(mut samples: Samples) {
    for _ in 0..SAMPLES {
        if samples.next_message_pure().await.number % 8 == 7 {
            GATE.release(8);
        }
    }
    GATE.set(SAMPLES as usize);
}

#[embassy_executor::task]
async fn fill(mut samples: Samples) {
    for _ in 0..SAMPLES {
        READY.send(samples.next_message_pure().await).await;
    }
}

/// Finds samples ready, although it is slow.
#[embassy_executor::task]
async fn read_ready() {
    let mut order = Order::new("ready");
    for _ in 0..SAMPLES {
        order.check(READY.receive().await);
        yield_now().await;
    }
    REPORTS.send(("ready", order.finish())).await;
}

/// Reads two readers as one stream.
#[embassy_executor::task]
async fn read_joined(mut left: Samples, mut right: Samples) {
    let mut orders = [Order::new("left"), Order::new("right")];
    for _ in 0..2 * SAMPLES {
        match select(left.next_message_pure(), right.next_message_pure()).await {
            Either::First(sample) => orders[0].check(sample),
            Either::Second(sample) => orders[1].check(sample),
        }
    }
    let seen = orders.map(Order::finish).into_iter().sum();
    REPORTS.send(("joined", seen)).await;
}
