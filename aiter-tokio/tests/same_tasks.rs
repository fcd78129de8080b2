//! A function and the method of the same name run the same number of tasks, which the docs of both
//! tell.
#![allow(missing_docs, reason = "a test program")]

use aiter_tokio::{
    AiterExt, Watermarks, active_aiter, active_aiter_on, aiter_core, iter_to_aiter, join_aiters,
    join_aiters_buffered, join_aiters_buffered_on, join_aiters_on, map_workers, map_workers_on,
    map_workers_ordered, map_workers_ordered_on, preload_aiter, preload_aiter_on,
    preload_aiter_with, preload_aiter_with_on,
};
use core::future::pending;
use futures_lite::{Stream, StreamExt, future::poll_once, stream};
use tokio::runtime::{self, Handle};

/// How many tasks a stream has started, once it was polled and they all wait.
fn tasks<S: Stream + Unpin>(make: impl FnOnce() -> S) -> usize {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut stream = make();
        for _ in 0..50 {
            let _ = poll_once(stream.next()).await;
            tokio::task::yield_now().await;
        }
        runtime.metrics().num_alive_tasks()
    })
}

fn idle() -> stream::Pending<u8> {
    stream::pending()
}

fn three() -> impl Stream<Item = stream::Pending<u8>> + Unpin + Send {
    iter_to_aiter([idle(), idle(), idle()])
}

const MARKS: Watermarks = Watermarks { low: 1, high: 2 };

#[test]
fn functions_and_methods_run_the_same_number_of_tasks() {
    assert_eq!(tasks(|| active_aiter(idle())), 1);
    assert_eq!(tasks(|| idle().active_aiter()), 1);
    assert_eq!(tasks(|| preload_aiter(2, idle())), 1);
    assert_eq!(tasks(|| idle().preload_aiter(2)), 1);
    assert_eq!(tasks(|| preload_aiter_with(MARKS, idle())), 1);
    assert_eq!(tasks(|| idle().preload_aiter_with(MARKS)), 1);
    assert_eq!(tasks(|| join_aiters(three())), 3);
    assert_eq!(tasks(|| three().join_aiters()), 3);
    assert_eq!(tasks(|| join_aiters_buffered(2, three())), 3);
    assert_eq!(tasks(|| three().join_aiters_buffered(2)), 3);
    let f = |_: u8| pending::<()>();
    let items = || iter_to_aiter(0..10);
    assert_eq!(tasks(|| map_workers(4, f, items())), 4);
    assert_eq!(tasks(|| items().map_workers(4, f)), 4);
    assert_eq!(tasks(|| map_workers_ordered(4, f, items())), 4);
    assert_eq!(tasks(|| items().map_workers_ordered(4, f)), 4);
}

#[test]
fn functions_and_methods_on_a_given_executor_run_the_same_number_of_tasks() {
    assert_eq!(tasks(|| active_aiter_on(Handle::current(), idle())), 1);
    assert_eq!(tasks(|| idle().active_aiter_on(Handle::current())), 1);
    assert_eq!(tasks(|| preload_aiter_on(Handle::current(), 2, idle())), 1);
    assert_eq!(tasks(|| idle().preload_aiter_on(Handle::current(), 2)), 1);
    assert_eq!(
        tasks(|| preload_aiter_with_on(Handle::current(), MARKS, idle())),
        1
    );
    assert_eq!(
        tasks(|| idle().preload_aiter_with_on(Handle::current(), MARKS)),
        1
    );
    assert_eq!(tasks(|| join_aiters_on(Handle::current(), three())), 3);
    assert_eq!(tasks(|| three().join_aiters_on(Handle::current())), 3);
    assert_eq!(
        tasks(|| join_aiters_buffered_on(Handle::current(), 2, three())),
        3
    );
    assert_eq!(
        tasks(|| three().join_aiters_buffered_on(Handle::current(), 2)),
        3
    );
    let f = |_: u8| pending::<()>();
    let items = || iter_to_aiter(0..10);
    assert_eq!(
        tasks(|| map_workers_on(Handle::current(), 4, f, items())),
        4
    );
    assert_eq!(tasks(|| items().map_workers_on(Handle::current(), 4, f)), 4);
    assert_eq!(
        tasks(|| map_workers_ordered_on(Handle::current(), 4, f, items())),
        4
    );
    assert_eq!(
        tasks(|| items().map_workers_ordered_on(Handle::current(), 4, f)),
        4
    );
}

#[test]
fn functions_of_the_core_start_no_task() {
    let f = |_: u8| pending::<()>();
    let items = || iter_to_aiter(0..10);
    assert_eq!(tasks(|| aiter_core::join_aiters(three())), 0);
    assert_eq!(tasks(|| aiter_core::map_workers(4, f, items())), 0);
    assert_eq!(tasks(|| items().map_async(f).sharable_aiter()), 0);
}
