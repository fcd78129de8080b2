//! Tests of async streams that run in an instant and fail by name.
//!
//! An [`Executor`] polls a task only after its waker was called, and a task that can never be woken
//! makes the test fail with the name of the task. [`VirtualTime`] is a timer and a clock for every
//! operator that takes one: an hour passes at once, and always in the same way. [`marbles`] writes a
//! stream in time as a line of text, such as `a-b-(cd)-|`, for sources and for what is expected of
//! them; [`svg`] draws such lines.
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
//! An executor and the handles of its tasks stay on one thread; tasks need not be `Send`, and may
//! borrow what was made before the executor. Wakers and [`VirtualTime`] are `Send` and `Sync`, so
//! that code which asks for a timer that is `Send` can be tested with it. A run ends when no task
//! is woken, and does not wait for other threads.
#![forbid(unsafe_code)]

mod executor;
mod marbles;
mod time;

pub use aiter_core::{Clock, Sleep};
pub use executor::{Collected, Executor, Task};
pub use marbles::{Line, Marbles, Played, Recorded, marbles, svg};
pub use time::{VirtualSleep, VirtualTime};
