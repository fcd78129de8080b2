//! A push list of fixed capacity that needs no allocator: for interrupts, in a `static`.
//!
//! [`PushList`] is to [`push_aiter`](https://docs.rs/aiter-core) what an array is to a vector. It has room for `N` items and
//! `R` readers, all of it inside, and a constructor that is `const`; so it lies in a `static` that anything can reach: interrupt
//! handlers of every priority, tasks, threads. What is pushed comes out of each reader as a stream, in push order.
//!
//! ```
//! use aiter_core::fixed::PushList;
//! # use futures_lite::{StreamExt, future::block_on};
//!
//! static SAMPLES: PushList<u16, 16> = PushList::new();
//!
//! // The handler of a timer's interrupt.
//! fn on_timer() {
//!     let sample = read_sensor();
//!     if SAMPLES.push(sample).is_err() {
//!         // The task is 16 samples behind: this one is lost, and here is the place to count it.
//!     }
//! }
//!
//! // A task. Interrupts may come at any time, also before it starts: samples are kept until there is a reader.
//! async fn average() -> u16 {
//!     let samples = SAMPLES.aiter().expect("this is the only reader");
//!     samples.take(4).fold(0, |sum, sample| sum + sample).await / 4
//! }
//! # fn read_sensor() -> u16 { 20 }
//! # (0..4).for_each(|_| on_timer());
//! # assert_eq!(block_on(average()), 20);
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

mod aiter;
mod bell;
mod error;
mod list;
#[cfg(all(test, aiter_loom))]
mod models;
mod nap;
mod position;
mod seats;
mod sleep;
mod slot;
#[cfg(all(test, not(aiter_loom)))]
mod tests;

pub use aiter::{AvailableIter, PushAiter};
pub use error::PushError;
pub use list::PushList;
