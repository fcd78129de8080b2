//! Cases that are the same for everything that waits: the subjects in
//! `aiter_tests::cancellation::subjects`, and those that each adapter runs on tasks of its own.
//! Their sources yield items, no item, or a panic, and they are dropped at each await point.

use crate::runtime::{Joined, Runtime};
use aiter_tests::cancellation::{
    Then,
    harness::{Plan, at_most, items, live, next, plan, planned},
    setup::{Items, Setup, Short, Subject},
    subjects,
};
use futures_lite::{FutureExt, future::yield_now};
use std::panic::AssertUnwindSafe;

/// What the adapters add to the subjects of core, on the current runtime or the one they know.
macro_rules! on_tasks {
    ($adapter:ident) => {{
        use aiter_tests::cancellation::{
            harness::Source,
            setup::{Setup, Subject},
            subjects::{slowly, thirds},
        };
        use $adapter::{
            Watermarks, active_aiter, join_aiters, join_aiters_buffered, map_workers,
            map_workers_ordered, preload_aiter, preload_aiter_with,
        };
        const SUBJECTS: &[Subject] = &[
            ("active_aiter", || Setup::one(active_aiter(Source::new()))),
            ("preload_aiter", || {
                Setup::one(preload_aiter(2, Source::new()))
            }),
            ("preload_aiter_with", || {
                let watermarks = Watermarks { low: 1, high: 3 };
                Setup::one(preload_aiter_with(watermarks, Source::new()))
            }),
            ("join_aiters", || Setup::any_order(join_aiters(thirds()))),
            ("join_aiters_buffered", || {
                Setup::any_order(join_aiters_buffered(2, thirds()))
            }),
            ("map_workers", || {
                Setup::any_order(map_workers(3, slowly, Source::new()))
            }),
            ("map_workers_ordered", || {
                Setup::one(map_workers_ordered(3, slowly, Source::new()))
            }),
        ];
        SUBJECTS
    }};
}
pub(crate) use on_tasks;

/// What is dropped before it is done.
#[derive(Clone, Copy, Debug)]
enum Dropped {
    Nothing,
    /// A future of the first stream after this many polls, and what happens to the stream.
    First(usize, Then),
    /// Each driver, or pushing task, after this many polls.
    Drivers(usize),
}

/// The result of one task.
#[derive(Debug, Default)]
struct Read {
    items: Vec<u32>,
    was_dropped: bool,
    panicked: bool,
}

/// Reads a stream to its end. Drops its future after this many polls, and then goes on or drops the
/// stream.
async fn read(stream: Items, mut left: usize, then: Then) -> Read {
    let mut stream = stream.it;
    let mut read = Read::default();
    let items = AssertUnwindSafe(async {
        loop {
            match at_most(&mut left, next(&mut stream)).await {
                Some(Some(item)) => read.items.push(item.number()),
                Some(None) => break,
                None if then == Then::Continued => {
                    (read.was_dropped, left) = (true, usize::MAX);
                    // The wake of the dropped future is used up.
                    yield_now().await;
                }
                None => return read.was_dropped = true,
            }
        }
        assert!(next(&mut stream).await.is_none(), "it ended, and went on");
    });
    read.panicked = items.catch_unwind().await.is_err();
    read
}

/// Runs a setup on an executor: each stream and each driver is a task. Returns the items of the
/// streams, whether something was dropped, and how many tasks panicked. No task may be stranded;
/// one that waits for ever is found by the deadline of all cases.
async fn play<R: Runtime>(setup: Setup, dropped: Dropped) -> (Vec<Vec<u32>>, bool, usize) {
    let readers = Vec::from_iter(setup.streams.into_iter().enumerate().map(|(i, stream)| {
        let (polls, then) = match dropped {
            Dropped::First(polls, then) if i == 0 => (polls, then),
            _ => (usize::MAX, Then::Continued),
        };
        R::spawn(read(stream, polls, then))
    }));
    let drivers = Vec::from_iter(setup.drivers.into_iter().map(|driver| {
        let mut polls = match dropped {
            Dropped::Drivers(polls) => polls,
            _ => usize::MAX,
        };
        R::spawn(async move {
            let driver = AssertUnwindSafe(at_most(&mut polls, driver.it));
            let driver = driver.catch_unwind().await;
            Read {
                was_dropped: matches!(driver, Ok(None)),
                panicked: driver.is_err(),
                ..Read::default()
            }
        }) as Joined<Read>
    }));
    let (mut seen, mut was_dropped, mut panics) = (Vec::new(), false, 0);
    let streams = readers.len();
    for (i, task) in readers.into_iter().chain(drivers).enumerate() {
        let read = task.await;
        was_dropped |= read.was_dropped;
        panics += usize::from(read.panicked);
        if i < streams {
            seen.push(read.items);
        }
    }
    (seen, was_dropped, panics)
}

/// Runs a subject, and checks its items and that nothing is kept: tasks of adapters end soon after
/// the values that they serve. Returns whether something was dropped.
async fn check<R: Runtime>((name, setup): Subject, dropped: Dropped) -> bool {
    let at = format!("{name}, dropped: {dropped:?}");
    let (before, setup) = (live(), setup());
    let expected = setup.expected;
    let (seen, was_dropped, panics) = play::<R>(setup, dropped).await;
    let is_broken = planned() == Plan::Panic;
    let short = match dropped {
        _ if is_broken => Short::All,
        Dropped::First(_, Then::Dropped) if was_dropped => Short::First,
        Dropped::Drivers(_) if was_dropped => Short::All,
        _ => Short::Nobody,
    };
    expected.check(&seen, short, &at);
    // A panic reaches some task, and no task sees items behind it.
    let is_before = |n: &u32| !is_broken || *n < items().len() as u32 / 2;
    assert!(seen.iter().flatten().all(is_before), "{at}: {seen:?}");
    assert_eq!(panics > 0, is_broken, "{at}: {panics} panics");
    while live() > before {
        yield_now().await;
    }
    was_dropped
}

fn each<R: Runtime>() -> impl Iterator<Item = Subject> {
    subjects::all()
        .into_iter()
        .chain(R::ON_TASKS.iter().copied())
}

async fn as_planned<R: Runtime>(planned: Plan) {
    plan(planned);
    for subject in each::<R>() {
        check::<R>(subject, Dropped::Nothing).await;
    }
}

pub(crate) async fn items_come_then_the_end_and_nothing_after_it<R: Runtime>() {
    as_planned::<R>(Plan::Items).await;
}

pub(crate) async fn an_empty_source_gives_the_end<R: Runtime>() {
    as_planned::<R>(Plan::Empty).await;
}

pub(crate) async fn a_panic_of_the_source_comes_out_and_strands_nobody<R: Runtime>() {
    as_planned::<R>(Plan::Panic).await;
}

/// Tries more and more polls, until several tries in a row dropped nothing: where threads race, the
/// number of polls varies.
async fn at_each_await_point<R: Runtime>(subject: Subject, dropped: impl Fn(usize) -> Dropped) {
    let mut whole = 0;
    for polls in 0..1000 {
        match check::<R>(subject, dropped(polls)).await {
            true => whole = 0,
            false => whole += 1,
        }
        if whole == 3 {
            return;
        }
    }
    panic!("{}: there is no end of polls", subject.0);
}

pub(crate) async fn dropped_at_each_await_point_it_loses_nothing_and_strands_nobody<R: Runtime>() {
    for subject in each::<R>() {
        for then in [Then::Continued, Then::Dropped] {
            at_each_await_point::<R>(subject, |polls| Dropped::First(polls, then)).await;
        }
    }
}

pub(crate) async fn when_its_driver_is_dropped_at_any_await_point_it_ends<R: Runtime>() {
    // The streams of these report a driver that is dropped before its first poll.
    const REPORTS: [&str; 3] = ["active", "preload", "preload_with"];
    for subject in each::<R>() {
        let first = usize::from(REPORTS.contains(&subject.0));
        at_each_await_point::<R>(subject, |polls| Dropped::Drivers(first + polls)).await;
    }
}
