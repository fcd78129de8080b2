//! Servers whose runtime has shut down, or that are not polled by their runtime. This is a test
//! program of its own because it counts every panic of the process, also one that only prints its
//! message.
#![cfg(unix)]
#![allow(missing_docs, reason = "a test program")]

#[path = "servers/runtimes.rs"]
mod runtimes;

use aiter_tokio::net::{Connections, Server, Tcp, tcp_server, tcp_server_from};
use futures_core::FusedStream;
use futures_lite::{AsyncReadExt as _, StreamExt, future::poll_once};
use runtimes::in_time;
use rustix::net::{Shutdown, shutdown};
use std::{
    future::Future,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    panic,
    pin::Pin,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    runtime::{Builder, Runtime},
};

/// Belongs neither to tokio nor to smol.
fn block_on<F: Future>(future: F) -> F::Output {
    futures_lite::future::block_on(in_time(future))
}

/// Fails the test for each panic on any thread that is not its own.
fn without_panics(test: impl FnOnce()) {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let printing = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            printing(info);
        }));
    });
    test();
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "some test has panicked");
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

type Polled = Poll<Option<io::Result<(tokio::net::TcpStream, SocketAddr)>>>;

fn poll(connections: &mut Connections<Tcp>, waker: &Waker) -> Polled {
    Pin::new(connections).poll_next(&mut Context::from_waker(waker))
}

fn runtimes() -> [Runtime; 2] {
    let threads = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let thread = Builder::new_current_thread().enable_all().build();
    [threads.unwrap(), thread.unwrap()]
}

fn server_on(runtime: &Runtime) -> (Server<SocketAddr>, Connections<Tcp>) {
    runtime.block_on(tcp_server("127.0.0.1:0")).unwrap()
}

/// A server on a listener that is shut down: each accept fails, and a pause begins.
fn failing_server_on(runtime: &Runtime) -> (Server<SocketAddr>, Connections<Tcp>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let same = listener.as_fd().try_clone_to_owned().unwrap();
    let _context = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    shutdown(&same, Shutdown::Both).unwrap();
    tcp_server_from(listener).unwrap()
}

/// Checks that the stream ends wherever it is polled, and stays ended.
fn assert_ends(server: &Server<SocketAddr>, mut connections: Connections<Tcp>) {
    assert!(block_on(connections.next()).is_none());
    assert!(connections.is_terminated());
    assert!(smol::block_on(in_time(connections.next())).is_none());
    let [threads, thread] = runtimes();
    assert!(thread.block_on(in_time(connections.next())).is_none());
    let (ended, mut connections) = threads
        .block_on(
            threads.spawn(async { (in_time(connections.next()).await.is_none(), connections) }),
        )
        .unwrap();
    assert!(ended);

    assert!(server.is_stopped());
    server.stop();
    assert!(block_on(connections.next()).is_none());
    let refused = TcpStream::connect(server.local_addr());
    assert!(refused.is_err(), "the listener is open");
}

#[test]
fn a_server_that_was_not_polled_ends() {
    without_panics(|| {
        for runtime in runtimes() {
            let (server, connections) = server_on(&runtime);
            // Nothing will serve the clients that wait.
            let mut client = TcpStream::connect(server.local_addr()).unwrap();
            drop(runtime);
            assert_ends(&server, connections);
            assert!(!matches!(client.read(&mut [0]), Ok(1..)));
        }
    });
}

#[test]
fn a_server_that_waits_is_woken_and_ends() {
    without_panics(|| {
        for runtime in runtimes() {
            let (server, mut connections) = server_on(&runtime);
            let wakes = Arc::new(Wakes::default());
            assert!(poll(&mut connections, &wakes.clone().into()).is_pending());
            drop(runtime);
            assert_eq!(wakes.count(), 1);
            assert_ends(&server, connections);
        }
    });
}

#[test]
fn a_server_that_another_executor_waits_for_ends() {
    without_panics(|| {
        for runtime in runtimes() {
            let (server, mut connections) = server_on(&runtime);
            let (waiting, waits) = mpsc::channel();
            let waiter = thread::spawn(move || {
                smol::block_on(in_time(async {
                    assert!(poll_once(connections.next()).await.is_none());
                    waiting.send(()).unwrap();
                    assert!(connections.next().await.is_none());
                    connections
                }))
            });
            waits.recv().unwrap();
            drop(runtime);
            assert_ends(&server, waiter.join().unwrap());
        }
    });
}

#[test]
fn a_server_that_pauses_after_an_error_is_woken_and_ends() {
    without_panics(|| {
        for runtime in runtimes() {
            let (server, mut connections) = failing_server_on(&runtime);
            // Pauses that pass show that the end of the runtime is what ends the next one. The
            // runtime has to be running for that.
            for _ in 0..2 {
                let failed = runtime.block_on(in_time(connections.next())).unwrap();
                assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            }
            let wakes = Arc::new(Wakes::default());
            // The runtime of one thread does not run. The other one may have ended the pause
            // already: then try once more, up to a pause of a second.
            while let Poll::Ready(failed) = poll(&mut connections, &wakes.clone().into()) {
                assert!(failed.unwrap().is_err());
            }
            drop(runtime);
            assert!(wakes.count() >= 1);
            assert_ends(&server, connections);
        }
    });
}

#[test]
fn a_server_that_has_just_failed_ends() {
    without_panics(|| {
        for runtime in runtimes() {
            let (server, mut connections) = failing_server_on(&runtime);
            assert!(
                runtime
                    .block_on(in_time(connections.next()))
                    .unwrap()
                    .is_err()
            );
            drop(runtime);
            assert_ends(&server, connections);
        }
    });
}

#[test]
fn a_server_that_pauses_ends_also_if_the_runtime_waits_for_a_task_that_blocks() {
    without_panics(|| {
        let [runtime, _] = runtimes();
        let (_server, mut connections) = failing_server_on(&runtime);
        assert!(
            runtime
                .block_on(in_time(connections.next()))
                .unwrap()
                .is_err()
        );
        let (blocking, blocks) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        runtime.spawn(async move {
            blocking.send(()).unwrap();
            let _ = released.recv();
        });
        blocks.recv().unwrap();
        runtime.shutdown_background();
        // Errors until the other worker has noticed the shutdown, and then the end.
        while let Some(failed) = block_on(connections.next()) {
            assert!(failed.is_err());
        }
        drop(release);
    });
}

#[test]
fn stopped_after_its_runtime_has_shut_down_it_ends_without_an_error() {
    without_panics(|| {
        for runtime in runtimes() {
            let (server, connections) = server_on(&runtime);
            let _clients = [(); 3].map(|()| TcpStream::connect(server.local_addr()).unwrap());
            drop(runtime);
            server.stop();
            assert_ends(&server, connections);

            // While it pauses.
            let [runtime, _] = runtimes();
            let (server, mut connections) = failing_server_on(&runtime);
            assert!(
                runtime
                    .block_on(in_time(connections.next()))
                    .unwrap()
                    .is_err()
            );
            server.stop();
            drop(runtime);
            // Here the listener itself is broken, which is an error.
            while let Some(failed) = block_on(connections.next()) {
                assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            }
        }
    });
}

#[test]
fn clients_taken_off_the_backlog_before_still_come() {
    without_panics(|| {
        for runtime in runtimes() {
            let (server, mut connections) = server_on(&runtime);
            let clients = [(); 3].map(|()| TcpStream::connect(server.local_addr()).unwrap());
            server.stop();
            let (_, from) = runtime
                .block_on(in_time(connections.next()))
                .unwrap()
                .unwrap();
            assert_eq!(from, clients[0].local_addr().unwrap());
            drop(runtime);
            for client in &clients[1..] {
                let (_, from) = block_on(connections.next()).unwrap().unwrap();
                assert_eq!(from, client.local_addr().unwrap());
            }
            assert_ends(&server, connections);
        }
    });
}

#[test]
fn a_listener_of_another_runtime_ends_with_either() {
    without_panics(|| {
        for listeners_goes in [false, true] {
            let [of_listener, of_server] = runtimes();
            let listener = of_listener
                .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
                .unwrap();
            let (server, mut connections) = {
                let _context = of_server.enter();
                tcp_server_from(listener).unwrap()
            };
            let _client = TcpStream::connect(server.local_addr()).unwrap();
            assert!(block_on(connections.next()).unwrap().is_ok());
            // The runtime that waits for the listener, or the one that its connections belong to.
            let _other = if listeners_goes {
                drop(of_listener);
                of_server
            } else {
                drop(of_server);
                of_listener
            };
            let _client = TcpStream::connect(server.local_addr()).unwrap();
            assert_ends(&server, connections);
        }
    });
}

#[test]
fn another_executor_gets_connections_that_work() {
    without_panics(|| {
        let [runtime, _] = runtimes();
        let (server, mut connections) = server_on(&runtime);
        let mut clients = [(); 4].map(|()| TcpStream::connect(server.local_addr()).unwrap());
        let accepted = [
            block_on(connections.next()),
            smol::block_on(in_time(connections.next())),
            // Runtimes of tokio too: the connections belong to the runtime of the server.
            Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(in_time(connections.next())),
            {
                server.stop();
                block_on(connections.next())
            },
        ];
        for (client, accepted) in clients.iter_mut().zip(accepted) {
            let (mut connection, from) = accepted.unwrap().unwrap();
            assert_eq!(from, client.local_addr().unwrap());
            block_on(connection.write_all(b"x")).unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
    });
}

#[test]
fn a_server_without_a_runtime_goes_on_wherever_it_is_polled() {
    macro_rules! goes_on {
        ($adapter:ident, $block_on:expr) => {
            let (server, mut connections) =
                $block_on($adapter::net::tcp_server("127.0.0.1:0")).unwrap();
            // On an executor that is dropped afterwards, while the stream waits.
            let executor = smol::Executor::new();
            let waiting = executor.spawn(async move {
                assert!(poll_once(connections.next()).await.is_none());
                connections
            });
            let mut connections = block_on(executor.run(waiting));
            drop(executor);
            let mut client = TcpStream::connect(server.local_addr()).unwrap();
            client.write_all(b"x").unwrap();
            let (mut connection, from) = block_on(connections.next()).unwrap().unwrap();
            assert_eq!(from, client.local_addr().unwrap());
            block_on(connection.read_exact(&mut [0])).unwrap();
        };
    }
    without_panics(|| {
        goes_on!(aiter_smol, smol::block_on);
        goes_on!(aiter_async_std, async_std::task::block_on);
    });
}

#[test]
fn time_passes_for_a_pause_when_another_executor_waits() {
    without_panics(|| {
        let [runtime, _] = runtimes();
        let (_server, mut connections) = failing_server_on(&runtime);
        // Between the three lie at least 5 + 10 ms.
        let start = std::time::Instant::now();
        for _ in 0..3 {
            assert!(block_on(connections.next()).unwrap().is_err());
        }
        assert!(start.elapsed() >= Duration::from_millis(15));
    });
}
