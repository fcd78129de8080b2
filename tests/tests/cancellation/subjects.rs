//! Everything of core that waits.

use crate::{
    bench::{ITEMS, Item, Source, pause},
    world::{AtTheEnd, Gets, Items, Subject, World, driving, items},
};
use aiter_core::{
    AiterExt, Watermarks, active, aiter_forker, aiter_forker_with, azip,
    bound::{self, skip, wait},
    fixed, flatten_aiter, gated_aiter, iter_to_aiter, join_aiters, join_aiters_keyed, map_aiter,
    map_async, map_filter_aiter, map_workers, map_workers_ordered, preload, preload_with, pump,
    push_aiter, push_aiter_with, sharable_aiter, stoppable_aiter,
};
use futures_core::Stream;
use std::{
    any::type_name,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// A future that is pending once or twice.
pub async fn slowly(item: Item) -> Item {
    for _ in 0..=item.number() % 2 {
        pause().await;
    }
    item
}

/// Three streams that have all items between them.
pub fn thirds() -> impl Stream<Item: Stream<Item = Item> + Unpin + 'static> + 'static {
    iter_to_aiter((0..3).map(|part| {
        map_filter_aiter(
            move |item: Item| (item.number() % 3 == part).then_some(item),
            Source::new(),
        )
    }))
}

type FixedList<const R: usize> = fixed::PushList<Item, 2, R>;
type FixedAiter<const R: usize> = fixed::PushAiter<'static, Item, 2, R>;

/// What borrows a list that is dropped when nothing does any more.
struct OnList<T, const R: usize> {
    it: T,
    _list: Rc<FixedList<R>>,
}

impl<const R: usize> OnList<FixedAiter<R>, R> {
    fn new(
        list: Rc<FixedList<R>>,
        make: impl FnOnce(&'static FixedList<R>) -> FixedAiter<R>,
    ) -> Self {
        // SAFETY: what is made is dropped before the list beside it, and nobody gets it without that.
        let it = make(unsafe { &*Rc::as_ptr(&list) });
        Self { it, _list: list }
    }
}

impl<const R: usize> Stream for OnList<FixedAiter<R>, R> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(&mut self.it).poll_next(cx)
    }
}

/// A list of two items, with so many readers, and one who pushes when there is room.
fn fixed_list<const R: usize>() -> World {
    let list = Rc::new(FixedList::<R>::new());
    let pusher = list.clone();
    // Nothing else stops a list when nobody pushes any more.
    let stop = AtTheEnd({
        let list = list.clone();
        move || list.stop()
    });
    let pushing = async move {
        let _stop = stop;
        // One who reads no more leaves no room.
        let mut patience = 100;
        for n in ITEMS {
            let mut item = Item::new(n);
            while let Err(full) = pusher.push(item) {
                item = full.into_inner();
                patience -= 1;
                if patience == 0 {
                    return;
                }
                pause().await;
            }
        }
    };
    let reader = |n| {
        let aiter = OnList::new(list.clone(), |list| match n {
            0 => list.aiter().unwrap(),
            _ => list.subscribe().unwrap(),
        });
        Items {
            type_name: type_name::<FixedAiter<R>>(),
            ..items(aiter)
        }
    };
    World::of(Gets::Together, (0..R).map(reader), [driving(pushing)])
}

pub const SUBJECTS: &[Subject] = &[
    ("push_aiter", || {
        let (pusher, mut aiter) = push_aiter();
        let streams = [items(aiter.fork()), items(pusher.subscribe()), items(aiter)];
        let pushing = async move {
            for n in ITEMS {
                if n % 3 == 1 {
                    pause().await;
                }
                if pusher.push(Item::new(n)).is_err() {
                    return;
                }
            }
        };
        World::of(Gets::All, streams, [driving(pushing)])
    }),
    ("push_aiter_with", || {
        let numbers = std::sync::Mutex::new(ITEMS);
        let (pusher, aiter) = push_aiter_with(move |pusher| match numbers.lock().unwrap().next() {
            Some(n) => drop(pusher.push(Item::new(n))),
            None => pusher.stop(),
        });
        // The list is kept open long after its end.
        let ending = async move {
            for _ in 0..100 {
                pause().await;
            }
            drop(pusher);
        };
        World::of(Gets::All, [items(aiter.then_pause())], [driving(ending)])
    }),
    ("fixed, one reader", fixed_list::<1>),
    ("fixed, several", fixed_list::<3>),
    ("aiter_forker, active", || {
        let mut first = aiter_forker(Source::new());
        let streams = [
            items(first.fork()),
            items(first.fork()),
            items(first.fork_passive()),
            items(first),
        ];
        World::of(Gets::All, streams, [])
    }),
    ("aiter_forker, passive", || {
        let mut first = aiter_forker(Source::new());
        let streams = [items(first.fork_passive()), items(first)];
        World::of(Gets::All, streams, [])
    }),
    ("aiter_forker, alone", || {
        World::one(aiter_forker(Source::new()))
    }),
    ("aiter_forker_with wait", || {
        let mut first = aiter_forker_with(wait(2), Source::new());
        let streams = [
            items(first.fork()),
            items(first.fork_passive()),
            items(first),
        ];
        World::of(Gets::Together, streams, [])
    }),
    ("aiter_forker_with skip", || {
        let mut first = aiter_forker_with(skip(1), Source::new());
        // An item for each that was missed, and one more.
        let accounted = |fork| {
            flatten_aiter(map_aiter(
                |seen: bound::Seen<Item>| {
                    let (missed, number) = (seen.missed as u32, seen.item.number());
                    (number - missed..=number).map(Item::new)
                },
                fork,
            ))
        };
        let slow = accounted(first.fork_passive()).then_pause();
        let streams = [
            items(accounted(first.fork())),
            items(slow),
            items(accounted(first)),
        ];
        World::of(Gets::All, streams, [])
    }),
    ("sharable_aiter", || {
        let taker = sharable_aiter(Source::new());
        let streams = [(); 3].map(|()| items(taker.clone()));
        World::of(Gets::Shared, streams, [])
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
        World::of(Gets::All, [items(gated)], [driving(pushing)])
    }),
    ("stoppable_aiter", || {
        let (stoppable, stopper) = stoppable_aiter(Source::new());
        let mut world = World::one(stoppable);
        world.drivers.push(driving(async move {
            // Long after the end.
            for _ in 0..100 {
                pause().await;
            }
            stopper.stop();
        }));
        world
    }),
    ("active", || {
        let (pulled, driver) = active(Source::new());
        World::of(Gets::All, [items(pulled)], [driving(driver)])
    }),
    ("preload", || {
        let (ready, driver) = preload(2, Source::new());
        World::of(Gets::All, [items(ready)], [driving(driver)])
    }),
    ("preload_with", || {
        let (ready, driver) = preload_with(Watermarks { low: 1, high: 3 }, Source::new());
        World::of(Gets::All, [items(ready)], [driving(driver)])
    }),
    ("pump", || {
        let (pusher, aiter) = push_aiter();
        let pumping = async move {
            let pumped = pump(Source::new(), async |item| {
                pause().await;
                pusher.push(item).map_err(drop)
            });
            // Refused once nobody reads.
            let _ = pumped.await;
        };
        World::of(Gets::All, [items(aiter)], [driving(pumping)])
    }),
    ("join_aiters", || World::any_order(join_aiters(thirds()))),
    ("join_aiters_keyed", || {
        let joined = join_aiters_keyed(azip((iter_to_aiter(0..), thirds())));
        let mut ended = [false; 3];
        let numbers = map_aiter(
            move |(part, item): (u32, Option<Item>)| {
                assert!(!ended[part as usize], "something comes after the end");
                ended[part as usize] = item.is_none();
                item.unwrap_or_else(|| Item::new(ITEMS.end + part))
            },
            joined,
        );
        World::of(Gets::Keyed, [items(numbers)], [])
    }),
    ("map_aiter", || {
        World::one(map_aiter(|item| item, Source::new()))
    }),
    ("map_async", || World::one(map_async(slowly, Source::new()))),
    ("map_workers", || {
        World::any_order(map_workers(3, slowly, Source::new()))
    }),
    ("map_workers_ordered", || {
        World::one(map_workers_ordered(3, slowly, Source::new()))
    }),
    ("map_filter_aiter", || {
        World::one(map_filter_aiter(Some, Source::new()))
    }),
    ("flatten_aiter", || {
        let pairs = Source::new().map_aiter(|item| [item.clone(), item]);
        World::of(Gets::Twice, [items(flatten_aiter(pairs))], [])
    }),
    ("azip", || {
        let rows = azip((Source::new(), map_async(slowly, Source::new())));
        let pairs = rows.map_aiter(|(one, other)| [one, other]);
        World::of(Gets::Twice, [items(flatten_aiter(pairs))], [])
    }),
];

/// A stream of what is there already waits once before each item.
trait ThenPause: Stream<Item = Item> + Sized + 'static {
    fn then_pause(self) -> impl Stream<Item = Item> + 'static {
        map_async(
            |item| async move {
                pause().await;
                item
            },
            self,
        )
    }
}

impl<S: Stream<Item = Item> + 'static> ThenPause for S {}
