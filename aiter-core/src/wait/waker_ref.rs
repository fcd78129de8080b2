//! A [`Waker`] made of an `Arc`, lent without touching the reference count.
//!
//! `alloc::task::Wake` would do, but for its `Arc`: it is not there on targets without compare-and-swap, and not the
//! one of loom.
#![allow(unsafe_code)]

use crate::sync::Arc;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    task::{RawWaker, RawWakerVTable, Waker},
};

/// What the waker does.
pub(crate) trait WakeUp: Send + Sync + 'static {
    fn wake_up(&self);
}

/// A borrowed [`Waker`]. Its clones own their share of the `Arc`.
pub(crate) struct WakerRef<'a> {
    waker: ManuallyDrop<Waker>,
    _arc: PhantomData<&'a ()>,
}

pub(crate) fn waker_ref<W: WakeUp>(arc: &Arc<W>) -> WakerRef<'_> {
    // SAFETY: the functions keep the contract of `RawWaker`; `W` is `Send` and `Sync`. The waker owns no share of the
    // `Arc`, so it is never dropped, and lives no longer than the borrow.
    let waker = unsafe { Waker::new(Arc::as_ptr(arc).cast(), &Table::<W>::VTABLE) };
    WakerRef {
        waker: ManuallyDrop::new(waker),
        _arc: PhantomData,
    }
}

impl Deref for WakerRef<'_> {
    type Target = Waker;

    fn deref(&self) -> &Waker {
        &self.waker
    }
}

struct Table<W>(PhantomData<W>);

impl<W: WakeUp> Table<W> {
    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(Self::clone, Self::wake, Self::wake_by_ref, Self::drop);

    unsafe fn clone(arc: *const ()) -> RawWaker {
        // SAFETY: `arc` points into an `Arc<W>` that whoever holds the waker keeps alive.
        unsafe { Arc::<W>::increment_strong_count(arc.cast()) };
        RawWaker::new(arc, &Self::VTABLE)
    }

    unsafe fn wake(arc: *const ()) {
        // SAFETY: a waker that is consumed owns a share.
        let arc = unsafe { Arc::<W>::from_raw(arc.cast()) };
        arc.wake_up();
    }

    unsafe fn wake_by_ref(arc: *const ()) {
        // SAFETY: the share stays with the waker, for this one is not dropped.
        let arc = ManuallyDrop::new(unsafe { Arc::<W>::from_raw(arc.cast()) });
        arc.wake_up();
    }

    unsafe fn drop(arc: *const ()) {
        // SAFETY: a waker that is dropped owns a share.
        unsafe { Arc::<W>::decrement_strong_count(arc.cast()) };
    }
}
