//! [`LazyWaitSet`]: a wait set that is made when a task waits for the first time.

use super::{Shared, WaitSet, Waiter};
use crate::sync::{Arc, AtomicPtr, Ordering::*, const_new, fence};
use core::{
    mem::ManuallyDrop,
    ptr,
    task::{Context, Poll},
};

/// A [`WaitSet`] for an event that few tasks wait for, if any. Until the first one does, it is a
/// word that is null.
pub(crate) struct LazyWaitSet(AtomicPtr<Shared>);

impl LazyWaitSet {
    const_new! {
        pub(crate) fn new() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }

    /// Adds a waiter, as [`WaitSet::add`] does.
    pub(crate) fn add(&self) -> Waiter {
        // SAFETY: the set owns one reference, and does not give it up while it is borrowed.
        let set = ManuallyDrop::new(WaitSet(unsafe { Arc::from_raw(self.get_or_make()) }));
        set.0.1.used();
        set.add()
    }

    /// Wakes each waiter that waits, as [`WaitSet::wake_all`] does.
    #[inline]
    pub(crate) fn wake_all(&self) {
        // Ordering: Acquire pairs with the Release in `get_or_make`. A waiter that has to be woken
        // waited before this call, so this sees the set that it is in.
        let set = self.0.load(Acquire);
        // SAFETY: the set owns one reference, and does not give it up while it is borrowed.
        if let Some(set) = unsafe { set.as_ref() } {
            set.1.used();
            set.0.wake_all();
        }
    }

    /// Wakes the tasks that wait, after what they wait for has changed.
    pub(crate) fn notify(&self) {
        // Ordering: SeqCst, between the change and the look for waiting tasks, pairs with the fence
        // in `poll_until`: either that task sees the change, or it is seen here.
        fence(SeqCst);
        self.wake_all();
    }

    /// As [`notify`](Self::notify), for a change that is the last one. A wake may miss the waker of
    /// a waiter that leaves while it is woken, and leaves it to the next wake. Here none comes, so
    /// it is looked for once more.
    pub(crate) fn notify_last(&self) {
        let _sweep = scopeguard::guard(&self.0, |set| {
            // Ordering: Acquire as in `wake_all`.
            let set = set.load(Acquire);
            // SAFETY: as in `wake_all`.
            if let Some(set) = unsafe { set.as_ref() } {
                set.1.used();
                set.0.sweep();
            }
        });
        self.notify();
    }

    /// Waits until `is_ready`. The place that `waiter` keeps between the polls is given up then,
    /// and when it is dropped.
    pub(crate) fn poll_until(
        &self,
        waiter: &mut Option<Waiter>,
        is_ready: impl Fn() -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !is_ready() {
            waiter.get_or_insert_with(|| self.add()).wait(cx.waker());
            // Ordering: see `notify`.
            fence(SeqCst);
            if !is_ready() {
                return Poll::Pending;
            }
        }
        *waiter = None;
        Poll::Ready(())
    }

    #[cold]
    fn get_or_make(&self) -> *const Shared {
        // Ordering: Acquire pairs with the Release below.
        let set = self.0.load(Acquire);
        if !set.is_null() {
            return set;
        }
        let fresh = Arc::into_raw(WaitSet::new().0).cast_mut();
        // Ordering: Release publishes the set to every Acquire. If it fails, Acquire pairs with
        // the Release of the thread that came first.
        match self
            .0
            .compare_exchange(ptr::null_mut(), fresh, Release, Acquire)
        {
            Ok(_) => fresh,
            Err(set) => {
                // SAFETY: it was made above, and no other thread has seen it.
                drop(unsafe { Arc::from_raw(fresh) });
                set
            }
        }
    }
}

#[cfg(all(test, not(aiter_loom)))]
impl LazyWaitSet {
    /// How many segments the slots of the waiters are in.
    pub(crate) fn segments(&self) -> usize {
        // SAFETY: as in `add`.
        let set = ManuallyDrop::new(WaitSet(unsafe { Arc::from_raw(self.get_or_make()) }));
        set.segments()
    }
}

impl Drop for LazyWaitSet {
    fn drop(&mut self) {
        let set = self.0.load(Relaxed);
        if !set.is_null() {
            // SAFETY: the reference is this set's, and no other thread is left that could use it.
            drop(unsafe { Arc::from_raw(set) });
        }
    }
}
