//! Each future that waits is dropped after its k-th poll, for every k until it completes, for every
//! public stream and driver: nothing is lost, nothing comes twice, no task is stranded, nothing is
//! kept.
//!
//! The setups of core are in `aiter_tests::cancellation`. Those of the adapters, on executors
//! that are tasks themselves, are in `cancellation/adapters.rs`.

#[path = "cancellation/adapters.rs"]
mod adapters;

use adapters::Placed;
use aiter_tests::cancellation::{
    Then,
    harness::{Harness, at_most, live, next, pause},
    setup::{Setup, Short},
    subjects,
};
use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

const API: [&str; 4] = [
    include_str!("../../ci/api/aiter-core.txt"),
    include_str!("../../ci/api/aiter-tokio.txt"),
    include_str!("../../ci/api/aiter-smol.txt"),
    include_str!("../../ci/api/aiter-async-std.txt"),
];

type Make = Box<dyn Fn() -> Placed>;

fn subjects() -> impl Iterator<Item = (&'static str, Make)> {
    let core = subjects::all().into_iter();
    let core = core.map(|(name, setup)| (name, Box::new(move || setup().into()) as Make));
    let adapters = adapters::SUBJECTS.iter();
    core.chain(adapters.map(|(name, placed)| (*name, Box::new(placed) as Make)))
}

/// Runs one setup. The first stream is cancelled after its `k`-th poll and then treated as
/// `then` says; all others read to the end. Returns whether there was a `k`-th poll.
fn sweep_stream(name: &str, make: &dyn Fn() -> Placed, k: usize, then: Then) -> bool {
    let before = live();
    let mut harness = Harness::default();
    let Placed { setup, executor } = make();
    let Setup {
        streams,
        drivers,
        expected,
    } = setup;
    if let Some(executor) = executor {
        harness.executor(executor);
    }
    let count = streams.len();
    let mut kept = Vec::new();
    let cancelled = Rc::new(RefCell::new(false));
    let seen: Vec<_> = (0..count)
        .map(|_| Rc::new(RefCell::new(Vec::new())))
        .collect();
    for (i, stream) in streams.into_iter().enumerate() {
        let mut stream = stream.it;
        let (seen, cancelled) = (seen[i].clone(), cancelled.clone());
        let (put_by, taken_back) = (Rc::new(RefCell::new(None)), i == 0);
        kept.push(put_by.clone());
        harness.task(async move {
            if taken_back {
                // This many polls in all, of one `next()` after the other.
                let mut left = k;
                loop {
                    match at_most(&mut left, next(&mut stream)).await {
                        Some(Some(item)) => seen.borrow_mut().push(item.number()),
                        Some(None) => return,
                        None => break,
                    }
                }
                *cancelled.borrow_mut() = true;
                match then {
                    // The wake of the dropped future is used up.
                    Then::Continued => pause().await,
                    Then::Dropped => return,
                    Then::Kept => {
                        *put_by.borrow_mut() = Some(stream);
                        return;
                    }
                }
            }
            while let Some(item) = next(&mut stream).await {
                seen.borrow_mut().push(item.number());
            }
        });
    }
    for driver in drivers {
        harness.task(driver.it);
    }
    let unfinished = harness.run();
    let cancelled = *cancelled.borrow();
    let at = format!("{name}, {then:?} after {k} polls");
    // The driver of a stream that is kept has nothing to do any more, but cannot know that.
    if !(cancelled && then == Then::Kept) {
        assert_eq!(unfinished, 0, "{at}: a task was stranded");
    }
    let seen: Vec<Vec<u32>> = seen.iter().map(|seen| seen.borrow().clone()).collect();
    let short = match then {
        Then::Dropped if cancelled => Short::First,
        Then::Kept if cancelled => Short::Kept,
        _ => Short::Nobody,
    };
    expected.check(&seen, short, &at);
    drop((kept, harness));
    assert_eq!(live(), before, "{at}: items were kept");
    cancelled
}

#[test]
fn streams() {
    for (name, make) in subjects() {
        for then in [Then::Continued, Then::Dropped, Then::Kept] {
            let mut k = 0;
            while sweep_stream(name, &make, k, then) {
                k += 1;
                assert!(k < 1000, "{name}: there is no end of polls");
            }
            assert!(k > 1, "{name} never waits");
        }
    }
}

/// Drivers and sources of pushes are dropped after their k-th poll. Consumers get the items that
/// were there, and then the end.
#[test]
fn drivers() {
    // The streams of these report a driver that is dropped before its first poll.
    const REPORTS: [&str; 3] = ["active", "preload", "preload_with"];
    for (name, make) in subjects() {
        let mut k = usize::from(REPORTS.contains(&name));
        loop {
            let before = live();
            let mut harness = Harness::default();
            let Placed { setup, executor } = make();
            if setup.drivers.is_empty() {
                break;
            }
            if let Some(executor) = executor {
                harness.executor(executor);
            }
            let cancelled = Rc::new(RefCell::new(0));
            for driver in setup.drivers {
                let cancelled = cancelled.clone();
                harness.task(async move {
                    if at_most(&mut { k }, driver.it).await.is_none() {
                        *cancelled.borrow_mut() += 1;
                    }
                });
            }
            let mut seen = Vec::new();
            for stream in setup.streams {
                let mut stream = stream.it;
                let items = Rc::new(RefCell::new(Vec::new()));
                seen.push(items.clone());
                harness.task(async move {
                    while let Some(item) = next(&mut stream).await {
                        items.borrow_mut().push(item.number());
                    }
                });
            }
            let at = format!("{name}, its driver after {k} polls");
            assert_eq!(harness.run(), 0, "{at}: a task was stranded");
            let seen: Vec<Vec<u32>> = seen.iter().map(|seen| seen.borrow().clone()).collect();
            let short = match *cancelled.borrow() {
                0 => Short::Nobody,
                _ => Short::All,
            };
            setup.expected.check(&seen, short, &at);
            drop(harness);
            assert_eq!(live(), before, "{at}: items were kept");
            if *cancelled.borrow() == 0 {
                break;
            }
            k += 1;
            assert!(k < 1000, "{name}: there is no end of polls");
        }
    }
}

/// Returns the last name of a path. Some appear twice.
fn last_name(path: &str) -> String {
    let name = path.rsplit("::").next().unwrap();
    match path.contains("::fixed::") {
        true => format!("fixed::{name}"),
        false => name.to_owned(),
    }
}

/// Every stream, future and `async fn` in the list of public items, and every stream that an
/// adapter makes of another one, appears in the type or in the name of some subject.
#[test]
fn nothing_that_waits_is_left_out() {
    let mut swept = BTreeSet::new();
    for (name, make) in subjects() {
        let Setup {
            streams, drivers, ..
        } = make().setup;
        let types = streams.iter().map(|part| part.type_name);
        let types = types.chain(drivers.iter().map(|part| part.type_name));
        for part in types.flat_map(|name| name.split(['<', '>', ',', ' '])) {
            swept.insert(last_name(part));
        }
        swept.extend(name.split(", ").map(str::to_owned));
    }
    let waits = |line: &'static str| {
        let adapts = line.starts_with("pub fn aiter_") && !line.starts_with("pub fn aiter_core");
        let found = [
            "future::Future for ",
            "stream::Stream for ",
            "pub async fn ",
        ];
        let mut found = found.iter().chain(adapts.then_some(&"pub fn "));
        let (_, item) = found.find_map(|found| line.split_once(found))?;
        let path = item.split(['<', '(', ' ']).next()?;
        // Methods belong to their type. A server that was not made yet cannot be lost. An iterator
        // blocks.
        let is_method = adapts && path.contains(char::is_uppercase);
        let left_out = is_method || path.contains("::net::") || path.contains("aiter_to_iter");
        (!left_out).then(|| last_name(path.trim_end_matches("_on")))
    };
    let left_out: BTreeSet<_> = API
        .iter()
        .flat_map(|api| api.lines().filter_map(waits))
        .filter(|name| !swept.contains(name))
        .collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}

/// The sweep has to find streams that lose an item, or a wake, when they are cancelled.
mod planted {
    use super::*;
    use aiter_tests::cancellation::harness::{Item, Source};
    use futures_core::Stream;
    use std::{
        panic::catch_unwind,
        pin::Pin,
        task::{Context, Poll, Waker, ready},
    };

    /// Owes an item to one future, as a stream does that keeps the item in the future. Another
    /// future does not get it.
    struct Forgetful(Source, Option<(Item, Waker)>);

    impl Stream for Forgetful {
        type Item = Item;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
            if let Some((item, waker)) = self.1.take()
                && waker.will_wake(cx.waker())
            {
                return Poll::Ready(Some(item));
            }
            let item = ready!(Pin::new(&mut self.0).poll_next(cx));
            self.1 = item.map(|item| (item, cx.waker().clone()));
            match self.1 {
                None => Poll::Ready(None),
                Some(_) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        }
    }

    /// Wakes the task that polled it first for an item.
    struct KeepsFirstWaker(Source, Option<Waker>);

    impl Stream for KeepsFirstWaker {
        type Item = Item;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
            let this = &mut *self;
            let waker = this.1.get_or_insert_with(|| cx.waker().clone());
            let item = ready!(Pin::new(&mut this.0).poll_next(&mut Context::from_waker(waker)));
            this.1 = None;
            Poll::Ready(item)
        }
    }

    /// Both work as long as nothing is cancelled. One of the first cancellations reveals them.
    fn is_found(setup: fn() -> Setup) {
        let sweep = move |k| sweep_stream("planted", &|| setup().into(), k, Then::Continued);
        assert!(!sweep(1000));
        assert!((0..20).any(|k| catch_unwind(|| sweep(k)).is_err()));
    }

    #[test]
    fn a_lost_item_is_found() {
        is_found(|| Setup::one(Forgetful(Source::new(), None)));
    }

    #[test]
    fn a_kept_waker_is_found() {
        is_found(|| Setup::one(KeepsFirstWaker(Source::new(), None)));
    }
}
