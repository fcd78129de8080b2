//! Samples from a timer interrupt for four tasks, without an allocator. The twin on the channels of
//! `embassy-sync` is `pubsub.rs`.
#![no_std]
#![no_main]

use aiter_core::fixed::{PushAiter, PushList};
use aiter_firmware::{Order, Sample, Sensor, finish, machine, prepare, say};
use embassy_executor::Spawner;
use futures_lite::StreamExt;

const CAPACITY: usize = 32;
const READERS: usize = 4;

static SENSOR: Sensor = Sensor::new();
static SAMPLES: PushList<Sample, CAPACITY, READERS> = PushList::new();
/// How many samples each reader saw.
static REPORTS: PushList<u32, READERS> = PushList::new();

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
    for _ in 0..READERS {
        let samples = SAMPLES.subscribe().expect("there is a slot");
        spawner.spawn(read(samples).unwrap());
    }
    machine::start_timer(10_000);
    let mut reports = REPORTS.aiter().expect("this is the only reader");
    for _ in 0..READERS {
        if let Some(seen) = reports.next().await {
            say!("reader {seen}");
        }
    }
    machine::stop_timer();
    finish()
}

#[embassy_executor::task(pool_size = READERS)]
async fn read(mut samples: PushAiter<'static, Sample, CAPACITY, READERS>) {
    let mut order = Order::new("reader");
    while let Some(sample) = samples.next().await {
        order.check(sample);
    }
    REPORTS.push(order.finish()).expect("there is room for all");
}
