//! A stream does not keep a task that is done with it: the task's waker is dropped when another
//! task polls and has to look for an item, and at the end. The waker of a task that goes on polling
//! is kept, so that it is cloned once.
#![allow(missing_docs, missing_debug_implementations, reason = "a test program")]

use aiter_core::{
    AiterExt, HubBound, PushAiter, PushHub, Pusher, RateLimit, Sharable, Stopper, active,
    aiter_forker, aiter_forker_with, bound, debounce, gated_aiter, iter_to_aiter, join_aiters,
    join_aiters_keyed, join_aiters_limited, map_workers, map_workers_by, map_workers_ordered,
    preload, push_aiter, push_aiter_bounded, push_hub, rate_limit, sharable_aiter, split_by,
    stoppable_aiter,
};
use futures_core::Stream;
use futures_lite::{StreamExt, future::block_on};
use std::{
    future::{Future, poll_fn, ready},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

type Numbers = Pin<Box<dyn Stream<Item = u8> + Send>>;

/// A stream that waits, an action that gives it an item, and one that ends it.
struct Scene {
    stream: Numbers,
    /// Other streams that take from the same source, and have to get items too.
    others: Vec<Numbers>,
    pusher: Option<Pusher<u8>>,
    /// Polled after each action on the source.
    driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

impl Scene {
    fn poll(&mut self, task: &Arc<Task>) -> Poll<Option<u8>> {
        let waker = Waker::from(task.clone());
        let polled = self
            .stream
            .as_mut()
            .poll_next(&mut Context::from_waker(&waker));
        self.drive();
        polled
    }

    fn drive(&mut self) {
        if let Some(mut driver) = self.driver.take() {
            let polled = driver
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            self.driver = polled.is_pending().then_some(driver);
        }
        self.others.retain_mut(|other| {
            loop {
                match other
                    .as_mut()
                    .poll_next(&mut Context::from_waker(Waker::noop()))
                {
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) => return false,
                    Poll::Pending => return true,
                }
            }
        });
    }

    fn give(&mut self) {
        self.pusher.as_ref().unwrap().push(7).unwrap();
        self.drive();
    }

    fn end(&mut self) {
        self.pusher = None;
        self.drive();
    }
}

/// A scene whose stream reads, in some way, from a push list.
fn scene<S: Stream<Item = u8> + Send + 'static>(
    make: impl FnOnce(aiter_core::PushAiter<u8>) -> S,
) -> Scene {
    with_others(|aiter| (make(aiter), Vec::new()))
}

fn with_others<S: Stream<Item = u8> + Send + 'static>(
    make: impl FnOnce(aiter_core::PushAiter<u8>) -> (S, Vec<Numbers>),
) -> Scene {
    let (pusher, aiter) = push_aiter();
    let (stream, others) = make(aiter);
    Scene {
        stream: Box::pin(stream),
        others,
        pusher: Some(pusher),
        driver: None,
    }
}

fn driven<S: Stream<Item = u8> + Send + 'static, D: Future<Output = ()> + Send + 'static>(
    make: impl FnOnce(aiter_core::PushAiter<u8>) -> (S, D),
) -> Scene {
    let (pusher, aiter) = push_aiter();
    let (stream, driver) = make(aiter);
    Scene {
        stream: Box::pin(stream),
        others: Vec::new(),
        pusher: Some(pusher),
        driver: Some(Box::pin(driver)),
    }
}

/// Keeps a value alive together with the stream.
fn beside<K: Send + 'static>(
    stream: impl Stream<Item = u8> + Send + 'static,
    kept: K,
) -> impl Stream<Item = u8> + Send {
    stream.map_aiter(move |n| {
        let _kept = &kept;
        n
    })
}

/// Pushes into a hub what a list yields.
async fn push_into<B: HubBound>(hub: PushHub<u8, B>, mut source: PushAiter<u8>) {
    while let Some(n) = source.next().await {
        hub.push(n).unwrap();
    }
}

/// Takes items many at a time, and yields the last of them.
struct ByMany(PushAiter<u8>);

impl Stream for ByMany {
    type Item = u8;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
        let mut items = Vec::new();
        let taken = pin!(self.0.next_many(&mut items, 10)).poll(cx);
        taken.map(|_| items.pop())
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A timer that waits for the next tick, or for the end of the ticks.
async fn tick(mut ticks: Sharable<PushAiter<u8>>) {
    poll_fn(|cx| Pin::new(&mut ticks).poll_next(cx)).await;
}

type Case = (&'static str, fn() -> Scene);

const SCENES: &[Case] = &[
    ("push_aiter", || scene(|aiter| aiter)),
    ("push_aiter, beside a fork", || {
        with_others(|mut aiter| {
            let fork = Box::pin(aiter.fork()) as Numbers;
            (aiter, vec![fork])
        })
    }),
    ("push_aiter, in front of a fork", || {
        with_others(|mut aiter| {
            let fork = aiter.fork();
            (beside(aiter, fork), Vec::new())
        })
    }),
    ("push_aiter, many at once", || scene(ByMany)),
    ("push_aiter_bounded", || {
        driven(|source| {
            let (pusher, aiter) = push_aiter_bounded(2);
            let pushing = source.pump(move |n| {
                let pusher = pusher.clone();
                async move { pusher.push(n).await }
            });
            (aiter, async {
                pushing.await.ok();
            })
        })
    }),
    ("push_aiter_bounded, into a fork", || {
        driven(|source| {
            let (pusher, mut aiter) = push_aiter_bounded(100);
            let fork = aiter.fork();
            let sink = pusher.into_sink();
            let forwarding = futures::StreamExt::forward(source.map(Ok), sink);
            (beside(fork, aiter), async {
                forwarding.await.ok();
            })
        })
    }),
    ("push_hub", || {
        driven(|source| {
            let hub = push_hub(bound::unbounded());
            (hub.subscribe(), push_into(hub, source))
        })
    }),
    ("push_hub, replays", || {
        driven(|source| {
            let hub = push_hub(bound::unbounded().retain(2));
            (hub.replay(), push_into(hub, source))
        })
    }),
    ("push_hub, skips", || {
        driven(|source| {
            let hub = push_hub(bound::skip(3));
            let reader = hub.subscribe().map_aiter(|seen| seen.item);
            (reader, push_into(hub, source))
        })
    }),
    ("Hub, a late fork", || {
        scene(|aiter| aiter_forker(aiter).hub().subscribe())
    }),
    ("Hub, a late fork that skips", || {
        scene(|aiter| {
            let hub = aiter_forker(aiter).hub();
            let skips = hub.replay_with(bound::skip(3));
            beside(skips.map_aiter(|seen| seen.item), hub)
        })
    }),
    ("aiter_forker", || scene(aiter_forker)),
    ("aiter_forker, beside another", || {
        with_others(|aiter| {
            let mut fork = aiter_forker(aiter);
            let other = Box::pin(fork.fork()) as Numbers;
            (fork, vec![other])
        })
    }),
    ("aiter_forker, passive", || {
        with_others(|aiter| {
            let mut fork = aiter_forker(aiter);
            let passive = fork.fork_passive();
            (passive, vec![Box::pin(fork) as Numbers])
        })
    }),
    ("aiter_forker, waits", || {
        with_others(|aiter| {
            let mut fork = aiter_forker_with(bound::wait(3), aiter);
            let other = Box::pin(fork.fork()) as Numbers;
            (fork, vec![other])
        })
    }),
    ("aiter_forker, skips", || {
        with_others(|aiter| {
            let mut fork = aiter_forker_with(bound::skip(3), aiter);
            let other = fork.fork().map_aiter(|seen| seen.item);
            (
                fork.map_aiter(|seen| seen.item),
                vec![Box::pin(other) as Numbers],
            )
        })
    }),
    ("aiter_forker, skips, passive", || {
        with_others(|aiter| {
            let mut fork = aiter_forker_with(bound::skip(3), aiter);
            let passive = fork.fork_passive().map_aiter(|seen| seen.item);
            let fork = fork.map_aiter(|seen| seen.item);
            (passive, vec![Box::pin(fork) as Numbers])
        })
    }),
    ("sharable_aiter", || scene(sharable_aiter)),
    ("sharable_aiter, beside another", || {
        scene(|aiter| {
            let taker = sharable_aiter(aiter);
            beside(taker.clone(), taker)
        })
    }),
    ("split_by, outer stream", || {
        scene(|aiter| split_by(9, |_: &u8| (), aiter).map_aiter(|((), _)| 7))
    }),
    ("split_by, part", || {
        scene(|aiter| {
            let mut outer = split_by(9, |_: &u8| (), iter_to_aiter([7]).chain(aiter));
            let (_, mut part) = block_on(outer.next()).expect("the first item makes it");
            assert_eq!(block_on(part.next()), Some(7));
            beside(part, outer)
        })
    }),
    ("gated_aiter, at the gate", || {
        let (gated, gate) = gated_aiter(iter_to_aiter([7_u8; 99]));
        let (pusher, aiter) = push_aiter::<u8>();
        let opens = aiter.map_aiter(move |_| {
            gate.push(1);
            0
        });
        Scene {
            stream: Box::pin(gated),
            others: vec![Box::pin(opens)],
            pusher: Some(pusher),
            driver: None,
        }
    }),
    ("gated_aiter, at its source", || {
        scene(|aiter| {
            let (gated, gate) = gated_aiter(aiter);
            gate.open();
            beside(gated, gate)
        })
    }),
    ("stoppable_aiter", || {
        scene(|aiter| {
            let (stoppable, stopper) = stoppable_aiter(aiter);
            beside(stoppable, stopper)
        })
    }),
    ("Stopper, beside others", || {
        with_others(|aiter| {
            let stopper = Stopper::new();
            let never = || futures_lite::stream::pending::<u8>();
            let others = (0..30).map(|_| Box::pin(stopper.stoppable(never())) as Numbers);
            let others = others.collect();
            (beside(stopper.stoppable(aiter), stopper), others)
        })
    }),
    // Each poll asks the source for more than one item, which keeps the waker of that poll.
    ("debounce, at its timer", || {
        scene(|aiter| {
            let ticks = sharable_aiter(aiter);
            // The source has another item as soon as the one before has come out.
            let wanted = Arc::new(AtomicBool::new(true));
            let taken = wanted.clone();
            let source = futures_lite::stream::poll_fn(move |_| match wanted.swap(false, SeqCst) {
                true => Poll::Ready(Some(7)),
                false => Poll::Pending,
            });
            debounce(SECOND, move |_| tick(ticks.clone()), source).map_aiter(move |n| {
                taken.store(true, SeqCst);
                n
            })
        })
    }),
    ("rate_limit, at its source", || {
        scene(|aiter| {
            let clock = (|_| ready(()), || SECOND);
            rate_limit(RateLimit::new(usize::MAX, SECOND), clock, aiter)
        })
    }),
    ("rate_limit, at its timer", || {
        scene(|aiter| {
            let ticks = sharable_aiter(aiter);
            let now = Arc::new(AtomicU64::new(0));
            let moved = now.clone();
            let timer = move |_| {
                let (ticks, moved) = (ticks.clone(), moved.clone());
                async move {
                    tick(ticks).await;
                    moved.fetch_add(1, SeqCst);
                }
            };
            let clock = (timer, move || SECOND * now.load(SeqCst) as u32);
            let mut limited = Box::pin(rate_limit(
                RateLimit::new(1, SECOND),
                clock,
                iter_to_aiter([7; 99]),
            ));
            // The token of the start.
            let first = limited
                .as_mut()
                .poll_next(&mut Context::from_waker(Waker::noop()));
            assert_eq!(first, Poll::Ready(Some(7)));
            limited
        })
    }),
    ("active", || driven(active)),
    ("preload", || driven(|aiter| preload(2, aiter))),
    ("join_aiters", || {
        scene(|aiter| join_aiters(iter_to_aiter([aiter])))
    }),
    ("join_aiters_keyed", || {
        scene(|aiter| join_aiters_keyed(iter_to_aiter([("k", aiter)])).map_filter_aiter(|(_, n)| n))
    }),
    ("join_aiters_limited", || {
        scene(|aiter| join_aiters_limited(1, iter_to_aiter([aiter])))
    }),
    // A batch of one item does not ask for more, which would keep the waker of that poll.
    ("batch", || scene(|aiter| aiter.batch(1).flatten_aiter())),
    ("batch_within", || {
        let timer = |_| std::future::pending::<()>();
        let second = Duration::from_secs(1);
        scene(move |aiter| aiter.batch_within(1, second, timer).flatten_aiter())
    }),
    ("switch_aiter", || {
        scene(|aiter| iter_to_aiter([aiter]).switch_aiter())
    }),
    ("map_workers", || {
        scene(|aiter| map_workers(2, |n| async move { n }, aiter))
    }),
    ("map_workers_ordered", || {
        scene(|aiter| map_workers_ordered(2, |n| async move { n }, aiter))
    }),
    ("map_workers_by", || {
        scene(|aiter| map_workers_by(2, |n| *n, |n| async move { n }, aiter))
    }),
];

/// Runs every scene, and reports all failures at once.
fn every_scene(check: impl Fn(&mut Scene) -> Result<(), String>) {
    let failed: Vec<_> = SCENES
        .iter()
        .filter_map(|(name, make)| Some(format!("{name}: {}", check(&mut make()).err()?)))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn task() -> Arc<Task> {
    Arc::new(Task)
}

fn is_gone(what: &str, task: &Arc<Task>) -> Result<(), String> {
    match Arc::strong_count(task) {
        1 => Ok(()),
        kept => Err(format!("{what}: {} wakers are kept", kept - 1)),
    }
}

#[test]
fn a_poll_by_another_task_releases_the_first() {
    every_scene(|scene| {
        let (first, second) = (task(), task());
        assert_eq!(scene.poll(&first), Poll::Pending);
        scene.give();
        assert_eq!(scene.poll(&second), Poll::Ready(Some(7)));
        is_gone("the first", &first)?;
        is_gone("the second, which has not waited", &second)?;
        assert_eq!(scene.poll(&second), Poll::Pending);
        scene.give();
        assert_eq!(scene.poll(&second), Poll::Ready(Some(7)));
        // The third task may get items that were found before: at most a block of them.
        let third = task();
        for _ in 0..65 {
            scene.give();
            assert_eq!(scene.poll(&third), Poll::Ready(Some(7)));
        }
        is_gone("the second", &second)?;
        assert_eq!(scene.poll(&third), Poll::Pending);
        assert_eq!(scene.poll(&first), Poll::Pending);
        is_gone("the third", &third)
    });
}

/// After an item and before the first one, found by the task that waited and by another one.
#[test]
fn no_task_is_kept_after_the_end() {
    for has_items in [false, true] {
        for is_another in [false, true] {
            every_scene(|scene| {
                let first = task();
                let last = if is_another { task() } else { first.clone() };
                assert_eq!(scene.poll(&first), Poll::Pending);
                if has_items {
                    scene.give();
                    assert_eq!(scene.poll(&first), Poll::Ready(Some(7)));
                    assert_eq!(scene.poll(&first), Poll::Pending);
                }
                scene.end();
                // A gate that is not opened any more has items behind it.
                for _ in 0..100 {
                    if scene.poll(&last) == Poll::Ready(None) {
                        break;
                    }
                }
                let own = if is_another { 1 } else { 2 };
                match (Arc::strong_count(&first), Arc::strong_count(&last)) {
                    kept if kept == (own, own) => Ok(()),
                    kept => Err(format!("{kept:?} references of {own} each")),
                }
            });
        }
    }
}

#[test]
fn a_task_that_waits_again_is_cloned_once() {
    every_scene(|scene| {
        let first = task();
        for _ in 0..5 {
            assert_eq!(scene.poll(&first), Poll::Pending);
            assert_eq!(scene.poll(&first), Poll::Pending);
            if Arc::strong_count(&first) > 3 {
                return Err(format!("{} wakers", Arc::strong_count(&first) - 1));
            }
            scene.give();
            assert_eq!(scene.poll(&first), Poll::Ready(Some(7)));
        }
        Ok(())
    });
}

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that waits, and an action that makes it ready.
type Waiting = (Wait, Box<dyn FnMut()>);
type MakeWaiting = fn() -> Waiting;

const WAITS: &[(&str, MakeWaiting)] = &[
    ("BoundedPusher::push", || {
        let (pusher, mut aiter) = push_aiter_bounded(1);
        pusher.try_push(0).unwrap();
        let wait = async move { pusher.push(1).await.unwrap() };
        (
            Box::pin(wait),
            Box::new(move || assert!(aiter.try_next().is_ok())),
        )
    }),
    ("BoundedPusher::reserve_owned", || {
        let (pusher, mut aiter) = push_aiter_bounded(1);
        pusher.try_push(0).unwrap();
        let reserved = pusher.reserve_owned();
        let wait = async move { drop(reserved.await.unwrap()) };
        (
            Box::pin(wait),
            Box::new(move || assert!(aiter.try_next().is_ok())),
        )
    }),
    ("BoundedPusher::into_sink", || {
        let (pusher, mut aiter) = push_aiter_bounded(1);
        pusher.try_push(0).unwrap();
        let mut sink = pusher.into_sink();
        let wait = async move { futures::SinkExt::send(&mut sink, 1).await.unwrap() };
        (
            Box::pin(wait),
            Box::new(move || assert!(aiter.try_next().is_ok())),
        )
    }),
    ("Pusher::stopped", || {
        let (pusher, aiter) = push_aiter::<u8>();
        let wait = pusher.stopped();
        let mut ends = Some((pusher, aiter));
        (Box::pin(wait), Box::new(move || drop(ends.take())))
    }),
    ("PushHub::idle", || {
        let hub = push_hub::<u8, _>(bound::unbounded());
        let mut reader = Some(hub.subscribe());
        let wait = async move { hub.idle().await };
        (Box::pin(wait), Box::new(move || drop(reader.take())))
    }),
    ("PushHub::occupied", || {
        let hub = push_hub::<u8, _>(bound::unbounded());
        let (waits, mut readers) = (hub.clone(), Vec::new());
        let wait = async move { waits.occupied().await };
        (
            Box::pin(wait),
            Box::new(move || readers.push(hub.subscribe())),
        )
    }),
    ("Hub::idle", || {
        let (fork, hub) = hub_of_a_fork();
        let mut fork = Some(fork);
        let wait = async move { hub.idle().await };
        (Box::pin(wait), Box::new(move || drop(fork.take())))
    }),
    ("Hub::occupied", || {
        let (fork, hub) = hub_of_a_fork();
        drop(fork);
        let (waits, mut readers) = (hub.clone(), Vec::new());
        let wait = async move { waits.occupied().await };
        (
            Box::pin(wait),
            Box::new(move || readers.push(hub.subscribe())),
        )
    }),
    ("Stopper::stopped", || {
        let stopper = Stopper::new();
        let wait = stopper.stopped();
        (Box::pin(wait), Box::new(move || stopper.stop()))
    }),
];

type Repeated = aiter_core::IterToAiter<std::iter::Repeat<u8>>;

fn hub_of_a_fork() -> (aiter_core::Fork<Repeated>, aiter_core::Hub<Repeated>) {
    let fork = aiter_forker(iter_to_aiter(std::iter::repeat(7)));
    let hub = fork.hub();
    (fork, hub)
}

#[test]
fn a_future_keeps_the_task_that_polled_it_last_until_it_is_ready_or_dropped() {
    for (name, make) in WAITS {
        for is_dropped in [false, true] {
            let (mut wait, mut action) = make();
            let mut poll = |task: &Arc<Task>| {
                let waker = Waker::from(task.clone());
                wait.as_mut().poll(&mut Context::from_waker(&waker))
            };
            let [first, last] = [task(), task()];
            assert_eq!(poll(&first), Poll::Pending, "{name}");
            assert_eq!(poll(&last), Poll::Pending, "{name}");
            is_gone(name, &first).unwrap();
            assert!(is_gone(name, &last).is_err(), "{name}: nobody is woken");
            if is_dropped {
                drop(wait);
            } else {
                action();
                assert_eq!(poll(&last), Poll::Ready(()), "{name}");
            }
            is_gone(name, &last).unwrap();
        }
    }
}
