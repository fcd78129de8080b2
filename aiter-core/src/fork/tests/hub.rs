//! Hubs of forked streams, and what is retained for those that come late.

use super::*;
use crate::{
    Hub, aiter_forker_with,
    bound::{self, Retain, Seen, Skip, Wait},
    iter_to_aiter,
};
use core::future::Future;

type Items = Source<u32>;

fn reader<B: Bound>(fork: Fork<Items, B>) -> Reader<Items, B> {
    Reader::new(fork)
}

fn rest<B: Bound>(fork: &mut Reader<Items, B>) -> Vec<B::Item<u32>> {
    core::iter::from_fn(|| match fork.poll() {
        Poll::Ready(item) => item,
        Poll::Pending => None,
    })
    .collect()
}

fn seen(missed: usize, item: u32) -> Seen<u32> {
    Seen { missed, item }
}

/// A stream with a bound, its hub, and what is behind its source.
type Hubbed<B> = (Reader<Items, B>, Hub<Items, B>, Remote<u32>);

fn hub<B: bound::SourceBound<u32>>(
    bound: B,
    steps: impl IntoIterator<Item = Step<u32>>,
) -> Hubbed<B::Bound> {
    let (source, remote) = source(steps);
    let first = reader(aiter_forker_with(bound, source));
    let hub = first.fork.hub();
    (first, hub, remote)
}

#[test]
fn subscribers_see_what_is_pulled_from_then_on() {
    let (mut first, hub, remote) = hub(bound::unbounded(), (0..9).map(Item).chain([End]));
    assert_eq!((first.poll(), first.poll()), (item(0), item(1)));
    let mut late = reader(hub.subscribe());
    let mut lossy = reader(hub.subscribe_with(bound::skip(2)));
    let mut waits = reader(hub.subscribe_with(bound::wait(3)));
    assert_eq!(late.fork.size_hint(), (0, None));
    assert_eq!((late.poll(), remote.polls()), (item(2), 3));
    assert!((2..5).all(|n| first.poll() == item(n)));
    assert_eq!((first.poll(), hub.readers()), (PENDING, 4));
    assert_eq!(rest(&mut lossy), [seen(1, 3), seen(0, 4)]);
    assert_eq!(rest(&mut waits), [2, 3, 4, 5, 6, 7, 8]);
    drop(waits);
    drop(first);
    // The stream and its hub live without forks.
    assert_eq!(rest(&mut late), [3, 4, 5, 6, 7, 8]);
    drop((late, lossy));
    assert_eq!(hub.readers(), 0);
    let mut last = reader(hub.subscribe());
    assert_eq!(last.poll(), END);
}

#[test]
fn a_hub_without_forks_keeps_the_stream_and_no_items() {
    for n in 0..3 {
        let live = Arc::new(());
        let items = live.clone();
        let first = aiter_forker(iter_to_aiter(core::iter::repeat_with(move || {
            items.clone()
        })));
        let hub = first.hub();
        let mut forks: Vec<_> = (0..n).map(|_| hub.subscribe()).collect();
        for fork in &mut forks {
            for _ in 0..100 {
                assert!(poll_noop(fork).is_ready());
            }
        }
        drop((forks, first));
        assert_eq!((Arc::strong_count(&live), hub.readers()), (2, 0));
        let mut late = hub.subscribe_with(bound::skip(3));
        assert!(poll_noop(&mut late).is_ready());
        assert_eq!(Arc::strong_count(&live), 2);
        let _keeps = hub.subscribe_with(bound::skip(3));
        for _ in 0..100 {
            assert!(poll_noop(&mut late).is_ready());
        }
        assert_eq!(Arc::strong_count(&live), 2 + 3);
        drop(hub);
        assert!(poll_noop(&mut late).is_ready());
    }
}

/// What a source does in its poll, for one poll.
type Hook<B> = Arc<Mutex<Option<Box<dyn FnOnce() -> Vec<Fork<Hooked<B>, B>> + Send>>>>;

/// The forks that a hook has made.
type Made<B> = Arc<Mutex<Vec<Fork<Hooked<B>, B>>>>;

/// Counts, and calls a hook in its poll, which makes forks.
struct Hooked<B: Bound> {
    next: u32,
    hook: Hook<B>,
    made: Made<B>,
}

impl<B: Bound> Stream for Hooked<B> {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        let hook = self.hook.lock().unwrap().take();
        if let Some(hook) = hook {
            let forks = hook();
            self.made.lock().unwrap().extend(forks);
        }
        self.next += 1;
        Poll::Ready((self.next < 10).then_some(self.next))
    }
}

fn subscriber_during_a_poll<B>(bound: B, number: fn(B::Item<u32>) -> (usize, u32))
where
    B: Bound + Send + Sync + 'static,
    B::Place<u32>: Send,
{
    for others in [false, true] {
        let (hook, made): (Hook<B>, Made<B>) = Default::default();
        let source = Hooked {
            next: 0,
            hook: hook.clone(),
            made: made.clone(),
        };
        let mut first = aiter_forker_with(bound, source);
        let other = others.then(|| first.fork());
        let hub = first.hub();
        let take = |fork: &mut Fork<_, B>| match poll_noop(fork) {
            Poll::Ready(found) => found.map(number),
            Poll::Pending => panic!("the source is ready"),
        };
        assert_eq!(take(&mut first), Some((0, 1)));
        drop(other);
        *hook.lock().unwrap() = Some(Box::new(move || {
            let mut one = hub.subscribe();
            assert_eq!(one.size_hint().0, 0);
            let fork = one.fork();
            vec![one, fork, hub.replay()]
        }));
        assert_eq!(take(&mut first), Some((0, 2)));
        let mut forks = core::mem::take(&mut *made.lock().unwrap());
        assert_eq!(forks.len(), 3);
        assert_eq!(take(&mut forks[1]), Some((0, 2)), "it came during the poll");
        for _ in 0..2 {
            assert_eq!(take(&mut forks[0]).map(|(missed, _)| missed), Some(0));
        }
        drop(first);
        for n in 3..10 {
            assert_eq!(take(&mut forks[1]), Some((0, n)));
        }
        assert_eq!(take(&mut forks[1]), None);
        let mut last = None;
        while let Some(found) = take(&mut forks[2]) {
            last = Some(found.1);
        }
        assert_eq!(last, Some(9));
    }
}

#[test]
fn a_subscriber_that_comes_during_a_poll_sees_its_item() {
    subscriber_during_a_poll(bound::unbounded(), |item| (0, item));
    subscriber_during_a_poll(bound::wait(100), |item| (0, item));
    subscriber_during_a_poll(bound::skip(100), |seen: Seen<u32>| (seen.missed, seen.item));
}

#[test]
fn a_late_fork_sees_what_is_retained_and_everything_after_it() {
    for m in 0..5 {
        for pulled in 0..7 {
            let (mut first, hub, _remote) =
                hub(bound::unbounded().retain(m), (0..12).map(Item).chain([End]));
            let mut early = reader(hub.replay());
            for n in 0..pulled {
                assert_eq!(first.poll(), item(n));
            }
            let start = pulled.saturating_sub(m as u32);
            let mut late = reader(hub.replay());
            let mut subscribed = reader(hub.subscribe());
            let mut newest = reader(hub.replay_with(bound::skip(2)));
            let mut waits = reader(hub.replay_with(bound::wait(9)));
            assert_eq!(late.fork.size_hint().0, (pulled - start) as usize);
            let first_of_two = start.max(pulled.saturating_sub(2));
            let two: Vec<_> = (first_of_two..pulled).map(|n| seen(0, n)).collect();
            assert!((pulled..pulled + 2).all(|n| first.poll() == item(n)));
            assert_eq!(newest.poll(), Poll::Ready(Some(seen(two.len(), pulled))));
            assert!(
                (start..pulled + 2).all(|n| late.poll() == item(n)),
                "{m} {pulled}"
            );
            assert_eq!(subscribed.poll(), item(pulled));
            assert!((0..pulled + 2).all(|n| early.poll() == item(n)));
            assert_eq!(waits.poll(), item(start.min(pulled)));
            drop((first, early, newest, subscribed, waits));
            assert!(rest(&mut late).into_iter().eq(pulled + 2..12));
            // Also after the end.
            let mut last = reader(hub.replay());
            assert!(rest(&mut last).into_iter().eq(12 - m as u32..12));
            assert_eq!(last.poll(), END);
            assert_eq!(reader(hub.subscribe()).poll(), END);
        }
    }
}

#[test]
fn the_latest_item_is_there_at_once() {
    let (mut first, hub, remote) = hub(bound::latest(), (0..5).map(Item));
    assert_eq!(first.poll(), Poll::Ready(Some(seen(0, 0))));
    let mut late = reader(hub.replay());
    assert_eq!(
        (late.poll(), remote.polls()),
        (Poll::Ready(Some(seen(0, 0))), 1)
    );
    assert!((1..4).all(|n| first.poll() == Poll::Ready(Some(seen(0, n)))));
    assert_eq!(late.poll(), Poll::Ready(Some(seen(2, 3))));
    let mut subscribed = reader(hub.subscribe());
    assert_eq!(subscribed.poll(), Poll::Ready(Some(seen(0, 4))));
}

#[test]
fn retained_items_are_kept_and_no_more() {
    fn check<B>(bound: Retain<B>, most: usize)
    where
        B: Bound,
        Retain<B>: bound::SourceBound<Arc<()>, Bound = B>,
    {
        let live = Arc::new(());
        let items = live.clone();
        let source = iter_to_aiter(core::iter::repeat_with(move || items.clone()));
        let mut first = aiter_forker_with(bound, source);
        let hub = first.hub();
        for n in 1..100 {
            drop(poll_noop(&mut first));
            assert_eq!(Arc::strong_count(&live), 2 + n.min(most));
        }
        drop(first);
        let kept = Arc::strong_count(&live) - 2;
        assert_eq!(kept, 3, "without forks, what is retained");
        drop(hub.replay());
        drop(hub);
        assert_eq!(Arc::strong_count(&live), 1);
    }
    check(bound::unbounded().retain(3), 3);
    check(bound::wait(5).retain(3), 3);
    check(bound::skip(2).retain(3), 3);
    check(bound::skip(7).retain(3), 7);
}

#[test]
fn tasks_wait_until_a_hub_is_idle_or_occupied() {
    let (first, hub, _remote) = hub(bound::unbounded(), []);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut idle = hub.idle();
    let mut also = Box::pin(hub.idle());
    assert!(Pin::new(&mut idle).poll(&mut cx).is_pending());
    assert!(also.as_mut().poll(&mut cx).is_pending());
    assert!(Pin::new(&mut hub.occupied()).poll(&mut cx).is_ready());
    let mut passive = reader(hub.subscribe().fork_passive());
    let second = hub.clone().subscribe();
    drop(first);
    assert_eq!((wakes.count(), hub.readers()), (0, 1));
    drop(second);
    assert_eq!(wakes.count(), 2);
    assert!(Pin::new(&mut idle).poll(&mut cx).is_ready());
    let mut occupied = hub.occupied();
    assert!(Pin::new(&mut occupied).poll(&mut cx).is_pending());
    let fork = hub.subscribe();
    assert_eq!(wakes.count(), 3);
    // It is gone again before the task looks.
    drop(fork);
    assert!(Pin::new(&mut occupied).poll(&mut cx).is_pending());
    passive.fork.activate();
    assert_eq!((wakes.count(), hub.readers()), (4, 1));
    assert!(Pin::new(&mut occupied).poll(&mut cx).is_ready());
    drop((idle, also, occupied));
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1, "no waker is kept");
}

#[test]
fn a_panic_of_the_source_reaches_late_forks_after_what_is_retained() {
    let (mut first, hub, _remote) = hub(bound::unbounded().retain(1), [Item(0), Item(1), Panic]);
    assert_eq!((first.poll(), first.poll()), (item(0), item(1)));
    assert_eq!(panic_of(|| first.poll()), "source");
    let mut late = reader(hub.replay());
    assert_eq!(late.poll(), item(1));
    assert_eq!(panic_of(|| late.poll()), ANOTHER);
    assert_eq!(late.poll(), END);
    let mut lossy = reader(hub.subscribe_with(bound::skip(1)));
    assert_eq!(panic_of(|| lossy.poll()), ANOTHER);
}

#[test]
fn the_forks_of_a_hub_have_the_bound_of_its_fork() {
    let (first, hub, _remote): (_, Hub<_, Wait>, _) = hub(bound::wait(2), (0..9).map(Item));
    first.fork.set_wait(1);
    let again = first.fork.hub();
    drop(first);
    let (mut two, mut one) = (reader(hub.subscribe()), reader(again.subscribe()));
    assert_eq!((two.poll(), two.poll()), (item(0), PENDING));
    assert_eq!(
        (one.poll(), two.poll(), two.poll()),
        (item(0), item(1), PENDING)
    );
    drop(one);
    let mut other = reader(hub.subscribe());
    assert_eq!(
        (two.poll(), two.poll(), two.poll()),
        (item(2), item(3), PENDING)
    );
    assert_eq!(other.poll(), item(2));
    let _: Hub<_, Skip> = aiter_forker_with(bound::skip(3), iter_to_aiter(0..3)).hub();
}

#[test]
fn clients_come_and_go_across_threads() {
    const ITEMS: u32 = many(5_000);
    let first = aiter_forker_with(bound::skip(8).retain(4), iter_to_aiter(0..ITEMS));
    let hub = first.hub();
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let hub = hub.clone();
            std::thread::spawn(move || {
                let mut last = 0;
                while last + 1 < ITEMS {
                    let mut lossless = hub.replay_with(bound::unbounded());
                    let mut expected = None;
                    for _ in 0..50 {
                        let next = futures_lite::future::block_on(futures_lite::StreamExt::next(
                            &mut lossless,
                        ));
                        let Some(n) = next else { break };
                        assert!(expected.is_none_or(|expected| n == expected));
                        expected = Some(n + 1);
                        last = n;
                    }
                }
            })
        })
        .collect();
    let mut next = 0;
    for seen in futures_lite::stream::block_on(first) {
        next += seen.missed as u32;
        assert_eq!(seen.item, next);
        next += 1;
    }
    assert_eq!(next, ITEMS);
    for client in clients {
        client.join().unwrap();
    }
}

/// A subscriber takes a slot of the list, which holds no item. The readers before it pass that
/// slot.
#[test]
fn slots_without_an_item_do_not_hide_the_tail() {
    let (mut first, hub, remote) = hub(bound::unbounded(), []);
    let mut passive = first.fork_passive();
    let mut forks: Vec<_> = (0..70).map(|_| reader(hub.subscribe())).collect();
    assert!(!passive.fork.is_terminated());
    for fork in forks.iter_mut().chain([&mut first]) {
        assert_eq!(fork.poll(), PENDING);
    }
    let mut late = reader(hub.subscribe());
    remote.add([Item(1), Item(2)]);
    for fork in forks.iter_mut().chain([&mut first]) {
        assert_eq!((fork.wakes(), fork.poll()), (1, item(1)));
    }
    assert_eq!((late.poll(), late.poll()), (item(1), item(2)));
    assert_eq!((passive.poll(), passive.poll()), (item(1), item(2)));
    let other = reader(hub.subscribe());
    drop((first, forks, late, other));
    assert!(passive.fork.is_terminated());
    assert_eq!(passive.poll(), END);
}
