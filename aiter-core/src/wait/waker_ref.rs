//! A [`Waker`] made of a borrowed `Arc`, without touching the reference count.
//!
//! `alloc::task::Wake` does not serve here: it needs the `Arc` of `alloc`, which does not exist on
//! targets without compare-and-swap, and is not the one of loom.
#![allow(unsafe_code)]

use crate::sync::Arc;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    task::{RawWaker, RawWakerVTable, Waker},
};

/// What the waker does when it is called.
pub(crate) trait WakeUp: Send + Sync + 'static {
    fn wake_up(&self);
}

/// A borrowed [`Waker`]. Each clone of it owns a reference count of the `Arc`.
pub(crate) struct WakerRef<'a> {
    waker: ManuallyDrop<Waker>,
    _arc: PhantomData<&'a ()>,
}

pub(crate) fn waker_ref<W: WakeUp>(arc: &Arc<W>) -> WakerRef<'_> {
    // SAFETY: the functions keep the contract of `RawWaker`; `W` is `Send` and `Sync`. The waker
    // owns no reference count of the `Arc`, so it is never dropped, and lives no longer than the
    // borrow.
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
        // SAFETY: `arc` points into an `Arc<W>` that the holder of the waker keeps alive.
        unsafe { Arc::<W>::increment_strong_count(arc.cast()) };
        RawWaker::new(arc, &Self::VTABLE)
    }

    unsafe fn wake(arc: *const ()) {
        // SAFETY: a waker that is consumed owns a reference count.
        let arc = unsafe { Arc::<W>::from_raw(arc.cast()) };
        arc.wake_up();
    }

    unsafe fn wake_by_ref(arc: *const ()) {
        // SAFETY: the reference count stays with the waker, because this `Arc` is not dropped.
        let arc = ManuallyDrop::new(unsafe { Arc::<W>::from_raw(arc.cast()) });
        arc.wake_up();
    }

    unsafe fn drop(arc: *const ()) {
        // SAFETY: a waker that is dropped owns a reference count.
        unsafe { Arc::<W>::decrement_strong_count(arc.cast()) };
    }
}
