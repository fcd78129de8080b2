//! [`Deposits`]: values that any thread leaves for the holder of a lock.
//!
//! It is a Treiber stack (1986) that is only ever emptied as a whole, so it knows no ABA.
//!
//! | `head` | means | how it changes |
//! |---|---|---|
//! | null | nothing was left | a thread that leaves a value → its node |
//! | a node | that node's value and those below it wait | a thread that leaves a value → its node; the holder → null, and owns all nodes |
#![allow(unsafe_code)]

use crate::sync::{AtomicPtr, Ordering::*};
use alloc::boxed::Box;
use core::{marker::PhantomData, ptr};
use scopeguard::guard;

pub(crate) struct Deposits<V> {
    head: AtomicPtr<Node<V>>,
    _owns: PhantomData<Box<V>>,
}

struct Node<V> {
    value: V,
    next: *mut Node<V>,
}

// SAFETY: each value is moved from the thread that leaves it to the one that takes it.
unsafe impl<V: Send> Send for Deposits<V> {}
// SAFETY: as above. No two threads reach one value at a time.
unsafe impl<V: Send> Sync for Deposits<V> {}

impl<V> Deposits<V> {
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
            _owns: PhantomData,
        }
    }

    /// Whether nothing waits. What happened before the call is not missed.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: Relaxed, `take_all` synchronises.
        self.head.load(Relaxed).is_null()
    }

    /// Leaves a value. Lock-free.
    pub(crate) fn push(&self, value: V) {
        // Ordering: Relaxed, the exchange below validates it.
        let mut head = self.head.load(Relaxed);
        let node = Box::into_raw(Box::new(Node { value, next: head }));
        // Ordering: Release hands the node to the Acquire in `take_all`.
        while let Err(now) = self
            .head
            .compare_exchange_weak(head, node, Release, Relaxed)
        {
            head = now;
            // SAFETY: the node is not on the stack yet, so it is this thread's.
            unsafe { (*node).next = head };
        }
    }

    /// Takes all values, the newest first.
    pub(crate) fn take_all(&self) -> Taken<V> {
        // Ordering: Acquire pairs with the Release in `push`, of every node since the last call.
        Taken(self.head.swap(ptr::null_mut(), Acquire))
    }
}

impl<V> Drop for Deposits<V> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

/// The values that were taken. Those that are left are dropped with it.
pub(crate) struct Taken<V>(*mut Node<V>);

impl<V> Iterator for Taken<V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: `Box::into_raw` made the pointer, and the stack was taken with the node in it.
        let node = unsafe { Box::from_raw(self.0) };
        self.0 = node.next;
        Some(node.value)
    }
}

impl<V> Drop for Taken<V> {
    fn drop(&mut self) {
        // Also those behind a value whose drop panics.
        let mut rest = guard(self, |rest| rest.for_each(drop));
        rest.by_ref().for_each(drop);
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
