//! The same program as `newest.rs` on the channels of `embassy-sync`, to compare size and memory.
#![no_std]
#![no_main]

use aiter_firmware::{Newest, Sample, Sensor, finish, machine, prepare, say};
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex as Raw,
    channel::Channel,
    pubsub::{PubSubChannel, Subscriber, WaitResult},
};

const CAPACITY: usize = 8;
const READERS: usize = 4;

static SENSOR: Sensor = Sensor::new();
/// A channel has no end, so `None` marks it.
static CHANNEL: PubSubChannel<Raw, Option<Sample>, CAPACITY, READERS, 0> = PubSubChannel::new();
/// How many samples each reader saw.
static REPORTS: Channel<Raw, u32, READERS> = Channel::new();

#[unsafe(no_mangle)]
fn on_timer() {
    let publisher = CHANNEL.immediate_publisher();
    let publish = |sample| publisher.publish_immediate(sample);
    match SENSOR.tick() {
        Some(samples) => samples.map(Some).for_each(publish),
        None => {
            publish(None);
            machine::stop_timer();
        }
    }
}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    for reader in 0..READERS {
        let samples = CHANNEL.subscriber().expect("there is a slot");
        spawner.spawn(read(reader, samples).unwrap());
    }
    machine::start_timer(10_000);
    for _ in 0..READERS {
        let seen = REPORTS.receive().await;
        say!("reader {seen}");
    }
    finish()
}

#[embassy_executor::task(pool_size = READERS)]
async fn read(
    reader: usize,
    mut samples: Subscriber<'static, Raw, Option<Sample>, CAPACITY, READERS, 0>,
) {
    let mut newest = Newest::new("reader");
    let mut missed = 0;
    loop {
        match samples.next_message().await {
            WaitResult::Lagged(count) => missed += count as u32,
            WaitResult::Message(None) => break,
            WaitResult::Message(Some(sample)) => {
                newest.check(sample);
                for _ in 0..reader * 100 {
                    yield_now().await;
                }
            }
        }
    }
    REPORTS
        .try_send(newest.finish(missed))
        .expect("there is room for all");
}
