//! Patterns for asynchronous iterators: push, fork, share, gate, preload, join and map any
//! [`Stream`].
//!
//! An *aiter* is anything that implements [`Stream`]. Every item here takes a stream, returns one,
//! or feeds one, so all of it works with `futures`, `futures-lite` and `tokio-stream`. No runtime
//! is needed: work that has to run beside the consumer comes as a [`Driver`], a future for any
//! executor. The crates `aiter-tokio`, `aiter-smol` and `aiter-async-std` spawn it for you.
//!
//! ```
//! use aiter_core::{AiterExt, push_aiter};
//! use futures_lite::{StreamExt, future::block_on};
//!
//! let (pusher, words) = push_aiter();
//! std::thread::spawn(move || pusher.push_all(["three", "short", "words"]));
//! let lengths = words.map_workers_ordered(2, |word| async move { word.len() });
//! assert_eq!(block_on(lengths.collect::<Vec<_>>()), [5, 5, 5]);
//! ```
//!
//! # What is here
//!
//! | to | take |
//! |---|---|
//! | **push** items in from anywhere, and read them as a stream | [`push_aiter`], [`push_aiter_with`]; [`PushAiter::next_many`] takes many at once |
//! | **push** with a limit: pushers wait while it is reached | [`push_aiter_bounded`] |
//! | **push** without an allocator: from interrupts, through a `static` | [`fixed::PushList`] |
//! | **fork**: let several readers see each item | [`aiter_forker`] for any stream, [`aiter_forker_with`] a [`bound`] on how far they run apart; [`PushAiter::fork`], [`Pusher::subscribe`] |
//! | let readers **come and go**, and give late ones the latest items | [`push_hub`]; [`Fork::hub`] for any stream |
//! | let several tasks **share** a stream, each item going to one of them | [`sharable_aiter`] |
//! | **split** a stream by a key: the items of each key become a stream | [`split_by`] |
//! | **gate** a stream: let through as many items as there are permits | [`gated_aiter`] |
//! | **end** a stream from outside | [`stoppable_aiter`] |
//! | **drive** a stream while its consumer is busy elsewhere | [`active`], as fast as it yields; [`preload`], up to `n` items ahead; [`preload_with`], in batches |
//! | **join** many streams into one, or walk them side by side | [`join_aiters`], [`join_aiters_keyed`], [`join_aiters_limited`], [`azip`] |
//! | **map** items | [`map_aiter`]; [`map_async`], one future at a time; [`map_workers`] and [`map_workers_ordered`], many at once; [`map_workers_by`], one at a time for each key |
//! | **batch** items | [`batch`], those that are ready; [`batch_within`], those that come within some time |
//! | read the newest of many streams | [`switch_aiter`] |
//! | filter and flatten | [`map_filter_aiter`], [`flatten_aiter`] |
//! | **pace** a stream | [`debounce`]: the newest item, once the source is quiet; [`rate_limit`]: no more items than a [`RateLimit`] allows |
//! | make a stream of an iterator | [`iter_to_aiter`] |
//! | send each item to a channel, a socket, any sink | [`pump`]; [`pump_lending`] if the sink is borrowed mutably |
//!
//! [`AiterExt`] has the functions that take a stream as methods of every stream.
//!
//! # What holds everywhere
//!
//! - **Cancel safety**: a future that waits for the next item may be dropped at any point. No item
//!   is lost, repeated or reordered by that, and no other waiter is left without its wake.
//! - **Progress**: no operation blocks a thread, waits for another thread, or wakes itself in a
//!   loop until another thread goes on. The docs of each operation say whether it is lock-free or
//!   wait-free.
//! - **Wakers**: a stream keeps one waker, that of the task that waited last, so that the same task
//!   need not clone it for each item. The waker is dropped at the end of the stream, and when
//!   another task polls the stream and finds no item that was fetched before; up to 64 items may be
//!   fetched at once.
//! - **Bad input**: a count of 0 panics at the caller's line wherever 0 makes no sense. A panic in
//!   a closure, a source or a waker reaches the code that called it, and blocks no other handle.
//!
//! # Features, and `no_std`
//!
//! | feature | what it adds |
//! |---|---|
//! | `std` (default) | what the adapter crates are built on, such as panics that are carried from task to task; a push list may spin briefly before its reader sleeps |
//! | `net` (with the adapters' servers) | the code that removes the files of Unix sockets |
//! | `alloc` (with `std`) | everything but [`fixed`], [`debounce`], [`map_async`], [`pump`], [`pump_lending`] and [`rate_limit`] |
//! | `sink` | [`Sink`](https://docs.rs/futures-sink) for [`Pusher`], and `into_sink` of [`BoundedPusher`] |
//! | `portable-atomic` | atomics and `Arc` of that crate, for targets without compare-and-swap (Cortex-M0, RISC-V without A) |
//!
//! Without `std` the crate needs `core` and `alloc`, which means a global allocator. Without
//! `alloc` it needs `core` only, and has just the items that the table names. With
//! `portable-atomic`, the final binary says how to do without compare-and-swap: either it depends
//! on `portable-atomic` itself, with the feature `critical-section` and an implementation of that,
//! or it is built with `--cfg portable_atomic_unsafe_assume_single_core`. This crate chooses
//! neither.
//!
//! # How it works
//!
//! See the module [`design`] for the states, the orderings and the proofs. The same pages are in
//! the repository under `aiter-core/docs/design`.
//!
//! [`Stream`]: futures_core::Stream
#![cfg_attr(not(feature = "std"), no_std)]
// The page of this crate tells of all that it has.
#![cfg_attr(not(feature = "alloc"), allow(rustdoc::broken_intra_doc_links))]
#![deny(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_macros,
        clippy::disallowed_types,
        reason = "tests may wait"
    )
)]
#![warn(
    clippy::alloc_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core
)]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;

#[cfg(feature = "std")]
#[doc(hidden)]
pub mod adapter;
#[cfg(all(doc, not(doctest)))]
pub mod design;
mod drive;
mod error;
#[cfg(feature = "alloc")]
mod ext;
pub mod fixed;
#[cfg(feature = "alloc")]
mod fork;
#[cfg(feature = "alloc")]
mod gate;
#[cfg(feature = "alloc")]
mod handoff;
#[cfg(feature = "alloc")]
mod hub;
#[cfg(feature = "alloc")]
mod join;
#[cfg(feature = "alloc")]
mod list;
mod ops;
#[cfg(feature = "alloc")]
mod push;
#[cfg(feature = "alloc")]
mod ready_set;
#[cfg(feature = "alloc")]
mod ring;
#[cfg(feature = "alloc")]
mod share;
#[cfg(feature = "alloc")]
mod split;
mod statistics;
mod sync;
#[cfg(test)]
mod test_support;
mod time;
mod util;
#[cfg(feature = "alloc")]
mod wait;

pub use drive::{Pump, pump, pump_lending};
pub use error::{PushError, Stopped, TryNextError};
pub use ops::{Debounce, MapAsync, RateLimit, RateLimited, debounce, map_async, rate_limit};
pub use statistics::Statistics;
pub use time::{Clock, Sleep};

#[cfg(feature = "alloc")]
pub use crate::{
    drive::{Driver, Preloaded, active, preload, preload_with},
    ext::AiterExt,
    fork::{Fork, Hub, HubIdle, HubOccupied, aiter_forker, aiter_forker_with, bound},
    gate::{Gate, Gated, gated_aiter},
    hub::{HubBound, HubReader, PushHub, PushHubIdle, PushHubOccupied, SkipAiter, push_hub},
    join::{JoinAiters, JoinAitersKeyed, join_aiters, join_aiters_keyed, join_aiters_limited},
    ops::{
        Azip, Batch, BatchWithin, FlattenAiter, IterToAiter, MapAiter, MapFilterAiter, MapWorkers,
        MapWorkersBy, MapWorkersOrdered, Stoppable, Stopper, StopperStopped, SwitchAiter,
        ZipStreams, azip, batch, batch_within, flatten_aiter, iter_to_aiter, map_aiter,
        map_filter_aiter, map_workers, map_workers_by, map_workers_ordered, stoppable_aiter,
        switch_aiter,
    },
    push::{
        AvailableIter, BoundedAiter, BoundedNextMany, BoundedPush, BoundedPusher, NextMany,
        OwnedPermit, Permit, PushAiter, Pusher, Reserve, ReserveOwned, UntilStopped,
        WeakBoundedPusher, WeakPusher, push_aiter, push_aiter_bounded, push_aiter_with,
    },
    share::{Sharable, sharable_aiter},
    split::{Part, SplitBy, split_by},
    wait::demand::Watermarks,
};

#[cfg(feature = "sink")]
pub use crate::push::BoundedSink;

#[cfg(all(feature = "alloc", not(aiter_loom)))]
pub use crate::hub::WeakPushHub;
