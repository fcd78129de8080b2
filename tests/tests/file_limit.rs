//! Real errors: the process may open no more files. This is a test program of its own that runs one
//! test at a time, because the limit belongs to the process.
#![cfg(unix)]
#![allow(missing_docs, reason = "a test program")]

#[path = "servers/runtimes.rs"]
mod runtimes;

use futures_core::Stream;
use futures_lite::StreamExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs::File,
    io::{self, Read, Write as _},
    net::TcpStream as Client,
    os::unix::net::UnixStream as UnixClient,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The error of `accept` when no descriptor is left.
const TOO_MANY_FILES: Option<i32> = Some(24);

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the limit; files that are open stay open. Dropping it restores the limit.
struct Limit(Rlimit);

impl Limit {
    fn at(current: u64) -> Self {
        let before = getrlimit(Resource::Nofile);
        let limit = Rlimit {
            current: Some(current),
            ..before
        };
        setrlimit(Resource::Nofile, limit).unwrap();
        Self(before)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).unwrap();
    }
}

/// Leaves this many descriptors, until it is dropped.
struct Left {
    _taken: Vec<File>,
    _limit: Limit,
}

impl Left {
    fn only(left: usize) -> Self {
        let limit = Limit::at(512);
        let mut taken = all_that_are_left();
        taken.truncate(taken.len() - left);
        Self {
            _taken: taken,
            _limit: limit,
        }
    }
}

/// Opens files until no more can be opened.
fn all_that_are_left() -> Vec<File> {
    let mut taken = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), TOO_MANY_FILES, "{error}");
                return taken;
            }
        }
    }
}

#[test]
fn out_of_file_descriptors_is_reported_with_pauses_and_the_server_lives_on() {
    let _alone = alone();
    /// Runs on one runtime after the other.
    macro_rules! on_each {
        ($($name:ident)*) => {$({
            use runtimes::$name::{Write as _, block_on, net::tcp_server};
            block_on(async {
                let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
                let mut first = Client::connect(server.local_addr()).unwrap();
                let _first = connections.next().await.unwrap().unwrap();
                let mut second = Client::connect(server.local_addr()).unwrap();
                // No descriptor beyond those in use.
                let limit = Limit::at(3);
                let start = std::time::Instant::now();
                for _ in 0..6 {
                    let error = connections.next().await.unwrap().unwrap_err();
                    assert_eq!(error.raw_os_error(), TOO_MANY_FILES, "{error}");
                }
                // Between the six reports lie 5 + 10 + 20 + 40 + 80 ms.
                assert!(start.elapsed().as_millis() >= 155, "{:?}", start.elapsed());
                drop(limit);
                let (mut connection, _) = connections.next().await.unwrap().unwrap();
                connection.write_all(b"x").await.unwrap();
                second.read_exact(&mut [0]).unwrap();
                first.write_all(b"x").unwrap();
            });
        })*};
    }
    on_each! { tokio_threads tokio_thread smol async_std }
}

/// Stops a server while this many descriptors are left, besides those that the file of its socket
/// has taken, and checks what happens to the clients that wait.
async fn stop_with<C, A>(
    left: usize,
    of_file: usize,
    stop: impl FnOnce(),
    connections: impl Stream<Item = io::Result<(C, A)>>,
    mut clients: Vec<impl Read>,
    greet: impl AsyncFn(&mut C),
) {
    let _descriptors = Left::only(left);
    stop();
    let came: Vec<_> = connections.collect().await;
    let room = left + of_file;
    assert_eq!(came.len(), clients.len(), "{left} descriptors");
    // The first clients to connect are served.
    for (n, (client, came)) in clients.iter_mut().zip(came).enumerate() {
        match came {
            Ok((mut connection, _)) => {
                assert!(n < room);
                greet(&mut connection).await;
                client.read_exact(&mut [0]).unwrap();
            }
            Err(error) => {
                assert!(n >= room);
                assert_eq!(error.raw_os_error(), TOO_MANY_FILES, "{error}");
                assert!(!matches!(client.read(&mut [0]), Ok(1..)));
            }
        }
    }
    // The listener's descriptor and the one in reserve are free again.
    assert_eq!(all_that_are_left().len(), room + 2);
}

#[test]
fn a_client_that_stop_has_no_descriptor_for_becomes_an_error() {
    let _alone = alone();
    /// Runs on one runtime after the other.
    macro_rules! on_each {
        ($($name:ident)*) => {$({
            use runtimes::$name::{Write, block_on, net::{tcp_server, unix_server}};
            for (left, waiting) in [0, 1, 3, 9, 10, 11].into_iter().flat_map(|left| [0, 1, 10].map(|n| (left, n))) {
                block_on(async {
                    let (server, connections) = tcp_server("127.0.0.1:0").await.unwrap();
                    let connect = |_| Client::connect(server.local_addr()).unwrap();
                    let clients: Vec<_> = (0..waiting).map(connect).collect();
                    let greet = async |to: &mut _| Write::write_all(to, b"x").await.unwrap();
                    stop_with(left, 0, || server.stop(), connections, clients, greet).await;

                    let path = path(stringify!($name));
                    let (server, connections) = unix_server(&path).await.unwrap();
                    let connect = |_| UnixClient::connect(&path).unwrap();
                    let clients: Vec<_> = (0..waiting).map(connect).collect();
                    let greet = async |to: &mut _| Write::write_all(to, b"x").await.unwrap();
                    stop_with(left, 1, || server.stop(), connections, clients, greet).await;
                });
            }
        })*};
    }
    on_each! { tokio_threads tokio_thread smol async_std }
}

#[test]
fn one_error_reports_all_clients_if_the_descriptor_in_reserve_does_not_help() {
    let _alone = alone();
    /// Runs on one runtime after the other.
    macro_rules! on_each {
        ($($name:ident)*) => {$({
            use runtimes::$name::{block_on, net::tcp_server};
            block_on(async {
                let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
                let _clients = [(); 10].map(|()| Client::connect(server.local_addr()).unwrap());
                // No descriptor beyond those in use and the one in reserve.
                let limit = Limit::at(3);
                server.stop();
                let error = connections.next().await.unwrap().unwrap_err();
                assert_eq!(error.raw_os_error(), TOO_MANY_FILES, "{error}");
                assert!(connections.next().await.is_none());
                drop(limit);
            });
        })*};
    }
    on_each! { tokio_threads tokio_thread smol async_std }
}

#[test]
fn a_server_that_fails_for_lack_of_descriptors_leaves_no_file() {
    let _alone = alone();
    /// Runs on one runtime after the other.
    macro_rules! on_each {
        ($($name:ident)*) => {$({
            use runtimes::$name::{block_on, net::unix_server};
            block_on(async {
                let path = path(stringify!($name));
                let mut failed = 0;
                loop {
                    let descriptors = Left::only(failed);
                    let made = unix_server(&path).await;
                    drop(descriptors);
                    if made.is_ok() {
                        break;
                    }
                    assert!(!path.exists(), "{failed} descriptors");
                    failed += 1;
                }
                // The descriptors of the directory and the socket, and the one in reserve.
                assert_eq!(failed, 3);
                assert!(!path.exists());
            });
        })*};
    }
    on_each! { tokio_threads tokio_thread smol async_std }
}

fn path(of: &str) -> PathBuf {
    std::env::temp_dir().join(format!("aiter-{}-limit-{of}.sock", std::process::id()))
}
