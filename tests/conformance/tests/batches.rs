//! Batches of ours and of published crates at their edges, in tokio's paused time. Ours have to
//! pass each probe; what the others do is printed (`cargo test --release --test batches --
//! --nocapture`).

use aiter_core::{batch, batch_within, iter_to_aiter};
use futures_core::Stream;
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, advance, sleep};

const SECOND: Duration = Duration::from_secs(1);

type Batches = Pin<Box<dyn Stream<Item = Vec<u32>>>>;
type Source = Pin<Box<dyn Stream<Item = u32>>>;

/// Batches of up to `n`, which may wait for a second if the crate has that.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    waits: bool,
    make: fn(usize, Source) -> Batches,
}

const SUBJECTS: &[Subject] = &[
    Subject {
        name: "aiter_core::batch",
        waits: false,
        make: |n, source| Box::pin(batch(n, source)),
    },
    Subject {
        name: "aiter_core::batch_within",
        waits: true,
        make: |n, source| Box::pin(batch_within(n, SECOND, sleep, source)),
    },
    Subject {
        name: "futures ready_chunks",
        waits: false,
        make: |n, source| Box::pin(futures::StreamExt::ready_chunks(source, n)),
    },
    Subject {
        name: "tokio_stream chunks_timeout",
        waits: true,
        make: |n, source| {
            let chunks = tokio_stream::StreamExt::chunks_timeout(source, n, SECOND);
            Box::pin(chunks)
        },
    },
];

/// What a source does in a poll. Without a step it is pending.
enum Step {
    Item(u32),
    Pending,
    Panic,
    End,
}
use Step::*;

struct Steps(VecDeque<Step>);

impl Stream for Steps {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        match self.0.pop_front() {
            Some(Item(item)) => Poll::Ready(Some(item)),
            Some(Panic) => panic!("source"),
            Some(End) => Poll::Ready(None),
            Some(Pending) | None => Poll::Pending,
        }
    }
}

fn steps(steps: impl IntoIterator<Item = Step>) -> Source {
    Box::pin(Steps(steps.into_iter().collect()))
}

fn poll(batches: &mut Batches) -> Poll<Option<Vec<u32>>> {
    batches
        .as_mut()
        .poll_next(&mut Context::from_waker(Waker::noop()))
}

type Verdict = Result<(), String>;

fn is(found: &Poll<Option<Vec<u32>>>, expected: &[u32]) -> Verdict {
    match found {
        Poll::Ready(Some(batch)) if batch == expected => Ok(()),
        found => Err(format!("{found:?} in place of {expected:?}")),
    }
}

/// The consumer comes back long after the time of a batch.
async fn late(subject: Subject) -> Verdict {
    let mut batches = (subject.make)(9, steps([Item(1), Pending, Item(2), Pending]));
    if !subject.waits {
        is(&poll(&mut batches), &[1])?;
        return is(&poll(&mut batches), &[2]);
    }
    let _waits = poll(&mut batches);
    advance(5 * SECOND).await;
    is(&poll(&mut batches), &[1, 2])
}

/// The source panics after two items.
async fn panic(subject: Subject) -> Verdict {
    let mut batches = (subject.make)(9, steps([Item(1), Item(2), Panic, Item(3), End]));
    let first = catch_unwind(AssertUnwindSafe(|| poll(&mut batches)));
    let first = first.map_err(|_| "the panic comes before the items before it")?;
    is(&first, &[1, 2])?;
    let second = catch_unwind(AssertUnwindSafe(|| poll(&mut batches)));
    match second {
        Err(_) => is(&poll(&mut batches), &[3]),
        Ok(second) => Err(format!("{second:?} in place of the panic")),
    }
}

/// The caller catches the panic of the source, and asks again.
async fn panic_loses(subject: Subject) -> Verdict {
    let mut batches = (subject.make)(9, steps([Item(1), Item(2), Panic, Item(3), End]));
    let mut items = Vec::new();
    for _ in 0..9 {
        if let Ok(Poll::Ready(Some(batch))) = catch_unwind(AssertUnwindSafe(|| poll(&mut batches)))
        {
            items.extend(batch);
        }
    }
    is(&Poll::Ready(Some(items)), &[1, 2, 3])
}

/// Each poll belongs to a future that is dropped after it.
async fn dropped(subject: Subject) -> Verdict {
    let source = (0..20).flat_map(|n| [Pending, Item(n)]).chain([End]);
    let mut batches = (subject.make)(4, steps(source));
    let mut items = Vec::new();
    loop {
        match poll(&mut batches) {
            Poll::Ready(Some(batch)) => items.extend(batch),
            Poll::Ready(None) => break,
            Poll::Pending => advance(SECOND / 3).await,
        }
    }
    is(&Poll::Ready(Some(items)), &Vec::from_iter(0..20))
}

/// A source that is always ready, and no limit.
async fn endless(subject: Subject) -> Verdict {
    const ENOUGH: u32 = 10_000_000;
    let batch = catch_unwind(AssertUnwindSafe(|| {
        let source = iter_to_aiter((0..).inspect(|n| assert!(*n < ENOUGH, "it takes all items")));
        poll(&mut (subject.make)(usize::MAX, Box::pin(source)))
    }));
    match batch {
        Ok(Poll::Ready(Some(_))) => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
        Err(panic) => Err(match panic.downcast_ref::<&str>() {
            Some(message) => (*message).into(),
            None => "it panics".into(),
        }),
    }
}

/// The source uses up the budget of the task in each poll, as a busy receiver of tokio does.
async fn budget(subject: Subject) -> Verdict {
    if !subject.waits {
        return Ok(());
    }
    let source = futures::stream::poll_fn(|cx| {
        let proceed = std::pin::pin!(tokio::task::coop::consume_budget());
        proceed.poll(cx).map(|()| Some(7))
    });
    let mut batches = (subject.make)(100_000, Box::pin(source));
    let start = Instant::now();
    let time = async {
        while start.elapsed() < 1000 * SECOND {
            advance(SECOND / 10).await;
        }
    };
    let batch = poll_fn(|cx| batches.as_mut().poll_next(cx));
    // The batch is polled first.
    futures::future::select(batch, Box::pin(time)).await;
    let waited = start.elapsed();
    match waited <= 2 * SECOND {
        true => Ok(()),
        false => Err(format!(
            "a batch comes after {waited:?}, not after a second"
        )),
    }
}

/// Runs a probe.
macro_rules! run {
    ($($probe:ident)*) => {
        for (at, subject) in SUBJECTS.iter().enumerate() {
            $(
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .start_paused(true)
                    .build()
                    .unwrap();
                let verdict = runtime.block_on($probe(*subject));
                println!("| {} | {} | {verdict:?} |", subject.name, stringify!($probe));
                assert!(at >= 2 || verdict.is_ok(), "ours fail");
            )*
        }
    };
}

#[test]
fn ours_lose_nothing_and_are_never_late() {
    run!(late panic panic_loses dropped endless budget);
}
