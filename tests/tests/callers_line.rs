//! A count of 0 panics at the line of the caller. This is the only test of its process, because it
//! installs a panic hook.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::{
    AiterExt, Watermarks, aiter_forker_with, bound, map_workers, map_workers_ordered, preload,
    preload_with,
};
use futures_lite::stream::{Empty, Once, empty, once};
use std::{
    future::ready,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Mutex,
};

static PLACE: Mutex<String> = Mutex::new(String::new());

/// Checks that the call panics and reports this line.
macro_rules! refused {
    ($call:expr) => {
        PLACE.lock().unwrap().clear();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _ = $call;
        }));
        assert!(panic.is_err(), "line {} does not panic", line!());
        // It is copied because the hook takes the lock when the assertion fails.
        let place = PLACE.lock().unwrap().clone();
        assert_eq!(place, format!("{}:{}", file!(), line!()));
    };
}

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

    refused!(preload(0, none()));
    refused!(none().preload(0));
    for (low, high) in [(0, 0), (1, 1), (2, 1)] {
        refused!(preload_with(Watermarks { low, high }, none()));
        refused!(none().preload_with(Watermarks { low, high }));
    }
    refused!(map_workers(0, ready::<u8>, none()));
    refused!(none().map_workers(0, ready::<u8>));
    refused!(map_workers_ordered(0, ready::<u8>, none()));
    refused!(none().map_workers_ordered(0, ready::<u8>));

    refused!(aiter_forker_with(bound::wait(0), none()));
    refused!(aiter_forker_with(bound::skip(0), none()));
    let fork = aiter_forker_with(bound::wait(1), none());
    refused!((fork.set_wait(0), none()));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    refused!(aiter_tokio::preload_aiter(0, none()));
    refused!(aiter_tokio::preload_aiter_with(
        Watermarks { low: 1, high: 1 },
        none()
    ));
    refused!(aiter_tokio::join_aiters_buffered(0, nothing()));
    refused!(aiter_tokio::map_workers(0, ready::<u8>, none()));

    refused!(aiter_smol::preload_aiter(0, none()));
    refused!(aiter_smol::preload_aiter_with(
        Watermarks { low: 1, high: 1 },
        none()
    ));
    refused!(aiter_smol::join_aiters_buffered(0, nothing()));
    refused!(aiter_smol::map_workers(0, ready::<u8>, none()));

    refused!(aiter_async_std::preload_aiter(0, none()));
    refused!(aiter_async_std::preload_aiter_with(
        Watermarks { low: 1, high: 1 },
        none()
    ));
    refused!(aiter_async_std::join_aiters_buffered(0, nothing()));
    refused!(aiter_async_std::map_workers(0, ready::<u8>, none()));
}
