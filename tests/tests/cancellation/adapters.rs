//! Everything of the adapters that waits, in places that can be polled by hand: a local set of tokio, a local executor of smol.
//! The adapter of async-std has the same types, and no such place. Servers have a listener that yields what a source does.

use crate::{
    bench::{Item, Source, pause},
    subjects::{slowly, thirds},
    world::{AtTheEnd, Gets, Items, Subject, World, driving, items},
};
use aiter_core::{
    Watermarks,
    adapter::{Listen, Sleep, connections},
    map_filter_aiter,
};
use futures_core::Stream;
use std::{
    future::pending,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

fn on_tokio(gets: Gets, stream: fn(Rc<tokio::task::LocalSet>) -> Items) -> World {
    let place = Rc::new(tokio::task::LocalSet::new());
    let executor = place.clone();
    World {
        executor: Some(driving(async move { executor.run_until(pending()).await })),
        ..World::of(gets, [stream(place)], [])
    }
}

fn on_smol(gets: Gets, stream: fn(Rc<smol::LocalExecutor<'static>>) -> Items) -> World {
    let place = Rc::new(smol::LocalExecutor::new());
    let executor = place.clone();
    World {
        executor: Some(driving(async move { executor.run(pending()).await })),
        ..World::of(gets, [stream(place)], [])
    }
}

/// Yields connections, and an error before each but the first.
struct Listener {
    source: Source,
    fails: bool,
}

impl Listen for Listener {
    type Connection = Item;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Item>> {
        if self.fails {
            self.fails = false;
            return Poll::Ready(Err(io::Error::other("too many open files")));
        }
        let Some(item) = ready!(Pin::new(&mut self.source).poll_next(cx)) else {
            return Poll::Pending;
        };
        self.fails = true;
        Poll::Ready(Ok(item))
    }

    fn close(mut self) -> Vec<Item> {
        let mut waiting = Vec::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        loop {
            match Pin::new(&mut self.source).poll_next(&mut cx) {
                Poll::Ready(Some(item)) => waiting.push(item),
                Poll::Ready(None) => return waiting,
                Poll::Pending => {}
            }
        }
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(pause())
    }
}

/// Stopped after so many rounds, before all have come or after.
fn server(rounds: usize) -> World {
    let source = Source::new();
    let fails = false;
    let (server, stream) = connections(Listener { source, fails }, ());
    let stop = AtTheEnd(move || server.stop());
    let stopping = async move {
        let _stop = stop;
        for _ in 0..rounds {
            pause().await;
        }
    };
    let stream = map_filter_aiter(Result::ok, stream);
    World::of(Gets::All, [items(stream)], [driving(stopping)])
}

const MARKS: Watermarks = Watermarks { low: 1, high: 3 };

pub const SUBJECTS: &[Subject] = &[
    ("tokio, active_aiter", || {
        on_tokio(Gets::All, |place| {
            items(aiter_tokio::active_aiter_on(place, Source::new()))
        })
    }),
    ("tokio, preload_aiter", || {
        on_tokio(Gets::All, |place| {
            items(aiter_tokio::preload_aiter_on(place, 2, Source::new()))
        })
    }),
    ("tokio, preload_aiter_with", || {
        on_tokio(Gets::All, |place| {
            items(aiter_tokio::preload_aiter_with_on(
                place,
                MARKS,
                Source::new(),
            ))
        })
    }),
    ("tokio, join_aiters", || {
        on_tokio(Gets::AnyOrder, |place| {
            items(aiter_tokio::join_aiters_on(place, thirds()))
        })
    }),
    ("tokio, join_aiters_buffered", || {
        on_tokio(Gets::AnyOrder, |place| {
            items(aiter_tokio::join_aiters_buffered_on(place, 2, thirds()))
        })
    }),
    ("tokio, map_workers", || {
        on_tokio(Gets::AnyOrder, |place| {
            items(aiter_tokio::map_workers_on(place, 3, slowly, Source::new()))
        })
    }),
    ("smol, active_aiter", || {
        on_smol(Gets::All, |place| {
            items(aiter_smol::active_aiter_on(place, Source::new()))
        })
    }),
    ("smol, preload_aiter", || {
        on_smol(Gets::All, |place| {
            items(aiter_smol::preload_aiter_on(place, 2, Source::new()))
        })
    }),
    ("smol, preload_aiter_with", || {
        on_smol(Gets::All, |place| {
            items(aiter_smol::preload_aiter_with_on(
                place,
                MARKS,
                Source::new(),
            ))
        })
    }),
    ("smol, join_aiters", || {
        on_smol(Gets::AnyOrder, |place| {
            items(aiter_smol::join_aiters_on(place, thirds()))
        })
    }),
    ("smol, join_aiters_buffered", || {
        on_smol(Gets::AnyOrder, |place| {
            items(aiter_smol::join_aiters_buffered_on(place, 2, thirds()))
        })
    }),
    ("smol, map_workers", || {
        on_smol(Gets::AnyOrder, |place| {
            items(aiter_smol::map_workers_on(place, 3, slowly, Source::new()))
        })
    }),
    ("tokio, cooperative", || {
        World::one(aiter_tokio::cooperative(Source::new()))
    }),
    ("a server that is stopped at once", || server(0)),
    ("a server that is stopped early", || server(3)),
    ("a server that is stopped late", || server(100)),
];
