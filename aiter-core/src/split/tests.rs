extern crate std;

use super::*;
use crate::test_support::*;
use alloc::{boxed::Box, rc::Rc, sync::Arc, vec, vec::Vec};
use core::{cell::Cell, panic::AssertUnwindSafe, task::Waker};
use futures_lite::{StreamExt, future::block_on, stream};
use std::panic::catch_unwind;

type Key = fn(&u32) -> u32;
type Outer = SplitBy<Source<u32>, u32, Key>;

/// A stream, and the task that polls it.
struct Task<S> {
    stream: S,
    wakes: Arc<Wakes>,
    waker: Waker,
}

type TaskOfPart = Task<Part<Source<u32>, u32, Key>>;

impl<S> Task<S> {
    fn new(stream: S) -> Self {
        let (wakes, waker) = Wakes::new();
        Self {
            stream,
            wakes,
            waker,
        }
    }
}

impl<S: Stream + Unpin> Task<S> {
    fn poll(&mut self) -> Poll<Option<S::Item>> {
        poll(&mut self.stream, &self.waker)
    }

    /// Polls, and has to be pending.
    #[track_caller]
    fn waits(&mut self) {
        assert!(self.poll().is_pending());
        assert_eq!(self.wakes.taken(), 0, "it waits");
    }

    #[track_caller]
    fn is_woken(&self) {
        assert_eq!(self.wakes.taken(), 1);
    }
}

impl Task<Outer> {
    /// Takes the next part, which has to be of this key.
    #[track_caller]
    fn part(&mut self, key: u32) -> TaskOfPart {
        match self.poll() {
            Poll::Ready(Some((found, part))) => {
                assert_eq!(found, key);
                Task::new(part)
            }
            _ => panic!("there is no part"),
        }
    }
}

impl TaskOfPart {
    #[track_caller]
    fn yields(&mut self, items: impl IntoIterator<Item = u32>) {
        for item in items {
            assert_eq!(self.poll(), Poll::Ready(Some(item)));
        }
    }
}

/// Splits items by their hundreds.
fn split(n: usize, steps: impl IntoIterator<Item = Step<u32>>) -> (Task<Outer>, Remote<u32>) {
    let (source, remote) = source(steps);
    let key: Key = |item| item / 100;
    (Task::new(split_by(n, key, source)), remote)
}

fn items(items: impl IntoIterator<Item = u32>) -> impl Iterator<Item = Step<u32>> {
    items.into_iter().map(Item)
}

#[test]
fn an_empty_source_has_no_parts() {
    let (mut outer, remote) = split(1, [End]);
    assert!(!outer.stream.is_terminated());
    assert_eq!(outer.stream.size_hint(), (0, None));
    assert!(matches!(outer.poll(), Poll::Ready(None)));
    assert!(outer.stream.is_terminated() && remote.is_dropped());
    assert_eq!(outer.stream.size_hint(), (0, Some(0)));
    assert!(matches!(outer.poll(), Poll::Ready(None)));
}

#[test]
fn each_part_has_its_items_in_order() {
    let (mut outer, remote) = split(3, items([100, 200, 101, 102]).chain([Pending, End]));
    let mut one = outer.part(1);
    let mut two = outer.part(2);
    two.yields([200]);
    assert_eq!(remote.polls(), 2);
    // The part pulls for itself, and what it finds for others waits there.
    two.waits();
    assert_eq!(remote.polls(), 5);
    one.yields(100..=102);
    assert_eq!(remote.polls(), 5);
    one.waits();
    assert_eq!(one.poll(), Poll::Ready(None));
    assert!(remote.is_dropped());
    two.is_woken();
    assert_eq!(two.poll(), Poll::Ready(None));
    assert!(two.stream.is_terminated() && !outer.stream.is_terminated());
    assert!(matches!(outer.poll(), Poll::Ready(None)));
}

#[test]
fn an_item_wakes_nobody_but_its_part() {
    let (mut outer, remote) = split(2, items([100, 200, 300]));
    let mut parts = [1, 2, 3].map(|key| outer.part(key));
    for (part, item) in parts.iter_mut().zip([100, 200, 300]) {
        part.yields([item]);
        part.waits();
    }
    outer.waits();
    remote.add(items([301]));
    // The source has woken, and anybody may be the only one who is polled.
    parts.iter().for_each(Task::is_woken);
    outer.is_woken();
    let [one, two, three] = &mut parts;
    three.yields([301]);
    three.waits();
    one.waits();
    two.waits();
    outer.waits();
    // One that polls without its wake finds an item for another one.
    remote.add_silently(items([302]));
    one.waits();
    three.is_woken();
    assert_eq!(two.wakes.taken() + outer.wakes.taken(), 0);
    three.yields([302]);
}

#[test]
fn a_consumer_that_was_woken_and_is_not_polled_strands_nobody() {
    let (mut outer, remote) = split(1, items([100, 200]));
    let (mut one, mut two) = (outer.part(1), outer.part(2));
    one.yields([100]);
    two.yields([200]);
    one.waits();
    two.waits();
    outer.waits();
    remote.push(201);
    two.is_woken();
    two.yields([201]);
    two.waits();
    // The first one was forgotten, and has no wake left. The others are woken all the same.
    outer.is_woken();
    outer.waits();
    core::mem::forget(one);
    remote.push(202);
    two.is_woken();
    outer.is_woken();
    // It finds the item of a part that has been woken, and need not be woken again.
    outer.waits();
    two.yields([202]);
}

#[test]
fn a_consumer_that_waits_for_the_source_may_poll_it_again() {
    let (mut outer, remote) = split(1, []);
    outer.waits();
    remote.add_silently(items([100]));
    let mut one = outer.part(1);
    one.yields([100]);
    one.waits();
    let polls = remote.polls();
    // One that comes when nothing is there leaves the source alone.
    outer.waits();
    assert_eq!(remote.polls(), polls);
    outer.waits();
    assert_eq!(remote.polls(), polls + 1);
}

#[test]
fn a_full_part_holds_the_source_back() {
    let (mut outer, remote) = split(2, items([100, 200, 101, 102, 103, 201, 104]));
    let (mut one, mut two) = (outer.part(1), outer.part(2));
    two.yields([200]);
    two.waits();
    outer.waits();
    // Two wait and the third is in hand.
    assert_eq!(remote.waiting(), 3);
    two.waits();
    assert_eq!(remote.waiting(), 3);
    one.yields([100]);
    // The part that made room pulled on, up to the next item for which there is none.
    assert_eq!(remote.waiting(), 2);
    assert_eq!(two.wakes.taken() + outer.wakes.taken(), 0);
    one.yields([101]);
    assert_eq!(remote.waiting(), 0);
    two.is_woken();
    assert_eq!(outer.wakes.taken(), 0, "the source is pending");
    two.yields([201]);
    one.yields([102, 103, 104]);
    one.waits();
}

#[test]
fn a_full_part_that_is_dropped_frees_the_source() {
    let (mut outer, remote) = split(1, items([100, 200, 101, 201]));
    let (one, mut two) = (outer.part(1), outer.part(2));
    two.yields([200]);
    two.waits();
    outer.waits();
    assert_eq!(remote.waiting(), 1);
    drop(one);
    two.is_woken();
    outer.is_woken();
    // The item in hand has not been in the part, and makes a new one.
    let mut one = outer.part(1);
    one.yields([101]);
    two.yields([201]);
}

#[test]
fn parts_that_nobody_took_hold_the_source_back() {
    let (mut outer, remote) = split(2, items([100]));
    let mut one = outer.part(1);
    one.yields([100]);
    remote.add(items([200, 300, 400, 101]));
    one.waits();
    assert_eq!(remote.waiting(), 1);
    one.waits();
    let two = outer.part(2);
    assert_eq!(remote.waiting(), 0);
    one.is_woken();
    one.yields([101]);
    drop(two);
    drop(outer.part(3));
    let mut four = outer.part(4);
    four.yields([400]);
    assert!(outer.poll().is_pending());
}

#[test]
fn a_dropped_part_is_forgotten() {
    let key = Rc::new(());
    let kept = key.clone();
    let (source, remote) = source(items([7, 7]));
    let mut outer = split_by(2, move |_| kept.clone(), source);
    let Poll::Ready(Some((own, part))) = poll_noop(&mut outer) else {
        panic!("there is a part");
    };
    drop(own);
    assert_eq!(Rc::strong_count(&key), 4);
    drop(part);
    assert_eq!(Rc::strong_count(&key), 2);
    let Poll::Ready(Some((_, mut part))) = poll_noop(&mut outer) else {
        panic!("there is another part");
    };
    assert_eq!(poll_noop(&mut part), Poll::Ready(Some(7)));
    assert_eq!(poll_noop(&mut part), Poll::Pending);
    remote.push(7);
    assert_eq!(poll_noop(&mut part), Poll::Ready(Some(7)));
    drop(outer);
    drop(part);
    assert!(remote.is_dropped());
    assert_eq!(Rc::strong_count(&key), 1);
}

#[test]
fn without_the_outer_stream_items_of_new_keys_are_dropped() {
    let (mut outer, remote) = split(1, items([100, 200, 300, 101]));
    let mut one = outer.part(1);
    one.yields([100]);
    one.waits();
    assert_eq!(remote.waiting(), 1);
    // One part waits, and the first item of another one is in hand.
    drop(outer);
    one.is_woken();
    one.yields([101]);
    one.waits();
    remote.add(items([200, 400, 102]));
    one.is_woken();
    one.yields([102]);
    one.waits();
    drop(one);
    assert!(remote.is_dropped());
}

#[test]
fn an_item_in_hand_for_a_part_that_nobody_took_goes_with_the_outer_stream() {
    let (mut outer, remote) = split(1, items([100, 200, 201, 101]));
    let mut one = outer.part(1);
    one.yields([100]);
    one.waits();
    assert_eq!(remote.waiting(), 1);
    drop(outer);
    one.is_woken();
    one.yields([101]);
}

#[test]
fn the_end_comes_after_what_waits() {
    let (mut outer, _remote) = split(2, items([100, 200, 101]).chain([End]));
    let mut one = outer.part(1);
    one.yields([100, 101]);
    assert_eq!(one.poll(), Poll::Ready(None));
    let mut two = outer.part(2);
    assert!(matches!(outer.poll(), Poll::Ready(None)));
    two.yields([200]);
    assert_eq!(two.poll(), Poll::Ready(None));
}

#[test]
fn the_end_wakes_all_that_wait() {
    let (mut outer, remote) = split(1, items([100, 200]));
    let (mut one, mut two) = (outer.part(1), outer.part(2));
    one.yields([100]);
    two.yields([200]);
    one.waits();
    two.waits();
    outer.waits();
    remote.add_silently([End]);
    assert_eq!(one.poll(), Poll::Ready(None));
    two.is_woken();
    outer.is_woken();
    assert_eq!(two.poll(), Poll::Ready(None));
    assert!(matches!(outer.poll(), Poll::Ready(None)));
}

const TOLD: &str = "the split stream panicked, in a poll of another part";

#[test]
fn a_panic_of_the_source_reaches_everybody_once() {
    let (mut outer, remote) = split(2, items([100, 200, 201]));
    let (mut one, mut two) = (outer.part(1), outer.part(2));
    one.yields([100]);
    two.yields([200, 201]);
    two.waits();
    outer.waits();
    remote.add([Item(101), Item(301), Pending, Panic]);
    two.is_woken();
    outer.is_woken();
    one.yields([101]);
    drop(outer.part(3));
    two.waits();
    outer.waits();
    one.waits();
    assert_eq!(panic_of(|| one.poll()), "source");
    two.is_woken();
    outer.is_woken();
    assert!(remote.is_dropped());
    assert_eq!(one.poll(), Poll::Ready(None));
    assert_eq!(panic_of(|| two.poll()), TOLD);
    assert!(two.stream.is_terminated());
    assert_eq!(two.poll(), Poll::Ready(None));
    assert_eq!(panic_of(|| outer.poll().is_ready()), TOLD);
    assert!(matches!(outer.poll(), Poll::Ready(None)));
}

#[test]
fn what_waits_comes_before_the_panic() {
    let (mut outer, _remote) = split(2, items([100, 200, 300]).chain([Panic]));
    let (mut one, mut two) = (outer.part(1), outer.part(2));
    one.yields([100]);
    assert_eq!(panic_of(|| one.poll()), "source");
    two.yields([200]);
    assert_eq!(panic_of(|| two.poll()), TOLD);
    let mut three = outer.part(3);
    three.yields([300]);
    assert_eq!(panic_of(|| three.poll()), TOLD);
    assert_eq!(panic_of(|| outer.poll().is_ready()), TOLD);
    assert_eq!(one.poll(), Poll::Ready(None));
}

#[test]
fn a_panic_while_a_full_part_pulls_on_loses_no_item() {
    let (mut outer, _remote) = split(1, items([100, 101]).chain([Panic]));
    let mut one = outer.part(1);
    outer.waits();
    assert_eq!(panic_of(|| one.poll()), "source");
    one.yields([100, 101]);
    assert_eq!(one.poll(), Poll::Ready(None));
    assert_eq!(panic_of(|| outer.poll().is_ready()), TOLD);
}

#[test]
fn a_panic_of_the_closure_is_one_of_the_source() {
    let (source, remote) = source(items([1, 2]));
    let mut outer = split_by(
        1,
        |item: &u32| {
            assert!(*item != 2, "key");
            *item
        },
        source,
    );
    let Poll::Ready(Some((1, mut one))) = poll_noop(&mut outer) else {
        panic!("there is a part");
    };
    assert_eq!(panic_of(|| poll_noop(&mut outer).is_ready()), "key");
    assert!(remote.is_dropped());
    assert_eq!(poll_noop(&mut one), Poll::Ready(Some(1)));
    assert_eq!(panic_of(|| poll_noop(&mut one)), TOLD);
}

/// A key whose comparisons, or clones, panic on demand.
struct Fragile<'a>(u32, &'a Cell<Option<&'static str>>);

impl Fragile<'_> {
    fn may_panic(&self, what: &str) {
        assert!(self.1.get() != Some(what), "fragile");
    }
}

impl Clone for Fragile<'_> {
    fn clone(&self) -> Self {
        self.may_panic("clone");
        Self(self.0, self.1)
    }
}

impl PartialEq for Fragile<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Fragile<'_> {}

impl PartialOrd for Fragile<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fragile<'_> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.may_panic("compare");
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_key_that_panics_blocks_nobody() {
    let trap = Cell::new(None);
    let (source, remote) = source(items([1, 2, 3, 1, 3]));
    let mut outer = split_by(9, |item: &u32| Fragile(*item, &trap), source);
    let mut take = || match poll_noop(&mut outer) {
        Poll::Ready(Some((_, part))) => Some(part),
        _ => None,
    };
    let (mut one, two) = (take().unwrap(), take().unwrap());
    // The key of a part that nobody took is cloned when it is taken.
    let three = catch_unwind(AssertUnwindSafe(|| {
        assert_eq!(poll_noop(&mut one), Poll::Ready(Some(1)));
        assert_eq!(poll_noop(&mut one), Poll::Ready(Some(1)));
        trap.set(Some("clone"));
        take().is_some()
    }));
    assert!(three.is_err());
    trap.set(None);
    let mut three = take().unwrap();
    assert_eq!(poll_noop(&mut three), Poll::Ready(Some(3)));
    assert_eq!(poll_noop(&mut three), Poll::Ready(Some(3)));
    trap.set(Some("compare"));
    remote.push(1);
    assert!(catch_unwind(AssertUnwindSafe(|| poll_noop(&mut three))).is_err());
    trap.set(None);
    assert_eq!(panic_of(|| poll_noop(&mut one)), TOLD);
    assert_eq!(poll_noop(&mut one), Poll::Ready(None));
    drop(two);
}

#[test]
fn a_key_that_panics_while_its_part_is_forgotten_ends_the_source() {
    let trap = Cell::new(None);
    // The last item is in hand.
    let (source, remote) = source(items([1, 2, 2]));
    let mut outer = split_by(1, |item: &u32| Fragile(*item, &trap), source);
    let mut take = || match poll_noop(&mut outer) {
        Poll::Ready(Some((_, part))) => Some(part),
        _ => None,
    };
    let (mut one, two) = (take().unwrap(), take().unwrap());
    assert!(take().is_none());
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut one, &waker), Poll::Ready(Some(1)));
    assert!(poll(&mut one, &waker).is_pending());
    trap.set(Some("compare"));
    assert_eq!(panic_of(|| drop(two)), "fragile");
    trap.set(None);
    assert!(remote.is_dropped());
    assert_eq!(wakes.count(), 1);
    assert_eq!(panic_of(|| poll_noop(&mut one)), TOLD);
    assert_eq!(panic_of(|| poll_noop(&mut outer).is_ready()), TOLD);
}

#[test]
fn a_waker_that_panics_strands_nobody() {
    let (mut outer, remote) = split(1, items([100, 200]));
    let (mut one, mut two) = (outer.part(1), outer.part(2));
    one.yields([100]);
    two.yields([200]);
    assert!(poll(&mut one.stream, &panicking_waker()).is_pending());
    two.waits();
    outer.waits();
    assert_eq!(panic_of(|| remote.push(101)), "waker");
    two.is_woken();
    outer.is_woken();
    // It takes an item whose part has a waker that panics.
    outer.waits();
    one.yields([101]);
    assert!(poll(&mut one.stream, &panicking_waker()).is_pending());
    remote.add_silently(items([102]));
    assert_eq!(
        panic_of(|| two.poll().is_ready() | two.poll().is_ready()),
        "waker"
    );
    one.yields([102]);
}

#[test]
fn a_part_that_a_panicking_waker_takes_along_is_forgotten() {
    let (mut outer, _remote) = split(1, items([100, 200]));
    let mut one = outer.part(1);
    one.yields([100]);
    one.waits();
    // The second part waits, and its successor is in hand: who takes it goes on, and wakes the
    // first.
    _remote.add(items([300, 101, 301]));
    one.is_woken();
    assert!(poll(&mut one.stream, &panicking_waker()).is_pending());
    assert_eq!(panic_of(|| outer.poll().is_ready()), "waker");
    one.yields([101]);
    let mut three = outer.part(3);
    three.yields([300, 301]);
}

#[test]
fn a_waker_that_changes_is_used_from_then_on() {
    let (mut outer, remote) = split(1, items([100]));
    let mut one = outer.part(1);
    one.yields([100]);
    one.waits();
    let mut one = Task::new(one.stream);
    one.waits();
    remote.push(101);
    one.is_woken();
    one.yields([101]);
}

/// A source that polls and drops parts of its own split stream.
#[test]
fn a_source_may_use_its_own_parts() {
    type Own = Rc<Cell<Option<Box<dyn FnMut()>>>>;
    let act: Own = Rc::default();
    let acts = act.clone();
    let mut next = 99;
    let numbers = stream::iter(core::iter::from_fn(move || {
        if let Some(mut act) = acts.take() {
            act();
        }
        next += 1;
        (next < 110).then_some(next)
    }));
    let mut outer = split_by(20, |item| item % 2, numbers);
    let (_, mut even) = block_on(outer.next()).unwrap();
    let (_, odd) = block_on(outer.next()).unwrap();
    let mut odd = Some(Task::new(odd));
    let wakes = odd.as_ref().unwrap().wakes.clone();
    assert_eq!(
        poll_noop(&mut odd.as_mut().unwrap().stream),
        Poll::Ready(Some(101))
    );
    assert_eq!(poll_noop(&mut even), Poll::Ready(Some(100)));
    act.set(Some(Box::new(move || {
        // It finds the lock held.
        if let Some(odd) = &mut odd {
            assert!(odd.poll().is_pending());
        }
        odd = None;
    })));
    assert_eq!(poll_noop(&mut even), Poll::Ready(Some(102)));
    assert_eq!(wakes.count(), 0, "it was dropped while it waited");
    // Its key makes a new part.
    let (key, mut odd) = block_on(outer.next()).unwrap();
    assert_eq!(key, 1);
    assert_eq!(poll_noop(&mut odd), Poll::Ready(Some(103)));
}

#[test]
fn a_part_that_finds_the_lock_held_is_woken_at_its_release() {
    let (mut outer, _remote) = split(1, items([100]));
    let mut one = outer.part(1);
    let guard = outer.stream.0.lock_for_tests();
    one.waits();
    drop(guard);
    one.is_woken();
    one.yields([100]);
}

#[test]
fn one_poll_pulls_a_bounded_number_of_items() {
    let (source, remote) = source(items((0..1000).map(|i| 100 + i % 2)));
    let mut outer = split_by(usize::MAX, |item| *item, source);
    let Poll::Ready(Some((100, _even))) = poll_noop(&mut outer) else {
        panic!("there is a part");
    };
    let Poll::Ready(Some((101, odd))) = poll_noop(&mut outer) else {
        panic!("there is a part");
    };
    let mut outer = Task::new(outer);
    assert!(outer.poll().is_pending());
    assert_eq!(remote.waiting(), 1000 - 2 - 64);
    outer.is_woken();
    let mut odd = Task::new(odd);
    for _ in 0..33 {
        assert_eq!(odd.poll(), Poll::Ready(Some(101)));
    }
    assert_eq!(remote.waiting(), 1000 - 2 - 64);
    assert_eq!(odd.poll(), Poll::Ready(Some(101)));
    assert_eq!(remote.waiting(), 1000 - 2 - 64 - 2);
}

#[test]
fn ten_thousand_parts() {
    const PARTS: usize = many(10_000) as usize;
    let (source, remote) = source((0..PARTS * 3).map(Item));
    let mut outer = split_by(3, |item| item % PARTS, source);
    let mut parts: Vec<_> = (0..PARTS)
        .map(|key| match poll_noop(&mut outer) {
            Poll::Ready(Some((found, part))) => {
                assert_eq!(found, key);
                part
            }
            _ => panic!("there is a part"),
        })
        .collect();
    for round in 0..3 {
        for (key, part) in parts.iter_mut().enumerate() {
            assert_eq!(poll_noop(part), Poll::Ready(Some(key + round * PARTS)));
        }
    }
    assert!(parts.iter_mut().all(|part| poll_noop(part).is_pending()));
    let polls = remote.polls();
    assert_eq!(
        polls,
        PARTS * 3 + 1,
        "who finds that nothing is there does not ask"
    );
    // Dropped in an order that is neither that of their numbers nor the reverse.
    for odd in [1, 0] {
        let mut number = 0;
        parts.retain(|_| {
            number += 1;
            number % 2 == odd
        });
    }
    remote.add([Item(1), Item(2)]);
    assert!(poll_noop(&mut outer).is_ready());
}

#[test]
fn collects_what_a_plain_loop_collects() {
    for n in [1, 2, 3, 7, usize::MAX] {
        for keys in [1, 2, 5, 40] {
            let mut expected = vec![Vec::new(); keys];
            (0..500).for_each(|i| expected[i * i % 41 % keys].push(i));
            let mut outer = split_by(n, |i: &usize| i * i % 41 % keys, stream::iter(0..500));
            let mut seen = vec![Vec::new(); keys];
            let mut parts = Vec::new();
            let mut ended = false;
            while !ended || !parts.is_empty() {
                if let Poll::Ready(next) = poll_noop(&mut outer) {
                    ended = next.is_none();
                    parts.extend(next);
                }
                parts.retain_mut(|(key, part)| match poll_noop(part) {
                    Poll::Ready(Some(item)) => {
                        seen[*key].push(item);
                        true
                    }
                    polled => polled.is_pending(),
                });
            }
            assert_eq!(seen, expected, "{n} {keys}");
        }
    }
}

#[test]
#[should_panic(expected = "split_by: n must be at least 1")]
fn a_limit_of_zero_panics() {
    drop(split_by(0, |_: &u32| 0, stream::empty()));
}

/// Parts on threads of their own, which are dropped now and then, while another thread pushes.
#[test]
fn every_item_reaches_its_part_across_threads() {
    const ITEMS: usize = many(100_000) as usize;
    const KEYS: usize = 4;
    for n in [1, 3, 100] {
        let (pusher, items) = crate::push_aiter();
        let pushing = std::thread::spawn(move || {
            for item in 0..ITEMS {
                if item % 1000 == 0 {
                    std::thread::yield_now();
                }
                pusher.push(item).unwrap();
            }
        });
        let mut outer = split_by(n, |item| item % KEYS, items);
        let mut threads = Vec::new();
        while let Some((key, mut part)) = block_on(outer.next()) {
            threads.push(std::thread::spawn(move || {
                let (mut first, mut last) = (None, None);
                while let Some(item) = block_on(part.next()) {
                    assert_eq!(item % KEYS, key);
                    assert!(
                        last.is_none_or(|last| item == last + KEYS),
                        "an item is lost"
                    );
                    first = first.or(Some(item));
                    last = Some(item);
                    if key == 0 && item % 9973 == 0 && item > 0 {
                        break;
                    }
                }
                (key, first.unwrap(), last.unwrap())
            }));
        }
        pushing.join().unwrap();
        let mut seen = vec![Vec::new(); KEYS];
        for thread in threads {
            let (key, first, last) = thread.join().unwrap();
            seen[key].push((first, last));
        }
        // The parts of one key follow each other; at most those items are missing that waited in
        // one that was dropped.
        for (key, mut parts) in seen.into_iter().enumerate() {
            parts.sort_unstable();
            assert_eq!(parts[0].0, key);
            for two in parts.windows(2) {
                let missing = (two[1].0 - two[0].1) / KEYS - 1;
                assert!(two[1].0 > two[0].1 && missing <= n, "{missing} are missing");
            }
            assert!(key == 0 || parts.len() == 1);
            assert!(parts.last().unwrap().1 / KEYS + n >= (ITEMS - 1 - key) / KEYS);
        }
    }
}
