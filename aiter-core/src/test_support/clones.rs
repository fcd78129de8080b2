//! A waker for tests that counts how often it is cloned.
#![allow(unsafe_code)]

use core::{
    ptr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{RawWaker, RawWakerVTable, Waker},
};

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, nothing, nothing, nothing);

/// A waker that does nothing but count its clones.
pub(crate) fn waker_that_counts_clones(clones: &'static AtomicUsize) -> Waker {
    // SAFETY: the functions access only the count, which lives for the whole program.
    unsafe { Waker::new(ptr::from_ref(clones).cast(), &TABLE) }
}

fn clone(clones: *const ()) -> RawWaker {
    // SAFETY: the pointer comes from the reference above.
    unsafe { &*clones.cast::<AtomicUsize>() }.fetch_add(1, Relaxed);
    RawWaker::new(clones, &TABLE)
}

fn nothing(_: *const ()) {}
