//! Samples from a timer interrupt for one task, without an allocator. The twin on the channels of
//! `embassy-sync` is `channel.rs`.
#![no_std]
#![no_main]

use aiter_core::fixed::PushList;
use aiter_firmware::{Order, Sample, Sensor, finish, machine, prepare, say};
use embassy_executor::Spawner;
use futures_lite::StreamExt;

const CAPACITY: usize = 32;

static SENSOR: Sensor = Sensor::new();
static SAMPLES: PushList<Sample, CAPACITY> = PushList::new();
/// How many samples each reader saw.
static REPORTS: PushList<u32, 1> = PushList::new();

#[unsafe(no_mangle)]
fn on_timer() {
    match SENSOR.tick() {
        Some(samples) => {
            samples.for_each(|sample| SAMPLES.push(sample).expect("the list is not full"))
        }
        None => SAMPLES.stop(),
    }
}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    spawner.spawn(read().unwrap());
    machine::start_timer(10_000);
    let mut reports = REPORTS.aiter().expect("this is the only reader");
    if let Some(seen) = reports.next().await {
        say!("reader {seen}");
    }
    machine::stop_timer();
    finish()
}

#[embassy_executor::task]
async fn read() {
    let mut samples = SAMPLES.aiter().expect("this is the only reader");
    let mut order = Order::new("reader");
    while let Some(sample) = samples.next().await {
        order.check(sample);
    }
    REPORTS.push(order.finish()).expect("there is room for all");
}
