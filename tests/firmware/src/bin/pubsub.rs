//! The same program as `fixed.rs` on the channels of `embassy-sync`, to compare size and memory.
#![no_std]
#![no_main]

use aiter_firmware::{Order, Sample, Sensor, finish, machine, prepare, say};
use embassy_executor::Spawner;
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex as Raw,
    channel::Channel,
    pubsub::{PubSubChannel, Subscriber},
};

const CAPACITY: usize = 32;
const READERS: usize = 4;

static SENSOR: Sensor = Sensor::new();
/// A channel has no end, so `None` marks it.
static CHANNEL: PubSubChannel<Raw, Option<Sample>, CAPACITY, READERS, 0> = PubSubChannel::new();
/// How many samples each reader saw.
static REPORTS: Channel<Raw, u32, READERS> = Channel::new();

#[unsafe(no_mangle)]
fn on_timer() {
    let publisher = CHANNEL.immediate_publisher();
    let publish = |sample| {
        publisher
            .try_publish(sample)
            .expect("the channel is not full")
    };
    match SENSOR.tick() {
        Some(samples) => samples.map(Some).for_each(publish),
        None => publish(None),
    }
}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    for _ in 0..READERS {
        let samples = CHANNEL.subscriber().expect("there is a slot");
        spawner.spawn(read(samples).unwrap());
    }
    machine::start_timer(10_000);
    for _ in 0..READERS {
        let seen = REPORTS.receive().await;
        say!("reader {seen}");
    }
    machine::stop_timer();
    finish()
}

#[embassy_executor::task(pool_size = READERS)]
async fn read(mut samples: Subscriber<'static, Raw, Option<Sample>, CAPACITY, READERS, 0>) {
    let mut order = Order::new("reader");
    while let Some(sample) = samples.next_message_pure().await {
        order.check(sample);
    }
    REPORTS
        .try_send(order.finish())
        .expect("there is room for all");
}
