//! Probes what happens to tasks that wait for a stream when others are dropped, cancelled or
//! forgotten: the same probes for our crates and for published ones, and each answer from a run.
//!
//! | file | contents |
//! |---|---|
//! | [`probes`](Probe) | the questions |
//! | [`stage`](Stage) | tasks that are polled by hand, their wakers, and the items that reached them |
//! | [`subject`](Subject) | an implementation as a probe sees it: the side that feeds it, and handles that are polled |
//! | [`source`](mod@source) | a stream that is steered by the probe |
//! | [`memory`](held_bytes) | how many bytes are held |
//! | [`cell`](serve) | one probe of one subject, in a process of its own that may hang or crash |
//! | [`table`](Table) | all cells, and whether our crates pass |
//! | [`edges`] | what the tests share that compare operators at their edges |

mod cell;
pub mod edges;
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
