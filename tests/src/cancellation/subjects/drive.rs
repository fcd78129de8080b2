//! Streams that a driver reads ahead of their consumers, and pumps.

use crate::cancellation::{
    harness::{Source, pause},
    setup::{Expected, Setup, Subject, driver_part, items},
};
use aiter_core::{Watermarks, active, preload, preload_with, pump, pump_lending, push_aiter};

/// Runs a pump, whose pushes are refused once nobody reads them.
async fn until_refused<F: Future>(pump: F) {
    pump.await;
}

pub(super) const SUBJECTS: &[Subject] = &[
    ("active", || {
        let (pulled, driver) = active(Source::new());
        Setup::of(Expected::All, [items(pulled)], [driver_part(driver)])
    }),
    ("preload", || {
        let (ready, driver) = preload(2, Source::new());
        Setup::of(Expected::All, [items(ready)], [driver_part(driver)])
    }),
    ("preload_with", || {
        let (ready, driver) = preload_with(Watermarks { low: 1, high: 3 }, Source::new());
        Setup::of(Expected::All, [items(ready)], [driver_part(driver)])
    }),
    ("pump", || {
        let (pusher, aiter) = push_aiter();
        let push = move |item| {
            let pusher = pusher.clone();
            async move {
                pause().await;
                pusher.push(item).map_err(drop)
            }
        };
        let pumping = until_refused(pump(push, Source::new()));
        Setup::of(Expected::All, [items(aiter)], [driver_part(pumping)])
    }),
    ("pump_lending", || {
        let (pusher, aiter) = push_aiter();
        let mut pushed = 0;
        let push = async move |item| {
            pause().await;
            pushed += 1;
            pusher.push(item).map_err(|_| pushed)
        };
        let pumping = until_refused(pump_lending(push, Source::new()));
        Setup::of(Expected::All, [items(aiter)], [driver_part(pumping)])
    }),
];
