//! The same program as `one.rs` on the channels of `embassy-sync`, to compare size and memory.
#![no_std]
#![no_main]

use aiter_firmware::{Order, Sample, Sensor, finish, machine, prepare, say};
use embassy_executor::Spawner;
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex as Raw, channel::Channel};

const CAPACITY: usize = 32;

static SENSOR: Sensor = Sensor::new();
/// A channel has no end, so `None` marks it.
static CHANNEL: Channel<Raw, Option<Sample>, CAPACITY> = Channel::new();
/// How many samples each reader saw.
static REPORTS: Channel<Raw, u32, 1> = Channel::new();

#[unsafe(no_mangle)]
fn on_timer() {
    let send = |sample| CHANNEL.try_send(sample).expect("the channel is not full");
    match SENSOR.tick() {
        Some(samples) => samples.map(Some).for_each(send),
        None => send(None),
    }
}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    spawner.spawn(read().unwrap());
    machine::start_timer(10_000);
    let seen = REPORTS.receive().await;
    say!("reader {seen}");
    machine::stop_timer();
    finish()
}

#[embassy_executor::task]
async fn read() {
    let mut order = Order::new("reader");
    while let Some(sample) = CHANNEL.receive().await {
        order.check(sample);
    }
    REPORTS
        .try_send(order.finish())
        .expect("there is room for all");
}
