//! Accept errors that are real: the process may open no more files. A test of its own, as the limit is one of the process,
//! and the only one here.
#![cfg(unix)]
#![allow(missing_docs, reason = "a test program")]

#[path = "servers/runtimes.rs"]
mod runtimes;

use futures_lite::StreamExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    io::{Read, Write},
    net::TcpStream as Client,
};

#[test]
fn out_of_file_descriptors_is_reported_with_pauses_and_the_server_lives_on() {
    /// On one runtime after the other.
    macro_rules! on_each {
        ($($name:ident)*) => {$({
            use runtimes::$name::{Write as _, block_on, net::tcp_server};
            let before = getrlimit(Resource::Nofile);
            let limit = |current| Rlimit { current, ..before };
            block_on(async {
                let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
                let mut first = Client::connect(server.local_addr()).unwrap();
                let _first = connections.next().await.unwrap().unwrap();
                let mut second = Client::connect(server.local_addr()).unwrap();
                // No descriptor above those in use.
                setrlimit(Resource::Nofile, limit(Some(3))).unwrap();
                let start = std::time::Instant::now();
                for _ in 0..6 {
                    let error = connections.next().await.unwrap().unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(24), "{error}");
                }
                // 5 + 10 + 20 + 40 + 80 ms lie between the six reports.
                assert!(start.elapsed().as_millis() >= 155, "{:?}", start.elapsed());
                setrlimit(Resource::Nofile, before).unwrap();
                let mut connection = connections.next().await.unwrap().unwrap();
                connection.write_all(b"x").await.unwrap();
                second.read_exact(&mut [0]).unwrap();
                first.write_all(b"x").unwrap();
            });
        })*};
    }
    on_each! { tokio_threads tokio_thread smol async_std }
}
