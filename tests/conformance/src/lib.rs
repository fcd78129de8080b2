//! What happens to those who wait for a stream when others are dropped, cancelled or forgotten: the same probes for ours and
//! for published crates, each answer from a run.
//!
//! | file | what it knows |
//! |---|---|
//! | [`probes`](Probe) | what is asked |
//! | [`stage`](Stage) | tasks polled by hand, their wakers, and what reached them |
//! | [`subject`](Subject) | what a probe sees of an implementation: who feeds it, and handles that are polled |
//! | [`source`](mod@source) | a stream that does as it is told |
//! | [`memory`](held_bytes) | how many bytes are held |
//! | [`cell`](serve) | one probe of one subject, in a process of its own that may hang or crash |
//! | [`table`](Table) | all of them, and whether ours pass |

mod cell;
mod memory;
mod probes;
pub mod source;
mod stage;
mod subject;
mod table;

pub use cell::{Verdict, serve};
pub use memory::held_bytes;
pub use probes::{PROBES, Probe};
pub use stage::{Answer, Stage, Stop};
pub use subject::{
    Build, Feed, Handle, Kind, Next, OfFuture, OfStream, Parts, Subject, handles, streams,
};
pub use table::Table;
