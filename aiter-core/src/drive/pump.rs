//! [`pump`]: brings the items of a stream to an async sink, one by one.
use crate::ops::{MapAsync, map_async};
use core::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use futures_core::{FusedFuture, Stream};
use pin_project::pin_project;

/// How many items a pump or a driver pulls in one poll before it yields to the executor.
pub(crate) const BUDGET: usize = 64;

/// Brings each item of `stream` to `f`, and awaits the future that `f` returns before it pulls the
/// next item.
///
/// Use it to send a stream into a channel, a socket, or any other async sink. The first error of
/// `f` ends the pump and is its output; at the end of the stream the output is `Ok`. Either way the
/// stream is dropped. Pass `&mut stream` to keep it.
///
/// The pump yields to its executor after every 64 items, so that a stream and a sink that are
/// always ready do not keep other tasks from running.
///
/// # Which closures
///
/// The future that `f` returns may borrow what `f` refers to, but not what `f` itself owns. A pump
/// with such a closure can be spawned, wherever in a task it is created:
///
/// | `f` | use |
/// |---|---|
/// | `\|item\| sender.send(item)`, `async \|item\| sender.send(item).await` | `pump` |
/// | `async move \|item\| …` that owns `sender` | `pump`, with `let sender = &sender;` before it |
/// | `async \|item\| file.write_all(item).await`, which needs `&mut file` for each item | [`pump_lending`] |
///
/// In the last two cases the compiler reports that the async closure "does not implement `FnMut`
/// because it captures state from its environment".
///
/// # Errors
/// The first error that a future of `f` returns.
///
/// # Panics
/// A panic of the stream, of `f` or of a future reaches the caller that polls the pump. The current
/// item is lost, and another poll continues with the next one. A poll after the pump has returned
/// its output panics.
///
/// # Cancel safety
/// Dropping a pump drops the future that it awaits, so the current item may be lost, partly written
/// or written. No other item was pulled: with `&mut stream`, another pump continues with the next
/// one.
///
/// # Progress
/// Waits only for the stream and the future of `f`.
///
/// # Examples
/// ```
/// use aiter_core::{iter_to_aiter, pump, push_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (pusher, words) = push_aiter();
/// // This task may run on any thread: the closure borrows what is in it.
/// let task = async move {
///     let send = async |word| pusher.push(word);
///     pump(send, iter_to_aiter(["two", "words"])).await
/// };
/// std::thread::spawn(|| block_on(task)).join().unwrap()?;
/// assert_eq!(block_on(words.collect::<Vec<_>>()), ["two", "words"]);
/// # Ok::<(), aiter_core::Stopped<&str>>(())
/// ```
pub fn pump<S, F, Fut, E>(f: F, stream: S) -> Pump<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    Pump {
        results: Some(map_async(f, stream)),
    }
}

/// The future that [`pump`] returns.
///
/// It is a type of its own rather than that of an `async fn`, so that it is `Send` if the stream,
/// the closure and its futures are. The compiler need not find out for which lifetimes the closure
/// can be called.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct Pump<S, F, Fut> {
    /// The results of the sink; `None` once the pump is done.
    #[pin]
    results: Option<MapAsync<S, F, Fut>>,
}

impl<S, F, Fut, E> Future for Pump<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let mut slot = self.project().results;
        for _ in 0..BUDGET {
            let results = slot.as_mut().as_pin_mut();
            let results = results.expect("a pump was polled after its output");
            let output = match ready!(results.poll_next(cx)) {
                Some(Ok(())) => continue,
                Some(Err(error)) => Err(error),
                None => Ok(()),
            };
            slot.set(None);
            return Poll::Ready(output);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, F, Fut, E> FusedFuture for Pump<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    fn is_terminated(&self) -> bool {
        self.results.is_none()
    }
}

impl<S: fmt::Debug, F, Fut> fmt::Debug for Pump<S, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("results", &self.results)
            .finish()
    }
}

/// Brings each item of `stream` to `f`, as [`pump`] does, where the future that `f` returns may
/// borrow from `f`.
///
/// Use it for a sink that is called by `&mut`: a file, a socket, a `Sink`. Otherwise it does what
/// [`pump`] does.
///
/// # In spawned tasks
///
/// A task that calls this function can be spawned on a multi-thread runtime if `f` owns everything
/// that it uses and the items borrow nothing: `pump_lending(async move |line: String| …, lines)`.
/// If `f` borrows from the task, or an item borrows (even as a `&'static str`), the compiler cannot
/// tell for which lifetimes the closure is called, and reports "higher-ranked lifetime error", or
/// that an implementation of `Send` or `AsyncFnMut` "is not general enough". Use [`pump`] there, or
/// a `while let` loop around `next()`.
///
/// # Errors
/// The first error that a future of `f` returns.
///
/// # Panics
/// A panic of the stream, of `f` or of a future reaches the caller that polls. As after any panic
/// in an `async fn`, another poll panics too.
///
/// # Cancel safety
/// As [`pump`].
///
/// # Progress
/// Waits only for the stream and the future of `f`.
///
/// # Examples
/// ```
/// use aiter_core::{iter_to_aiter, pump_lending};
/// use futures_lite::{AsyncWriteExt, future::block_on};
///
/// let mut file = Vec::new();
/// let lines = iter_to_aiter(["first\n", "second\n"]);
/// block_on(pump_lending(async |line| file.write_all(line.as_bytes()).await, lines))?;
/// assert_eq!(file, b"first\nsecond\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn pump_lending<S, F, E>(mut f: F, stream: S) -> Result<(), E>
where
    S: Stream,
    F: AsyncFnMut(S::Item) -> Result<(), E>,
{
    let mut stream = pin!(stream);
    let mut left = BUDGET;
    loop {
        let next = poll_fn(|cx| {
            if left == 0 {
                left = BUDGET;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            left -= 1;
            stream.as_mut().poll_next(cx)
        });
        let Some(item) = next.await else {
            return Ok(());
        };
        f(item).await?;
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{iter_to_aiter, push_aiter, test_support::*};
    use alloc::{boxed::Box, format, rc::Rc, string::String, vec, vec::Vec};
    use core::{
        cell::{Cell, RefCell},
        convert::Infallible,
        future::{pending, ready},
        task::Waker,
    };

    fn step<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(waker))
    }

    /// Both functions, for the tests of what they have in common.
    trait Form {
        fn pump<S, F, Fut, E>(f: F, stream: S) -> impl Future<Output = Result<(), E>>
        where
            S: Stream,
            F: FnMut(S::Item) -> Fut,
            Fut: Future<Output = Result<(), E>>;
    }

    struct Plain;
    impl Form for Plain {
        fn pump<S, F, Fut, E>(f: F, stream: S) -> impl Future<Output = Result<(), E>>
        where
            S: Stream,
            F: FnMut(S::Item) -> Fut,
            Fut: Future<Output = Result<(), E>>,
        {
            pump(f, stream)
        }
    }

    struct Lending;
    impl Form for Lending {
        fn pump<S, F, Fut, E>(mut f: F, stream: S) -> impl Future<Output = Result<(), E>>
        where
            S: Stream,
            F: FnMut(S::Item) -> Fut,
            Fut: Future<Output = Result<(), E>>,
        {
            #[expect(
                clippy::redundant_closure,
                reason = "a closure is an `AsyncFnMut`, a type that is known to be `FnMut` is not"
            )]
            pump_lending(move |item| f(item), stream)
        }
    }

    /// Tests of both functions.
    macro_rules! both {
        ($($case:ident)*) => {
            mod plain { $(#[test] fn $case() { super::$case::<super::Plain>(); })* }
            mod lending { $(#[test] fn $case() { super::$case::<super::Lending>(); })* }
        };
    }
    both! {
        nothing_one_and_many_come_in_order
        nothing_is_pulled_while_the_sink_is_at_work
        an_error_ends_it_and_the_stream_can_continue
        it_yields_after_a_bounded_number_of_items
        dropped_at_any_point_it_loses_the_item_in_the_sink_only
        a_panic_of_the_sink_keeps_the_stream
    }

    fn nothing_one_and_many_come_in_order<P: Form>() {
        for n in [0, 1, 10] {
            let mut seen = Vec::new();
            let sink = |item| {
                seen.push(item);
                ready(Ok::<_, Infallible>(()))
            };
            let pumped = step(pin!(P::pump(sink, iter_to_aiter(0..n))), Waker::noop());
            assert_eq!(pumped, Poll::Ready(Ok(())));
            assert!(seen.into_iter().eq(0..n));
        }
    }

    /// A latch that lets one item through each time it is opened.
    #[derive(Default)]
    struct Latch {
        open: Cell<bool>,
        waker: RefCell<Option<Waker>>,
    }

    impl Latch {
        fn open(&self) {
            self.open.set(true);
            self.waker.take().expect("a task waits").wake();
        }

        async fn pass(&self) {
            poll_fn(|cx| {
                if self.open.take() {
                    return Poll::Ready(());
                }
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }

    fn nothing_is_pulled_while_the_sink_is_at_work<P: Form>() {
        let (source, remote) = source((0..3).map(Item));
        let latch = Latch::default();
        let seen = RefCell::new(Vec::new());
        {
            let sink = async |item| {
                latch.pass().await;
                seen.borrow_mut().push(item);
                Ok::<_, Infallible>(())
            };
            let mut pump = pin!(P::pump(sink, source));
            let (wakes, waker) = Wakes::new();
            for polls in 1..=3 {
                assert!(step(pump.as_mut(), &waker).is_pending());
                assert!(step(pump.as_mut(), &waker).is_pending());
                assert_eq!((remote.polls(), remote.waiting()), (polls, 3 - polls));
                latch.open();
                assert_eq!(wakes.taken(), 1);
            }
            assert!(step(pump.as_mut(), &waker).is_pending());
            assert_eq!(remote.polls(), 4);
            remote.end();
            assert_eq!(wakes.taken(), 1);
            assert_eq!(step(pump.as_mut(), &waker), Poll::Ready(Ok(())));
            assert!(
                remote.is_dropped(),
                "the pump keeps a stream that has ended"
            );
        }
        assert_eq!(seen.into_inner(), [0, 1, 2]);
    }

    fn an_error_ends_it_and_the_stream_can_continue<P: Form>() {
        let (mut source, remote) = source((0..5).map(Item));
        let sink = |item| ready(if item == 2 { Err(item) } else { Ok(()) });
        let pumped = step(pin!(P::pump(sink, &mut source)), Waker::noop());
        assert_eq!(pumped, Poll::Ready(Err(2)));
        assert_eq!((remote.polls(), remote.is_dropped()), (3, false));
        assert_eq!(poll_noop(&mut source), Poll::Ready(Some(3)));

        let mut pump = pin!(P::pump(|_| ready(Err("full")), source));
        assert_eq!(step(pump.as_mut(), Waker::noop()), Poll::Ready(Err("full")));
        assert!(
            remote.is_dropped(),
            "the pump keeps a stream after an error"
        );
    }

    fn it_yields_after_a_bounded_number_of_items<P: Form>() {
        let seen = Cell::new(0);
        let sink = |_: u32| {
            seen.set(seen.get() + 1);
            ready(Ok::<_, Infallible>(()))
        };
        let mut pump = pin!(P::pump(sink, iter_to_aiter(0..)));
        let (wakes, waker) = Wakes::new();
        for polls in 1..4 {
            assert!(step(pump.as_mut(), &waker).is_pending());
            assert_eq!((seen.get(), wakes.count()), (polls * BUDGET, polls));
        }
    }

    fn dropped_at_any_point_it_loses_the_item_in_the_sink_only<P: Form>() {
        let seen = Rc::new(RefCell::new(vec![]));
        let (mut source, remote) = source((0..10).map(Item));
        for stuck in [0, 1, 4] {
            let sink = async |item: u32| {
                if item % 5 == stuck {
                    pending::<()>().await;
                }
                seen.borrow_mut().push(item);
                Ok::<_, Infallible>(())
            };
            assert!(step(pin!(P::pump(sink, &mut source)), Waker::noop()).is_pending());
        }
        assert_eq!((remote.waiting(), remote.polls()), (5, 5));
        assert_eq!(*seen.borrow(), [2, 3]);
    }

    fn a_panic_of_the_sink_keeps_the_stream<P: Form>() {
        let (mut source, _remote) = source((0..6).map(Item));
        let in_future = async |item: u32| {
            assert!(item != 1, "sink");
            Ok::<_, Infallible>(())
        };
        panic_of(|| step(pin!(P::pump(in_future, &mut source)), Waker::noop()));
        assert_eq!(poll_noop(&mut source), Poll::Ready(Some(2)));
        let in_closure = |item: u32| {
            assert!(item != 4, "sink");
            ready(Ok::<_, Infallible>(()))
        };
        panic_of(|| step(pin!(P::pump(in_closure, &mut source)), Waker::noop()));
        assert_eq!(poll_noop(&mut source), Poll::Ready(Some(5)));
    }

    #[test]
    fn a_panic_loses_one_item_and_the_next_poll_continues() {
        let (source, remote) = source([Item(0), Panic, Item(1), Item(2), Item(3), End]);
        let seen = RefCell::new(vec![]);
        let sink = |item| {
            assert!(item != 1, "closure");
            let seen = &seen;
            async move {
                assert!(item != 2, "future");
                seen.borrow_mut().push(item);
                Ok::<_, Infallible>(())
            }
        };
        let mut pump = Box::pin(pump(sink, source));
        for panic in ["source", "closure", "future"] {
            assert_eq!(panic_of(|| step(pump.as_mut(), Waker::noop())), panic);
            assert!(!pump.is_terminated());
        }
        assert_eq!(step(pump.as_mut(), Waker::noop()), Poll::Ready(Ok(())));
        assert!(pump.is_terminated() && remote.is_dropped());
        assert_eq!(*seen.borrow(), [0, 3]);
        panic_of(|| step(pump.as_mut(), Waker::noop()));
    }

    /// Requires of a task what a multi-thread runtime does, and runs it.
    fn run(task: impl Future<Output = ()> + Send + 'static) {
        assert!(step(pin!(task), Waker::noop()).is_ready());
    }

    #[test]
    fn a_spawned_pump_may_own_what_it_writes_to() {
        let (pusher, mut aiter) = push_aiter();
        let sink = move |item| {
            let pusher = pusher.clone();
            async move { pusher.push(item) }
        };
        let pumped = pump(sink, iter_to_aiter(["a", "b"]));
        run(async { pumped.await.unwrap() });
        assert_eq!((aiter.try_next(), aiter.try_next()), (Ok("a"), Ok("b")));
    }

    #[test]
    fn a_spawned_pump_may_borrow_from_the_task_around_it() {
        let (pusher, mut aiter) = push_aiter();
        run(async move {
            let mut calls = 0;
            let plain = |item| {
                calls += 1;
                ready(pusher.push(item))
            };
            pump(plain, iter_to_aiter([1])).await.unwrap();
            pump(async |item| pusher.push(item), iter_to_aiter([2]))
                .await
                .unwrap();
            let mut lent = iter_to_aiter(3..=4);
            let pusher = &pusher;
            pump(async move |item| pusher.push(item), &mut lent)
                .await
                .unwrap();
            assert_eq!(calls, 1);
        });
        assert!((1..=4).all(|n| aiter.try_next() == Ok(n)));
    }

    #[test]
    fn a_spawned_pump_may_bring_items_that_borrow() {
        async fn write(
            item: &str,
            to: &crate::Pusher<String>,
        ) -> Result<(), crate::Stopped<String>> {
            to.push(format!("<{item}>"))
        }
        let (pusher, mut aiter) = push_aiter();
        run(async move {
            let to = &pusher;
            let words = || iter_to_aiter(["a", "b"]);
            pump(|item| write(item, to), words()).await.unwrap();
            pump(async |item| write(item, to).await, words())
                .await
                .unwrap();
            pump(async |item: &'static str| write(item, to).await, words())
                .await
                .unwrap();
            let boxed: Pin<Box<dyn Stream<Item = &'static str> + Send>> = Box::pin(words());
            pump(|item| async move { write(item, to).await }, boxed)
                .await
                .unwrap();
            let here = vec![String::from("a"), String::from("b")];
            pump(|item| write(item, to), iter_to_aiter(&here))
                .await
                .unwrap();
        });
        for _ in 0..5 {
            assert!(
                ["<a>", "<b>"]
                    .iter()
                    .all(|&s| aiter.try_next().unwrap() == s)
            );
        }
    }

    #[test]
    fn a_lending_pump_borrows_from_its_closure_and_can_be_spawned_with_what_it_owns() {
        let (pusher, mut aiter) = push_aiter();
        let mut written = String::new();
        let sink = async move |item: String| {
            written.push_str(&item);
            ready(()).await;
            pusher.push(written.clone())
        };
        let words = iter_to_aiter(["a", "b"].map(String::from));
        let pumped = pump_lending(sink, words);
        run(async { pumped.await.unwrap() });
        assert_eq!(aiter.try_next().unwrap(), "a");
        assert_eq!(aiter.try_next().unwrap(), "ab");
    }
}
