//! How the parts work, and why: the pages of the repository about its design, for reading only.
//!
//! Links between pages work in the repository only. Here each page is a module.

#[doc = include_str!("../docs/DESIGN.md")]
pub mod overview {}

#[doc = include_str!("../docs/design/bounded.md")]
pub mod bounded {}

#[doc = include_str!("../docs/design/fixed.md")]
pub mod fixed {}

#[doc = include_str!("../docs/design/fork.md")]
pub mod fork {}

#[doc = include_str!("../docs/design/gate.md")]
pub mod gate {}

#[doc = include_str!("../docs/design/hub.md")]
pub mod hub {}

#[doc = include_str!("../docs/design/list.md")]
pub mod list {}

#[doc = include_str!("../docs/design/ready_set.md")]
pub mod ready_set {}

#[doc = include_str!("../docs/design/ring.md")]
pub mod ring {}

#[doc = include_str!("../docs/design/share.md")]
pub mod share {}

#[doc = include_str!("../docs/design/split.md")]
pub mod split {}
