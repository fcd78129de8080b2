//! Streams made of other streams: joined, mapped, zipped.

use super::{ThenPause, slowly, thirds};
use crate::cancellation::{
    harness::{self, Item, Source, pause},
    setup::{Expected, Setup, Subject, items},
};
use aiter_core::{
    AiterExt, RateLimit, azip, batch, batch_within, debounce, flatten_aiter, iter_to_aiter,
    join_aiters, join_aiters_keyed, join_aiters_limited, map_aiter, map_async, map_filter_aiter,
    map_workers, map_workers_by, map_workers_ordered, rate_limit, split_by, switch_aiter,
};
use std::{
    iter,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

pub(super) const SUBJECTS: &[Subject] = &[
    ("iter_to_aiter", || {
        let mut source = Source::new();
        Setup::one(iter_to_aiter(iter::from_fn(move || source.now())).then_pause())
    }),
    ("join_aiters", || Setup::any_order(join_aiters(thirds()))),
    ("join_aiters_keyed", || {
        let joined = join_aiters_keyed(azip((iter_to_aiter(0..), thirds())));
        let mut ended = [false; 3];
        let end = Item::new(harness::items().end);
        let numbers = map_aiter(
            move |(part, item): (u32, Option<Item>)| {
                assert!(!ended[part as usize], "something comes after the end");
                ended[part as usize] = item.is_none();
                item.unwrap_or_else(|| end.beside(end.number() + part))
            },
            joined,
        );
        Setup::of(Expected::Keyed, [items(numbers)], [])
    }),
    ("join_aiters_limited", || {
        Setup::any_order(join_aiters_limited(2, thirds()))
    }),
    ("split_by, Part", || {
        let parts = split_by(1, |item: &Item| item.number() % 3, Source::new());
        Setup::any_order(join_aiters(parts.map_aiter(|(_, part)| part)))
    }),
    ("map_aiter", || {
        Setup::one(map_aiter(|item| item, Source::new()))
    }),
    ("map_async", || Setup::one(map_async(slowly, Source::new()))),
    ("map_workers", || {
        Setup::any_order(map_workers(3, slowly, Source::new()))
    }),
    ("map_workers_ordered", || {
        Setup::one(map_workers_ordered(3, slowly, Source::new()))
    }),
    ("map_workers_by", || {
        let key = |item: &Item| item.number() % 2;
        Setup::any_order(map_workers_by(3, key, slowly, Source::new()))
    }),
    ("map_filter_aiter", || {
        Setup::one(map_filter_aiter(Some, Source::new()))
    }),
    ("batch", || {
        Setup::one(flatten_aiter(batch(2, Source::new())))
    }),
    ("batch_within", || {
        let timer = |_| async {
            pause().await;
            pause().await;
        };
        let second = Duration::from_secs(1);
        let batches = batch_within(3, second, timer, Source::new());
        Setup::one(flatten_aiter(batches))
    }),
    ("switch_aiter", || {
        Setup::one(switch_aiter(iter_to_aiter([Source::new()])))
    }),
    ("switch_aiter, one member for each item", || {
        // Each is taken before the next one comes.
        let members = Source::new().then_pause();
        Setup::one(switch_aiter(
            members.map_aiter(|item| iter_to_aiter([item])),
        ))
    }),
    ("flatten_aiter", || {
        let pairs = Source::new().map_aiter(|item| [item.clone(), item]);
        Setup::of(Expected::Twice, [items(flatten_aiter(pairs))], [])
    }),
    ("debounce", || {
        // After each item the source is pending, for as long as the timer or longer.
        let quiet = Duration::from_secs(1);
        let apart = map_async(slowly, Source::new());
        Setup::one(debounce(quiet, |_| pause(), apart))
    }),
    ("rate_limit", || {
        // The clock goes on whenever it is read, so a token is there after some timers.
        let reads = AtomicU64::new(0);
        let now = move || Duration::from_secs(reads.fetch_add(1, Relaxed));
        let limit = RateLimit::new(1, Duration::from_secs(4)).burst(2);
        Setup::one(rate_limit(limit, (|_| pause(), now), Source::new()))
    }),
    ("azip", || {
        let rows = azip((Source::new(), map_async(slowly, Source::new())));
        let pairs = rows.map_aiter(|(one, other)| [one, other]);
        Setup::of(Expected::Twice, [items(flatten_aiter(pairs))], [])
    }),
];
