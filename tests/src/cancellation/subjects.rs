//! Everything that waits.

use super::bench::{Item, Source, items, next, pause};
use aiter_core::{
    AiterExt, Watermarks, active, aiter_forker, aiter_forker_with, azip,
    bound::{skip, wait},
    fixed::PushList,
    flatten_aiter, gated_aiter, iter_to_aiter, join_aiters, join_aiters_keyed, map_aiter,
    map_async, map_filter_aiter, map_workers, map_workers_ordered, preload, preload_with, pump,
    push_aiter, push_aiter_with, sharable_aiter, stoppable_aiter,
};
use futures_core::Stream;
use std::{future::Future, iter, pin::Pin, sync::Arc};

pub type Items = Pin<Box<dyn Stream<Item = Item> + Send>>;
pub type Driving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Which items come out of the streams of a world.
#[derive(Clone, Copy, Debug)]
pub enum Gets {
    /// Each stream has all, in order.
    All,
    /// The same, but nobody runs ahead of one that is kept.
    Together,
    /// Each has all, in some order.
    AnyOrder,
    /// Each item goes to one, in order.
    Shared,
    /// Each row has two items, then as `All`: each comes twice in a row.
    Twice,
}

/// Who may have a part of the items only, from the first on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Short {
    Nobody,
    /// The first stream, which went.
    First,
    /// The first stream, which is kept and not polled.
    Kept,
    /// Everybody: the source went.
    All,
}

impl Gets {
    pub fn check(self, seen: &[Vec<u32>], short: Short, at: &str) {
        let all: Vec<u32> = match self {
            Self::Twice => items().flat_map(|n| [n, n]).collect(),
            _ => items().collect(),
        };
        if matches!(self, Self::Shared) {
            let mut union = seen.concat();
            union.sort_unstable();
            assert!(seen.iter().all(|seen| seen.is_sorted()), "{at}: {seen:?}");
            let is_whole = union == all || short == Short::All && all.starts_with(&union);
            assert!(is_whole, "{at}: {seen:?}");
            return;
        }
        for (i, seen) in seen.iter().enumerate() {
            let mut sorted = seen.clone();
            let is_part = if matches!(self, Self::AnyOrder) {
                sorted.sort_unstable();
                sorted.windows(2).all(|two| two[0] < two[1])
            } else {
                all.starts_with(seen)
            };
            let may_be_short = match short {
                Short::Nobody => false,
                Short::Kept if matches!(self, Self::Together) => true,
                Short::First | Short::Kept => i == 0,
                Short::All => true,
            };
            assert!(
                sorted == all || may_be_short && is_part,
                "{at}: stream {i} has {seen:?}"
            );
        }
    }
}

pub struct World {
    /// The first is the one that is cancelled.
    pub streams: Vec<Items>,
    pub drivers: Vec<Driving>,
    pub gets: Gets,
}

impl World {
    pub fn one(stream: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self::of(Gets::All, [Box::pin(stream) as Items], [])
    }

    pub fn any_order(stream: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self::of(Gets::AnyOrder, [Box::pin(stream) as Items], [])
    }

    /// A stream, and a driver that holds what is to be kept until the stream is gone.
    fn outlived_by(
        kept: impl Send + 'static,
        stream: impl Stream<Item = Item> + Send + 'static,
    ) -> Self {
        let (held, mut gone) = push_aiter::<()>();
        let stream = stream.map_aiter(move |item| {
            let _dropped_behind_the_stream = &held;
            item
        });
        let keeping = async move {
            next(&mut gone).await;
            drop(kept);
        };
        Self::of(
            Gets::All,
            [Box::pin(stream) as Items],
            [Box::pin(keeping) as Driving],
        )
    }

    fn of(
        gets: Gets,
        streams: impl IntoIterator<Item = Items>,
        drivers: impl IntoIterator<Item = Driving>,
    ) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            drivers: drivers.into_iter().collect(),
            gets,
        }
    }
}

/// A future that is pending once or twice.
pub async fn slowly(item: Item) -> Item {
    for _ in 0..=item.number() % 2 {
        pause().await;
    }
    item
}

/// The items in three streams.
pub fn parts() -> impl Stream<Item = impl Stream<Item = Item> + Send + 'static> + Send + 'static {
    let parts = [0, 1, 2].map(|part| {
        map_filter_aiter(
            move |item: Item| (item.number() % 3 == part).then_some(item),
            Source::new(),
        )
    });
    iter_to_aiter(parts)
}

pub type Subject = (&'static str, fn() -> World);

pub const SUBJECTS: &[Subject] = &[
    ("push_aiter", || {
        let (pusher, mut aiter) = push_aiter();
        let streams = [
            Box::pin(aiter.fork()) as Items,
            Box::pin(pusher.subscribe()),
            Box::pin(aiter),
        ];
        let mut items = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut items).await {
                if pusher.push(item).is_err() {
                    return;
                }
            }
        };
        World::of(Gets::All, streams, [Box::pin(pushing) as Driving])
    }),
    ("push_aiter_with", || {
        let items = std::sync::Mutex::new(Source::new());
        let (pusher, aiter) = push_aiter_with(move |pusher| match items.lock().unwrap().now() {
            Some(item) => drop(pusher.push(item)),
            None => pusher.stop(),
        });
        World::outlived_by(pusher, aiter.then_pause())
    }),
    ("iter_to_aiter", || {
        let mut source = Source::new();
        World::one(iter_to_aiter(iter::from_fn(move || source.now())).then_pause())
    }),
    ("aiter_forker, active", || {
        let mut first = aiter_forker(Source::new());
        let streams = [
            Box::pin(first.fork()) as Items,
            Box::pin(first.fork()),
            Box::pin(first.fork_passive()),
            Box::pin(first),
        ];
        World::of(Gets::All, streams, [])
    }),
    ("aiter_forker, passive", || {
        let mut first = aiter_forker(Source::new());
        let streams = [Box::pin(first.fork_passive()) as Items, Box::pin(first)];
        World::of(Gets::All, streams, [])
    }),
    ("aiter_forker, alone", || {
        World::one(aiter_forker(Source::new()))
    }),
    ("aiter_forker_with wait", || {
        let mut first = aiter_forker_with(wait(2), Source::new());
        let streams = [
            Box::pin(first.fork()) as Items,
            Box::pin(first.fork_passive()),
            Box::pin(first),
        ];
        World::of(Gets::Together, streams, [])
    }),
    ("aiter_forker_with skip", || {
        let mut first = aiter_forker_with(skip(100), Source::new());
        let streams = [first.fork(), first.fork_passive(), first]
            .map(|fork| Box::pin(fork.map_aiter(|seen| seen.item)) as Items);
        World::of(Gets::All, streams, [])
    }),
    ("fixed", || {
        let list = leaked_list();
        let emptied = Arc::new(Emptied(list));
        let streams = [list.aiter(), list.subscribe()].map(|aiter| {
            let emptied = emptied.clone();
            Box::pin(aiter.expect("room for two").map_aiter(move |item| {
                let _last_of_all = &emptied;
                item
            })) as Items
        });
        let (mut items, last) = (Source::new(), LastPusher(list, emptied));
        let pushing = async move {
            while let Some(item) = next(&mut items).await {
                last.push(item);
            }
        };
        World::of(Gets::All, streams, [Box::pin(pushing) as Driving])
    }),
    ("sharable_aiter", || {
        let taker = sharable_aiter(Source::new());
        let streams = [(); 3].map(|()| Box::pin(taker.clone()) as Items);
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
        World::of(
            Gets::All,
            [Box::pin(gated) as Items],
            [Box::pin(pushing) as Driving],
        )
    }),
    ("stoppable_aiter", || {
        let (stoppable, stopper) = stoppable_aiter(Source::new());
        World::outlived_by(stopper, stoppable)
    }),
    ("active", || {
        let (pulled, driver) = active(Source::new());
        World::of(
            Gets::All,
            [Box::pin(pulled) as Items],
            [Box::pin(driver) as Driving],
        )
    }),
    ("preload", || {
        let (ready, driver) = preload(2, Source::new());
        World::of(
            Gets::All,
            [Box::pin(ready) as Items],
            [Box::pin(driver) as Driving],
        )
    }),
    ("preload_with", || {
        let (ready, driver) = preload_with(Watermarks { low: 1, high: 3 }, Source::new());
        World::of(
            Gets::All,
            [Box::pin(ready) as Items],
            [Box::pin(driver) as Driving],
        )
    }),
    ("pump", || {
        let (pusher, aiter) = push_aiter();
        let pumped = pump(Source::new(), async move |item| {
            pause().await;
            pusher.push(item).map_err(drop)
        });
        // Refused once nobody reads.
        let pumping = async {
            let _ = pumped.await;
        };
        World::of(
            Gets::All,
            [Box::pin(aiter) as Items],
            [Box::pin(pumping) as Driving],
        )
    }),
    ("join_aiters", || World::any_order(join_aiters(parts()))),
    ("join_aiters_keyed", || {
        let joined = join_aiters_keyed(parts().map_aiter(|part| ("key", part)));
        World::any_order(map_filter_aiter(|(_, item)| item, joined))
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
        World::of(Gets::Twice, [Box::pin(flatten_aiter(pairs)) as Items], [])
    }),
    ("azip", || {
        let rows = azip((Source::new(), map_async(slowly, Source::new())));
        let pairs = rows.map_aiter(|(one, other)| [one, other]);
        World::of(Gets::Twice, [Box::pin(flatten_aiter(pairs)) as Items], [])
    }),
];

type List = PushList<Item, 8, 2>;

/// As long as the program, as a list in a `static` is.
fn leaked_list() -> &'static List {
    Box::leak(Box::new(PushList::new()))
}

/// A list that was leaked, and keeps what nobody has read.
struct Emptied(&'static List);

impl Drop for Emptied {
    fn drop(&mut self) {
        if let Some(mut aiter) = self.0.aiter() {
            while aiter.try_next().is_ok() {}
        }
    }
}

/// Ends a list that no last pusher ends.
struct LastPusher(
    &'static List,
    #[allow(dead_code, reason = "held")] Arc<Emptied>,
);

impl LastPusher {
    fn push(&self, item: Item) {
        self.0.push(item).expect("room for all");
    }
}

impl Drop for LastPusher {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A stream of what is there already waits once before each item.
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
