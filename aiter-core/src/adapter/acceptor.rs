//! Accepting on the listeners of the system, for runtimes that only say when one is readable.
use super::{Listen, Sleep, waiting_connections};
use alloc::vec::Vec;
use core::{
    task::{Context, Poll, ready},
    time::Duration,
};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::{
    io,
    net::{TcpListener, TcpStream},
};

/// A listener of the system.
pub trait Accept {
    /// A connection of the system.
    type Stream;

    /// Accepts a connection; does not block if the listener does not.
    fn accept_one(&self) -> io::Result<Self::Stream>;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    fn accept_one(&self) -> io::Result<TcpStream> {
        self.accept().map(|(stream, _)| stream)
    }
}

#[cfg(unix)]
impl Accept for UnixListener {
    type Stream = UnixStream;

    fn accept_one(&self) -> io::Result<UnixStream> {
        self.accept().map(|(stream, _)| stream)
    }
}

/// A non-blocking listener of the system, and how its runtime waits for it.
pub trait Watched: Unpin {
    /// The listener.
    type Listener: Accept;

    /// The listener.
    fn listener(&self) -> &Self::Listener;

    /// Waits until somebody connects. May be ready too often.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// A timer.
    fn sleep(time: Duration) -> Sleep;
}

/// Accepts connections for [`Connections`](super::Connections).
#[derive(Debug)]
pub struct Acceptor<W: Watched, C> {
    watched: W,
    connection: fn(<W::Listener as Accept>::Stream) -> io::Result<C>,
}

impl<W: Watched, C> Acceptor<W, C> {
    /// Accepts on a listener; `connection` turns what the system gives into what users get.
    pub fn new(
        watched: W,
        connection: fn(<W::Listener as Accept>::Stream) -> io::Result<C>,
    ) -> Self {
        Self {
            watched,
            connection,
        }
    }

    fn accept(&self) -> io::Result<C> {
        (self.connection)(self.watched.listener().accept_one()?)
    }
}

impl<W: Watched, C> Listen for Acceptor<W, C> {
    type Connection = C;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<C>> {
        loop {
            match self.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.watched.poll_readable(cx))?;
                }
                accepted => return Poll::Ready(accepted),
            }
        }
    }

    fn close(self) -> Vec<C> {
        waiting_connections(|| self.accept())
    }

    fn sleep(&self, time: Duration) -> Sleep {
        W::sleep(time)
    }
}
