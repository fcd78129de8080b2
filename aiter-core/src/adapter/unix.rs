//! Listening Unix sockets and the files they leave.
use super::{Client, Connections, Listen, Server, Sleep, connections};
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
///
/// The file is found in its directory, which is kept open, and not by a path: the process may
/// change its working directory, and directories may be renamed.
struct SocketFile {
    directory: OwnedFd,
    name: OsString,
    made: Stat,
}

/// Opens a directory to find files in it, which takes no permission here.
#[cfg(any(target_os = "linux", target_os = "android"))]
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
/// Opens a directory; here that takes the permission to read it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Binds a listener to a new file.
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
    // Before the file is made, as nothing would remove it if this fails.
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

/// What is known of the file itself, not of one that it links to.
fn status(directory: &OwnedFd, name: &OsStr) -> io::Result<Stat> {
    Ok(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Ok(found) = status(&self.directory, &self.name) else {
            return;
        };
        if (found.st_dev, found.st_ino) == (self.made.st_dev, self.made.st_ino) {
            // Nobody to tell: the directory may have become read-only meanwhile.
            let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

impl fmt::Debug for SocketFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocketFile").field(&self.name).finish()
    }
}
