//! How the parts work, and why they do: the files of `docs`, for reading only.
//!
//! Links from one file to another lead somewhere in the repository only; here each file is a module.

#[doc = include_str!("../docs/DESIGN.md")]
pub mod overview {}

#[doc = include_str!("../docs/design/fixed.md")]
pub mod fixed {}

#[doc = include_str!("../docs/design/fork.md")]
pub mod fork {}

#[doc = include_str!("../docs/design/gate.md")]
pub mod gate {}

#[doc = include_str!("../docs/design/list.md")]
pub mod list {}

#[doc = include_str!("../docs/design/ready_set.md")]
pub mod ready_set {}

#[doc = include_str!("../docs/design/share.md")]
pub mod share {}
