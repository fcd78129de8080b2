//! Listening Unix sockets and the socket files that they leave behind.
use super::{Client, Connections, Listen, Pause, Server, connections};
use alloc::{borrow::ToOwned, format, vec::Vec};
use core::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, open, statat, unlinkat};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::OwnedFd,
        unix::net::{SocketAddr, UnixListener},
    },
    path::Path,
};

/// A listener whose socket file is removed when it is closed.
#[derive(Debug)]
pub struct WithFile<L> {
    /// Dropped before the listener: while the socket is open, no other file can reuse the inode of
    /// its file.
    file: Option<SocketFile>,
    listener: L,
}

/// Listens on a new socket file. `listen` registers the non-blocking listener with the runtime.
///
/// # Errors
///
/// Returns an error if the file cannot be created. A file that exists is never removed, not even a
/// stale socket, because its owner is unknown; the error is `AddrInUse` in that case and names the
/// file.
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

/// Wraps a listener that was bound elsewhere. Its socket file, if it has one, is not removed.
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
        // Remove the file first, so that no further client connects while the backlog is accepted.
        drop(self.file);
        self.listener.close()
    }

    fn pause(&self, time: Duration) -> Pause {
        self.listener.pause(time)
    }
}

/// Removes the file of a listening socket when dropped, if the name still refers to the file that
/// was created for the socket.
///
/// The directory is kept open and the file is looked up in it. A path would not do, because the
/// process may change its working directory, and directories may be renamed.
struct SocketFile {
    directory: OwnedFd,
    name: OsString,
    made: Stat,
}

/// Opens a directory to look up files in it, which needs no permission on these systems.
#[cfg(any(target_os = "linux", target_os = "android"))]
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
/// Opens a directory to look up files in it, which needs the permission to read it on these
/// systems.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Binds a listener to a new socket file.
fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let named = |error: io::Error| {
        let message = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "{} exists already; if no server uses it any more, remove it first",
                path.display()
            ),
            _ => format!("{}: {error}", path.display()),
        };
        io::Error::new(error.kind(), message)
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(named(io::ErrorKind::InvalidInput.into()));
    };
    let parent = match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    };
    // Open the directory before the file is created: if this failed later, the file would stay.
    let directory = open(parent, DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| named(error.into()))?;
    let listener = UnixListener::bind(path).map_err(named)?;
    let file = SocketFile {
        made: status(&directory, name).map_err(named)?,
        directory,
        name: name.to_owned(),
    };
    Ok((listener, file))
}

/// Returns the status of the file itself, without following a symbolic link.
fn status(directory: &OwnedFd, name: &OsStr) -> io::Result<Stat> {
    Ok(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Ok(found) = status(&self.directory, &self.name) else {
            return;
        };
        if (found.st_dev, found.st_ino) == (self.made.st_dev, self.made.st_ino) {
            // A destructor cannot report an error. The directory may have become read-only, for
            // instance.
            let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

impl fmt::Debug for SocketFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocketFile").field(&self.name).finish()
    }
}
