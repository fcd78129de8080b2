//! Single operations of the push list: absolute figures, and their trend from run to run as
//! criterion records it.

use aiter_benches::{Channel, Push, PushMut};
use aiter_core::push_aiter;
use criterion::{BatchSize, Bencher, Criterion};
use std::hint::black_box;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("push list");
    group.bench_function("create and drop, idle", |b| b.iter(push_aiter::<u64>));
    group.bench_function("create, push one, drop", |b| {
        b.iter(|| {
            let (mut pusher, aiter) = Push::new();
            Push::send(&mut pusher, black_box(1));
            (pusher, aiter)
        })
    });
    group.bench_function("push, take", steady::<Push>);
    group.bench_function("push_mut, take", steady::<PushMut>);
    group.bench_function("look, nothing there", |b| {
        let (_pusher, mut aiter) = Push::new();
        b.iter(|| Push::take(&mut aiter))
    });
    group.bench_function("clone and drop a pusher", |b| {
        let (pusher, _aiter) = Push::new();
        b.iter(|| pusher.clone())
    });
    group.bench_function("drop 1 000 items", |b| {
        let full = || {
            let (mut pusher, aiter) = Push::new();
            (0..1_000).for_each(|item| Push::send(&mut pusher, item));
            aiter
        };
        b.iter_batched(full, drop, BatchSize::SmallInput)
    });
    group.finish();
    criterion.final_summary();
}

/// One item in, one out, in a list that is used again.
fn steady<C: Channel>(b: &mut Bencher<'_>) {
    let (mut sender, mut receiver) = C::new();
    b.iter(|| {
        C::send(&mut sender, black_box(1));
        C::take(&mut receiver)
    });
}
