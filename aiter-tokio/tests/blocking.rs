//! Tests of blocking iterators.
mod common;
use aiter_tokio::{aiter_to_iter, aiter_to_iter_on, push_aiter};
use common::{both, current_thread, in_time, message, multi_thread};
use futures_lite::stream::{self, Stream, StreamExt};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::coop::poll_proceed,
};

/// Yields numbers and sleeps before every third one. The timer is created in a poll that does not
/// block, so the runtime's context is needed there too.
fn ticks(n: u32) -> impl Stream<Item = u32> + Send {
    stream::unfold(0, move |i| async move {
        if i % 3 == 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (i < n).then_some((i, i + 1))
    })
}

#[test]
fn items_come_in_order_then_the_end() {
    for runtime in both() {
        let _context = runtime.enter();
        assert_eq!(
            aiter_to_iter(stream::iter(0..5)).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
        assert_eq!(aiter_to_iter(stream::empty::<u8>()).next(), None);
        assert_eq!(aiter_to_iter(stream::iter(0..5)).size_hint(), (5, Some(5)));
    }
}

#[test]
fn timers_work_inside_the_context_of_a_running_runtime() {
    in_time(|| {
        let runtime = multi_thread();
        let _context = runtime.enter();
        assert!(aiter_to_iter(ticks(10)).eq(0..10));
    });
}

#[test]
fn timers_work_from_a_thread_without_a_context() {
    in_time(|| {
        let runtime = multi_thread();
        assert!(aiter_to_iter_on(runtime.handle(), ticks(10)).eq(0..10));
        assert!(aiter_to_iter_on(runtime.handle().clone(), ticks(10)).eq(0..10));
        assert_eq!(
            aiter_to_iter_on(runtime.handle(), ticks(10)).sum::<u32>(),
            45
        );
    });
}

#[test]
fn a_runtime_given_is_driven_even_if_it_has_one_thread() {
    in_time(|| {
        for runtime in both() {
            assert!(aiter_to_iter_on(&runtime, ticks(10)).eq(0..10));
            assert!(aiter_to_iter_on(Arc::new(runtime), ticks(10)).eq(0..10));
        }
    });
}

#[test]
fn an_iterator_moved_to_another_thread_keeps_its_runtime() {
    in_time(|| {
        let runtime = multi_thread();
        let iter = {
            let _context = runtime.enter();
            aiter_to_iter(Box::pin(ticks(10)))
        };
        assert!(std::thread::spawn(move || iter.eq(0..10)).join().unwrap());
    });
}

#[test]
fn blocking_tasks_and_block_in_place_may_iterate() {
    in_time(|| {
        for runtime in both() {
            runtime.block_on(async {
                let blocking = tokio::task::spawn_blocking(|| aiter_to_iter(ticks(10)).eq(0..10));
                assert!(common::within(blocking).await.unwrap());
            });
        }
        multi_thread().block_on(async {
            let task = tokio::spawn(async {
                tokio::task::block_in_place(|| aiter_to_iter(ticks(10)).eq(0..10))
            });
            assert!(common::within(task).await.unwrap());
        });
    });
}

#[test]
fn io_works() {
    in_time(|| {
        for runtime in both() {
            let (address, server) = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                (listener.local_addr().unwrap(), listener)
            });
            runtime.spawn(async move {
                server
                    .accept()
                    .await
                    .unwrap()
                    .0
                    .write_all(b"abc")
                    .await
                    .unwrap()
            });
            let bytes = stream::unfold(None, move |connection| async move {
                let mut connection = match connection {
                    Some(connection) => connection,
                    None => TcpStream::connect(address).await.unwrap(),
                };
                let byte = connection.read_u8().await.ok()?;
                Some((byte, Some(connection)))
            });
            assert_eq!(
                aiter_to_iter_on(&runtime, bytes).collect::<Vec<_>>(),
                b"abc"
            );
        }
    });
}

#[test]
fn a_parked_iterator_is_woken_by_another_thread() {
    in_time(|| {
        for runtime in both() {
            let (pusher, items) = push_aiter();
            let (request, requests) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                while let Ok(n) = requests.recv() {
                    pusher.push(n).unwrap();
                }
            });
            let mut iter = aiter_to_iter_on(runtime.handle(), items);
            for n in 0..1000 {
                request.send(n).unwrap();
                assert_eq!(iter.next(), Some(n));
            }
            drop(request);
            assert_eq!(iter.next(), None);
            thread.join().unwrap();
        }
    });
}

#[test]
fn dropping_the_iterator_drops_the_stream() {
    let runtime = current_thread();
    let held = Arc::new(());
    let mut iter = aiter_to_iter_on(&runtime, stream::repeat(held.clone()));
    drop(iter.next());
    drop(iter);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_panic_of_the_source_comes_out_and_leaves_the_runtime_usable() {
    in_time(|| {
        for runtime in both() {
            for pending_first in [false, true] {
                let source = stream::once(()).then(move |()| async move {
                    if pending_first {
                        futures_lite::future::yield_now().await;
                    }
                    panic!("broken source")
                });
                let mut iter = aiter_to_iter_on(&runtime, source);
                let panic = catch_unwind(AssertUnwindSafe(|| iter.next())).unwrap_err();
                assert_eq!(message(&*panic), "broken source");
            }
            assert!(aiter_to_iter_on(&runtime, ticks(4)).eq(0..4));
        }
    });
}

/// Returns the message and the line of a panic. Checks that only one message is printed.
fn panic_of(f: impl FnOnce()) -> (String, u32) {
    static HOOK: Mutex<()> = Mutex::new(());
    let _guard = HOOK.lock();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    let this = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == this {
            seen.lock().unwrap().push(info.location().unwrap().line());
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(before);
    let message = message(&*result.expect_err("it did not panic")).to_owned();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 1, "one message: {message}");
    (message, lines[0])
}

#[test]
fn making_an_iterator_inside_an_async_task_panics_with_an_explanation() {
    for runtime in both() {
        runtime.block_on(async {
            let expected = line!() + 1;
            let (message, line) = panic_of(|| drop(aiter_to_iter(stream::iter(0..3))));
            assert!(
                message.contains("runs async tasks") && message.contains("spawn_blocking"),
                "{message}"
            );
            assert_eq!(line, expected);
            let task = tokio::spawn(async {
                let (message, _) = panic_of(|| drop(aiter_to_iter(stream::iter(0..3))));
                assert!(message.contains("runs async tasks"), "{message}");
                let (message, _) =
                    panic_of(|| drop(aiter_to_iter_on(Handle::current(), stream::iter(0..3))));
                assert!(message.contains("runs async tasks"), "{message}");
            });
            common::within(task).await.unwrap();
        });
    }
}

/// Takes the rest of the budget and returns how much it was, or `None` if there is no budget.
fn spend_budget() -> Option<usize> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    (0..1000).find(|_| match poll_proceed(&mut cx) {
        Poll::Ready(unit) => {
            unit.made_progress();
            false
        }
        Poll::Pending => true,
    })
}

fn assert_refused() {
    let (message, _) = panic_of(|| drop(aiter_to_iter(stream::iter(0..3))));
    assert!(message.contains("runs async tasks"), "{message}");
}

#[test]
fn it_is_refused_wherever_tasks_run_and_leaves_their_budget_unchanged() {
    for runtime in both() {
        runtime.block_on(async {
            let whole = spend_budget().expect("a budget");
            assert!(whole > 0);
            assert_refused();
            assert_eq!(spend_budget(), Some(0));
            tokio::task::yield_now().await;
            assert_refused();
            assert_eq!(spend_budget(), Some(whole));
        });
        // A future in `block_on` has a budget even if the thread around it is allowed to block.
        runtime.block_on(async {
            let handle = Handle::current();
            let nested = tokio::task::spawn_blocking(move || {
                assert!(aiter_to_iter(ticks(3)).eq(0..3));
                handle.block_on(async { assert_refused() });
                assert!(aiter_to_iter(ticks(3)).eq(0..3));
            });
            common::within(nested).await.unwrap();
        });
        let set = tokio::task::LocalSet::new();
        let task = set.spawn_local(async { assert_refused() });
        set.block_on(&runtime, async {
            assert_refused();
            task.await.unwrap();
        });
    }
    multi_thread().block_on(async {
        let task = tokio::spawn(async {
            assert_refused();
            tokio::task::block_in_place(|| {
                Handle::current().block_on(async { assert_refused() });
                assert!(aiter_to_iter(ticks(3)).eq(0..3));
            });
            assert_refused();
        });
        common::within(task).await.unwrap();
    });
}

/// Without a budget the task cannot be detected, so tokio itself panics, also with a single
/// message.
#[test]
fn in_an_unconstrained_task_tokio_panics_with_one_message() {
    for runtime in both() {
        let unconstrained = || {
            tokio::task::unconstrained(async {
                let expected = line!() + 1;
                let (message, line) = panic_of(|| drop(aiter_to_iter(stream::iter(0..3))));
                assert!(message.contains("from within a runtime"), "{message}");
                assert_eq!(line, expected);
            })
        };
        runtime.block_on(unconstrained());
        let task = runtime.spawn(unconstrained());
        runtime.block_on(common::within(task)).unwrap();
    }
}

#[test]
fn an_iterator_that_would_block_inside_an_async_task_panics_with_an_explanation() {
    for runtime in both() {
        let mut iter = aiter_to_iter_on(
            runtime.handle().clone(),
            stream::once(1).chain(stream::pending()),
        );
        runtime.block_on(async {
            assert_eq!(iter.next(), Some(1));
            let expected = line!() + 1;
            let (message, line) = panic_of(|| _ = iter.next());
            assert!(message.contains("runs async tasks"), "{message}");
            assert_eq!(line, expected);
        });
    }
}

#[test]
fn without_a_runtime_it_panics_at_the_callers_line() {
    let expected = line!() + 1;
    let (message, line) = panic_of(|| drop(aiter_to_iter(stream::iter(0..3))));
    assert!(
        message.contains("runtime") || message.contains("reactor"),
        "{message}"
    );
    assert_eq!(line, expected);
}

/// A stream that is never pending, ends at poll number `left`, and counts its polls.
struct Counted {
    left: u32,
    polls: Arc<Mutex<u32>>,
}
impl Stream for Counted {
    type Item = ();
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        *self.polls.lock().unwrap() += 1;
        self.left = self.left.saturating_sub(1);
        Poll::Ready(Some(()).filter(|()| self.left > 0))
    }
}

#[test]
fn a_ready_item_is_one_poll_and_nothing_is_pulled_ahead() {
    let runtime = current_thread();
    let polls = Arc::new(Mutex::new(0));
    let mut iter = aiter_to_iter_on(
        &runtime,
        Counted {
            left: 1000,
            polls: polls.clone(),
        },
    );
    assert_eq!(*polls.lock().unwrap(), 0);
    for n in 1..500 {
        iter.next();
        assert_eq!(*polls.lock().unwrap(), n);
    }
}

/// Yields numbers, some of them after a pending poll or a timer, and counts the items that were
/// pulled.
fn uneven(pulled: &Arc<AtomicU32>) -> impl Stream<Item = u32> + Send + use<> {
    let pulled = pulled.clone();
    ticks(100).then(move |n| {
        let pulled = pulled.clone();
        async move {
            if n % 10 == 9 {
                futures_lite::future::yield_now().await;
            }
            pulled.fetch_add(1, SeqCst);
            n
        }
    })
}

#[test]
fn reading_ahead_yields_the_same_items_and_pulls_no_more_than_was_allowed() {
    in_time(|| {
        for runtime in both() {
            for n in [0, 1, 7, 1000] {
                let pulled = Arc::new(AtomicU32::new(0));
                let mut iter = aiter_to_iter_on(&runtime, uneven(&pulled)).read_ahead(n as usize);
                assert_eq!(pulled.load(SeqCst), 0);
                for expected in 0..100 {
                    assert_eq!(iter.next(), Some(expected));
                    let ahead = pulled.load(SeqCst) - (expected + 1);
                    assert!(ahead <= n, "{ahead} ahead of {n}");
                }
                assert_eq!(iter.next(), None);
            }
        }
    });
}

#[test]
fn only_ready_items_are_read_ahead() {
    let runtime = current_thread();
    let pulled = Arc::new(AtomicU32::new(0));
    let count = pulled.clone();
    let ready = stream::iter(0..5).map(move |n| {
        count.fetch_add(1, SeqCst);
        n
    });
    let mut iter = aiter_to_iter_on(&runtime, ready.chain(stream::pending())).read_ahead(3);
    assert_eq!((iter.next(), pulled.load(SeqCst)), (Some(0), 4));
    assert_eq!(iter.by_ref().take(3).collect::<Vec<_>>(), [1, 2, 3]);
    // The last ready item comes out, and no item after it is waited for.
    assert_eq!(iter.size_hint(), (0, None));
    assert_eq!((iter.next(), pulled.load(SeqCst)), (Some(4), 5));
}

#[test]
fn inside_the_context_nothing_is_pulled_ahead() {
    let runtime = current_thread();
    let _context = runtime.enter();
    let pulled = Arc::new(AtomicU32::new(0));
    let mut iter = aiter_to_iter(uneven(&pulled)).read_ahead(9);
    assert_eq!((iter.next(), pulled.load(SeqCst)), (Some(0), 1));
}

#[test]
fn the_end_and_the_size_are_right_while_items_are_buffered() {
    let runtime = current_thread();
    let mut iter = aiter_to_iter_on(&runtime, stream::iter(0..5)).read_ahead(9);
    for left in (0..5).rev() {
        assert!(iter.next().is_some());
        assert_eq!(iter.size_hint(), (left, Some(left)));
    }
    assert_eq!((iter.next(), iter.next()), (None, None));
    let empty = aiter_to_iter_on(&runtime, stream::empty::<u32>()).read_ahead(9);
    assert_eq!(empty.count(), 0);
    for taken in 0..5 {
        let mut iter = aiter_to_iter_on(&runtime, stream::iter(0..5)).read_ahead(2);
        assert!(iter.by_ref().take(taken).eq(0..taken));
        assert_eq!(iter.sum::<usize>(), (taken..5).sum());
    }
}

#[test]
fn a_panic_comes_out_after_the_items_before_it() {
    fn breaks_at_3() -> impl Stream<Item = u32> {
        stream::iter(0..5).map(|n| {
            assert_ne!(n, 3, "broken source");
            n
        })
    }
    let runtime = current_thread();
    for n in 0..5 {
        let mut iter = aiter_to_iter_on(&runtime, breaks_at_3()).read_ahead(n);
        assert!(iter.by_ref().take(3).eq(0..3));
        let panic = catch_unwind(AssertUnwindSafe(|| iter.next())).unwrap_err();
        assert!(message(&*panic).contains("broken source"));
        // The iterator goes on if the source does, as it does without reading ahead.
        assert_eq!((iter.next(), iter.next()), (Some(4), None));

        let mut seen = Vec::new();
        let mut iter = aiter_to_iter_on(&runtime, breaks_at_3()).read_ahead(n);
        seen.extend(iter.next());
        let all = catch_unwind(AssertUnwindSafe(|| iter.for_each(|n| seen.push(n))));
        assert!(message(&*all.unwrap_err()).contains("broken source"));
        assert_eq!(seen, [0, 1, 2]);
    }
}

#[test]
fn two_that_read_ahead_can_be_zipped_and_dropped_in_any_order() {
    in_time(|| {
        let [one, other] = [multi_thread(), current_thread()];
        let a = aiter_to_iter_on(&one, ticks(50)).read_ahead(8);
        let b = aiter_to_iter_on(&other, ticks(40)).read_ahead(3);
        assert!(a.zip(b).eq((0..40).zip(0..40)));
    });
}
