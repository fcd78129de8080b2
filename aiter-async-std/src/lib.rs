//! [`aiter_core`] on async-std: streams that run in tasks, blocking iterators, and servers as
//! streams.
//!
//! **async-std is discontinued** ([RUSTSEC-2025-0052]). This crate is for programs that still run
//! on it. New programs should use `aiter-smol`, as the advisory says, or `aiter-tokio`: the names
//! are the same there.
//!
//! ```
//! use aiter_async_std::AiterExt;
//! use async_std::{fs::File, io::{BufReader, prelude::BufReadExt}};
//! use futures_lite::StreamExt;
//!
//! # async_std::task::block_on(async {
//! // A task reads up to 100 lines ahead while the loop is busy with one of them.
//! let file = BufReader::new(File::open("Cargo.toml").await?);
//! let mut lines = file.lines().preload_aiter(100);
//! let mut sections = Vec::new();
//! while let Some(line) = lines.next().await {
//!     let line = line?;
//!     if line.starts_with('[') {
//!         sections.push(line);
//!     }
//! }
//! assert_eq!(sections[0], "[package]");
//! # std::io::Result::Ok(())
//! # })
//! # .unwrap();
//! ```
//!
//! Everything of [`aiter_core`] is re-exported, so you need to depend on this crate only. The
//! functions [`join_aiters`], [`map_workers`] and [`map_workers_ordered`] of this crate start
//! tasks; those of [`aiter_core`] have the same names and run in the task that polls them. The
//! functions [`batch_within`], [`debounce`] and [`rate_limit`] use the [`Timer`] of this crate;
//! those of [`aiter_core`] take one. [`AiterExt`] has all functions as methods of every stream.
//!
//! With the feature `sink`, a [`Pusher`] is a `Sink` of the crate `futures-sink`.
//!
//! [RUSTSEC-2025-0052]: https://rustsec.org/advisories/RUSTSEC-2025-0052.html
#![forbid(unsafe_code)]

pub use aiter_core;
pub use aiter_core::*;

mod blocking;
mod executor;
mod ext;
pub mod net;
mod tasks;
mod time;

pub use blocking::{BlockingIter, OnThread, aiter_to_iter};
pub use executor::{Global, On};
pub use ext::AiterExt;
pub use tasks::{
    ActiveAiter, JoinTasks, MapTasks, OrderedTasks, PreloadAiter, Spawned, active_aiter,
    join_aiters, join_aiters_buffered, map_workers, map_workers_ordered, preload_aiter,
    preload_aiter_with,
};
pub use time::{Timer, batch_within, debounce, rate_limit};
