//! Accepts on the listeners of the standard library, for runtimes that only report when a listener
//! is readable.
use super::{Client, Listen, Pause, Spare, waiting_clients};
use alloc::vec::Vec;
use core::{
    net::SocketAddr,
    task::{Context, Poll, ready},
    time::Duration,
};
#[cfg(unix)]
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::{
    io,
    net::{TcpListener, TcpStream},
};

/// A listener of the standard library.
pub trait Accept {
    /// A connection of the standard library.
    type Stream;
    /// The address of a client.
    type Address;

    /// Accepts a connection. This does not block if the listener is non-blocking.
    fn accept_one(&self) -> io::Result<(Self::Stream, Self::Address)>;

    /// Reserves a descriptor for this listener.
    fn spare(&self) -> io::Result<Spare>;
}

impl Accept for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn accept_one(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept()
    }

    fn spare(&self) -> io::Result<Spare> {
        Spare::new(self)
    }
}

#[cfg(unix)]
impl Accept for UnixListener {
    type Stream = UnixStream;
    type Address = UnixAddr;

    fn accept_one(&self) -> io::Result<(UnixStream, UnixAddr)> {
        self.accept()
    }

    fn spare(&self) -> io::Result<Spare> {
        Spare::new(self)
    }
}

/// A non-blocking listener of the standard library that is registered with a runtime.
pub trait Watched: Unpin {
    /// The type of the listener.
    type Listener: Accept;

    /// Returns the listener.
    fn listener(&self) -> &Self::Listener;

    /// Waits until a client connects. Spurious readiness is allowed.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns a pause of the runtime.
    fn pause(time: Duration) -> Pause;
}

/// Accepts connections for [`Connections`](super::Connections).
#[derive(Debug)]
pub struct Acceptor<W: Watched, C> {
    watched: W,
    spare: Spare,
    connection: fn(<W::Listener as Accept>::Stream) -> io::Result<C>,
}

impl<W: Watched, C> Acceptor<W, C> {
    /// Accepts on the listener. `connection` converts an accepted connection into the one that
    /// users receive.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no descriptor to keep in reserve.
    pub fn new(
        watched: W,
        connection: fn(<W::Listener as Accept>::Stream) -> io::Result<C>,
    ) -> io::Result<Self> {
        Ok(Self {
            spare: watched.listener().spare()?,
            watched,
            connection,
        })
    }
}

impl<W: Watched, C> Listen for Acceptor<W, C> {
    type Connection = C;
    type Address = <W::Listener as Accept>::Address;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Client<Self>>>> {
        loop {
            let accepted = match self.watched.listener().accept_one() {
                Ok((stream, address)) => (self.connection)(stream).map(|c| (c, address)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match ready!(self.watched.poll_readable(cx)) {
                        Ok(()) => continue,
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            };
            return Poll::Ready(Some(accepted));
        }
    }

    fn close(self) -> Vec<io::Result<Client<Self>>> {
        waiting_clients(
            self.spare,
            || self.watched.listener().accept_one(),
            |(stream, address)| Ok(((self.connection)(stream)?, address)),
        )
    }

    fn pause(&self, time: Duration) -> Pause {
        W::pause(time)
    }
}
