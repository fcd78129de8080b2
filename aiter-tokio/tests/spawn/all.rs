//! Tests of what all functions that start tasks have in common.
use super::*;

#[test]
fn items_come_in_order_then_the_end() {
    each(async |adapter: Adapter| {
        let mut items = adapter(Box::pin(stream::iter(0..1000)));
        for n in 0..1000 {
            assert_eq!(items.next().await, Some(n));
        }
        assert_eq!(items.next().await, None);
        assert_eq!(items.next().await, None);
        assert_eq!(adapter(Box::pin(stream::empty())).next().await, None);
    });
}

#[test]
fn later_items_wake_the_consumer() {
    each(async |adapter: Adapter| {
        let (sender, mut source) = mpsc::unbounded_channel();
        let mut items = adapter(Box::pin(stream::poll_fn(move |cx| source.poll_recv(cx))));
        for n in 0..100 {
            let pushing = async {
                tokio::task::yield_now().await;
                sender.send(n).unwrap();
            };
            assert_eq!(tokio::join!(items.next(), pushing).0, Some(n));
        }
        drop(sender);
        assert_eq!(items.next().await, None);
    });
}

#[test]
fn a_next_that_is_dropped_loses_nothing() {
    each(async |adapter: Adapter| {
        let source = stream::iter(0..200).then(|n| async move {
            tokio::task::yield_now().await;
            n
        });
        let mut items = adapter(Box::pin(source));
        let mut seen = Vec::new();
        while seen.len() < 200 {
            match futures_lite::future::poll_once(items.next()).await {
                Some(item) => seen.push(item.unwrap()),
                None => tokio::task::yield_now().await,
            }
        }
        assert!(seen.into_iter().eq(0..200));
    });
}

#[test]
fn dropping_the_stream_drops_a_pending_source() {
    each(async |adapter: Adapter| {
        let (held, dropped) = Held::new();
        let source = stream::iter(0..3).chain(stream::pending()).map(move |n| {
            let _ = &held;
            n
        });
        let mut items = adapter(Box::pin(source));
        assert_eq!(items.next().await, Some(0));
        drop(items);
        dropped.await.unwrap();
    });
}

#[test]
fn dropping_the_stream_drops_a_source_that_is_always_ready() {
    for (name, adapter) in adapters().into_iter().skip(1) {
        for runtime in both() {
            eprintln!("{name}");
            runtime.block_on(within(async {
                let (held, dropped) = Held::new();
                let mut items = adapter(Box::pin(stream::repeat(0).map(move |n| {
                    let _ = &held;
                    n
                })));
                assert_eq!(items.next().await, Some(0));
                drop(items);
                dropped.await.unwrap();
            }));
        }
    }
}

#[test]
fn the_source_is_dropped_at_its_end() {
    each(async |adapter: Adapter| {
        let (held, dropped) = Held::new();
        let mut items = adapter(Box::pin(stream::iter(0..3).map(move |n| {
            let _ = &held;
            n
        })));
        while items.next().await.is_some() {}
        dropped.await.unwrap();
    });
}

#[test]
fn a_panic_of_the_source_comes_out_after_the_items_before_it() {
    each(async |adapter: Adapter| {
        for n in [0, 1, 100] {
            let mut items = adapter(broken(n));
            for before in 0..n {
                assert_eq!(items.next().await, Some(before));
            }
            assert_eq!(message(&*panic_of(&mut items).await), "broken source");
            assert_eq!(items.next().await, None);
        }
    });
}

#[test]
fn a_panic_keeps_its_payload() {
    each(async |adapter: Adapter| {
        let source = stream::once_future(async { panic_any(42_u64) });
        let panic = panic_of(&mut adapter(Box::pin(source))).await;
        assert_eq!(panic.downcast_ref(), Some(&42_u64));
    });
}

#[test]
fn a_panic_when_the_source_is_dropped_at_its_end_comes_out() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    each(async |adapter: Adapter| {
        let bomb = Bomb;
        let mut items = adapter(Box::pin(stream::iter(0..2).map(move |n| {
            let _ = &bomb;
            n
        })));
        assert_eq!((items.next().await, items.next().await), (Some(0), Some(1)));
        assert_eq!(message(&*panic_of(&mut items).await), "boom");
        assert_eq!(items.next().await, None);
    });
}

#[test]
fn when_the_runtime_shuts_down_the_stream_ends() {
    in_time(|| {
        for (name, adapter) in adapters() {
            for runtime in both() {
                eprintln!("{name}");
                let mut items = {
                    let _context = runtime.enter();
                    adapter(Box::pin(stream::once(0).chain(stream::pending())))
                };
                assert_eq!(runtime.block_on(items.next()), Some(0));
                let waiting =
                    std::thread::spawn(move || futures_lite::future::block_on(items.next()));
                drop(runtime);
                assert_eq!(waiting.join().unwrap(), None);
            }
        }
    });
}

#[test]
fn on_a_runtime_that_has_shut_down_the_stream_ends() {
    in_time(|| {
        for (_, adapter) in adapters() {
            let runtime = multi_thread();
            let handle = runtime.handle().clone();
            drop(runtime);
            let _context = handle.enter();
            let mut items = adapter(Box::pin(stream::once(0)));
            assert_eq!(futures_lite::future::block_on(items.next()), None);
        }
    });
}

#[test]
fn the_result_can_be_polled_outside_the_runtime() {
    in_time(|| {
        for (_, adapter) in adapters() {
            let runtime = multi_thread();
            let items = {
                let _context = runtime.enter();
                adapter(Box::pin(stream::iter(0..100)))
            };
            assert_eq!(futures_lite::future::block_on(items.count()), 100);
        }
    });
}

#[test]
fn zero_and_no_runtime_panic_at_the_callers_line() {
    let line_of = |f: &dyn Fn()| {
        let line = Arc::new(AtomicUsize::new(0));
        let seen = line.clone();
        let this = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == this && info.location().unwrap().file() == file!() {
                seen.store(info.location().unwrap().line() as usize, Ordering::SeqCst);
            }
        }));
        catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        std::panic::set_hook(before);
        line.load(Ordering::SeqCst)
    };
    let source = || stream::iter(0..3);
    let first = line!() as usize + 2;
    let cases: [&dyn Fn(); 5] = [
        &|| drop(active_aiter(source())),
        &|| drop(preload_aiter(1, source())),
        &|| drop(join_aiters(stream::once(source()))),
        &|| drop(join_aiters_buffered(1, stream::once(source()))),
        &|| drop(map_workers(1, |n| async move { n }, source())),
    ];
    for (case, n) in cases.into_iter().zip(0..) {
        assert_eq!(line_of(case), first + n);
    }
    let runtime = current_thread();
    let _context = runtime.enter();
    let first = line!() as usize + 2;
    let cases: [&dyn Fn(); 3] = [
        &|| drop(preload_aiter(0, source())),
        &|| drop(join_aiters_buffered(0, stream::once(source()))),
        &|| drop(map_workers(0, |n| async move { n }, source())),
    ];
    for (case, n) in cases.into_iter().zip(0..) {
        assert_eq!(line_of(case), first + n);
    }
}

#[test]
fn results_can_be_sent_to_other_threads() {
    fn check(_: &(impl Send + Unpin)) {}
    let runtime = current_thread();
    let _context = runtime.enter();
    let items = || -> Items { Box::pin(stream::empty()) };
    check(&active_aiter(items()));
    check(&preload_aiter(1, items()));
    check(&map_workers(1, |n| async move { n }, items()));
    check(&join_aiters(stream::iter([items()])));
}
