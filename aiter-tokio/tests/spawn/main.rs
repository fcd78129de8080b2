//! Tests of streams whose items are made in spawned tasks.
mod all;
#[path = "../common/mod.rs"]
mod common;
mod own;
use aiter_tokio::{
    TryNextError, Watermarks, active_aiter, join_aiters, join_aiters_buffered, map_workers,
    map_workers_ordered, preload_aiter, preload_aiter_with, push_aiter,
};
use common::{both, current_thread, in_time, message, multi_thread, within};
use futures_lite::{
    FutureExt,
    stream::{self, Stream, StreamExt},
};
use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};

type Items = Pin<Box<dyn Stream<Item = u32> + Send>>;
/// A function of the crate that spawns tasks, applied to a stream of numbers.
type Adapter = fn(Items) -> Items;

/// Returns all functions that take a stream and make its items in spawned tasks.
fn adapters() -> Vec<(&'static str, Adapter)> {
    vec![
        ("active_aiter", |s| Box::pin(active_aiter(s))),
        ("preload_aiter 1", |s| Box::pin(preload_aiter(1, s))),
        ("preload_aiter 100", |s| Box::pin(preload_aiter(100, s))),
        ("join_aiters", |s| Box::pin(join_aiters(stream::once(s)))),
        ("join_aiters_buffered", |s| {
            Box::pin(join_aiters_buffered(7, stream::once(s)))
        }),
        ("map_workers", |s| {
            Box::pin(map_workers(1, |item| async move { item }, s))
        }),
        ("map_workers_ordered", |s| {
            Box::pin(map_workers_ordered(3, |item| async move { item }, s))
        }),
    ]
}

/// Runs a case for each adapter on each kind of runtime.
fn each(case: impl AsyncFn(Adapter)) {
    for (name, adapter) in adapters() {
        for runtime in both() {
            eprintln!("{name} on {:?}", runtime.handle().runtime_flavor());
            runtime.block_on(within(case(adapter)));
        }
    }
}

/// Sends a message when it is dropped.
struct Held(Option<oneshot::Sender<()>>);
impl Held {
    fn new() -> (Self, oneshot::Receiver<()>) {
        let (dropped, drops) = oneshot::channel();
        (Self(Some(dropped)), drops)
    }
}
impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

/// Polls once and returns the panic.
async fn panic_of(stream: &mut Items) -> Box<dyn Any + Send> {
    AssertUnwindSafe(stream.next())
        .catch_unwind()
        .await
        .expect_err("it did not panic")
}

/// Returns a stream that yields `n` items and then panics.
fn broken(n: u32) -> Items {
    Box::pin(stream::iter(0..n).chain(stream::once_future(async { panic!("broken source") })))
}
