//! A sensor that is debounced and batched: its samples come in groups, the last one of each group
//! counts, and what comes within some time is handled together.
#![no_std]
#![no_main]

use aiter_core::{batch_within, debounce, fixed::PushList};
use aiter_firmware::{
    GROUP_PERIOD, Groups, Newest, Reading, Sample, finish, machine, prepare, say,
};
use core::time::Duration;
use embassy_executor::Spawner;
use embassy_time::Timer;
use futures_lite::StreamExt;

static SENSOR: Groups = Groups::new();
static SAMPLES: PushList<Sample, 32> = PushList::new();
/// How many batches came.
static REPORTS: PushList<u32, 1> = PushList::new();

#[unsafe(no_mangle)]
fn on_timer() {
    match SENSOR.tick() {
        Reading::Samples(samples) => {
            samples.for_each(|sample| SAMPLES.push(sample).expect("the list is not full"))
        }
        Reading::Quiet => {}
        Reading::End => SAMPLES.stop(),
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
    if let Some(batches) = reports.next().await {
        say!("batches {batches}");
    }
    machine::stop_timer();
    finish()
}

#[embassy_executor::task]
async fn read() {
    let sleep =
        |duration: Duration| Timer::after(duration.try_into().expect("less than 500 000 years"));
    let samples = SAMPLES.aiter().expect("this is the only reader");
    let quiet = Duration::from_millis(2);
    // As long as two groups and a half.
    let wait = Duration::from_millis((GROUP_PERIOD * 5 / 2).into());
    let mut batches = batch_within(16, wait, sleep, debounce(quiet, sleep, samples));
    let (mut order, mut seen, mut count) = (Newest::new("batch_within"), 0, 0);
    let mut is_full = true;
    while let Some(batch) = batches.next().await {
        assert!(is_full, "only the last batch has fewer than three groups");
        is_full = batch.len() == 3;
        assert!(batch.len() <= 3);
        seen += batch.len() as u32;
        count += 1;
        batch.into_iter().for_each(|sample| order.check(sample));
    }
    assert_eq!(seen, SENSOR.begun(), "one sample comes from each group");
    REPORTS.push(count).expect("there is room for it");
}
