//! Everything in core that waits.

use super::{
    harness::{self, Item, Source, next, pause},
    setup::{Expected, Items, OnDrop, Reporting, Setup, Subject, driver_part, items},
};
use aiter_core::{
    AiterExt, BoundedAiter, HubBound, PushAiter, PushHub, Stopper, Watermarks, active,
    aiter_forker, aiter_forker_with, azip,
    bound::{Seen, skip, unbounded, wait},
    fixed, flatten_aiter, gated_aiter, iter_to_aiter, join_aiters, join_aiters_keyed, map_aiter,
    map_async, map_filter_aiter, map_workers, map_workers_ordered, preload, preload_with, pump,
    pump_lending, push_aiter, push_aiter_bounded, push_aiter_with, push_hub, sharable_aiter,
    stoppable_aiter,
};
use futures_core::Stream;
use std::{
    any::type_name,
    future::poll_fn,
    iter, mem,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

/// Runs a pump, whose pushes are refused once nobody reads them.
async fn until_refused<F: Future>(pump: F) {
    pump.await;
}

/// A future that is pending once or twice.
pub async fn slowly(item: Item) -> Item {
    for _ in 0..=item.number() % 2 {
        pause().await;
    }
    item
}

/// Three streams that have all items between them.
pub fn thirds() -> impl Stream<Item: Stream<Item = Item> + Send + Unpin + 'static> + Send + 'static
{
    iter_to_aiter([0, 1, 2].map(|part| {
        map_filter_aiter(
            move |item: Item| (item.number() % 3 == part).then_some(item),
            Source::new(),
        )
    }))
}

type FixedList<const N: usize, const R: usize, const P: usize = 0> = fixed::PushList<Item, N, R, P>;
type FixedAiter<const N: usize, const R: usize, const P: usize = 0> =
    fixed::PushAiter<'static, Item, N, R, P>;

/// A value that borrows a list. The list is dropped when no such value is left.
struct OnList<T, const N: usize, const R: usize, const P: usize> {
    it: T,
    _list: Arc<FixedList<N, R, P>>,
}

impl<const N: usize, const R: usize, const P: usize> OnList<FixedAiter<N, R, P>, N, R, P> {
    fn new(
        list: Arc<FixedList<N, R, P>>,
        make: impl FnOnce(&'static FixedList<N, R, P>) -> FixedAiter<N, R, P>,
    ) -> Self {
        // SAFETY: `it` is dropped before the list beside it, and it cannot be moved out of this
        // type.
        let it = make(unsafe { &*Arc::as_ptr(&list) });
        Self { it, _list: list }
    }
}

impl<const N: usize, const R: usize, const P: usize> Stream
    for OnList<FixedAiter<N, R, P>, N, R, P>
{
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(&mut self.it).poll_next(cx)
    }
}

/// A list whose items are taken many at a time.
trait NextMany: Unpin {
    fn poll_many(&mut self, items: &mut Vec<Item>, cx: &mut Context<'_>) -> Poll<usize>;
}

impl NextMany for PushAiter<Item> {
    fn poll_many(&mut self, items: &mut Vec<Item>, cx: &mut Context<'_>) -> Poll<usize> {
        pin!(self.next_many(items, 3)).poll(cx)
    }
}

impl NextMany for BoundedAiter<Item> {
    fn poll_many(&mut self, items: &mut Vec<Item>, cx: &mut Context<'_>) -> Poll<usize> {
        pin!(self.next_many(items, 3)).poll(cx)
    }
}

/// Takes items many at a time. Each poll makes a future and drops it.
struct ByMany<A> {
    aiter: A,
    items: Vec<Item>,
}

impl<A: NextMany> Stream for ByMany<A> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let Self { aiter, items } = &mut *self;
        if items.is_empty() {
            let taken = ready!(aiter.poll_many(items, cx));
            assert_eq!(items.len(), taken);
            items.reverse();
        }
        Poll::Ready(items.pop())
    }
}

/// A list with this many slots and readers, and a driver that pushes when there is room.
fn fixed_list<const N: usize, const R: usize>(expected: Expected) -> Setup {
    let list = Arc::new(FixedList::<N, R>::new());
    let pusher = list.clone();
    // Nothing else stops a list that nobody pushes to any more.
    let stop = OnDrop({
        let list = list.clone();
        move || list.stop()
    });
    // A reader that takes an item, or is dropped, may leave room.
    let (reading, mut reads) = push_aiter();
    let mut source = Source::new();
    let pushing = async move {
        let _stop = stop;
        while let Some(mut item) = next(&mut source).await {
            while let Err(full) = pusher.push(item) {
                item = full.into_inner();
                if next(&mut reads).await.is_none() {
                    return;
                }
            }
        }
    };
    let readers = (0..R).map(move |n| {
        let aiter = OnList::new(list.clone(), |list| match n {
            0 => list.aiter().unwrap(),
            _ => list.subscribe().unwrap(),
        });
        Items {
            type_name: type_name::<FixedAiter<N, R>>(),
            ..items(Reporting::new(aiter, reading.clone()))
        }
    });
    Setup::of(expected, readers, [driver_part(pushing)])
}

/// A list with this many slots, and a driver that waits for a free one until the reader is gone.
fn waiting_list<const N: usize>() -> Setup {
    let list = Arc::new(FixedList::<N, 1, 1>::new());
    let stop = || {
        let list = list.clone();
        OnDrop(move || list.stop())
    };
    let (pusher, on_end, on_drop) = (list.clone(), stop(), stop());
    let mut source = Source::new();
    let pushing = async move {
        let _stop = on_end;
        while let Some(item) = next(&mut source).await {
            if pusher.push_when_free(item).await.is_err() {
                return;
            }
        }
    };
    let pass_on = move |item| {
        let _ = &on_drop;
        item
    };
    let reader = OnList::new(list, |list| list.aiter().unwrap());
    let reader = items(map_aiter(pass_on, reader));
    Setup::of(Expected::All, [reader], [driver_part(pushing)])
}

/// A reader that yields an item for each one missed, and then one more.
fn accounted(
    reader: impl Stream<Item = Seen<Item>> + Unpin + Send + 'static,
) -> impl Stream<Item = Item> + Unpin + Send + 'static {
    flatten_aiter(map_aiter(
        |Seen { missed, item }: Seen<Item>| {
            let seen = item.number();
            (seen - missed as u32..=seen).map(move |number| item.beside(number))
        },
        reader,
    ))
}

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

/// Pushes all items of a source, and stops the hub. The source is made here, and not by the task:
/// it is planned and counted on the thread that makes it.
fn pushing<B: HubBound>(hub: PushHub<Item, B>) -> impl Future<Output = ()> {
    let mut source = Source::new();
    async move {
        while let Some(item) = next(&mut source).await {
            if hub.push(item).is_err() {
                return;
            }
        }
    }
}

/// A stream that is made in its second poll. `gone` is called when it is dropped, whether it was made
/// or not.
struct Late<F, S> {
    come: Option<F>,
    stream: Option<S>,
    paused: bool,
    _gone: OnDrop<Box<dyn FnMut() + Send>>,
}

fn late<S: Stream<Item = Item> + Unpin + Send + 'static>(
    come: impl FnOnce() -> S + Unpin + Send + 'static,
    gone: impl FnMut() + Send + 'static,
) -> Items {
    items(Late {
        come: Some(come),
        stream: None,
        paused: false,
        _gone: OnDrop(Box::new(gone)),
    })
}

impl<F: FnOnce() -> S + Unpin, S: Stream<Item = Item> + Unpin> Stream for Late<F, S> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if !mem::replace(&mut self.paused, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(come) = self.come.take() {
            self.stream = Some(come());
        }
        let stream = self.stream.as_mut().expect("it has come");
        Pin::new(stream).poll_next(cx)
    }
}

/// Waits for one of two futures.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await;
}

pub const SUBJECTS: &[Subject] = &[
    ("push_aiter", || {
        let (pusher, mut aiter) = push_aiter();
        let streams = [items(aiter.fork()), items(pusher.subscribe()), items(aiter)];
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::All, streams, [driver_part(pushing)])
    }),
    ("push_aiter_bounded, BoundedPush", || {
        let (pusher, mut aiter) = push_aiter_bounded(2);
        let streams = [items(aiter.fork()), items(pusher.subscribe()), items(aiter)];
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).await.is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::Together, streams, [driver_part(pushing)])
    }),
    ("push_aiter_bounded, reserve, Reserve", || {
        let (pusher, aiter) = push_aiter_bounded(1);
        let mut source = Source::new();
        let pushing = async move {
            while let Ok(permit) = pusher.reserve().await {
                let Some(item) = next(&mut source).await else {
                    return;
                };
                if permit.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::All, [items(aiter)], [driver_part(pushing)])
    }),
    ("push_aiter_bounded, reserve_owned, ReserveOwned", || {
        let (pusher, mut aiter) = push_aiter_bounded(1);
        let streams = [items(aiter.fork_passive()), items(aiter)];
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                let Ok(permit) = pusher.reserve_owned().await else {
                    return;
                };
                pause().await;
                if permit.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::Together, streams, [driver_part(pushing)])
    }),
    ("push_aiter_bounded, BoundedNextMany", || {
        let (pusher, mut aiter) = push_aiter_bounded(2);
        let streams = [aiter.fork(), aiter].map(|aiter| {
            let items = Vec::new();
            self::items(ByMany { aiter, items })
        });
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).await.is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::Together, streams, [driver_part(pushing)])
    }),
    ("push_aiter_with", || {
        let source = Mutex::new(Source::new());
        let (pusher, aiter) = push_aiter_with(move |pusher| match source.lock().unwrap().now() {
            Some(item) => drop(pusher.push(item)),
            None => pusher.stop(),
        });
        // The pusher keeps the list open beyond its end.
        Setup::outlived_by(Box::pin(aiter.then_pause()), move || drop(pusher))
    }),
    ("next_many, NextMany", || {
        let (pusher, mut aiter) = push_aiter();
        let readers = [aiter.fork(), pusher.subscribe(), aiter];
        let streams = readers.map(|aiter| {
            let items = Vec::new();
            self::items(ByMany { aiter, items })
        });
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::All, streams, [driver_part(pushing)])
    }),
    ("stopped, UntilStopped", || {
        let (pusher, aiter) = push_aiter();
        let waiting = [(); 2].map(|()| {
            let (until, weak) = (pusher.stopped(), pusher.downgrade());
            driver_part(async move {
                until.await;
                assert!(weak.upgrade().is_none_or(|pusher| pusher.is_stopped()));
            })
        });
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).is_err() {
                    return;
                }
            }
            pusher.stop();
            // It is not the drop of the last pusher that tells the others.
            pusher.stopped().await;
        };
        let drivers = waiting.into_iter().chain([driver_part(pushing)]);
        Setup::of(Expected::All, [items(aiter)], drivers)
    }),
    ("push_hub", || {
        let hub = push_hub(unbounded().retain(2));
        let mut first = hub.subscribe();
        let streams = [
            items(first.fork()),
            items(hub.replay()),
            items(accounted(hub.replay_with(skip(100)))),
            items(first),
        ];
        Setup::of(Expected::All, streams, [driver_part(pushing(hub))])
    }),
    ("push_hub, lossy", || {
        // What came before its first item is not missed, so there is room for all.
        let hub = push_hub(skip(100).retain(1));
        let mut first = hub.replay();
        let slow = accounted(first.fork()).then_pause();
        let streams = [
            items(accounted(hub.subscribe())),
            items(slow),
            items(accounted(first)),
        ];
        Setup::of(Expected::All, streams, [driver_part(pushing(hub))])
    }),
    ("idle and occupied, PushHubIdle, PushHubOccupied", || {
        let hub = push_hub(unbounded());
        let stop = || {
            let hub = hub.clone();
            move || hub.stop()
        };
        let reader = {
            let hub = hub.clone();
            late(move || hub.subscribe(), stop())
        };
        // The reader may go before it comes.
        let occupied = async |hub: &PushHub<Item>| either(hub.occupied(), hub.stopped()).await;
        let waiting = [(); 2].map(|()| {
            let hub = hub.clone();
            driver_part(async move {
                occupied(&hub).await;
                hub.idle().await;
            })
        });
        // It stops the hub even if it is dropped. The others have handles that keep the hub open.
        let (stop, pushing) = (OnDrop(stop()), pushing(hub.clone()));
        let pushing = async move {
            let stop = stop;
            occupied(&hub).await;
            pushing.await;
            drop(stop);
            hub.idle().await;
        };
        let drivers = waiting.into_iter().chain([driver_part(pushing)]);
        Setup::of(Expected::All, [reader], drivers)
    }),
    ("iter_to_aiter", || {
        let mut source = Source::new();
        Setup::one(iter_to_aiter(iter::from_fn(move || source.now())).then_pause())
    }),
    ("fixed, one reader", || {
        fixed_list::<2, 1>(Expected::Together)
    }),
    ("fixed, several", || fixed_list::<2, 3>(Expected::Together)),
    ("fixed::PushWhenFree", waiting_list::<2>),
    ("fixed, room for all", || fixed_list::<8, 2>(Expected::All)),
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
    ("Hub, late forks", || {
        let first = aiter_forker_with(wait(2).retain(2), Source::new());
        let hub = first.hub();
        let streams = [
            items(hub.replay()),
            items(hub.subscribe_with(unbounded())),
            items(first),
        ];
        Setup::of(Expected::Together, streams, [])
    }),
    ("Hub, HubIdle, HubOccupied", || {
        let (gated, gate) = gated_aiter(Source::new());
        let hub = aiter_forker(gated).hub();
        let gone = Stopper::new();
        let fork = {
            let (hub, gone) = (hub.clone(), gone.clone());
            late(move || hub.subscribe(), move || gone.stop())
        };
        // The one that has the gate lets the items through.
        let waiting = [Some(gate), None].map(|gate| {
            let (hub, gone) = (hub.clone(), gone.clone());
            driver_part(async move {
                // The fork may go before it comes.
                either(hub.occupied(), gone.stopped()).await;
                if let Some(gate) = &gate {
                    gate.open();
                }
                hub.idle().await;
            })
        });
        Setup::of(Expected::All, [fork], waiting)
    }),
    ("sharable_aiter", || {
        let taker = sharable_aiter(Source::new());
        let streams = [(); 3].map(|()| items(taker.clone()));
        Setup::of(Expected::Shared, streams, [])
    }),
    ("gated_aiter", || {
        let (gated, gate) = gated_aiter(Source::new());
        let pushing = async move {
            for _ in 0..3 {
                gate.push(2);
                pause().await;
            }
            gate.stop();
        };
        Setup::of(Expected::All, [items(gated)], [driver_part(pushing)])
    }),
    ("stoppable_aiter", || {
        let (stoppable, stopper) = stoppable_aiter(Source::new());
        Setup::outlived_by(stoppable, move || stopper.stop())
    }),
    ("Stopper, stopped", || {
        let stopper = Stopper::new();
        let (pusher, mut polls) = push_aiter();
        let streams = [(); 2].map(|()| {
            let stoppable = stopper.stoppable(Source::new());
            items(Reporting::new(stoppable, pusher.clone()))
        });
        // A stop comes after the last stream, or when its driver is dropped.
        let stop = OnDrop({
            let stopper = stopper.clone();
            move || stopper.stop()
        });
        let stopping = async move {
            let _stop = stop;
            while next(&mut polls).await.is_some() {}
        };
        let drivers = [driver_part(stopping), driver_part(stopper.stopped())];
        Setup::of(Expected::All, streams, drivers)
    }),
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

/// A stream of the items that exist already, with a pause before each item.
trait ThenPause: Stream<Item = Item> + Sized + Send + 'static {
    fn then_pause(self) -> impl Stream<Item = Item> + Send + 'static {
        map_async(
            |item| async move {
                pause().await;
                item
            },
            self,
        )
    }
}

impl<S: Stream<Item = Item> + Send + 'static> ThenPause for S {}
