//! Servers as streams of connections: the same on every runtime.
#![cfg(unix)]
#![allow(missing_docs, reason = "a test program")]

#[path = "servers/clients.rs"]
mod clients;
#[path = "servers/files.rs"]
mod files;
#[path = "servers/runtimes.rs"]
mod runtimes;

/// Makes a module for each runtime, with every test.
macro_rules! suite {
    ($($name:ident)*) => {$(
        mod $name {
            use super::{path, runtimes::$name::{Write as _, block_on, net::{tcp_server, unix_server}}};
            use futures_lite::{StreamExt, future::poll_once};
            use std::{
                io::{ErrorKind, Read, Write},
                net::TcpStream as Client,
                os::unix::net::UnixStream as UnixClient,
            };

            #[test]
            fn connections_come_as_a_stream() {
                block_on(async {
                    let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
                    assert_ne!(server.local_addr().port(), 0);
                    for _ in 0..3 {
                        let mut client = Client::connect(server.local_addr()).unwrap();
                        let (mut connection, _) = connections.next().await.unwrap().unwrap();
                        connection.write_all(b"hello").await.unwrap();
                        drop(connection);
                        let mut text = String::new();
                        client.read_to_string(&mut text).unwrap();
                        assert_eq!(text, "hello");
                    }
                });
            }

            #[test]
            fn stop_from_another_thread_wakes_the_stream_and_closes_the_listener() {
                block_on(async {
                    let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
                    let handle = server.clone();
                    let (waiting, waits) = std::sync::mpsc::channel();
                    let thread = std::thread::spawn(move || {
                        waits.recv().unwrap();
                        handle.stop();
                    });
                    assert!(poll_once(connections.next()).await.is_none());
                    waiting.send(()).unwrap();
                    assert!(connections.next().await.is_none());
                    thread.join().unwrap();
                    assert!(server.is_stopped());
                    assert_eq!(
                        Client::connect(server.local_addr()).unwrap_err().kind(),
                        ErrorKind::ConnectionRefused
                    );
                });
            }

            #[test]
            fn clients_that_connected_before_stop_are_served() {
                block_on(async {
                    let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
                    let clients: Vec<_> = (0..20)
                        .map(|_| Client::connect(server.local_addr()).unwrap())
                        .collect();
                    server.stop();
                    for mut client in clients {
                        let (mut connection, _) = connections.next().await.unwrap().unwrap();
                        connection.write_all(b"x").await.unwrap();
                        client.read_exact(&mut [0]).unwrap();
                    }
                    assert!(connections.next().await.is_none());
                });
            }

            #[test]
            fn dropping_the_stream_closes_the_listener() {
                block_on(async {
                    let (server, connections) = tcp_server("127.0.0.1:0").await.unwrap();
                    drop(connections);
                    assert_eq!(
                        Client::connect(server.local_addr()).unwrap_err().kind(),
                        ErrorKind::ConnectionRefused
                    );
                });
            }

            #[test]
            fn an_address_in_use_or_malformed_is_an_error() {
                block_on(async {
                    let (server, _connections) = tcp_server("127.0.0.1:0").await.unwrap();
                    assert_eq!(
                        tcp_server(server.local_addr()).await.unwrap_err().kind(),
                        ErrorKind::AddrInUse
                    );
                    assert_eq!(
                        tcp_server("nonsense").await.unwrap_err().kind(),
                        ErrorKind::InvalidInput
                    );
                });
            }

            #[test]
            fn a_unix_server_serves_and_removes_its_file() {
                block_on(async {
                    let path = path("serves", module_path!());
                    let (server, mut connections) = unix_server(&path).await.unwrap();
                    assert_eq!(server.local_addr().as_pathname(), Some(&*path));
                    let mut client = UnixClient::connect(&path).unwrap();
                    client.write_all(b"x").unwrap();
                    let _connection = connections.next().await.unwrap().unwrap();
                    let _late = UnixClient::connect(&path).unwrap();
                    server.stop();
                    assert!(connections.next().await.unwrap().is_ok());
                    assert!(connections.next().await.is_none());
                    assert!(!path.exists());

                    let (_server, connections) = unix_server(&path).await.unwrap();
                    drop(connections);
                    assert!(!path.exists());
                });
            }

            #[test]
            fn a_unix_server_never_removes_a_file_it_has_not_made() {
                block_on(async {
                    let path = path("foreign", module_path!());
                    // A dropped server leaves its socket behind here, because std does not remove
                    // it.
                    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
                    let error = unix_server(&path).await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::AddrInUse);
                    assert!(
                        error.to_string().contains(path.to_str().unwrap()),
                        "{error}"
                    );
                    assert!(path.exists());
                    std::fs::remove_file(&path).unwrap();

                    let (_server, connections) = unix_server(&path).await.unwrap();
                    std::fs::remove_file(&path).unwrap();
                    std::fs::write(&path, "another program's").unwrap();
                    drop(connections);
                    assert!(path.exists());
                    std::fs::remove_file(&path).unwrap();

                    let nowhere = path.join("no/such/directory");
                    assert_eq!(
                        unix_server(&nowhere).await.unwrap_err().kind(),
                        ErrorKind::NotFound
                    );
                });
            }

        }
    )*};
}

suite! { tokio_threads tokio_thread smol async_std }

fn path(name: &str, of: &str) -> std::path::PathBuf {
    let name = format!(
        "aiter-{}-{name}-{}.sock",
        std::process::id(),
        of.replace(':', "")
    );
    std::env::temp_dir().join(name)
}
