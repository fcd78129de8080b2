//! Streams made of other streams: joined, mapped, zipped.

use super::{ThenPause, slowly, thirds};
use crate::cancellation::{
    harness::{self, Item, Source},
    setup::{Expected, Setup, Subject, items},
};
use aiter_core::{
    AiterExt, azip, flatten_aiter, iter_to_aiter, join_aiters, join_aiters_keyed,
    join_aiters_limited, map_aiter, map_async, map_filter_aiter, map_workers, map_workers_by,
    map_workers_ordered,
};
use std::iter;

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
    ("flatten_aiter", || {
        let pairs = Source::new().map_aiter(|item| [item.clone(), item]);
        Setup::of(Expected::Twice, [items(flatten_aiter(pairs))], [])
    }),
    ("azip", || {
        let rows = azip((Source::new(), map_async(slowly, Source::new())));
        let pairs = rows.map_aiter(|(one, other)| [one, other]);
        Setup::of(Expected::Twice, [items(flatten_aiter(pairs))], [])
    }),
];
