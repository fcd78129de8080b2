//! Operators with a timer, without an allocator. A sensor yields its samples in groups: one task
//! takes the last sample of each group, and one takes all samples, one in a millisecond.
#![no_std]
#![no_main]

use aiter_core::{
    RateLimit, debounce,
    fixed::{PushAiter, PushList},
    rate_limit,
};
use aiter_firmware::{Groups, Newest, Order, Reading, Sample, finish, machine, prepare, say};
use core::time::Duration;
use embassy_executor::Spawner;
use embassy_time::{Instant, Timer};
use futures_lite::StreamExt;

const CAPACITY: usize = 32;

static SENSOR: Groups = Groups::new();
static SAMPLES: PushList<Sample, CAPACITY, 2> = PushList::new();
/// How many samples each task took.
static REPORTS: PushList<(&str, u32), 2> = PushList::new();

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

/// The timer of embassy-time.
fn sleep(duration: Duration) -> Timer {
    Timer::after(duration.try_into().expect("less than 500 000 years"))
}

/// The clock of embassy-time.
fn now() -> Duration {
    Duration::from_millis(Instant::now().as_millis())
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    let [last, all] = [(); 2].map(|()| SAMPLES.subscribe().expect("there is a slot"));
    spawner.spawn(read_last(last).unwrap());
    spawner.spawn(read_slowly(all).unwrap());
    machine::start_timer(10_000);
    let mut reports = REPORTS.aiter().expect("this is the only reader");
    for _ in 0..2 {
        if let Some((task, seen)) = reports.next().await {
            say!("{task} {seen}");
        }
    }
    machine::stop_timer();
    finish()
}

#[embassy_executor::task]
async fn read_last(samples: PushAiter<'static, Sample, CAPACITY, 2>) {
    let mut newest = debounce(Duration::from_millis(2), sleep, samples);
    let mut order = Newest::new("debounce");
    let mut seen = 0;
    while let Some(sample) = newest.next().await {
        order.check(sample);
        seen += 1;
    }
    assert_eq!(seen, SENSOR.begun(), "one sample comes from each group");
    REPORTS
        .push(("debounced", seen))
        .expect("there is room for all");
}

#[embassy_executor::task]
async fn read_slowly(samples: PushAiter<'static, Sample, CAPACITY, 2>) {
    let limit = RateLimit::new(1, Duration::from_millis(1));
    let mut paced = rate_limit(limit, (sleep, now), samples);
    let mut order = Order::new("rate_limit");
    let mut last = None;
    while let Some(sample) = paced.next().await {
        order.check(sample);
        assert!(last < Some(now()), "two samples in one millisecond");
        last = Some(now());
    }
    REPORTS
        .push(("paced", order.finish()))
        .expect("there is room for all");
}
