//! [`Joiners`]: requests for a value that only the holder of a lock can make.
//!
//! A thread that finds the lock held leaves a request, and gets the value later. The holder serves
//! requests before it releases the lock, as those of a
//! [`HandoffLock`](crate::handoff::HandoffLock); in addition the requester has to delegate to that
//! lock after it has made the request (and not to `notify` it, which may take two requests for
//! one). Those that made the request, or a clone of it, share the value.
//!
//! | `served` | `value` | how it changes |
//! |---|---|---|
//! | 0 | the holder's that took the request from the stack | that one writes the value, then → 1 |
//! | 1 | shared, and not written any more | |
#![allow(unsafe_code)]

use super::{
    notify::{WakeSink, WakeSource},
    wait_set::{LazyWaitSet, Waiter},
    wake_stack::{Node, WakeStack},
};
use crate::sync::{AtomicUsize, Ordering::*, UnsafeCell, fence};
use alloc::vec::Vec;
use core::task::{Context, Poll};

/// The requests that were made and not served.
pub(crate) struct Joiners<V>(WakeStack<Request<V>>);

/// One request, and what it was served with. Clones share both.
pub(crate) struct Joining<V> {
    request: WakeSource<Node<Request<V>>>,
    /// From the first pending poll on.
    waiter: Option<Waiter>,
}

/// Requests that were served. Dropping them, after the release of the lock, wakes the tasks that
/// wait for it.
pub(crate) struct Served<V>(Vec<WakeSource<Node<Request<V>>>>);

/// A request that is on no stack any more. The thread that serves it holds it.
pub(crate) struct Promise<V>(WakeSource<Node<Request<V>>>);

struct Request<V> {
    served: AtomicUsize,
    value: UnsafeCell<Option<V>>,
    waiters: LazyWaitSet,
}

// SAFETY: the value is written by one thread, and then shared (`V: Sync`). The last one to drop the
// request drops it (`V: Send`).
unsafe impl<V: Send + Sync> Sync for Request<V> {}

impl<V> Request<V> {
    #[inline]
    fn get(&self) -> Option<&V> {
        // Ordering: Acquire pairs with the Release in `serve`.
        if self.served.load(Acquire) == 0 {
            return None;
        }
        // SAFETY: the value is not written after `served` was set.
        self.value.with(|value| unsafe { (*value).as_ref() })
    }

    /// Wakes the tasks that wait for the value.
    fn notify(&self) {
        // Ordering: SeqCst, after `served` was set; see `Joining::poll_served`.
        fence(SeqCst);
        self.waiters.wake_all();
    }

    /// # Safety
    /// The caller took the request from the stack, or has its promise, and calls this once.
    unsafe fn serve(&self, value: V) {
        // SAFETY: by the contract, and no other thread reads the value before `served` is set.
        self.value.with_mut(|cell| unsafe { *cell = Some(value) });
        // Ordering: Release publishes the value to the Acquire in `get`.
        self.served.store(1, Release);
    }
}

impl<V> Joiners<V> {
    pub(crate) fn new() -> Self {
        Self(WakeStack::new())
    }

    /// Makes a request. The caller has to delegate to the holder of the lock afterwards.
    pub(crate) fn request(&self) -> Joining<V> {
        let (joining, Promise(request)) = Joining::promised();
        self.0.push(request);
        joining
    }

    /// Serves all requests, each with a value of its own. To be called by the holder of the lock.
    #[inline]
    pub(crate) fn serve(&self, served: &mut Served<V>, mut value: impl FnMut() -> V) {
        if !self.0.is_empty() {
            for request in self.0.take_all() {
                // SAFETY: it was taken just now, and is pushed once.
                unsafe { request.serve(value()) };
                served.0.push(request);
            }
        }
    }
}

impl<V> Promise<V> {
    /// Serves the request, and wakes the tasks that wait.
    pub(crate) fn keep(self, value: V) {
        // SAFETY: this is the only promise, and it is consumed.
        unsafe { self.0.serve(value) };
        self.0.notify();
    }
}

impl<V> Joining<V> {
    /// A request, and the promise to serve it.
    pub(crate) fn promised() -> (Self, Promise<V>) {
        let request = WakeSink::new(Node::new(Request {
            served: AtomicUsize::new(0),
            value: UnsafeCell::new(None),
            waiters: LazyWaitSet::new(),
        }));
        let joining = Self {
            request: request.wake_source(),
            waiter: None,
        };
        (joining, Promise(request.wake_source()))
    }

    /// The value, once the request was served.
    pub(crate) fn get(&self) -> Option<&V> {
        self.request.get()
    }

    /// Waits until the request is served.
    pub(crate) fn poll_served(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.get().is_none() {
            let waiters = &self.request.waiters;
            self.waiter
                .get_or_insert_with(|| waiters.add())
                .wait(cx.waker());
            // Ordering: SeqCst pairs with the fence in `Request::notify`: either this sees the
            // value, or that thread sees the waiting task.
            fence(SeqCst);
            if self.get().is_none() {
                return Poll::Pending;
            }
        }
        self.waiter = None;
        Poll::Ready(())
    }
}

impl<V> Clone for Joining<V> {
    fn clone(&self) -> Self {
        Self {
            request: self.request.clone(),
            waiter: None,
        }
    }
}

impl<V> Default for Served<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Served<V> {
    #[cold]
    #[inline(never)]
    fn notify_all(&mut self) {
        while let Some(request) = self.0.pop() {
            // The others are woken also if a waker panics.
            let mut others = scopeguard::guard(&mut *self, |served| served.notify_all());
            request.notify();
            drop(request);
            others.0.shrink_to(0);
            scopeguard::ScopeGuard::into_inner(others);
        }
    }
}

impl<V> Drop for Served<V> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.notify_all();
        }
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
