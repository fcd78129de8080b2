//! Forks of any stream, with each bound, and takers that share a stream.

use super::{ThenPause, accounted};
use crate::cancellation::{
    harness::Source,
    setup::{Expected, Setup, Subject, items},
};
use aiter_core::{
    aiter_forker, aiter_forker_with,
    bound::{skip, wait},
    sharable_aiter,
};

/// Forks that may be this many items apart.
fn skipping(bound: usize) -> Setup {
    let mut first = aiter_forker_with(skip(bound), Source::new());
    let slow = accounted(first.fork_passive()).then_pause();
    let streams = [
        items(accounted(first.fork())),
        items(slow),
        items(accounted(first)),
    ];
    Setup::of(Expected::All, streams, [])
}

pub(super) const SUBJECTS: &[Subject] = &[
    ("aiter_forker, active", || {
        let mut first = aiter_forker(Source::new());
        let streams = [
            items(first.fork()),
            items(first.fork()),
            items(first.fork_passive()),
            items(first),
        ];
        Setup::of(Expected::All, streams, [])
    }),
    ("aiter_forker, passive", || {
        let mut first = aiter_forker(Source::new());
        let streams = [items(first.fork_passive()), items(first)];
        Setup::of(Expected::All, streams, [])
    }),
    ("aiter_forker, alone", || {
        Setup::one(aiter_forker(Source::new()))
    }),
    ("aiter_forker_with wait", || {
        let mut first = aiter_forker_with(wait(2), Source::new());
        let streams = [
            items(first.fork()),
            items(first.fork_passive()),
            items(first),
        ];
        Setup::of(Expected::Together, streams, [])
    }),
    ("aiter_forker_with skip", || skipping(1)),
    ("aiter_forker_with skip, room for all", || skipping(100)),
    ("fork_with, lossless and lossy", || {
        let mut first = aiter_forker(Source::new());
        let lossy = accounted(first.fork_with(skip(1)));
        let narrow = accounted(first.fork_passive_with(skip(2))).then_pause();
        let streams = [
            items(first.fork_passive_with(wait(2))),
            items(lossy),
            items(narrow),
            items(first),
        ];
        Setup::of(Expected::Together, streams, [])
    }),
    ("sharable_aiter", || {
        let taker = sharable_aiter(Source::new());
        let streams = [(); 3].map(|()| items(taker.clone()));
        Setup::of(Expected::Shared, streams, [])
    }),
];
