//! An inbox of alarms: any thread puts one in, whoever is in charge takes all of them out.
//!
//! A stack that is only ever emptied as a whole (Treiber 1986, without the pop that suffers from ABA). Each alarm
//! carries its own link, so putting it in allocates nothing. The flag `linked` says who may touch the link:
//!
//! | `linked` | the link belongs to |
//! |---|---|
//! | false | whoever sets the flag |
//! | true | the stack: the thread that pushes, then the one that took the stack and clears the flag |
#![allow(unsafe_code)]

use super::notify::{Inner, WakeSource};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell};
use core::{fmt, mem::ManuallyDrop, ops::Deref, ptr};

/// The data of an alarm that can be put in an inbox.
pub(crate) struct Node<T> {
    linked: AtomicUsize,
    /// Whose it is says the flag.
    next: UnsafeCell<*mut Inner<Node<T>>>,
    data: T,
}

// SAFETY: the link is one thread's at a time, as the table says, and leads to letters, which then may go where this one goes.
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

    /// Whether there was nothing in it. A letter on its way may not be seen.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: Relaxed, a hint; `drain` synchronises.
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Puts the letter in, unless it is in already. What the caller wrote before is seen by whoever takes the letter
    /// out. Lock-free.
    pub(crate) fn push(&self, wake_source: WakeSource<Node<T>>) {
        // Ordering: Acquire pairs with the taker's release: the link is no longer read. Release pairs with the
        // taker's acquire, for the case that the letter is still in.
        if wake_source.linked.swap(1, Ordering::AcqRel) == 1 {
            return;
        }
        // The inbox owns it from here on.
        let wake_source = ManuallyDrop::new(wake_source);
        let raw = wake_source.as_ptr().cast_mut();
        // Ordering: Relaxed, the exchange below validates it.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the flag was set just now, and the letter is not in yet: the link is this thread's.
            wake_source.next.with_mut(|next| unsafe { *next = head });
            // Ordering: Release pairs with the acquire in `drain`.
            match self
                .head
                .compare_exchange_weak(head, raw, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes out all letters, the newest first.
    pub(crate) fn take_all(&self) -> Drain<T> {
        // Ordering: Acquire pairs with the release of every `put` since the last drain.
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

/// The letters taken out.
pub(crate) struct Drain<T>(*mut Inner<Node<T>>);

impl<T> Iterator for Drain<T> {
    type Item = WakeSource<Node<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: `put` forgot this share when it linked the letter, and nobody else took it out.
        let wake_source = unsafe { WakeSource::from_raw(self.0) };
        // SAFETY: the stack was taken with the letter in it, and the flag stands: the link is this thread's.
        self.0 = wake_source.next.with(|next| unsafe { *next });
        // Ordering: Release hands the link back to `put`; Acquire pairs with a `put` that found the letter linked.
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
