//! A blocking iterator that takes several items each time it enters its runtime.
use super::{
    blocking::{BlockingIter, Wait, block_on},
    panics::{Panic, catch},
};
use alloc::vec::Vec;
use core::{
    fmt,
    future::poll_fn,
    iter::FusedIterator,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use std::panic::resume_unwind;

impl<S: Stream, W: Wait> BlockingIter<S, W> {
    /// Buffers up to `n` ready items each time the iterator enters its runtime.
    ///
    /// Use this for a `for` loop over a stream that is mostly ready, on a thread outside the
    /// runtime's context, where entering the runtime for each item costs more than the item itself.
    /// A call of `next()` that enters the runtime returns the next item as before, and buffers up
    /// to `n` further items that are ready. The following calls return those without entering the
    /// runtime. The thread never waits for an item to buffer.
    ///
    /// Nothing is buffered with `n = 0`, on a thread that is inside the runtime's context already,
    /// and on runtimes without such a context.
    ///
    /// Buffered items have been taken from the stream. Dropping the iterator drops up to `n` of
    /// them unseen. If the stream was borrowed (`&mut stream`) or is shared with other readers,
    /// those readers do not receive these items. A gate has spent permits on them.
    ///
    /// Items and the end come in the same order as without this method. A panic of the source also
    /// comes out in its place, after the items before it, but the panic hook runs when the panic
    /// occurs. If the iterator is dropped before that place is reached, the panic is dropped with
    /// the buffered items.
    pub fn read_ahead(self, n: usize) -> ReadAhead<S, W> {
        ReadAhead {
            iter: self,
            limit: n,
            ahead: Vec::new(),
            last: None,
        }
    }
}

/// A blocking iterator with a buffer of ready items. [`BlockingIter::read_ahead`] returns it.
///
/// # Panics
///
/// Panics under the conditions of [`BlockingIter`].
#[must_use = "iterators do nothing unless consumed"]
pub struct ReadAhead<S: Stream, W> {
    iter: BlockingIter<S, W>,
    limit: usize,
    /// The buffered items in reverse order, so that `pop` takes the next one.
    ahead: Vec<S::Item>,
    /// The end or the panic that follows the buffered items, if the source has come to it.
    last: Option<Last>,
}

/// Items are never pinned here.
impl<S: Stream, W: Unpin> Unpin for ReadAhead<S, W> {}

enum Last {
    End,
    Panic(Panic),
}

impl<S: Stream, W: Wait> ReadAhead<S, W> {
    #[inline(never)]
    #[track_caller]
    fn refill(&mut self) -> Option<S::Item> {
        match self.last.take() {
            Some(Last::End) => return None,
            Some(Last::Panic(panic)) => resume_unwind(panic),
            None if self.limit == 0 || self.iter.wait.is_inside() => return self.iter.next(),
            None => {}
        }
        let Self {
            iter: BlockingIter { stream, wait },
            limit,
            ahead,
            last,
        } = self;
        let mut noop = Context::from_waker(Waker::noop());
        let context = wait.enter();
        if let Poll::Ready(item) = stream.as_mut().poll_next(&mut noop) {
            // After its end or a panic, the source is polled again only once `next()` has returned
            // that end or resumed that panic.
            let fill = || {
                while item.is_some() && ahead.len() < *limit {
                    match stream.as_mut().poll_next(&mut noop) {
                        Poll::Ready(Some(item)) => ahead.push(item),
                        Poll::Ready(None) => return Some(Last::End),
                        Poll::Pending => break,
                    }
                }
                None
            };
            *last = catch(fill).unwrap_or_else(|panic| Some(Last::Panic(panic)));
            ahead.reverse();
            return item;
        }
        drop(context);
        block_on(wait, poll_fn(|cx| stream.as_mut().poll_next(cx)))
    }
}

impl<S: Stream, W: Wait> Iterator for ReadAhead<S, W> {
    type Item = S::Item;

    #[inline]
    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        match self.ahead.pop() {
            None => self.refill(),
            item => item,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = match self.last {
            None => self.iter.size_hint(),
            Some(_) => (0, Some(0)),
        };
        let ahead = self.ahead.len();
        (
            low.saturating_add(ahead),
            high.and_then(|high| high.checked_add(ahead)),
        )
    }

    /// Enters the context only once, so nothing more has to be buffered.
    #[track_caller]
    fn fold<B, F: FnMut(B, S::Item) -> B>(self, first: B, mut f: F) -> B {
        let folded = self.ahead.into_iter().rev().fold(first, &mut f);
        match self.last {
            None => self.iter.fold(folded, f),
            Some(Last::End) => folded,
            Some(Last::Panic(panic)) => resume_unwind(panic),
        }
    }
}

impl<S: FusedStream, W: Wait> FusedIterator for ReadAhead<S, W> {}

impl<S: Stream + fmt::Debug, W> fmt::Debug for ReadAhead<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAhead")
            .field("stream", &self.iter.stream)
            .field("ahead", &self.ahead.len())
            .finish_non_exhaustive()
    }
}
