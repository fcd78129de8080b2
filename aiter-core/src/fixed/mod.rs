//! A push list of fixed capacity that needs no allocator: for interrupts, in a `static`.
//!
//! [`PushList`] is to [`push_aiter`](https://docs.rs/aiter-core) what an array is to a vector. It has room for `N` items and
//! `R` readers, all of it inside, and a constructor that is `const`; so it lies in a `static` that anything can reach: interrupt
//! handlers of every priority, tasks, threads. What is pushed comes out of each reader as a stream, in push order.
//!
//! The core of a firmware (`tests/firmware/src/bin/fixed.rs`, which runs on four processors):
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
//! # Beside the push list
//!
//! | | [push list](crate) | here |
//! |---|---|---|
//! | the end that pushes | `Pusher`s, counted | a reference to the list |
//! | the end | after `stop`, or when the last `Pusher` goes | after [`stop`](PushList::stop) |
//! | no slot is free | cannot be | the item comes back |
//! | without a reader | items come back, for good | items are kept for the next [`aiter`](PushList::aiter) |
//! | readers | any number | `R`; [`subscribe`](PushList::subscribe) and [`fork`](PushAiter::fork) may give `None` |
//! | batches, `preflight` | yes | no |
//!
//! # Interrupts and priorities
//!
//! Every operation may be called at every priority, and interrupt any other one, itself included. None of them masks interrupts or
//! takes a lock, or waits for one that it interrupted:
//!
//! - A push that is interrupted between getting its slot and filling it holds back the items behind its own. The interrupt
//!   pushes and reads as ever; a reader that comes to the gap sleeps, and is woken by the push that fills it.
//! - A reader that is interrupted while it takes an item keeps that one slot in use. The interrupt pushes into others,
//!   if there are any.
//!
//! Where the target has no compare-and-swap, `portable-atomic` makes one of a critical section of a few instructions: one for
//! a push, one more for a reader that it wakes on a gap, none for taking an item that nobody else reads.
//!
//! # Items that are not `Copy`
//!
//! An item is dropped where it is taken; by a push never. What a reader alone was still to read is dropped with it. Those in a
//! list that has no reader wait for the next one, or for the drop of the list.
#![allow(unsafe_code)]

mod list;
#[cfg(all(test, aiter_loom))]
mod loom;
mod position;
mod reader;
mod registry;
mod slot;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
mod waiters;
mod word;

pub use crate::error::PushError;
pub use list::PushList;
pub use reader::{AvailableIter, PushAiter};
