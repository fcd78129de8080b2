//! What the adapter crates share: everything but the calls of one runtime. For those crates only: no promise is made
//! about these names from one release to the next, and each adapter re-exports what its users name.

mod accept;
mod acceptor;
mod active;
mod blocking;
mod functions;
mod pace;
mod panics;
mod read_ahead;
mod servers;
mod tasks;
#[cfg(all(unix, feature = "net"))]
mod unix;

pub use accept::{Client, Connections, Listen, Server, Sleep, Spare, connections, waiting_clients};
pub use acceptor::{Accept, Acceptor, Watched};
pub use active::{ActiveAiter, Source, active_aiter};
pub use blocking::{BlockingIter, Wait, WaitAnywhere};
pub use functions::{functions, functions_on};
pub use pace::{Free, Pace, paced};
pub use panics::{Caught, CaughtFuture, Panic, Spawned};
pub use read_ahead::ReadAhead;
pub use servers::servers;
pub use tasks::{
    JoinTasks, MapTasks, PreloadAiter, Tasks, Worker, join_aiters_buffered, map_workers,
    preload_aiter, preload_aiter_with,
};
#[cfg(all(unix, feature = "net"))]
pub use unix::{WithFile, unix_connections};

/// Where tasks run: those that are `Send` on any thread, others on this one.
pub trait Spawn<T> {
    /// Starts a task that nobody waits for.
    fn spawn(&self, task: T);
}
