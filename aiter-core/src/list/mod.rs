//! The lock-free push list: an unbounded queue of blocks. Any number of writers append to it, and
//! any number of readers follow, each at its own pace.
//!
//! An item gets from `push` to `poll_next` in five steps:
//!
//! 1. [`Writer::push`] reserves a slot by an addition to the tail word (`writer.rs`; `batch.rs` for
//!    many slots at once).
//! 2. It finds the block of that slot near the tail, or links a new one (`locate.rs`).
//! 3. It writes the item into the slot and publishes it by a store to the slot's mark
//!    (`block/mod.rs`).
//! 4. It wakes the readers that sleep at that slot (`wake.rs`, and the registry in
//!    `wait/registry`).
//! 5. [`Reader::poll_next`] finds the mark with its cursor, and moves the item out or clones it
//!    (`cursor.rs` finds it, `reader.rs` decides and takes it); or, if there is none, the reader
//!    goes to sleep (`sleep.rs`).
//!
//! Afterwards the block is retired and freed: `reclaim.rs`, or `drain.rs` if its last reader left
//! before it was complete.
//!
//! Each file imports only from those before it: `block`, `block_limit`, `free_list`, `drain_state`,
//! `peek`, `shared` (the fields that all handles share), `reclaim`, `locate`, `drain`, `wake`,
//! `cursor`, `reader`, `sleep`, `batch`, `writer`, `weak`, `observer`, `open`, `trail`, `late`
//! (`reader` and `sleep` are two halves of one `impl`, and `open` has its fields in `shared`).
//! `aiter-core/docs/design/list.md` has the states, the orderings and the proofs. Comments
//! here name the partner of each access.
#![allow(unsafe_code)]

mod batch;
mod block;
mod block_limit;
mod cursor;
mod drain;
mod drain_state;
mod free_list;
mod late;
mod locate;
#[cfg(all(test, aiter_loom))]
mod loom;
mod observer;
mod open;
mod peek;
mod reader;
mod reclaim;
mod shared;
mod sleep;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
mod trail;
mod wake;
mod weak;
mod writer;

pub(crate) use block::{MAX_DISTANCE, Position};
pub(crate) use late::Late;
pub(crate) use observer::{ItemTail, Observer, numbers_apart};
pub(crate) use open::{ReaderCount, UserCount, open_list, open_list_with_reader};
pub(crate) use peek::Peek;
pub(crate) use reader::Reader;
pub(crate) use trail::{Passed, Place, Trail, trailed_list};
pub(crate) use weak::WeakWriter;
pub(crate) use writer::{Writer, list_for};

/// A list with its first two handles.
pub(crate) fn list<T>() -> (Writer<T>, Reader<T>) {
    list_for(None)
}
