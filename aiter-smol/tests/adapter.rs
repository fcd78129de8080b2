//! What this crate adds to the core: tasks, blocking iterators, servers.
use aiter_smol::{
    active_aiter, aiter_to_iter, join_aiters, map_workers,
    net::{tcp_server, unix_server},
    preload_aiter,
};
use futures_lite::{
    FutureExt,
    stream::{self, Stream, StreamExt},
};
use std::{panic::AssertUnwindSafe, pin::Pin, time::Duration};

type Items = Pin<Box<dyn Stream<Item = u32> + Send>>;

/// All that take a stream and yield its items in tasks.
const ADAPTERS: [fn(Items) -> Items; 4] = [
    |s| Box::pin(active_aiter(s)),
    |s| Box::pin(preload_aiter(5, s)),
    |s| Box::pin(join_aiters(stream::once(s))),
    |s| Box::pin(map_workers(1, |item| async move { item }, s)),
];

/// Fails the test if the future takes as long as only one can that never ends.
fn block_on<F: Future>(future: F) -> F::Output {
    let deadline = async {
        smol::Timer::after(Duration::from_secs(60)).await;
        panic!("nothing happened in time")
    };
    smol::block_on(future.or(deadline))
}

#[test]
fn items_come_in_order_then_the_end() {
    for adapter in ADAPTERS {
        let items = adapter(Box::pin(stream::iter(0..1000)));
        assert!(block_on(items.collect::<Vec<_>>()).into_iter().eq(0..1000));
        assert_eq!(block_on(adapter(Box::pin(stream::empty())).next()), None);
    }
}

#[test]
fn a_panic_comes_out_after_the_items_before_it() {
    for adapter in ADAPTERS {
        let broken =
            stream::iter(0..10).chain(stream::once_future(async { panic!("broken source") }));
        let mut items = adapter(Box::pin(broken));
        block_on(async {
            for n in 0..10 {
                assert_eq!(items.next().await, Some(n));
            }
            let panic = AssertUnwindSafe(items.next())
                .catch_unwind()
                .await
                .unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"broken source"));
            assert_eq!(items.next().await, None);
        });
    }
}

#[test]
fn dropping_the_stream_drops_a_pending_source() {
    for adapter in ADAPTERS {
        let (held, dropped) = aiter_smol::push_aiter::<()>();
        let source = stream::once(0).chain(stream::pending()).map(move |n| {
            let _ = &held;
            n
        });
        let mut items = adapter(Box::pin(source));
        assert_eq!(block_on(items.next()), Some(0));
        drop(items);
        assert_eq!(block_on(dropped.count()), 0);
    }
}

#[test]
fn timers_work_in_a_blocking_iterator() {
    let ticks = stream::iter(0..5).then(|n| async move {
        smol::Timer::after(Duration::from_millis(1)).await;
        n
    });
    assert!(aiter_to_iter(ticks).eq(0..5));
}

#[test]
fn servers_serve_who_comes_and_stop() {
    block_on(async {
        let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
        let pending = futures_lite::future::poll_once(connections.next()).await;
        assert!(pending.is_none());
        for _ in 0..3 {
            let _client = std::net::TcpStream::connect(server.local_addr()).unwrap();
            assert!(connections.next().await.unwrap().is_ok());
        }
        let _late = std::net::TcpStream::connect(server.local_addr()).unwrap();
        server.stop();
        assert!(connections.next().await.unwrap().is_ok());
        assert!(connections.next().await.is_none());
        assert!(std::net::TcpStream::connect(server.local_addr()).is_err());
    });
}

#[test]
#[cfg(unix)]
fn a_unix_server_removes_its_own_file_only() {
    let path = std::env::temp_dir().join(format!("aiter_smol-{}.sock", std::process::id()));
    block_on(async {
        let (server, mut connections) = unix_server(&path).await.unwrap();
        assert_eq!(
            unix_server(&path).await.unwrap_err().kind(),
            std::io::ErrorKind::AddrInUse
        );
        let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        assert!(connections.next().await.unwrap().is_ok());
        server.stop();
        assert!(connections.next().await.is_none());
    });
    assert!(!path.exists());
}
