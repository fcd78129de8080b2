//! A consumer of a split stream: what the outer stream and the parts have in common.

use super::{
    parts::{Parts, Put, Slot, SplitSource},
    waiters::{ARRIVED, LEFT, SourceState, SplitShared, new_lock},
};
use crate::{
    handoff::{Guard, Handle, HandoffLock, ValueGuard},
    wait::{notify::WakeSink, wake_stack::Node, waker_ref::waker_ref},
};
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use futures_core::Stream;
use scopeguard::ScopeGuard;

/// The most items that one poll pulls.
const MAX_PULLS: usize = 64;

type SourceHandle<S, K, F> = Handle<SplitShared, SplitSource<S, K, F>>;
type SourceGuard<'a, S, K, F> = ValueGuard<'a, SplitShared, SplitSource<S, K, F>, ()>;

pub(super) struct Consumer<S: Stream, K: Ord, F> {
    handle: SourceHandle<S, K, F>,
    number: usize,
    /// Made when the consumer waits for the first time.
    sink: Option<WakeSink<Node<()>>>,
    /// Whether a panic of the source has reached this consumer.
    panic_reported: bool,
    ended: bool,
}

/// What a consumer has to do after it has pulled.
enum Outcome {
    /// It takes what has come for it.
    Found,
    /// It has to wait for the source, or until another consumer makes room.
    Waits,
    /// It has to pull again, after it has let other tasks run.
    Yields,
    /// The source has ended.
    End,
}

impl<S, K, F> Consumer<S, K, F>
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    /// The consumer with this number of a new split stream.
    pub(super) fn new(number: usize, limit: usize, key: F, source: S) -> Self {
        let source = SplitSource::new(limit, key, source);
        Self::from_handle(Handle::new(new_lock(), source, ()), number)
    }

    /// Polls for a result of `take`, which takes an item or a part with the lock held.
    #[inline]
    pub(super) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&SourceHandle<S, K, F>, &mut Parts<K, S::Item>, usize) -> Option<R>,
    ) -> Poll<Option<R>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Self {
            handle,
            number,
            sink,
            panic_reported,
            ..
        } = self;
        if let Some(sink) = sink {
            sink.clear_for(cx.waker());
        }
        let contended = |lock| lock_contended(lock, sink, cx.waker()).ok_or(());
        let Ok(guard) = handle.lock_or(contended) else {
            return Poll::Pending;
        };
        // Released by a guard, so that it is released also if user code panics.
        let mut locked = scopeguard::guard((guard, Vec::new()), |(guard, gone)| {
            release(guard, gone);
        });
        let (guard, gone) = &mut *locked;
        let reported = scopeguard::guard(&mut *panic_reported, |reported| *reported = true);
        forget_left(guard, gone);
        ScopeGuard::into_inner(reported);
        let is_empty = guard.with_value(|source| source.parts().waiting_for(*number)) == 0;
        let call = guard.with(|_, waiters| waiters.remove(*number));
        // A consumer that was left waiting for an idle source and is polled without its wake polls
        // the source, because the wake may be under way. A consumer that makes room for the item in
        // hand pulls first, which puts that item into its queue.
        let pulls = match guard.with(|_, waiters| waiters.source) {
            _ if guard.with_value(|source| source.parts().holds_for(*number)) => true,
            SourceState::Open => is_empty,
            SourceState::Idle => is_empty && call.is_some(),
            SourceState::Blocked => false,
        };
        let outcome = match pulls {
            true => pull(guard, gone, *number, is_empty, panic_reported),
            false => Outcome::Waits,
        };
        let handle = guard.handle();
        if let Some(taken) = guard.with_value(|source| take(handle, source.parts(), *number)) {
            drop(locked);
            return Poll::Ready(Some(taken));
        }
        match outcome {
            Outcome::End => {
                let panicked = guard.with_value(|source| source.has_panicked());
                drop(locked);
                return self.end(panicked);
            }
            Outcome::Waits => {
                let sink = sink.get_or_insert_with(|| WakeSink::new(Node::new(())));
                sink.register(cx.waker());
                let call = call.unwrap_or_else(|| sink.wake_source());
                guard.with(|_, waiters| waiters.insert(*number, call));
            }
            Outcome::Found | Outcome::Yields => {
                drop(locked);
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    #[cold]
    #[inline(never)]
    fn end<R>(&mut self, panicked: bool) -> Poll<Option<R>> {
        self.ended = true;
        if let Some(sink) = &mut self.sink {
            sink.clear();
        }
        assert!(
            !panicked || self.panic_reported,
            "the split stream panicked, in a poll of another part"
        );
        Poll::Ready(None)
    }
}

impl<S: Stream, K: Ord, F> Consumer<S, K, F> {
    pub(super) fn from_handle(handle: SourceHandle<S, K, F>, number: usize) -> Self {
        Self {
            handle,
            number,
            sink: None,
            panic_reported: false,
            ended: false,
        }
    }

    #[cfg(all(test, not(aiter_loom)))]
    pub(super) fn lock_for_tests(&self) -> SourceGuard<'_, S, K, F> {
        self.handle.try_lock().expect("nobody has the lock")
    }

    /// Returns whether all consumers that were dropped have been forgotten.
    #[cfg(all(test, aiter_loom))]
    pub(super) fn has_forgotten_all(&self) -> bool {
        self.handle.as_lock().shared().left.is_empty()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }
}

impl<S: Stream, K: Ord, F> Drop for Consumer<S, K, F> {
    fn drop(&mut self) {
        self.handle.as_lock().shared().left.push(self.number);
        if let Ok(guard) = self.handle.lock_or(|lock| lock.delegate(LEFT).ok_or(())) {
            release(guard, Vec::new());
        }
    }
}

/// The slow path of a consumer that found the lock held. Tries again for a moment, then registers
/// the waker. Returns the lock if it is released meanwhile.
#[inline(never)]
fn lock_contended<'a>(
    lock: &'a HandoffLock<SplitShared>,
    sink: &mut Option<WakeSink<Node<()>>>,
    waker: &Waker,
) -> Option<Guard<'a, SplitShared>> {
    let mut guard = None;
    let is_free = || {
        guard = lock.try_lock();
        guard.is_some()
    };
    if !lock.shared().spin.spin_until(is_free) {
        let sink = sink.get_or_insert_with(|| WakeSink::new(Node::new(())));
        sink.register(waker);
        lock.shared().arrivals.push(sink.wake_source());
        guard = lock.delegate(ARRIVED);
    }
    guard
}

/// Pulls until the consumer has something to take. A consumer that has something already is here to
/// make room for the item in hand. It pulls until the source is pending or the next item has no
/// room, so that no other consumer has to be woken to go on with the source.
#[inline]
fn pull<S, K, F>(
    guard: &mut SourceGuard<'_, S, K, F>,
    gone: &mut Vec<Slot<K, S::Item>>,
    number: usize,
    is_empty: bool,
    panic_reported: &mut bool,
) -> Outcome
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    let lock = guard.as_lock();
    let waker = waker_ref(lock);
    let cx = &mut Context::from_waker(&waker);
    // It stays `Open` if user code panics, and unless the loop changes it.
    guard.with(|_, waiters| waiters.source = SourceState::Open);
    for _ in 0..MAX_PULLS {
        match pull_one(guard, gone, number, panic_reported, cx) {
            Poll::Ready(Some(Put::For(to))) if to == number && is_empty => return Outcome::Found,
            Poll::Ready(Some(Put::For(to))) => guard.with(|_, waiters| waiters.call(to)),
            Poll::Ready(Some(Put::Nowhere(_))) => {}
            Poll::Ready(Some(Put::Held)) => {
                guard.with(|_, waiters| waiters.source = SourceState::Blocked);
                return Outcome::Waits;
            }
            Poll::Ready(None) => return Outcome::End,
            Poll::Pending => {
                guard.with(|_, waiters| waiters.source = SourceState::Idle);
                return Outcome::Waits;
            }
        }
        // Another consumer has come. It may have items already, and needs the lock to take them.
        if !lock.shared().arrivals.is_empty() {
            break;
        }
    }
    Outcome::Yields
}

/// Pulls one item and puts it where it belongs. If user code panics, the source is dropped.
#[inline]
fn pull_one<S, K, F>(
    guard: &mut SourceGuard<'_, S, K, F>,
    gone: &mut Vec<Slot<K, S::Item>>,
    number: usize,
    panic_reported: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Option<Put<K, S::Item>>>
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    let mut guard = scopeguard::guard(guard, |guard| {
        *panic_reported = true;
        guard.with_value(|source| source.end_in_panic());
    });
    let put = guard
        .with_value(|source| source.poll_next(cx))
        .map(|pulled| {
            let (key, item) = pulled?;
            // A part may have been dropped before this item was made, which must not go there then.
            forget_left(&mut guard, gone);
            Some(guard.with_value(|source| source.parts().put(key, item, number)))
        });
    ScopeGuard::into_inner(guard);
    put
}

/// Forgets the consumers that were dropped. Their queues are moved into `gone`, which the caller
/// drops after it has released the lock.
#[inline]
fn forget_left<S: Stream, K: Ord, F>(
    guard: &mut SourceGuard<'_, S, K, F>,
    gone: &mut Vec<Slot<K, S::Item>>,
) {
    let left = &guard.as_lock().shared().left;
    if left.is_empty() {
        return;
    }
    // If a comparison of keys panics, the key may stay behind without its part. So the source ends,
    // and no item comes for that key. The next holder forgets the others.
    let mut locked = scopeguard::guard((guard, left.take_all()), |(guard, rest)| {
        rest.for_each(|number| left.push(number));
        guard.with(|_, waiters| waiters.source = SourceState::Open);
        guard.with_value(|source| source.end_in_panic());
    });
    let (guard, numbers) = &mut *locked;
    for number in numbers {
        guard.with(|_, waiters| drop(waiters.remove(number)));
        let (frees_held, is_empty) = guard.with_value(|source| {
            let parts = source.parts();
            (parts.forget(number, gone), parts.is_empty())
        });
        guard.with(|_, waiters| {
            if frees_held {
                waiters.source = SourceState::Open;
            }
            if is_empty {
                waiters.shrink();
            }
        });
    }
    ScopeGuard::into_inner(locked);
}

/// Releases the lock, and forgets the consumers that were dropped meanwhile.
///
/// A consumer that is dropped pushes its number before it makes its request. The holder that serves
/// the request finds the number after its release, and acquires the lock again. If another thread
/// has the lock by then, that thread finds the number.
#[inline]
fn release<S: Stream, K: Ord, F>(
    mut guard: SourceGuard<'_, S, K, F>,
    mut gone: Vec<Slot<K, S::Item>>,
) {
    loop {
        forget_left(&mut guard, &mut gone);
        let handle = guard.handle();
        drop(guard);
        drop(gone);
        if handle.as_lock().shared().left.is_empty() {
            return;
        }
        match handle.try_lock() {
            Some(next) => guard = next,
            None => return,
        }
        gone = Vec::new();
    }
}
