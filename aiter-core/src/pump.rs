//! Bringing the items of a stream to whoever takes them one by one.
use core::{future::poll_fn, pin::pin, task::Poll};
use futures_core::Stream;

/// Items pulled in one poll of a pump or a driver. Then it yields to its executor, however many the source has.
pub(crate) const BUDGET: usize = 64;

/// Hands each item of `stream` to `sink`, and waits until `sink` is done with it before it pulls the next.
///
/// `sink` is anything that takes an item and may take its time: a channel's `send`, a `Sink`, a socket that is written to. It may
/// borrow what it writes to from one call to the next. The first error of `sink` ends the pump and is what it gives; the end
/// of the stream is `Ok`. Either way the stream is dropped: pump `&mut stream` to go on with it.
///
/// The pump yields to its executor after every 64 items, so that a stream and a sink that are always ready do not keep other tasks
/// from running.
///
/// # Errors
/// That of `sink`, from the call in which it failed.
///
/// # Panics
/// A panic of the stream or of `sink` goes to whoever polls the pump.
///
/// # Cancel safety
/// A pump that is dropped drops what `sink` is at work on, so that item may be lost, half written or written. No
/// other item was pulled: with `&mut stream` another pump goes on with the next one.
///
/// # Progress
/// That of the stream and of `sink`: nothing is kept here.
///
/// # Examples
/// ```
/// use aiter_core::{iter_to_aiter, pump};
/// use futures_lite::{AsyncWriteExt, future::block_on};
///
/// let mut file = Vec::new();
/// let lines = iter_to_aiter(["first\n", "second\n"]);
/// block_on(pump(lines, async |line| file.write_all(line.as_bytes()).await))?;
/// assert_eq!(file, b"first\nsecond\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn pump<S, F, E>(stream: S, mut sink: F) -> Result<(), E>
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
        sink(item).await?;
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{iter_to_aiter, testing::*};
    use alloc::{rc::Rc, vec, vec::Vec};
    use core::{
        cell::{Cell, RefCell},
        convert::Infallible,
        future::{Future, pending, ready},
        pin::Pin,
        task::{Context, Waker},
    };

    fn step<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn nothing_one_and_many_come_in_order() {
        for n in [0, 1, 10] {
            let mut seen = Vec::new();
            let sink = async |item| {
                seen.push(item);
                Ok::<_, Infallible>(())
            };
            let pumped = step(pin!(pump(iter_to_aiter(0..n), sink)), Waker::noop());
            assert_eq!(pumped, Poll::Ready(Ok(())));
            assert!(seen.into_iter().eq(0..n));
        }
    }

    /// A door that lets one item through each time it is opened.
    #[derive(Default)]
    struct Door {
        open: Cell<bool>,
        waker: RefCell<Option<Waker>>,
    }

    impl Door {
        fn open(&self) {
            self.open.set(true);
            self.waker.take().expect("somebody waits").wake();
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

    #[test]
    fn nothing_is_pulled_while_the_sink_is_at_work() {
        let (source, remote) = source((0..3).map(Item));
        let door = Door::default();
        let mut seen = Vec::new();
        {
            let mut pump = pin!(pump(source, async |item| {
                door.pass().await;
                seen.push(item);
                Ok::<_, Infallible>(())
            }));
            let (wakes, waker) = Wakes::new();
            for polls in 1..=3 {
                assert!(step(pump.as_mut(), &waker).is_pending());
                assert!(step(pump.as_mut(), &waker).is_pending());
                assert_eq!((remote.polls(), remote.waiting()), (polls, 3 - polls));
                door.open();
                assert_eq!(wakes.taken(), 1);
            }
            assert!(step(pump.as_mut(), &waker).is_pending());
            assert_eq!(remote.polls(), 4);
            remote.end();
            assert_eq!(wakes.taken(), 1);
            assert_eq!(step(pump.as_mut(), &waker), Poll::Ready(Ok(())));
        }
        assert!(remote.is_dropped());
        assert_eq!(seen, [0, 1, 2]);
    }

    #[test]
    fn an_error_ends_it_and_the_stream_can_go_on() {
        let (mut source, remote) = source((0..5).map(Item));
        let sink = |item| ready(if item == 2 { Err(item) } else { Ok(()) });
        let pumped = step(pin!(pump(&mut source, sink)), Waker::noop());
        assert_eq!(pumped, Poll::Ready(Err(2)));
        assert_eq!((remote.polls(), remote.is_dropped()), (3, false));
        assert_eq!(poll_noop(&mut source), Poll::Ready(Some(3)));

        let pumped = step(pin!(pump(source, |_| ready(Err("full")))), Waker::noop());
        assert_eq!(pumped, Poll::Ready(Err("full")));
        assert!(remote.is_dropped());
    }

    #[test]
    fn it_yields_after_a_bounded_number_of_items() {
        let seen = Cell::new(0);
        let mut pump = pin!(pump(iter_to_aiter(0..), async |_: u32| {
            seen.set(seen.get() + 1);
            Ok::<_, Infallible>(())
        }));
        let (wakes, waker) = Wakes::new();
        for polls in 1..4 {
            assert!(step(pump.as_mut(), &waker).is_pending());
            assert_eq!((seen.get(), wakes.count()), (polls * BUDGET, polls));
        }
    }

    #[test]
    fn dropped_at_any_point_it_loses_no_more_than_what_the_sink_has() {
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
            assert!(step(pin!(pump(&mut source, sink)), Waker::noop()).is_pending());
        }
        assert_eq!((remote.waiting(), remote.polls()), (5, 5));
        assert_eq!(*seen.borrow(), [2, 3]);
    }

    #[test]
    fn a_panic_of_the_sink_leaves_the_stream_whole() {
        let (mut source, _remote) = source((0..4).map(Item));
        let panicking = async |item: u32| {
            assert!(item != 1, "sink");
            Ok::<_, Infallible>(())
        };
        panic_of(|| step(pin!(pump(&mut source, panicking)), Waker::noop()));
        assert_eq!(poll_noop(&mut source), Poll::Ready(Some(2)));
    }

    /// A pump can be spawned: this compiles.
    #[test]
    fn a_pump_of_what_is_send_is_send() {
        fn check(_: impl Future + Send + 'static) {}
        let mut written = [0; 3];
        check(pump(iter_to_aiter(0..3), async move |n: usize| {
            written[n] = n;
            ready(()).await;
            Ok::<_, Infallible>(())
        }));
    }
}
