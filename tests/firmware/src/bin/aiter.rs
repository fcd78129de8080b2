//! Samples from a timer interrupt, read by five readers: one behind a gate, one with a preload, and
//! two joined. The interrupt pushes into a list that needs no allocator, and the operators in the
//! tasks use one. The twin on the channels of `embassy-sync` is `embassy.rs`.
#![no_std]
#![no_main]

use aiter_core::{
    Driver, Gate, Gated, MapAiter, Preloaded,
    fixed::{PushAiter, PushList},
    gated_aiter, iter_to_aiter, join_aiters, map_aiter, preload,
};
use aiter_firmware::{Order, Sample, Sensor, finish, heap_in_use, machine, prepare, say};
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use futures_lite::StreamExt;

const CAPACITY: usize = 32;
const READERS: usize = 5;

static SENSOR: Sensor = Sensor::new();
static LIST: PushList<Sample, CAPACITY, READERS> = PushList::new();

type Samples = PushAiter<'static, Sample, CAPACITY, READERS>;
/// The name of a reader, and how many samples it saw.
static REPORTS: PushList<(&str, u32), 3> = PushList::new();

#[unsafe(no_mangle)]
fn on_timer() {
    match SENSOR.tick() {
        Some(samples) => {
            samples.for_each(|sample| LIST.push(sample).expect("the list is not full"))
        }
        None => LIST.stop(),
    }
}

#[unsafe(no_mangle)]
fn on_soft() {}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    prepare();
    let mut samples = LIST.aiter().expect("this is the first reader");
    let mut fork = || samples.fork().expect("there is a slot");
    let (gated, gate) = gated_aiter(fork());
    let (ready, driver) = preload(4, fork());
    spawner.spawn(read_gated(gated).unwrap());
    spawner.spawn(permit(fork(), gate).unwrap());
    spawner.spawn(fill(driver).unwrap());
    spawner.spawn(read_ready(ready).unwrap());
    spawner.spawn(read_joined(samples).unwrap());
    machine::start_timer(10_000);
    let mut reports = REPORTS.aiter().expect("this is the only reader").take(3);
    while let Some((who, seen)) = reports.next().await {
        say!("{who} {seen}");
    }
    machine::stop_timer();
    assert_eq!(heap_in_use(), 0, "the parts have given everything back");
    finish()
}

/// Samples pass as they are permitted.
#[embassy_executor::task]
async fn read_gated(mut samples: Gated<Samples>) {
    let mut order = Order::new("gated");
    while let Some(sample) = samples.next().await {
        order.check(sample);
    }
    REPORTS.push(("gated", order.finish())).unwrap();
}

/// Permits eight samples for every eight that arrive, and all at the end.
#[embassy_executor::task]
async fn permit(mut samples: Samples, gate: Gate) {
    while let Some(sample) = samples.next().await {
        if sample.number % 8 == 7 {
            gate.push(8);
        }
    }
    gate.open();
}

#[embassy_executor::task]
async fn fill(driver: Driver<Samples>) {
    driver.await;
}

/// Finds samples ready, although it is slow.
#[embassy_executor::task]
async fn read_ready(mut samples: Preloaded<Sample>) {
    let mut order = Order::new("ready");
    while let Some(sample) = samples.next().await {
        order.check(sample);
        yield_now().await;
    }
    REPORTS.push(("ready", order.finish())).unwrap();
}

/// Reads two readers as one stream.
#[embassy_executor::task]
async fn read_joined(mut samples: Samples) {
    type Tagged = MapAiter<Samples, fn(Sample) -> (usize, Sample)>;
    let left: Tagged = map_aiter(
        |sample| (0, sample),
        samples.fork().expect("there is a slot"),
    );
    let right: Tagged = map_aiter(|sample| (1, sample), samples);
    let mut joined = join_aiters(iter_to_aiter([left, right]));
    let mut orders = [Order::new("left"), Order::new("right")];
    while let Some((side, sample)) = joined.next().await {
        orders[side].check(sample);
    }
    let seen = orders.map(Order::finish).into_iter().sum();
    REPORTS.push(("joined", seen)).unwrap();
}
