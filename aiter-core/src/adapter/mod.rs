//! What the adapter crates share: everything but the calls of one runtime. For those crates only: no promise is made
//! about these names from one release to the next, and each adapter re-exports what its users name.

mod accept;
mod active;
mod panics;
mod tasks;
#[cfg(unix)]
mod unix;

pub use accept::{Connections, Listen, Server, connections, waiting_connections};
pub use active::{ActiveAiter, active_aiter};
pub use panics::{Caught, CaughtFuture, Panic, Spawned};
pub use tasks::{
    JoinTasks, MapTasks, PreloadAiter, Tasks, join_aiters_buffered, map_workers, preload_aiter,
};
#[cfg(unix)]
pub use unix::{SocketFile, bind_unix};

use core::future::Future;

/// Where tasks run.
pub trait Spawn {
    /// Starts a task that nobody waits for.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}
