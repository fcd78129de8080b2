extern crate std;

mod bounds;
mod hub;
mod kept;
mod panics;
mod passive;
mod within;

use super::{
    Fork, aiter_forker,
    bound::{Bound, Unbounded},
};
use crate::{push_aiter, test_support::*};
use alloc::{boxed::Box, sync::Arc, task::Wake, vec, vec::Vec};
use core::{
    cell::Cell,
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use std::sync::Mutex;

/// A fork and its waker.
struct Reader<S: Stream, B: Bound = Unbounded> {
    fork: Fork<S, B>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl<S: Stream<Item = u32>, B: Bound> Reader<S, B> {
    fn new(fork: Fork<S, B>) -> Self {
        let (wakes, waker) = Wakes::new();
        Self { fork, wakes, waker }
    }

    fn poll(&mut self) -> Poll<Option<B::Item<u32>>> {
        poll(&mut self.fork, &self.waker)
    }

    fn wakes(&self) -> usize {
        self.wakes.count()
    }

    fn fork(&mut self) -> Self {
        Self::new(self.fork.fork())
    }

    fn fork_passive(&mut self) -> Self {
        Self::new(self.fork.fork_passive())
    }
}

fn forker(steps: impl IntoIterator<Item = Step<u32>>) -> (Reader<Source<u32>>, Remote<u32>) {
    let (source, remote) = source(steps);
    (Reader::new(aiter_forker(source)), remote)
}

fn forks<const N: usize>(
    steps: impl IntoIterator<Item = Step<u32>>,
) -> ([Reader<Source<u32>>; N], Remote<u32>) {
    let (mut first, remote) = forker(steps);
    (core::array::from_fn(|_| first.fork()), remote)
}

const PENDING: Poll<Option<u32>> = Poll::Pending;
const END: Poll<Option<u32>> = Poll::Ready(None);
const ANOTHER: &str = "the forked stream panicked, in a poll of another fork";

fn item(n: u32) -> Poll<Option<u32>> {
    Poll::Ready(Some(n))
}

/// Panics when it is cloned with the flag set.
struct Fragile(u32, Arc<AtomicBool>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.1.load(Relaxed), "clone");
        Self(self.0, self.1.clone())
    }
}

#[test]
fn a_single_fork_behaves_like_the_stream() {
    let (mut a, remote) = forker([Item(1), Pending, Item(2), End]);
    assert!(a.fork.is_active() && !a.fork.is_terminated());
    assert_eq!(a.fork.size_hint(), (1, None));
    assert_eq!(a.poll(), item(1));
    assert_eq!(a.poll(), PENDING);
    // It polls again also without having been woken.
    assert_eq!(a.poll(), item(2));
    assert_eq!(a.wakes(), 0, "it was there");
    assert_eq!(a.poll(), END);
    assert!(remote.is_dropped() && a.fork.is_terminated());
    assert_eq!(a.poll(), END);
    assert_eq!(a.fork.size_hint(), (0, Some(0)));
    assert_eq!(remote.polls(), 4);
}

#[test]
fn each_fork_sees_every_item_at_its_own_pace() {
    let ([mut a, mut b, mut c], remote) = forks([Item(1), Item(2), Item(3), End]);
    assert_eq!(a.poll(), item(1));
    assert_eq!(b.poll(), item(1));
    assert_eq!(b.poll(), item(2));
    assert_eq!(b.poll(), item(3));
    for n in 1..4 {
        assert_eq!(c.poll(), item(n));
    }
    assert_eq!(remote.polls(), 3, "one pull an item");
    assert_eq!(c.poll(), END);
    assert_eq!(b.poll(), END);
    assert_eq!(a.poll(), item(2));
    assert_eq!(a.poll(), item(3));
    assert_eq!(a.poll(), END);
    assert_eq!(remote.polls(), 4);
}

#[test]
fn nothing_is_read_ahead() {
    let ([mut a, mut b], remote) = forks((0..9).map(Item));
    for n in 0..3 {
        assert_eq!(a.poll(), item(n));
        assert_eq!(remote.polls(), n as usize + 1);
    }
    assert_eq!(b.poll(), item(0));
    assert_eq!(remote.polls(), 3);
    let mut c = a.fork();
    drop((a, b));
    assert_eq!(c.poll(), item(3));
    assert_eq!(remote.polls(), 4);
}

#[test]
fn a_fork_starts_at_the_place_of_its_parent() {
    let (mut a, _remote) = forker((0..9).map(Item));
    assert_eq!(a.poll(), item(0));
    let mut b = a.fork();
    assert_eq!(a.poll(), item(1));
    assert_eq!(a.poll(), item(2));
    let mut late = a.fork_passive();
    let mut early = b.fork_passive();
    assert_eq!((early.poll(), late.poll()), (item(1), PENDING));
    assert_eq!(a.poll(), item(3));
    assert_eq!((early.poll(), late.poll()), (item(2), item(3)));
}

#[test]
fn the_source_wakes_all_active_forks_and_no_passive_one() {
    let ([mut a, mut b], remote) = forks([]);
    let mut passive = a.fork_passive();
    assert_eq!(
        (a.poll(), b.poll(), passive.poll()),
        (PENDING, PENDING, PENDING)
    );
    remote.add([]);
    assert_eq!((a.wakes(), b.wakes(), passive.wakes()), (1, 1, 0));
    assert_eq!((a.poll(), b.poll()), (PENDING, PENDING));
    assert_eq!(remote.polls(), 2, "once for each wake");
    remote.add([Item(1)]);
    assert_eq!((a.wakes(), b.wakes(), passive.wakes()), (2, 2, 0));
    assert_eq!(a.poll(), item(1));
    assert_eq!((a.wakes(), b.wakes(), passive.wakes()), (2, 2, 1));
    assert_eq!((b.poll(), passive.poll()), (item(1), item(1)));
}

#[test]
fn an_idle_source_is_polled_again_only_by_a_fork_left_pending() {
    let (mut all, remote) = forks::<4>([]);
    for fork in &mut all {
        assert_eq!(fork.poll(), PENDING);
    }
    assert_eq!(remote.polls(), 1);
    remote.add([Item(1)]);
    for fork in &mut all {
        assert_eq!(fork.poll(), item(1));
    }
    for fork in &mut all {
        assert_eq!(fork.poll(), PENDING);
    }
    assert_eq!(remote.polls(), 3, "the item, and once more");
    // The source has an item and does not wake.
    remote.add_silently([Item(2)]);
    assert_eq!(all[2].poll(), item(2));
    assert!([0, 1, 3].into_iter().all(|n| all[n].wakes() == 2));
    assert_eq!(all[0].poll(), item(2));
}

#[test]
fn a_waiting_fork_that_is_dropped_or_ignored_does_not_block_the_others() {
    // Each fork, the one that polled the source and the others; dropped, leaked, or not polled
    // again; before the wake and after it.
    for lost in 0..3 {
        for how in 0..3 {
            for woken in [false, true] {
                let (all, remote) = forks::<3>([]);
                let mut all = Vec::from(all);
                for fork in &mut all {
                    assert_eq!(fork.poll(), PENDING);
                }
                if woken {
                    remote.add([Item(1), Item(2), End]);
                }
                let fork = all.remove(lost);
                let mut kept = None;
                match how {
                    0 => drop(fork),
                    1 => core::mem::forget(fork),
                    _ => kept = Some(fork),
                }
                if !woken {
                    remote.add([Item(1), Item(2), End]);
                }
                for fork in &mut all {
                    assert_eq!(fork.wakes(), 1, "{lost} {how} {woken}");
                    assert_eq!(fork.poll(), item(1));
                    assert_eq!(fork.poll(), item(2));
                    assert_eq!(fork.poll(), END);
                }
                if let Some(mut late) = kept {
                    assert_eq!(late.poll(), item(1));
                }
            }
        }
    }
}

#[test]
fn an_item_found_without_a_wake_wakes_the_forks_that_wait() {
    let ([mut a, mut b], remote) = forks([Pending, Item(1)]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(b.poll(), PENDING);
    assert_eq!(b.poll(), item(1));
    assert_eq!((a.wakes(), remote.polls()), (1, 2));
    assert_eq!(a.poll(), item(1));
}

#[test]
fn the_end_reaches_every_fork() {
    let ([mut a, mut b], remote) = forks([]);
    let mut passive = a.fork_passive();
    assert_eq!(
        (a.poll(), b.poll(), passive.poll()),
        (PENDING, PENDING, PENDING)
    );
    remote.add([End]);
    assert_eq!(b.poll(), END);
    assert!(remote.is_dropped());
    assert_eq!((a.wakes(), passive.wakes()), (1, 1));
    assert!(a.fork.is_terminated() && passive.fork.is_terminated());
    let mut late = passive.fork();
    assert!(late.fork.is_terminated());
    for fork in [&mut a, &mut b, &mut passive, &mut late] {
        assert_eq!(fork.poll(), END);
        assert_eq!(fork.poll(), END);
    }
}

#[test]
fn two_forks_of_one_task_share_its_wakes() {
    let ([mut a, mut b], remote) = forks([]);
    let (wakes, waker) = Wakes::new();
    let mut seen = vec![];
    for n in 0..3 {
        // As a `select` does: polls each in turn, all with one waker.
        assert_eq!(poll(&mut a.fork, &waker), PENDING);
        assert_eq!(poll(&mut b.fork, &waker), PENDING);
        remote.add([Item(n)]);
        assert_eq!(wakes.count(), 2 * (n as usize + 1));
        // The other branch was woken too, and is dropped.
        let first = if n % 2 == 0 { &mut a } else { &mut b };
        seen.push(poll(&mut first.fork, &waker));
        let second = if n % 2 == 0 { &mut b } else { &mut a };
        assert_eq!(poll(&mut second.fork, &waker), item(n));
    }
    assert_eq!(seen, [item(0), item(1), item(2)]);
}

#[test]
fn size_hints_count_what_was_pulled_and_what_is_to_come() {
    let (mut a, _remote) = forker([Item(1), Item(2), Item(3), End]);
    let b = a.fork();
    let passive = a.fork_passive();
    assert_eq!(a.poll(), item(1));
    assert_eq!(a.fork.size_hint(), (0, None));
    assert_eq!(b.fork.size_hint(), (1, None));
    drop((a, b));
    assert_eq!(passive.fork.size_hint(), (1, Some(3)), "it pulls none");
    let mut last = passive;
    last.fork.activate();
    assert_eq!(last.fork.size_hint(), (3, Some(3)));
    assert!((1..4).all(|n| last.poll() == item(n)));
    let other = last.fork();
    assert_eq!(other.fork.size_hint(), (0, None));
    assert_eq!(last.poll(), END);
    assert_eq!(other.fork.size_hint(), (0, Some(0)), "the stream is over");
}

/// A size hint of one of several forks does not keep the others from polling the stream.
#[test]
fn the_size_hint_of_one_of_several_forks_does_not_ask_the_stream() {
    struct Asked(Arc<AtomicUsize>);
    impl Stream for Asked {
        type Item = u32;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            item(0)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.0.fetch_add(1, Relaxed);
            (usize::MAX, None)
        }
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let mut a = aiter_forker(Asked(asked.clone()));
    assert_eq!(
        (a.size_hint(), asked.load(Relaxed)),
        ((usize::MAX, None), 1)
    );
    let b = a.fork();
    for n in 0..1000 {
        assert_eq!((a.size_hint(), b.size_hint()), ((0, None), (n, None)));
        assert!(poll_noop(&mut a).is_ready());
    }
    assert_eq!(asked.load(Relaxed), 1);
}

#[test]
fn statistics_count_items_that_bypassed_the_list() {
    let (mut a, _remote) = forker((0..9).map(Item));
    assert_eq!((a.poll(), a.poll()), (item(0), item(1)));
    let b = a.fork();
    assert_eq!(a.poll(), item(2));
    let now = b.fork.statistics();
    assert_eq!((now.pushed, now.taken, now.waiting, now.lag), (3, 3, 0, 1));
    drop(a);
    let now = b.fork.statistics();
    assert_eq!((now.pushed, now.taken, now.waiting, now.lag), (3, 2, 1, 1));
    let debug = std::format!("{:?}", b.fork);
    assert!(
        debug.starts_with("Fork { is_active: true, is_terminated: false, "),
        "{debug}"
    );
}

#[test]
fn items_that_cannot_be_cloned_pass_through_a_single_fork() {
    let mut a = aiter_forker(crate::iter_to_aiter([Cell::new(Box::new(1))]));
    let found = poll_noop(&mut a).map(|found| found.map(Cell::into_inner));
    assert_eq!(found, Poll::Ready(Some(Box::new(1))));
}

#[test]
fn sources_need_not_be_unpin() {
    let source = Box::pin(crate::map_async(
        |n| async move { n },
        crate::iter_to_aiter(0..3),
    ));
    let mut a = aiter_forker(source);
    let mut b = a.fork();
    let mut c = aiter_forker(crate::map_async(
        |n| async move { n },
        crate::iter_to_aiter(0..3),
    ));
    for n in 0..3 {
        assert_eq!(poll_noop(&mut a), Poll::Ready(Some(n)));
        assert_eq!(poll_noop(&mut b), Poll::Ready(Some(n)));
        assert_eq!(poll_noop(&mut c), Poll::Ready(Some(n)));
    }
}

#[test]
fn every_item_reaches_every_fork_across_threads() {
    const ITEMS: u32 = many(20_000);
    let (pusher, items) = push_aiter();
    let mut first = aiter_forker(items);
    let read = |fork: Fork<_>| {
        let all = futures_lite::StreamExt::collect::<Vec<_>>(fork);
        std::thread::spawn(move || futures_lite::future::block_on(all))
    };
    let threads: Vec<_> = (0..4).map(|_| read(first.fork())).collect();
    let passive = read(first.fork_passive());
    for n in 0..ITEMS {
        pusher.push(n).unwrap();
    }
    drop(first);
    pusher.stop();
    for thread in threads {
        assert!(thread.join().unwrap().into_iter().eq(0..ITEMS));
    }
    // The passive fork ends with the stream or with the last active fork, and has every item.
    assert!(passive.join().unwrap().into_iter().eq(0..ITEMS));
}
