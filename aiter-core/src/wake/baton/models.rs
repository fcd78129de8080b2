//! Loom models of what is held by a baton, which is held either way.

extern crate std;

use crate::modelling;
use std::cell::Cell;

std::thread_local! {
    static FIRST: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn first() -> usize {
    FIRST.get()
}

/// As [`modelling::model`], with batons that are held loosely, until somebody comes meanwhile, and with others that never are.
pub(crate) fn model(f: impl Fn() + Copy + Send + Sync + 'static) {
    either_way(|| modelling::model(f));
}

/// The same for what has too many interleavings.
pub(crate) fn large_model(f: impl Fn() + Copy + Send + Sync + 'static) {
    either_way(|| modelling::large_model(f));
}

fn either_way(check: impl Fn()) {
    for first in [0, usize::MAX] {
        FIRST.set(first);
        check();
    }
}
