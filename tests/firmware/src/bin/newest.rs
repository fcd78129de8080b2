//! Samples from a timer interrupt for four tasks, some of them slow, without an allocator. The
//! interrupt drops the oldest sample where the list is full. The twin on the channels of
//! `embassy-sync` is `immediate.rs`.
#![no_std]
#![no_main]

use aiter_core::fixed::{PushAiter, PushList};
use aiter_firmware::{Newest, Sample, Sensor, finish, machine, prepare, say};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use futures_lite::StreamExt;

const CAPACITY: usize = 8;
const READERS: usize = 4;

static SENSOR: Sensor = Sensor::new();
/// It may be overwritten.
static SAMPLES: PushList<Sample, CAPACITY, READERS, 0, true> = PushList::new();
/// How many samples the interrupt could not push, because it had interrupted a reader at the
/// oldest.
static REFUSED: AtomicU32 = AtomicU32::new(0);
/// How many samples each reader saw.
static REPORTS: PushList<u32, READERS> = PushList::new();

#[unsafe(no_mangle)]
fn on_timer() {
    match SENSOR.tick() {
        Some(samples) => samples.for_each(|sample| {
            if SAMPLES.push_overwriting(sample).is_err() {
                REFUSED.store(REFUSED.load(Relaxed) + 1, Relaxed);
            }
        }),
        None => {
            SAMPLES.stop();
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
        let samples = SAMPLES.subscribe().expect("there is a slot");
        spawner.spawn(read(reader, samples).unwrap());
    }
    machine::start_timer(10_000);
    let mut reports = REPORTS.aiter().expect("this is the only reader");
    for _ in 0..READERS {
        if let Some(seen) = reports.next().await {
            say!("reader {seen}");
        }
    }
    finish()
}

#[embassy_executor::task(pool_size = READERS)]
async fn read(reader: usize, mut samples: PushAiter<'static, Sample, CAPACITY, READERS, 0, true>) {
    let mut newest = Newest::new("reader");
    while let Some(sample) = samples.next().await {
        newest.check(sample);
        for _ in 0..reader * 100 {
            yield_now().await;
        }
    }
    let missed = samples.missed() as u32 + REFUSED.load(Relaxed);
    REPORTS
        .push(newest.finish(missed))
        .expect("there is room for all");
}
