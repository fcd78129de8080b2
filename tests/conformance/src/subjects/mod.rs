//! Our implementations and those of published crates.

mod channels;
mod forks;
mod ours;

use aiter_conformance::Subject;

/// The capacity of those that are bounded: it fits the largest burst.
const ROOM: usize = 1_000_000;

pub(crate) fn all() -> Vec<Subject> {
    [ours::SUBJECTS, forks::SUBJECTS, channels::SUBJECTS].concat()
}

/// A subject of a published crate, if it is built in.
macro_rules! rival {
    ($feature:literal, $name:literal, $kind:ident, $build:path) => {
        Subject {
            name: $name,
            package: $feature,
            kind: Kind::$kind,
            is_ours: false,
            #[cfg(feature = $feature)]
            build: Some($build),
            #[cfg(not(feature = $feature))]
            build: None,
        }
    };
}
use rival;
