//! Listening Unix sockets and the files they leave.
use super::{Client, Connections, Listen, Server, Sleep, connections};
use alloc::{borrow::ToOwned, format, vec::Vec};
use core::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};
use std::{
    fs, io,
    os::unix::{
        fs::MetadataExt,
        net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
};

/// A listener, and the file that is removed when it is closed.
#[derive(Debug)]
pub struct WithFile<L> {
    /// Dropped first: while the socket is open, no other file can get the inode of this one.
    file: Option<SocketFile>,
    listener: L,
}

/// Listens on a new file; `listen` hands its non-blocking listener to the runtime.
///
/// # Errors
///
/// A file that exists is never removed, not even a socket that nobody listens on any more: who made it is not known
/// here. The error is `AddrInUse` then and names the file.
pub fn unix_connections<L: Listen<Address = SocketAddr>>(
    path: &Path,
    listen: impl FnOnce(UnixListener) -> io::Result<L>,
) -> io::Result<(Server<SocketAddr>, Connections<WithFile<L>>)> {
    let (listener, file) = bind_unix(path)?;
    listener.set_nonblocking(true)?;
    let local_addr = listener.local_addr()?;
    let listener = WithFile {
        listener: listen(listener)?,
        file: Some(file),
    };
    Ok(connections(listener, local_addr))
}

/// A listener whose file, if it has one, was not made here, and stays.
impl<L> From<L> for WithFile<L> {
    fn from(listener: L) -> Self {
        Self {
            file: None,
            listener,
        }
    }
}

impl<L: Listen> Listen for WithFile<L> {
    type Connection = L::Connection;
    type Address = L::Address;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Client<L>>>> {
        self.listener.poll_accept(cx)
    }

    fn close(self) -> Vec<io::Result<Client<L>>> {
        // First, so that nobody else connects while the backlog is taken.
        drop(self.file);
        self.listener.close()
    }

    fn sleep(&self, time: Duration) -> Sleep {
        self.listener.sleep(time)
    }
}

/// Removes the file of a listening socket when dropped, if it still is the file that was made for it.
struct SocketFile {
    path: PathBuf,
    made: (u64, u64),
}

/// Binds a non-blocking listener to a new file.
fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => io::Error::new(
            error.kind(),
            format!(
                "{} exists already; if no server uses it any more, remove it first",
                path.display()
            ),
        ),
        kind => io::Error::new(kind, format!("{}: {error}", path.display())),
    })?;
    let made = identity(path)?;
    let path = path.to_owned();
    Ok((listener, SocketFile { path, made }))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.made) {
            // Nobody to tell: the directory may have become read-only meanwhile.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for SocketFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocketFile").field(&self.path).finish()
    }
}
