//! The handle that keeps a list's memory and nothing else: the list closes without it.

use super::{shared::List, writer::Writer};
use crate::{
    sync::{Arc, Ordering::*},
    wait::wait_set::Waiter,
};
use core::task::{Context, Poll};

/// A handle on a list that counts neither as a writer nor as a reader.
pub(crate) struct WeakWriter<T> {
    list: Arc<List<T>>,
}

impl<T> WeakWriter<T> {
    /// One more writer, or `None` if the last one was dropped.
    pub(crate) fn upgrade(&self) -> Option<Writer<T>> {
        // Ordering: Relaxed, because making a handle publishes nothing. The count never leaves 0
        // this way, so the thread that brought it there closes the list once.
        let counted = self.list.writers.fetch_update(Relaxed, Relaxed, |writers| {
            (writers != 0).then_some(writers + 1)
        });
        counted.is_ok().then(|| Writer::new(self.list.clone()))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list.is_closed()
    }

    /// Whether the list is closed. If not, the close wakes the task. The place that `waiter` keeps
    /// between the polls is given up when the list is closed, and when it is dropped.
    pub(crate) fn poll_closed(
        &self,
        waiter: &mut Option<Waiter>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !self.list.is_closed() {
            waiter
                .get_or_insert_with(|| self.list.close_waiters.add())
                .wait(cx.waker());
            if !self.list.is_closed_or_wakes() {
                return Poll::Pending;
            }
        }
        *waiter = None;
        Poll::Ready(())
    }
}

impl<T> Clone for WeakWriter<T> {
    fn clone(&self) -> Self {
        Self {
            list: self.list.clone(),
        }
    }
}

impl<T> Writer<T> {
    pub(crate) fn downgrade(&self) -> WeakWriter<T> {
        WeakWriter {
            list: self.list.clone(),
        }
    }
}
