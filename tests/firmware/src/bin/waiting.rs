//! A task sends samples as fast as it may, and waits for a free slot. Another one reads. The twin
//! on the channels of `embassy-sync` is `send.rs`.
#![no_std]
#![no_main]

use aiter_core::fixed::PushList;
use aiter_firmware::{Order, SAMPLES, Sample, finish, prepare, say};
use embassy_executor::Spawner;
use futures_lite::StreamExt;

const CAPACITY: usize = 4;

/// One task may wait for a free slot.
static LIST: PushList<Sample, CAPACITY, 1, 1> = PushList::new();
/// How many samples the reader saw.
static REPORTS: PushList<u32, 1> = PushList::new();

#[unsafe(no_mangle)]
fn on_timer() {}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    spawner.spawn(read().unwrap());
    spawner.spawn(send().unwrap());
    let mut reports = REPORTS.aiter().expect("this is the only reader");
    if let Some(seen) = reports.next().await {
        say!("reader {seen}");
    }
    finish()
}

#[embassy_executor::task]
async fn send() {
    for number in 0..SAMPLES {
        let pushed = LIST.push_when_free(Sample::new(number)).await;
        pushed.expect("nobody else stops the list");
    }
    LIST.stop();
}

#[embassy_executor::task]
async fn read() {
    let mut samples = LIST.aiter().expect("this is the only reader");
    let mut order = Order::new("reader");
    while let Some(sample) = samples.next().await {
        order.check(sample);
    }
    REPORTS.push(order.finish()).expect("there is room for all");
}
