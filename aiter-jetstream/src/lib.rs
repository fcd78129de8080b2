//! Streams that outgrow one machine: publishers, forks and shares on NATS JetStream.
//!
//! The words are those of [`aiter-core`], and everything that reads is a
//! [`Stream`](futures_core::Stream), so it goes through the operators of that crate. The server does
//! the work: what [`async_nats`] does well, such as streams, limits, retention and pausing, is
//! called there. This crate has what saves work or prevents a mistake.
//!
//! | here | on the server | delivery |
//! |---|---|---|
//! | [`publisher`] | publishes with message ids, and resends within the stream's dedup window | stored once, in order |
//! | [`fork`] | an ordered consumer for each reader, made anew where it was lost | each message once, in order |
//! | [`share`] | takers of one durable consumer | each message to one taker, at least once |
//! | [`Publisher::stop`] | an end marker | after everything before it |
//!
//! ```no_run
//! use aiter_jetstream::{Start, fork, publisher};
//! use futures_lite::StreamExt;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let js = async_nats::jetstream::new(async_nats::connect("localhost:4222").await?);
//! let mut orders = fork(&js, "orders", Start::All).await?;
//! publisher(&js, "orders").push("orders.new", "one coffee".into()).await?;
//! while let Some(order) = orders.next().await {
//!     let order = order?;
//!     println!("{}: {:?}", order.sequence, order.payload);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`aiter-core`]: https://docs.rs/aiter-core
#![forbid(unsafe_code)]

mod api;
mod end;
mod error;
mod fork;
mod publish;
mod pull;
mod share;

pub use end::end_subject;
pub use error::{Error, PublishError};
pub use fork::{RemoteFork, Seen, Start, fork};
pub use publish::{Publisher, publisher};
pub use share::{Acked, Taker, Work, share};
