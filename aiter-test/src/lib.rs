//! An executor and virtual time for tests of async streams. Such tests take no real time, and name
//! the task that hangs.
//!
//! An [`Executor`] polls a task only after its waker was called. If a task can never be woken, the
//! test fails with the name of the task. [`VirtualTime`] is a timer and a clock for every operator
//! that takes one. An hour passes at once, and each run takes the same course. [`marbles`] writes a
//! stream in time as a line of text, such as `a-b-(cd)-|`, for sources and for expectations;
//! [`svg`] draws such lines.
//!
//! ```
//! use aiter_test::{Executor, Sleep};
//! use futures_lite::{StreamExt, stream};
//! use std::time::Duration;
//!
//! let mut executor = Executor::new();
//! let time = executor.time();
//! // A thermometer that is read once a minute.
//! let readings = stream::iter([19.5, 20.0, 20.5]).then(move |degrees| {
//!     let minute = time.sleep(Duration::from_secs(60));
//!     async move {
//!         minute.await;
//!         degrees
//!     }
//! });
//! let log = executor.collect("thermometer", readings);
//! executor.run();
//! let minutes = |n: u64| Duration::from_secs(60 * n);
//! assert_eq!(
//!     log.take_timed(),
//!     [(minutes(1), 19.5), (minutes(2), 20.0), (minutes(3), 20.5)]
//! );
//! ```
//!
//! # Threads
//!
//! An executor and the handles of its tasks stay on one thread. Tasks need not be `Send`, and may
//! borrow what was made before the executor. Wakers and [`VirtualTime`] are `Send` and `Sync`, so
//! code that requires a `Send` timer can be tested too. A run ends when no task is woken, and does
//! not wait for other threads.
#![forbid(unsafe_code)]

mod executor;
mod marbles;
mod time;

pub use aiter_core::{Clock, Sleep};
pub use executor::{Collected, Executor, Task};
pub use marbles::{Line, Marbles, Played, Recorded, marbles, svg};
pub use time::{VirtualSleep, VirtualTime};
