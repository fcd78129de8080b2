//! A stack of wake sources: any thread pushes one, and the lock holder takes all of them at once.
//!
//! It is a Treiber stack (1986) without the single pop that suffers from ABA, as it is only ever
//! emptied as a whole. Each wake source carries its own link, so a push allocates nothing. The flag
//! `linked` says which thread may access the link:
//!
//! | `linked` | the link belongs to |
//! |---|---|
//! | false | the thread that sets the flag |
//! | true | the stack: first the thread that pushes, then the thread that took the stack and clears the flag |
#![allow(unsafe_code)]

use super::notify::{Inner, WakeSource};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell};
use core::{fmt, mem::ManuallyDrop, ops::Deref, ptr};

/// The data of a wake source that can be pushed on a [`WakeStack`].
pub(crate) struct Node<T> {
    linked: AtomicUsize,
    /// The flag says which thread owns it.
    next: UnsafeCell<*mut Inner<Node<T>>>,
    data: T,
}

// SAFETY: the link belongs to one thread at a time, as the table says. It leads to other nodes,
// which may go where this one goes.
unsafe impl<T: Send + Sync> Send for Node<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Node<T> {}

impl<T> Node<T> {
    pub(crate) fn new(data: T) -> Self {
        Self {
            linked: AtomicUsize::new(0),
            next: UnsafeCell::new(ptr::null_mut()),
            data,
        }
    }
}

impl<T> Deref for Node<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T: fmt::Debug> fmt::Debug for Node<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.data).finish()
    }
}

pub(crate) struct WakeStack<T> {
    head: AtomicPtr<Inner<Node<T>>>,
}

impl<T> WakeStack<T> {
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Whether the stack was empty. A push that is under way may be missed.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: Relaxed. It is a hint; `take_all` synchronises.
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Pushes the wake source, unless it is on the stack already. The thread that takes it sees
    /// what the caller wrote before. Lock-free.
    pub(crate) fn push(&self, wake_source: WakeSource<Node<T>>) {
        // Ordering: Acquire pairs with the release in `Drain::next`: the link is no longer read.
        // Release pairs with the acquire there, for the case that the node is still on the stack.
        if wake_source.linked.swap(1, Ordering::AcqRel) == 1 {
            return;
        }
        // The stack owns it from here on.
        let wake_source = ManuallyDrop::new(wake_source);
        let raw = wake_source.as_ptr().cast_mut();
        // Ordering: Relaxed. The exchange below validates it.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the flag was set just now, and the node is not on the stack yet, so the link
            // belongs to this thread.
            wake_source.next.with_mut(|next| unsafe { *next = head });
            // Ordering: Release pairs with the acquire in `take_all`.
            match self
                .head
                .compare_exchange_weak(head, raw, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all wake sources, the newest first.
    pub(crate) fn take_all(&self) -> Drain<T> {
        // Ordering: Acquire pairs with the release of every `push` since the last `take_all`.
        Drain(self.head.swap(ptr::null_mut(), Ordering::Acquire))
    }
}

impl<T> Drop for WakeStack<T> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

impl<T> fmt::Debug for WakeStack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakeStack")
    }
}

/// The wake sources that were taken.
pub(crate) struct Drain<T>(*mut Inner<Node<T>>);

impl<T> Iterator for Drain<T> {
    type Item = WakeSource<Node<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: `push` forgot this reference count when it linked the node, and no other thread
        // took the node.
        let wake_source = unsafe { WakeSource::from_raw(self.0) };
        // SAFETY: the stack was taken with the node in it, and the flag is still set, so the link
        // belongs to this thread.
        self.0 = wake_source.next.with(|next| unsafe { *next });
        // Ordering: Release hands the link back to `push`; Acquire pairs with a `push` that found
        // the node linked.
        wake_source.linked.swap(0, Ordering::AcqRel);
        Some(wake_source)
    }
}

impl<T> Drop for Drain<T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
