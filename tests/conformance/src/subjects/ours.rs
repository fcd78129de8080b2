//! Our implementations.

use super::{ROOM, channels::Sends};
use aiter_conformance::{Build, Kind, Parts, Subject, source::source, streams};
use aiter_core::{
    BoundedAiter, Fork, PushAiter, Pusher, aiter_forker, aiter_forker_with, bound, push_aiter,
    push_aiter_bounded, push_hub, sharable_aiter,
};

const fn ours(name: &'static str, kind: Kind, build: Build) -> Subject {
    Subject {
        name,
        package: "aiter-core",
        kind,
        is_ours: true,
        build: Some(build),
    }
}

pub(crate) const SUBJECTS: &[Subject] = &[
    ours("aiter_forker", Kind::Fork, forker),
    ours("aiter_forker, wait", Kind::Fork, waiting_forker),
    ours("aiter_forker, from its hub", Kind::Fork, fork_hub),
    ours("push_aiter, forked", Kind::Fork, push_list),
    ours("push_aiter_bounded, forked", Kind::Fork, bounded_list),
    ours("push_hub", Kind::Fork, hub),
    ours("sharable_aiter", Kind::Take, sharable),
    ours(
        "sharable_aiter of a push_aiter",
        Kind::Take,
        shared_push_list,
    ),
];

fn forker(count: usize) -> Parts {
    let (source, remote) = source();
    (
        Box::new(remote),
        streams(count, aiter_forker(source), Fork::fork),
    )
}

fn waiting_forker(count: usize) -> Parts {
    let (source, remote) = source();
    let first = aiter_forker_with(bound::wait(ROOM), source);
    (Box::new(remote), streams(count, first, Fork::fork))
}

fn fork_hub(count: usize) -> Parts {
    let (source, remote) = source();
    let first = aiter_forker(source);
    let hub = first.hub();
    (Box::new(remote), streams(count, first, |_| hub.subscribe()))
}

fn push(pusher: &Pusher<u64>, item: u64) {
    pusher.push(item).expect("a handle is there");
}

fn push_list(count: usize) -> Parts {
    let (pusher, aiter) = push_aiter();
    (
        Sends::through(pusher, push),
        streams(count, aiter, PushAiter::fork),
    )
}

fn bounded_list(count: usize) -> Parts {
    let (pusher, aiter) = push_aiter_bounded(ROOM);
    (
        Sends::through(pusher, |pusher, item| {
            pusher.try_push(item).expect("there is room");
        }),
        streams(count, aiter, BoundedAiter::fork),
    )
}

fn hub(count: usize) -> Parts {
    let hub = push_hub(bound::unbounded());
    let handles = streams(count, hub.subscribe(), |_| hub.subscribe());
    let feed = Sends::through(hub, |hub, item| hub.push(item).expect("it is not stopped"));
    (feed, handles)
}

fn sharable(count: usize) -> Parts {
    let (source, remote) = source();
    (
        Box::new(remote),
        streams(count, sharable_aiter(source), |one| one.clone()),
    )
}

fn shared_push_list(count: usize) -> Parts {
    let (pusher, aiter) = push_aiter();
    (
        Sends::through(pusher, push),
        streams(count, sharable_aiter(aiter), |one| one.clone()),
    )
}
