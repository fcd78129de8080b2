//! Debouncers of ours and of published crates at their edges, in tokio's paused time. Ours have to
//! pass each probe; what the others do is printed (`cargo test --release --test debounce --
//! --nocapture`).

use aiter_conformance::{
    Feed,
    edges::{Boxed, Verdict, caught, expect, poll, report},
    source::source,
};
use aiter_core::debounce;
use futures::stream;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::time::{Instant, advance, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// Yields the newest item after a second of quiet.
type Make = fn(Boxed<u64>) -> Boxed<u64>;

const OURS: &str = "aiter_core::debounce";

const SUBJECTS: &[(&str, Make)] = &[
    (OURS, |source| Box::pin(debounce(SECOND, sleep, source))),
    #[cfg(feature = "futures-rx")]
    ("futures_rx debounce", |source| {
        Box::pin(futures_rx::RxExt::debounce(source, |_| sleep(SECOND)))
    }),
    #[cfg(feature = "futures-time")]
    ("futures_time debounce", |source| {
        let timer = tokio_timer::Timer(Box::pin(sleep(SECOND)));
        Box::pin(futures_time::stream::StreamExt::debounce(source, timer))
    }),
];

/// The timer of tokio for futures-time.
#[cfg(feature = "futures-time")]
mod tokio_timer {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };
    use tokio::time::{Instant, Sleep};

    pub(super) struct Timer(pub(super) Pin<Box<Sleep>>);

    impl Future for Timer {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }

    impl futures_time::future::Timer for Timer {
        fn reset_timer(mut self: Pin<&mut Self>) {
            self.0.as_mut().reset(Instant::now() + super::SECOND);
        }
    }
}

async fn next(stream: &mut Boxed<u64>) -> Option<u64> {
    poll_fn(|cx| stream.as_mut().poll_next(cx)).await
}

/// Three items are there at once.
async fn group(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut quiet = make(Box::pin(items));
    let start = Instant::now();
    (1..=3).for_each(|item| remote.send(item));
    expect("item", next(&mut quiet).await, Some(3))?;
    expect("after", start.elapsed().as_secs(), 1)
}

/// The source ends behind an item.
async fn end(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut quiet = make(Box::pin(items));
    let start = Instant::now();
    remote.send(1);
    remote.end();
    expect("item", next(&mut quiet).await, Some(1))?;
    expect("after", start.elapsed(), Duration::ZERO)?;
    expect("end", next(&mut quiet).await, None)
}

/// The task comes back long after the quiet, and finds one more item.
async fn late(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut quiet = make(Box::pin(items));
    remote.send(1);
    expect("poll", poll(&mut quiet), Poll::Pending)?;
    advance(5 * SECOND).await;
    remote.send(2);
    expect("first item", next(&mut quiet).await, Some(1))?;
    expect("second item", next(&mut quiet).await, Some(2))
}

/// The source panics behind an item.
async fn panic(make: Make) -> Verdict {
    let (items, mut remote) = source();
    let mut quiet = make(Box::pin(items));
    remote.send(1);
    remote.panic();
    remote.send(2);
    remote.end();
    let first = caught(|| poll(&mut quiet));
    expect("before the panic", first, Ok(Poll::Ready(Some(1))))?;
    let second = caught(|| poll(&mut quiet));
    expect("the panic", second.is_err(), true)?;
    expect("after the panic", poll(&mut quiet), Poll::Ready(Some(2)))
}

/// The source is always ready.
async fn endless(make: Make) -> Verdict {
    const ENOUGH: u64 = 1_000_000;
    let mut taken = 0;
    let mut quiet = make(Box::pin(stream::poll_fn(move |_| {
        taken += 1;
        assert!(taken < ENOUGH, "it takes items for ever");
        Poll::Ready(Some(taken))
    })));
    let polled = quiet
        .as_mut()
        .poll_next(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    expect("poll", polled, Poll::Pending)
}

/// After an item, the source uses up the budget of the task in each poll and has nothing, as a
/// filter behind a busy receiver of tokio does.
async fn budget(make: Make) -> Verdict {
    let mut item = Some(1);
    let mut quiet = make(Box::pin(stream::poll_fn(move |cx| {
        if let Some(item) = item.take() {
            return Poll::Ready(Some(item));
        }
        while pin!(tokio::task::coop::consume_budget())
            .poll(cx)
            .is_ready()
        {}
        Poll::Pending
    })));
    let start = Instant::now();
    // It wakes itself all the time, so somebody else moves the time.
    let time = async {
        while start.elapsed() < 100 * SECOND {
            advance(SECOND / 10).await;
        }
    };
    let item = pin!(next(&mut quiet));
    match futures::future::select(item, Box::pin(time)).await {
        futures::future::Either::Left((item, _)) => expect("item", item, Some(1))?,
        futures::future::Either::Right(_) => return Err("no item comes in 100 s".into()),
    }
    match start.elapsed() <= 2 * SECOND {
        true => Ok(()),
        false => Err(format!("an item comes after {:?}", start.elapsed())),
    }
}

#[test]
fn ours_are_never_late_and_lose_nothing() {
    macro_rules! run {
        ($($probe:ident)*) => {
            for (name, make) in SUBJECTS {
                $(report(name, *name == OURS, stringify!($probe), || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .start_paused(true)
                        .build()
                        .unwrap();
                    let probe = async { timeout(1000 * SECOND, $probe(*make)).await };
                    let timely = runtime.block_on(probe);
                    timely.unwrap_or_else(|_| Err("nothing comes".into()))
                });)*
            }
        };
    }
    run!(group end late panic endless budget);
}
