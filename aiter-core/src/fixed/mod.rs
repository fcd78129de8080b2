//! A push list of fixed capacity that needs no allocator: for interrupts, in a `static`.
//!
//! Use [`PushList`] where an interrupt handler, a callback or a task of another priority has to
//! hand items to an async task, and there is no allocator or none that an interrupt may use. It is
//! to [`push_aiter`](https://docs.rs/aiter-core) what an array is to a vector: it has room for `N`
//! items and `R` readers, all of it inline. Its constructor is `const`, so it can live in a
//! `static` that interrupt handlers of every priority, tasks and threads reach by reference. Each
//! reader is a [`Stream`](futures_core::Stream) of the pushed items, in push order.
//!
//! This is the core of a firmware (`tests/firmware/src/bin/fixed.rs`, which runs on four
//! processors):
//!
//! ```
//! use aiter_core::fixed::{PushAiter, PushList};
//! # use futures_lite::{StreamExt, future::block_on};
//! # use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
//! # const CAPACITY: usize = 32;
//! # const READERS: usize = 4;
//! # type Sample = u32;
//! # struct Sensor(AtomicU32);
//! # impl Sensor {
//! #     fn tick(&self) -> Option<std::ops::Range<u32>> {
//! #         let tick = self.0.fetch_add(1, Relaxed);
//! #         (tick < 10).then(|| tick * 3..tick * 3 + 3)
//! #     }
//! # }
//! # struct Order(u32);
//! # impl Order {
//! #     fn new(_: &str) -> Self { Self(0) }
//! #     fn check(&mut self, sample: u32) { assert_eq!(sample, self.0); self.0 += 1; }
//! #     fn finish(self) -> u32 { self.0 }
//! # }
//! # static SENSOR: Sensor = Sensor(AtomicU32::new(0));
//!
//! static SAMPLES: PushList<Sample, CAPACITY, READERS> = PushList::new();
//! /// How many samples each reader saw.
//! static REPORTS: PushList<u32, READERS> = PushList::new();
//!
//! // The interrupt of a timer.
//! fn on_timer() {
//!     match SENSOR.tick() {
//!         Some(samples) => {
//!             samples.for_each(|sample| SAMPLES.push(sample).expect("the list is not full"))
//!         }
//!         None => SAMPLES.stop(),
//!     }
//! }
//!
//! // A task, which is given `SAMPLES.subscribe().expect("there is a reader")`.
//! async fn read(mut samples: PushAiter<'static, Sample, CAPACITY, READERS>) {
//!     let mut order = Order::new("reader");
//!     while let Some(sample) = samples.next().await {
//!         order.check(sample);
//!     }
//!     REPORTS.push(order.finish()).expect("there is room for all");
//! }
//! # let samples = SAMPLES.subscribe().unwrap();
//! # (0..11).for_each(|_| on_timer());
//! # block_on(read(samples));
//! # assert_eq!(REPORTS.aiter().unwrap().try_next(), Ok(30));
//! ```
//!
//! # Compared with the push list
//!
//! | | [push list](crate) | `fixed` |
//! |---|---|---|
//! | the end that pushes | `Pusher`s, which are counted | a reference to the list |
//! | the stream ends | after `stop`, or once the last `Pusher` is dropped | after [`stop`](PushList::stop) |
//! | no slot is free | cannot happen | the push gives the item back |
//! | there is no reader | pushes give the item back, for good | items are kept for the next [`aiter`](PushList::aiter) |
//! | readers | any number | at most `R`; [`subscribe`](PushList::subscribe) and [`fork`](PushAiter::fork) return `None` beyond that |
//! | batches, `preflight` | yes | no |
//!
//! # Interrupts and priorities
//!
//! Every operation may be called at every priority, and may interrupt any other operation, itself
//! included. No operation masks interrupts, takes a lock, or waits for an operation that it
//! interrupted:
//!
//! - A push that is interrupted between reserving its slot and publishing it leaves a *gap*. It
//!   holds back the items behind its own. The interrupt pushes and reads as usual. A reader that
//!   comes to the gap sleeps, and the push that fills the gap wakes it.
//! - A reader that is interrupted while it takes an item keeps that one slot in use. The interrupt
//!   pushes into the other slots, if there are any.
//!
//! Where the target has no compare-and-swap, `portable-atomic` replaces each by a critical section
//! of a few instructions: one for a push, one more for each reader that the push wakes at a gap,
//! and none for taking an item that no other reader reads.
//!
//! # Items that are not `Copy`
//!
//! A reader drops or returns the items that it takes; a push never drops an item. When a reader is
//! dropped, the items that only this reader had still to read are dropped with it. The items of a
//! list without readers stay for the next reader, or until the list is dropped.
#![allow(unsafe_code)]

mod available;
mod list;
#[cfg(all(test, aiter_loom))]
mod loom;
mod overwrite;
mod position;
mod push_queue;
mod push_when_free;
mod reader;
mod registry;
mod slot;
mod state;
mod subscribe;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
mod waiters;
mod word;

pub use crate::error::PushError;
pub use available::AvailableIter;
pub use list::PushList;
pub use push_when_free::PushWhenFree;
pub use reader::PushAiter;
