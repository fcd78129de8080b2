//! The source of further children: it has a waker like theirs, that of a chunk without slots.
use super::{
    ReadySet,
    chunk::{Chunk, lend, tag},
};
use core::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;

impl<C> ReadySet<C> {
    /// Whether the source is to be polled: from the beginning, and again whenever it woke.
    #[inline]
    pub(crate) fn is_source_ready(&self) -> bool {
        self.source_ready
    }

    /// Polls the source with a waker of its own; it stays ready unless it is pending. Drops it when it ends or panics.
    #[inline]
    pub(crate) fn poll_source<S: Stream>(
        &mut self,
        source: Pin<&mut Option<S>>,
    ) -> Poll<Option<S::Item>> {
        if self.state.source.is_null() {
            self.state.source = Chunk::new(0, self.state.child, self.state.owner.stack().clone());
        }
        // SAFETY: the chunk lives as long as the set.
        let waker = unsafe { lend(tag(self.state.source, 0)) };
        self.source_ready = false;
        let mut close = Close(source);
        let Some(open) = close.0.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = open.poll_next(&mut Context::from_waker(&waker));
        if !matches!(polled, Poll::Ready(None)) {
            self.source_ready = polled.is_ready();
            mem::forget(close);
        }
        polled
    }
}

/// Drops a source that ended or panicked.
struct Close<'a, S>(Pin<&'a mut Option<S>>);

impl<S> Drop for Close<'_, S> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
