//! The addresses of clients, and what happens to a client that has closed its connection before it
//! is accepted.
use super::{path, runtimes};
use futures_lite::StreamExt;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket, sockopt};
use std::{
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    time::Duration,
};

/// Connects a client and resets the connection. Returns the address of the client.
fn reset(server: SocketAddr) -> SocketAddr {
    let client = TcpStream::connect(server).unwrap();
    sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    client.local_addr().unwrap()
}

/// Makes a client that has a socket file of its own.
fn named_client(own: &Path, server: &Path) -> UnixStream {
    let client = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&client, &SocketAddrUnix::new(own).unwrap()).unwrap();
    connect(&client, &SocketAddrUnix::new(server).unwrap()).unwrap();
    client.into()
}

macro_rules! suite {
    ($($name:ident)*) => {$(
        mod $name {
            use super::{*, runtimes::$name::{Write as _, block_on, net, tcp_server_from, unix_server_from}};

            #[test]
            fn each_client_comes_with_the_address_that_it_connects_from() {
                block_on(async {
                    let (server, mut connections) = net::tcp_server("127.0.0.1:0").await.unwrap();
                    // Several clients before the first is accepted: each has its own address.
                    let clients: Vec<_> = (0..5)
                        .map(|_| TcpStream::connect(server.local_addr()).unwrap())
                        .collect();
                    for (n, client) in clients.iter().enumerate() {
                        if n == 3 {
                            // The same holds when a stop takes them off the backlog.
                            server.stop();
                        }
                        let (connection, from) = connections.next().await.unwrap().unwrap();
                        assert_eq!(from, client.local_addr().unwrap());
                        assert_eq!(connection.peer_addr().unwrap(), from);
                    }
                    assert!(connections.next().await.is_none());
                });
            }

            #[test]
            fn a_client_that_has_reset_comes_with_its_address_and_the_next_is_served() {
                block_on(async {
                    let (server, mut connections) = net::tcp_server("127.0.0.1:0").await.unwrap();
                    for stopped in [false, true] {
                        let address = reset(server.local_addr());
                        let mut client = TcpStream::connect(server.local_addr()).unwrap();
                        if stopped {
                            server.stop();
                        }
                        let (connection, from) = connections.next().await.unwrap().unwrap();
                        assert_eq!(from, address);
                        // The system no longer knows the address.
                        assert!(connection.peer_addr().is_err());

                        let (mut connection, from) = connections.next().await.unwrap().unwrap();
                        assert_eq!(from, client.local_addr().unwrap());
                        connection.write_all(b"hello").await.unwrap();
                        client.read_exact(&mut [0; 5]).unwrap();
                    }
                    assert!(connections.next().await.is_none());
                });
            }

            #[test]
            fn a_unix_client_comes_with_its_own_file_or_without_a_name() {
                block_on(async {
                    let path = path("clients", module_path!());
                    let (server, mut connections) = net::unix_server(&path).await.unwrap();
                    for stopped in [false, true] {
                        let own = path.with_extension(format!("client-{stopped}"));
                        let _named = named_client(&own, &path);
                        let _unnamed = UnixStream::connect(&path).unwrap();
                        // The client has been dropped, and so has its file.
                        drop(named_client(&path.with_extension("dropped"), &path));
                        std::fs::remove_file(path.with_extension("dropped")).unwrap();
                        if stopped {
                            server.stop();
                        }
                        let (_, from) = connections.next().await.unwrap().unwrap();
                        assert_eq!(from.as_pathname(), Some(&*own));
                        let (_, from) = connections.next().await.unwrap().unwrap();
                        assert!(from.is_unnamed());
                        let (_, from) = connections.next().await.unwrap().unwrap();
                        assert_eq!(from.as_pathname(), Some(&*path.with_extension("dropped")));
                        std::fs::remove_file(own).unwrap();
                    }
                    assert!(connections.next().await.is_none());
                });
            }

            #[test]
            fn a_listener_that_is_bound_already_is_served() {
                block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                    let address = listener.local_addr().unwrap();
                    // One client before the server exists, and one after.
                    let early = TcpStream::connect(address).unwrap();
                    let (server, mut connections) = tcp_server_from(listener).unwrap();
                    assert_eq!(server.local_addr(), address);
                    let late = TcpStream::connect(address).unwrap();
                    for mut client in [early, late] {
                        let (mut connection, from) = connections.next().await.unwrap().unwrap();
                        assert_eq!(from, client.local_addr().unwrap());
                        connection.write_all(b"hello").await.unwrap();
                        client.read_exact(&mut [0; 5]).unwrap();
                    }
                    let _waiting = TcpStream::connect(address).unwrap();
                    server.stop();
                    assert!(connections.next().await.unwrap().is_ok());
                    assert!(connections.next().await.is_none());
                    assert!(TcpStream::connect(address).is_err());

                    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                    let (server, connections) = tcp_server_from(listener).unwrap();
                    drop(connections);
                    assert!(TcpStream::connect(server.local_addr()).is_err());
                });
            }

            #[test]
            fn the_file_of_a_listener_that_is_bound_already_stays() {
                block_on(async {
                    let path = path("bound", module_path!());
                    let listener = UnixListener::bind(&path).unwrap();
                    let early = UnixStream::connect(&path).unwrap();
                    let (server, mut connections) = unix_server_from(listener).unwrap();
                    assert_eq!(server.local_addr().as_pathname(), Some(&*path));
                    for mut client in [early, UnixStream::connect(&path).unwrap()] {
                        let (mut connection, from) = connections.next().await.unwrap().unwrap();
                        assert!(from.is_unnamed());
                        connection.write_all(b"hello").await.unwrap();
                        client.read_exact(&mut [0; 5]).unwrap();
                    }
                    server.stop();
                    assert!(connections.next().await.is_none());
                    assert!(path.exists());
                    assert!(UnixStream::connect(&path).is_err());
                    std::fs::remove_file(&path).unwrap();

                    let listener = UnixListener::bind(&path).unwrap();
                    drop(unix_server_from(listener).unwrap());
                    assert!(path.exists());
                    std::fs::remove_file(&path).unwrap();
                });
            }
        }
    )*};
}

suite! { tokio_threads tokio_thread smol async_std }
