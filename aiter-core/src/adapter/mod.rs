//! What the adapter crates share: everything but the calls of one runtime. For those crates only:
//! no promise is made about these names from one release to the next, and each adapter re-exports
//! what its users name.

mod accept;
mod acceptor;
mod active;
mod blocking;
#[cfg(not(aiter_loom))]
mod epoch;
mod pace;
mod panics;
mod read_ahead;
mod tasks;
#[cfg(all(unix, feature = "net"))]
mod unix;
mod workers;

pub use accept::{Client, Connections, Listen, Pause, Server, Spare, connections, waiting_clients};
pub use acceptor::{Accept, Acceptor, Watched};
pub use active::{ActiveAiter, Source, active_aiter};
pub use blocking::{BlockingIter, Wait, WaitAnywhere};
#[cfg(not(aiter_loom))]
pub use epoch::since_epoch;
pub use pace::{Free, Pace, paced};
pub use panics::{Caught, CaughtFuture, Panic, Spawned};
pub use read_ahead::ReadAhead;
pub use tasks::{
    Ahead, JoinTasks, PreloadAiter, Tasks, join_aiters_buffered, preload_aiter, preload_aiter_with,
};
#[cfg(all(unix, feature = "net"))]
pub use unix::{WithFile, unix_connections};
pub use workers::{
    MapTasks, OrderedTask, OrderedTasks, Results, Work, Worker, WorkerTask, map_workers,
    map_workers_ordered,
};

/// An executor: it runs tasks that are `Send` on any thread, and others on the current one.
pub trait Spawn<T> {
    /// Starts a detached task.
    fn spawn(&self, task: T);
}

/// An executor whose tasks can start other tasks on it.
pub trait Nested {
    /// The executor as its tasks hold it. It must not keep the executor alive: the executor holds
    /// its tasks, so each would keep the other.
    type Handle;

    /// The handle with which the first of some tasks can start up to `more` others. The tasks may
    /// outlive one another in any order.
    fn handle(&self, more: usize) -> Self::Handle;
}
