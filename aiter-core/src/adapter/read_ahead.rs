//! A blocking iterator that pulls several items at one entry into its runtime.
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
    /// Pulls up to `n` items ahead while they are ready: several items at one entry into the runtime.
    ///
    /// For a `for` loop over a stream that is mostly ready, on a thread that is not in the runtime's context. Whoever asks for an
    /// item gets it as before, and the thread never waits for one that was not asked for: what is ready behind it is pulled too,
    /// and given out without an entry. Where there is nothing to enter, nothing is pulled ahead.
    ///
    /// What is pulled ahead is gone from the stream. If the iterator is dropped, so are up to `n` items that nobody saw: of a
    /// stream that was lent (`&mut stream`), or that shares its items with others, they are lost to those; a gate has spent its
    /// permits on them. That is why it is an option. Items and the end come as they would without it; a panic of the source
    /// too comes out in its place, behind the items before it, though the panic hook has run by then; it goes with them if they
    /// are dropped.
    ///
    /// With `n = 0` it changes nothing.
    pub fn read_ahead(self, n: usize) -> ReadAhead<S, W> {
        ReadAhead {
            iter: self,
            most: n,
            ahead: Vec::new(),
            behind: None,
        }
    }
}

/// A blocking iterator with items at hand: what [`BlockingIter::read_ahead`] returns.
///
/// # Panics
///
/// As [`BlockingIter`].
#[must_use = "iterators do nothing unless consumed"]
pub struct ReadAhead<S: Stream, W> {
    iter: BlockingIter<S, W>,
    most: usize,
    /// The next one is the last.
    ahead: Vec<S::Item>,
    /// What comes behind the items ahead, if it is known.
    behind: Option<Behind>,
}

/// Items are never pinned here.
impl<S: Stream, W: Unpin> Unpin for ReadAhead<S, W> {}

enum Behind {
    End,
    Panic(Panic),
}

impl<S: Stream, W: Wait> ReadAhead<S, W> {
    #[inline(never)]
    #[track_caller]
    fn pull(&mut self) -> Option<S::Item> {
        match self.behind.take() {
            Some(Behind::End) => return None,
            Some(Behind::Panic(panic)) => resume_unwind(panic),
            None if self.most == 0 || self.iter.wait.is_inside() => return self.iter.next(),
            None => {}
        }
        let Self {
            iter: BlockingIter { stream, wait },
            most,
            ahead,
            behind,
        } = self;
        let mut nobody = Context::from_waker(Waker::noop());
        let context = wait.enter();
        if let Poll::Ready(item) = stream.as_mut().poll_next(&mut nobody) {
            // A stream that ended is left alone, and one that panicked too, until it is asked again.
            let more = || {
                while item.is_some() && ahead.len() < *most {
                    match stream.as_mut().poll_next(&mut nobody) {
                        Poll::Ready(Some(item)) => ahead.push(item),
                        Poll::Ready(None) => return Some(Behind::End),
                        Poll::Pending => break,
                    }
                }
                None
            };
            *behind = catch(more).unwrap_or_else(|panic| Some(Behind::Panic(panic)));
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
            None => self.pull(),
            item => item,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = match self.behind {
            None => self.iter.size_hint(),
            Some(_) => (0, Some(0)),
        };
        let ahead = self.ahead.len();
        (
            low.saturating_add(ahead),
            high.and_then(|high| high.checked_add(ahead)),
        )
    }

    /// The context is made once, so nothing more is pulled ahead.
    #[track_caller]
    fn fold<B, F: FnMut(B, S::Item) -> B>(self, first: B, mut f: F) -> B {
        let folded = self.ahead.into_iter().rev().fold(first, &mut f);
        match self.behind {
            None => self.iter.fold(folded, f),
            Some(Behind::End) => folded,
            Some(Behind::Panic(panic)) => resume_unwind(panic),
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
