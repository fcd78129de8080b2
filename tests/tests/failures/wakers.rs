//! Each stream that waits is woken by a waker that panics, that polls it, or that drops it.

use super::Counts;
use aiter_core::{
    PushAiter, active, aiter_forker, gated_aiter, iter_to_aiter, join_aiters, map_workers, preload,
    push_aiter, sharable_aiter, stoppable_aiter,
};
use futures_core::Stream;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::*},
    },
    task::{Context, Poll, Wake, Waker},
};

type Numbers = Pin<Box<dyn Stream<Item = u8> + Send>>;
type Trigger = Box<dyn FnMut()>;

/// Streams that wait for the same event, and the event, which gives each of them (or one of them) a
/// 7.
struct Scene {
    streams: Vec<Numbers>,
    trigger: Trigger,
    one_only: bool,
}

fn scene(streams: impl IntoIterator<Item = Numbers>, trigger: impl FnMut() + 'static) -> Scene {
    Scene {
        streams: streams.into_iter().collect(),
        trigger: Box::new(trigger),
        one_only: false,
    }
}

/// A list, and the trigger that pushes an item.
fn later() -> (PushAiter<u8>, impl FnMut() + Clone + 'static) {
    let (pusher, aiter) = push_aiter();
    (aiter, move || pusher.push(7).map_err(drop).unwrap_or(()))
}

/// Yields a 7 whenever it is polled after the stop of a list.
struct UntilStopped(aiter_core::UntilStopped<u8>);

impl Stream for UntilStopped {
    type Item = u8;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
        Pin::new(&mut self.0).poll(cx).map(|()| Some(7))
    }
}

type Case = (&'static str, fn() -> Scene);

const SCENES: &[Case] = &[
    ("push_aiter", || {
        let (mut aiter, push) = later();
        scene([Box::pin(aiter.fork()) as Numbers, Box::pin(aiter)], push)
    }),
    ("stopped", || {
        let (pusher, aiter) = push_aiter();
        let until = [(); 12].map(|()| Box::pin(UntilStopped(pusher.stopped())) as Numbers);
        scene(until, move || {
            let _aiter = &aiter;
            pusher.stop();
        })
    }),
    ("aiter_forker", || {
        let (aiter, push) = later();
        let mut first = aiter_forker(aiter);
        scene([Box::pin(first.fork()) as Numbers, Box::pin(first)], push)
    }),
    ("sharable_aiter", || {
        let (aiter, push) = later();
        let taker = sharable_aiter(aiter);
        Scene {
            one_only: true,
            ..scene([Box::pin(taker.clone()) as Numbers, Box::pin(taker)], push)
        }
    }),
    ("gated_aiter", || {
        let (gated, gate) = gated_aiter(iter_to_aiter([7_u8, 7, 7]));
        scene([Box::pin(gated) as Numbers], move || gate.push(1))
    }),
    ("gated_aiter, its source", || {
        let (aiter, push) = later();
        let (gated, gate) = gated_aiter(aiter);
        gate.open();
        scene([Box::pin(gated) as Numbers], {
            let mut push = push;
            move || {
                let _gate = &gate;
                push();
            }
        })
    }),
    ("stoppable_aiter", || {
        let (aiter, push) = later();
        let (stoppable, stopper) = stoppable_aiter(aiter);
        scene([Box::pin(stoppable) as Numbers], {
            let mut push = push;
            move || {
                let _stopper = &stopper;
                push();
            }
        })
    }),
    ("active", || {
        let (pulled, driver) = active(iter_to_aiter([7_u8, 7, 7]));
        scene([Box::pin(pulled) as Numbers], poll_once(driver))
    }),
    ("preload", || {
        let (ready, driver) = preload(2, iter_to_aiter([7_u8, 7, 7]));
        scene([Box::pin(ready) as Numbers], poll_once(driver))
    }),
    ("join_aiters", || {
        let (aiter, push) = later();
        let joined = join_aiters(iter_to_aiter([aiter]));
        scene([Box::pin(joined) as Numbers], push)
    }),
    ("map_workers", || {
        let (aiter, push) = later();
        let mapped = map_workers(2, |n| async move { n }, aiter);
        scene([Box::pin(mapped) as Numbers], push)
    }),
];

/// The trigger is a driver. After a panic it is not polled again, as no executor would.
fn poll_once(driver: impl Future<Output = ()> + 'static) -> impl FnMut() + 'static {
    let mut driver = Some(Box::pin(driver));
    move || {
        if let Some(mut polled) = driver.take() {
            let poll = polled
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            if poll.is_pending() {
                driver = Some(polled);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Does {
    Panic,
    Poll,
    Drop,
}

/// The panic payload of a waker, for which no message is printed.
struct Planned;

struct Evil {
    does: Does,
    stream: Mutex<Option<Numbers>>,
    got: Mutex<Vec<Poll<Option<u8>>>>,
    wakes: AtomicUsize,
}

impl Wake for Evil {
    fn wake(self: Arc<Self>) {
        if self.wakes.fetch_add(1, AcqRel) > 0 {
            return;
        }
        match self.does {
            Does::Panic => resume_unwind(Box::new(Planned)),
            Does::Poll => {
                // If the stream is being polled already, it is not here.
                let stream = self.stream.lock().unwrap().take();
                if let Some(mut stream) = stream {
                    let polled = poll(&mut stream, Waker::noop());
                    self.got.lock().unwrap().push(polled);
                    *self.stream.lock().unwrap() = Some(stream);
                }
            }
            Does::Drop => {
                let stream = self.stream.lock().unwrap().take();
                drop(stream);
            }
        }
    }
}

fn poll(stream: &mut Numbers, waker: &Waker) -> Poll<Option<u8>> {
    stream.as_mut().poll_next(&mut Context::from_waker(waker))
}

#[test]
fn wakers() {
    for (name, make) in SCENES {
        for does in [Does::Panic, Does::Poll, Does::Drop] {
            let at = format!("{name}, woken by a waker that does {does:?}");
            let Scene {
                mut streams,
                mut trigger,
                one_only,
            } = make();
            let evil = Arc::new(Evil {
                does,
                stream: Mutex::default(),
                got: Mutex::default(),
                wakes: AtomicUsize::new(0),
            });
            // The misbehaving waker comes first, so that others depend on the state that it leaves.
            let mut first = streams.remove(0);
            assert!(poll(&mut first, &evil.clone().into()).is_pending(), "{at}");
            *evil.stream.lock().unwrap() = Some(first);
            let counts = Arc::new(Counts::default());
            for stream in &mut streams {
                assert!(poll(stream, &counts.clone().into()).is_pending(), "{at}");
            }

            let outcome = catch_unwind(AssertUnwindSafe(&mut trigger));
            assert!(evil.wakes.load(Acquire) > 0, "{at}: not woken");
            if let Err(panic) = outcome {
                assert!(does == Does::Panic && panic.is::<Planned>(), "{at}");
            }

            // The others were woken, and have their items.
            let mut sevens = 0;
            if !streams.is_empty() {
                assert!(counts.0.load(Acquire) > 0, "{at}: another was not woken");
            }
            for stream in &mut streams {
                let polled = poll(stream, &counts.clone().into());
                if one_only {
                    sevens += usize::from(polled == Poll::Ready(Some(7)));
                } else {
                    assert_eq!(polled, Poll::Ready(Some(7)), "{at}");
                }
            }
            // This stream has its item too, if it still exists; later items come as usual.
            sevens += evil.got.lock().unwrap().len();
            let stream = evil.stream.lock().unwrap().take();
            assert_eq!(stream.is_none(), does == Does::Drop, "{at}");
            if let Some(mut stream) = stream {
                let got = std::mem::take(&mut *evil.got.lock().unwrap());
                if got.contains(&Poll::Ready(Some(7))) {
                    trigger();
                }
                let counts = Arc::new(Counts::default());
                let mut polled = poll(&mut stream, &counts.clone().into());
                if polled.is_pending() && counts.0.load(Acquire) > 0 {
                    // It gave way to the other one, once.
                    polled = poll(&mut stream, &counts.clone().into());
                }
                if one_only && sevens == 1 && got.is_empty() {
                    assert!(polled.is_pending(), "{at}");
                } else {
                    assert_eq!(polled, Poll::Ready(Some(7)), "{at}: {got:?}");
                }
            } else if one_only {
                assert_eq!(sevens, 1, "{at}: the item was lost with its reader");
            }
        }
    }
}
