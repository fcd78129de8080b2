//! The source of further children. It has a waker like theirs: that of a chunk without slots.
use super::{
    ReadySet,
    chunk::{Chunk, borrowed_waker, waker_data},
};
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;
use scopeguard::ScopeGuard;

impl<C> ReadySet<C> {
    /// Whether the source is to be polled: it is new, its last poll was not pending, or it has
    /// woken.
    #[inline]
    pub(crate) fn is_source_ready(&self) -> bool {
        self.source_ready
    }

    /// Polls the source with a waker of its own. It stays ready unless it is pending. Drops it if
    /// it ends or panics.
    #[inline]
    pub(crate) fn poll_source<S: Stream>(
        &mut self,
        source: Pin<&mut Option<S>>,
    ) -> Poll<Option<S::Item>> {
        if self.state.source.is_null() {
            self.state.source = Chunk::new(0, self.state.child, self.state.stack.stack().clone());
        }
        // SAFETY: the chunk lives as long as the set.
        let waker = unsafe { borrowed_waker(waker_data(self.state.source, 0)) };
        self.source_ready = false;
        let mut source = scopeguard::guard(source, |mut source| source.set(None));
        let Some(open) = source.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = open.poll_next(&mut Context::from_waker(&waker));
        if !matches!(polled, Poll::Ready(None)) {
            self.source_ready = polled.is_ready();
            ScopeGuard::into_inner(source);
        }
        polled
    }
}
