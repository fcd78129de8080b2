//! A count of 0 panics at the line of the caller. This is the only test of its process, because it
//! installs a panic hook.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::{
    AiterExt, RateLimit, Watermarks, aiter_forker_with, batch, batch_within, bound,
    join_aiters_limited, map_workers, map_workers_by, map_workers_ordered, preload, preload_with,
    push_aiter, push_aiter_bounded, split_by,
};
use futures_lite::stream::{Empty, Once, empty, once};
use std::{
    future::ready,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Mutex,
    time::Duration,
};

static PLACE: Mutex<String> = Mutex::new(String::new());

/// Checks that the call panics at this line with this message, which names the function and the
/// argument.
macro_rules! refused {
    ($message:literal, $call:expr) => {
        PLACE.lock().unwrap().clear();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _never = $call;
        }));
        let panic = panic.expect_err(concat!("line ", line!(), " does not panic"));
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref().copied());
        assert_eq!(message, Some($message));
        // It is copied because the hook takes the lock when the assertion fails.
        let place = PLACE.lock().unwrap().clone();
        assert_eq!(place, format!("{}:{}", file!(), line!()));
    };
}

fn marks(low: usize, high: usize) -> Watermarks {
    Watermarks { low, high }
}

// Each call stays on the line of its macro.
#[rustfmt::skip]
#[test]
fn a_count_of_0_panics_at_the_callers_line() {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let place = info.location().unwrap();
        *PLACE.lock().unwrap() = format!("{}:{}", place.file(), place.line());
        before(info);
    }));
    let none = empty::<u8>;
    let nothing = || -> Once<Empty<u8>> { once(none()) };

    refused!("push_aiter_bounded: n must be at least 1", push_aiter_bounded::<u8>(0));
    refused!("split_by: n must be at least 1", split_by(0, |n: &u8| *n, none()));
    refused!("split_by: n must be at least 1", none().split_by(0, |n| *n));
    refused!("preload: n must be at least 1", preload(0, none()));
    refused!("preload: n must be at least 1", none().preload(0));
    refused!("preload_with: low (0) must be below high (0)", preload_with(marks(0, 0), none()));
    refused!("preload_with: low (1) must be below high (1)", preload_with(marks(1, 1), none()));
    refused!("preload_with: low (2) must be below high (1)", none().preload_with(marks(2, 1)));
    refused!("map_workers: n must be at least 1", map_workers(0, ready::<u8>, none()));
    refused!("map_workers: n must be at least 1", none().map_workers(0, ready::<u8>));
    refused!("map_workers_ordered: n must be at least 1", map_workers_ordered(0, ready::<u8>, none()));
    refused!("map_workers_ordered: n must be at least 1", none().map_workers_ordered(0, ready::<u8>));
    refused!("map_workers_by: n must be at least 1", map_workers_by(0, |n| *n, ready::<u8>, none()));
    refused!("map_workers_by: n must be at least 1", none().map_workers_by(0, |n| *n, ready::<u8>));
    refused!("join_aiters_limited: n must be at least 1", join_aiters_limited(0, nothing()));
    refused!("join_aiters_limited: n must be at least 1", nothing().join_aiters_limited(0));
    let now = |_| ready(());
    let second = Duration::from_secs(1);
    refused!("batch: n must be at least 1", batch(0, none()));
    refused!("batch: n must be at least 1", none().batch(0));
    refused!("batch_within: n must be at least 1", batch_within(0, second, now, none()));
    refused!("batch_within: n must be at least 1", none().batch_within(0, second, now));
    refused!("RateLimit::new: n must be at least 1", RateLimit::new(0, second));
    refused!("RateLimit::new: per must not be zero", RateLimit::new(1, Duration::ZERO));
    refused!("RateLimit::burst: b must be at least 1", RateLimit::new(1, second).burst(0));
    refused!("bound::wait: n must be at least 1", aiter_forker_with(bound::wait(0), none()));
    refused!("bound::skip: n must be at least 1", aiter_forker_with(bound::skip(0), none()));
    let fork = aiter_forker_with(bound::wait(1), none());
    refused!("set_wait: n must be at least 1", (fork.set_wait(0), none()));

    refused!("next_many: limit must be at least 1", push_aiter::<u8>().1.next_many(&mut Vec::new(), 0));
    refused!("next_many: limit must be at least 1", push_aiter_bounded::<u8>(1).1.next_many(&mut Vec::new(), 0));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    refused!("preload_aiter: n must be at least 1", aiter_tokio::preload_aiter(0, none()));
    refused!("batch: n must be at least 1", aiter_tokio::AiterExt::batch(none(), 0));
    refused!("batch_within: n must be at least 1", aiter_tokio::batch_within(0, second, none()));
    refused!("batch_within: n must be at least 1", aiter_tokio::AiterExt::batch_within(none(), 0, second));
    refused!("split_by: n must be at least 1", aiter_tokio::AiterExt::split_by(none(), 0, |n| *n));
    refused!("preload_aiter: n must be at least 1", aiter_tokio::AiterExt::preload_aiter(none(), 0));
    refused!("join_aiters_buffered: n must be at least 1", aiter_tokio::AiterExt::join_aiters_buffered(nothing(), 0));
    refused!("map_workers: n must be at least 1", aiter_tokio::AiterExt::map_workers(none(), 0, ready::<u8>));
    refused!("map_workers_ordered: n must be at least 1", aiter_tokio::AiterExt::map_workers_ordered(none(), 0, ready::<u8>));
    refused!("preload_aiter_with: low (1) must be below high (1)", aiter_tokio::preload_aiter_with(marks(1, 1), none()));
    refused!("join_aiters_buffered: n must be at least 1", aiter_tokio::join_aiters_buffered(0, nothing()));
    refused!("map_workers: n must be at least 1", aiter_tokio::map_workers(0, ready::<u8>, none()));
    refused!("map_workers_ordered: n must be at least 1", aiter_tokio::map_workers_ordered(0, ready::<u8>, none()));
    refused!("map_workers_by: n must be at least 1", aiter_tokio::AiterExt::map_workers_by(none(), 0, |n| *n, ready::<u8>));
    refused!("join_aiters_limited: n must be at least 1", aiter_tokio::AiterExt::join_aiters_limited(nothing(), 0));

    refused!("preload_aiter: n must be at least 1", aiter_smol::preload_aiter(0, none()));
    refused!("batch: n must be at least 1", aiter_smol::AiterExt::batch(none(), 0));
    refused!("batch_within: n must be at least 1", aiter_smol::batch_within(0, second, none()));
    refused!("batch_within: n must be at least 1", aiter_smol::AiterExt::batch_within(none(), 0, second));
    refused!("split_by: n must be at least 1", aiter_smol::AiterExt::split_by(none(), 0, |n| *n));
    refused!("preload_aiter: n must be at least 1", aiter_smol::AiterExt::preload_aiter(none(), 0));
    refused!("join_aiters_buffered: n must be at least 1", aiter_smol::AiterExt::join_aiters_buffered(nothing(), 0));
    refused!("map_workers: n must be at least 1", aiter_smol::AiterExt::map_workers(none(), 0, ready::<u8>));
    refused!("map_workers_ordered: n must be at least 1", aiter_smol::AiterExt::map_workers_ordered(none(), 0, ready::<u8>));
    refused!("preload_aiter_with: low (1) must be below high (1)", aiter_smol::preload_aiter_with(marks(1, 1), none()));
    refused!("join_aiters_buffered: n must be at least 1", aiter_smol::join_aiters_buffered(0, nothing()));
    refused!("map_workers: n must be at least 1", aiter_smol::map_workers(0, ready::<u8>, none()));
    refused!("map_workers_ordered: n must be at least 1", aiter_smol::map_workers_ordered(0, ready::<u8>, none()));
    refused!("map_workers_by: n must be at least 1", aiter_smol::AiterExt::map_workers_by(none(), 0, |n| *n, ready::<u8>));
    refused!("join_aiters_limited: n must be at least 1", aiter_smol::AiterExt::join_aiters_limited(nothing(), 0));

    refused!("preload_aiter: n must be at least 1", aiter_async_std::preload_aiter(0, none()));
    refused!("batch: n must be at least 1", aiter_async_std::AiterExt::batch(none(), 0));
    refused!("batch_within: n must be at least 1", aiter_async_std::batch_within(0, second, none()));
    refused!("batch_within: n must be at least 1", aiter_async_std::AiterExt::batch_within(none(), 0, second));
    refused!("split_by: n must be at least 1", aiter_async_std::AiterExt::split_by(none(), 0, |n| *n));
    refused!("preload_aiter: n must be at least 1", aiter_async_std::AiterExt::preload_aiter(none(), 0));
    refused!("join_aiters_buffered: n must be at least 1", aiter_async_std::AiterExt::join_aiters_buffered(nothing(), 0));
    refused!("map_workers: n must be at least 1", aiter_async_std::AiterExt::map_workers(none(), 0, ready::<u8>));
    refused!("map_workers_ordered: n must be at least 1", aiter_async_std::AiterExt::map_workers_ordered(none(), 0, ready::<u8>));
    refused!("preload_aiter_with: low (1) must be below high (1)", aiter_async_std::preload_aiter_with(marks(1, 1), none()));
    refused!("join_aiters_buffered: n must be at least 1", aiter_async_std::join_aiters_buffered(0, nothing()));
    refused!("map_workers: n must be at least 1", aiter_async_std::map_workers(0, ready::<u8>, none()));
    refused!("map_workers_ordered: n must be at least 1", aiter_async_std::map_workers_ordered(0, ready::<u8>, none()));
    refused!("map_workers_by: n must be at least 1", aiter_async_std::AiterExt::map_workers_by(none(), 0, |n| *n, ready::<u8>));
    refused!("join_aiters_limited: n must be at least 1", aiter_async_std::AiterExt::join_aiters_limited(nothing(), 0));
}
