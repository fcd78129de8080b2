//! Everything in the adapters that waits, in places that can be polled by hand: a local set of
//! tokio, a local executor of smol. The adapter of async-std has the same types but no such place.
//! Servers have a listener that yields what a source does.

use aiter_core::{
    Watermarks,
    adapter::{Listen, Pause, connections},
    map_filter_aiter,
};
use aiter_tests::cancellation::{
    harness::{Item, Source, pause},
    setup::{Expected, Items, OnDrop, Setup, driver_part, items},
    subjects::{slowly, thirds},
};
use futures_core::Stream;
use std::{
    any::type_name,
    future::{Future, pending},
    io, iter,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

type Local = dyn Stream<Item = Item>;

/// A setup on one thread.
pub(crate) struct Placed {
    pub(crate) setup: Setup<Local>,
    /// Runs the tasks, and goes on as long as the other futures do.
    pub(crate) executor: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// The name of a setup, and the function that makes it.
pub(crate) type Subject = (&'static str, fn() -> Placed);

impl From<Setup> for Placed {
    fn from(setup: Setup) -> Self {
        let streams = setup
            .streams
            .into_iter()
            .map(|Items { type_name, it }| Items {
                type_name,
                it: it as _,
            });
        Self {
            setup: Setup::of(setup.expected, streams, setup.drivers),
            executor: None,
        }
    }
}

fn local<S: Stream<Item = Item> + 'static>(stream: S) -> Items<Local> {
    Items {
        type_name: type_name::<S>(),
        it: Box::pin(stream),
    }
}

fn on_tokio(expected: Expected, stream: fn(Rc<tokio::task::LocalSet>) -> Items<Local>) -> Placed {
    let place = Rc::new(tokio::task::LocalSet::new());
    let executor = place.clone();
    Placed {
        setup: Setup::of(expected, [stream(place)], []),
        executor: Some(Box::pin(async move { executor.run_until(pending()).await })),
    }
}

fn on_smol(
    expected: Expected,
    stream: fn(Rc<smol::LocalExecutor<'static>>) -> Items<Local>,
) -> Placed {
    let place = Rc::new(smol::LocalExecutor::new());
    let executor = place.clone();
    Placed {
        setup: Setup::of(expected, [stream(place)], []),
        executor: Some(Box::pin(async move { executor.run(pending()).await })),
    }
}

/// Yields connections, and an error before each except the first.
struct Listener {
    source: Source,
    fails: bool,
}

impl Listen for Listener {
    type Connection = Item;
    type Address = ();

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<(Item, ())>>> {
        if self.fails {
            self.fails = false;
            return Poll::Ready(Some(Err(io::Error::other("too many open files"))));
        }
        let Some(item) = ready!(Pin::new(&mut self.source).poll_next(cx)) else {
            return Poll::Pending;
        };
        self.fails = true;
        Poll::Ready(Some(Ok((item, ()))))
    }

    fn close(mut self) -> Vec<io::Result<(Item, ())>> {
        iter::from_fn(|| self.source.now().map(|item| Ok((item, ())))).collect()
    }

    fn pause(&self, _: Duration) -> Pause {
        Box::pin(async {
            pause().await;
            Some(())
        })
    }
}

/// A server that is stopped after this many rounds, before or after all clients have come.
fn server(rounds: usize) -> Setup {
    let source = Source::new();
    let fails = false;
    let (server, stream) = connections(Listener { source, fails }, ());
    let stop = OnDrop(move || server.stop());
    let stopping = async move {
        let _stop = stop;
        for _ in 0..rounds {
            pause().await;
        }
    };
    let stream = map_filter_aiter(|client: io::Result<_>| Some(client.ok()?.0), stream);
    Setup::of(Expected::All, [items(stream)], [driver_part(stopping)])
}

const MARKS: Watermarks = Watermarks { low: 1, high: 3 };

pub(crate) const SUBJECTS: &[Subject] = &[
    ("tokio, active_aiter", || {
        on_tokio(Expected::All, |place| {
            local(aiter_tokio::active_aiter_on(place, Source::new()))
        })
    }),
    ("tokio, preload_aiter", || {
        on_tokio(Expected::All, |place| {
            local(aiter_tokio::preload_aiter_on(place, 2, Source::new()))
        })
    }),
    ("tokio, preload_aiter_with", || {
        on_tokio(Expected::All, |place| {
            local(aiter_tokio::preload_aiter_with_on(
                place,
                MARKS,
                Source::new(),
            ))
        })
    }),
    ("tokio, join_aiters", || {
        on_tokio(Expected::AnyOrder, |place| {
            local(aiter_tokio::join_aiters_on(place, thirds()))
        })
    }),
    ("tokio, join_aiters_buffered", || {
        on_tokio(Expected::AnyOrder, |place| {
            local(aiter_tokio::join_aiters_buffered_on(place, 2, thirds()))
        })
    }),
    ("tokio, map_workers", || {
        on_tokio(Expected::AnyOrder, |place| {
            local(aiter_tokio::map_workers_on(place, 3, slowly, Source::new()))
        })
    }),
    ("tokio, map_workers, without a limit", || {
        on_tokio(Expected::AnyOrder, |place| {
            let n = usize::MAX;
            local(aiter_tokio::map_workers_on(place, n, slowly, Source::new()))
        })
    }),
    ("smol, active_aiter", || {
        on_smol(Expected::All, |place| {
            local(aiter_smol::active_aiter_on(place, Source::new()))
        })
    }),
    ("smol, preload_aiter", || {
        on_smol(Expected::All, |place| {
            local(aiter_smol::preload_aiter_on(place, 2, Source::new()))
        })
    }),
    ("smol, preload_aiter_with", || {
        on_smol(Expected::All, |place| {
            local(aiter_smol::preload_aiter_with_on(
                place,
                MARKS,
                Source::new(),
            ))
        })
    }),
    ("smol, join_aiters", || {
        on_smol(Expected::AnyOrder, |place| {
            local(aiter_smol::join_aiters_on(place, thirds()))
        })
    }),
    ("smol, join_aiters_buffered", || {
        on_smol(Expected::AnyOrder, |place| {
            local(aiter_smol::join_aiters_buffered_on(place, 2, thirds()))
        })
    }),
    ("smol, map_workers", || {
        on_smol(Expected::AnyOrder, |place| {
            local(aiter_smol::map_workers_on(place, 3, slowly, Source::new()))
        })
    }),
    ("smol, map_workers, without a limit", || {
        on_smol(Expected::AnyOrder, |place| {
            let n = usize::MAX;
            local(aiter_smol::map_workers_on(place, n, slowly, Source::new()))
        })
    }),
    ("tokio, cooperative", || {
        Setup::one(aiter_tokio::cooperative(Source::new())).into()
    }),
    ("a server that is stopped at once", || server(0).into()),
    ("a server that is stopped early", || server(3).into()),
    ("a server that is stopped late", || server(100).into()),
];
