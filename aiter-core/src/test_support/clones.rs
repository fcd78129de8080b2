//! A waker for tests, which tells who clones it more often than needed.
#![allow(unsafe_code)]

use core::{
    ptr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{RawWaker, RawWakerVTable, Waker},
};

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, nothing, nothing, nothing);

/// A waker that does nothing but count how often it is cloned.
pub(crate) fn waker_that_counts_clones(clones: &'static AtomicUsize) -> Waker {
    // SAFETY: the functions touch nothing but the count, which is there for good.
    unsafe { Waker::new(ptr::from_ref(clones).cast(), &TABLE) }
}

fn clone(clones: *const ()) -> RawWaker {
    // SAFETY: it comes from the reference above.
    unsafe { &*clones.cast::<AtomicUsize>() }.fetch_add(1, Relaxed);
    RawWaker::new(clones, &TABLE)
}

fn nothing(_: *const ()) {}
