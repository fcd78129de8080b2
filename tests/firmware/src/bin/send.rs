//! The same program as `waiting.rs` on the channels of `embassy-sync`, to compare size and memory.
#![no_std]
#![no_main]

use aiter_firmware::{Order, SAMPLES, Sample, finish, prepare, say};
use embassy_executor::Spawner;
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex as Raw, channel::Channel};

const CAPACITY: usize = 4;

/// A channel has no end, so `None` marks it.
static CHANNEL: Channel<Raw, Option<Sample>, CAPACITY> = Channel::new();
/// How many samples the reader saw.
static REPORTS: Channel<Raw, u32, 1> = Channel::new();

#[unsafe(no_mangle)]
fn on_timer() {}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    spawner.spawn(read().unwrap());
    spawner.spawn(send().unwrap());
    let seen = REPORTS.receive().await;
    say!("reader {seen}");
    finish()
}

#[embassy_executor::task]
async fn send() {
    for number in 0..SAMPLES {
        CHANNEL.send(Some(Sample::new(number))).await;
    }
    CHANNEL.send(None).await;
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
