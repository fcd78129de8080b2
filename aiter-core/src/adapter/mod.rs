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
mod workers;

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
    Ahead, JoinTasks, PreloadAiter, Tasks, join_aiters_buffered, preload_aiter, preload_aiter_with,
};
#[cfg(all(unix, feature = "net"))]
pub use unix::{WithFile, unix_connections};
pub use workers::{MapTasks, Worker, WorkerTask, map_workers};

/// Where tasks run: those that are `Send` on any thread, others on this one.
pub trait Spawn<T> {
    /// Starts a task that nobody waits for.
    fn spawn(&self, task: T);
}

/// A place whose tasks can start others there.
pub trait Place {
    /// The place as its tasks hold it. It does not keep the place alive: a place holds its tasks,
    /// so the two would keep each other.
    type Inside;

    /// What the first of some tasks needs to start up to `more` others, which outlive one another
    /// in any order.
    fn inside(&self, more: usize) -> Self::Inside;
}
