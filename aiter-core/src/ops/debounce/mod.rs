//! [`debounce`]: the newest item, once its source is quiet.

use super::caught::CaughtPanic;
use crate::{
    Sleep,
    util::{fuse::Fused, in_place::InPlace},
};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// How many items are taken in one poll before the stream yields to the executor.
const MAX_TAKEN: usize = 128;

/// Yields the newest item of `stream` once no other has come for `d`.
///
/// Use it where only the last of a group of items matters: save a document when its author pauses,
/// search when the user has stopped typing, read a button whose contact bounces. Each item replaces
/// the one before it, which is dropped. When the source ends, the last item is yielded at once.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/debounce.svg"))]
///
/// `sleep` is the timer: see [`Sleep`]. The time counts from the poll that takes the newest item.
/// A poll takes all items that are ready before it sets the timer. If it comes so late that the
/// timer has completed and more items are ready, it first yields the item for which the timer was
/// set.
///
/// If the source never pauses for `d`, nothing is yielded before it ends. If it is always ready as
/// well, the stream wakes its task and yields to the executor after every 128 items, so that other
/// tasks run. With [`Duration::ZERO`] no timer is set, and each poll yields the newest of the items
/// that are ready.
///
/// With an adapter, use its `debounce`, which takes no timer.
///
/// # Panics
/// A panic of the source comes after the items before it: the poll in which it happens yields the
/// newest item, if there is one, and the next poll resumes the panic. The same holds for a panic in
/// the drop of an item that was replaced. Without the feature `std`, a panic cannot be caught. It
/// then reaches the caller at once, and the newest item stays until the next pause of `d` or the
/// end. In both cases a later poll polls the source again. A panic of the timer reaches the caller
/// of `poll_next`. The newest item stays, and the next poll sets a new timer for it.
///
/// # Cancel safety
/// Cancel safe: the stream keeps the newest item and the timer, so dropping `next()` neither loses
/// an item nor prolongs the wait.
///
/// # Progress
/// Waits for the source and the timer. A poll makes at most one timer, which is kept in the stream,
/// so nothing is allocated.
///
/// # Example
/// A search runs when its user stops typing, and at once when the window is closed:
/// ```
/// use aiter_core::{debounce, push_aiter};
/// use futures_lite::{StreamExt, future::block_on};
/// use std::time::Duration;
///
/// let (keyboard, typed) = push_aiter();
/// let quiet = Duration::from_millis(5);
/// let mut searches = debounce(quiet, async_io::Timer::after, typed);
///
/// keyboard.push_all(["r", "ru", "rust"]).unwrap();
/// assert_eq!(block_on(searches.next()), Some("rust"));
/// keyboard.push_all(["rust a", "rust async"]).unwrap();
/// drop(keyboard); // the window is closed
/// assert_eq!(block_on(searches.next()), Some("rust async"));
/// assert_eq!(block_on(searches.next()), None);
/// ```
pub fn debounce<S, T>(d: Duration, sleep: T, stream: S) -> Debounce<S, T>
where
    S: Stream,
    T: Sleep,
{
    Debounce {
        source: Fused::new(stream),
        newest: None,
        d,
        sleep,
        timer: InPlace::empty(),
        caught: CaughtPanic::default(),
    }
}

/// The stream that [`debounce`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct Debounce<S: Stream, T: Sleep> {
    #[pin]
    source: Fused<S>,
    newest: Option<S::Item>,
    d: Duration,
    sleep: T,
    /// Set only while there is a newest item.
    #[pin]
    timer: InPlace<T::Sleep>,
    /// The panic that comes after the newest item.
    caught: CaughtPanic,
}

/// Which of the ready items a poll has taken.
enum Taken {
    /// As many as one poll may take.
    Some,
    /// All of them. The source is pending.
    All,
    /// All of them. The source has ended.
    Last,
}

impl<S: Stream, T: Sleep> Stream for Debounce<S, T> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        // The timer is polled first. A source may use up the budget that tokio gives a task, and a
        // timer that is polled after that never completes. Also, a task that is always late would
        // never find the source quiet.
        if !this.timer.is_empty() && this.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(this.newest.take());
        }
        if this.newest.is_none() {
            this.caught.resume();
        } else if this.caught.is_some() {
            // The item was to be given before the panic, and the drop of a timer panicked then.
            return Poll::Ready(this.newest.take());
        }
        let (mut source, mut timer) = (this.source, this.timer);
        let taken = this.caught.keep(|| {
            for _ in 0..MAX_TAKEN {
                match source.as_mut().poll_next(cx) {
                    Poll::Ready(Some(item)) => {
                        // The item before is dropped last, because its drop may panic.
                        let _replaced = this.newest.replace(item);
                        timer.as_mut().clear();
                    }
                    Poll::Ready(None) => return Taken::Last,
                    Poll::Pending => return Taken::All,
                }
            }
            Taken::Some
        });
        match taken {
            Some(Taken::Some) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Taken::All) if this.newest.is_none() => return Poll::Pending,
            Some(Taken::All) if !this.d.is_zero() => {
                if !timer.is_empty() {
                    return Poll::Pending;
                }
                timer.as_mut().set(this.sleep.sleep(*this.d));
                ready!(timer.poll(cx));
            }
            Some(Taken::All | Taken::Last) => timer.clear(),
            None => {
                timer.clear();
                if this.newest.is_none() {
                    this.caught.resume();
                }
            }
        }
        Poll::Ready(this.newest.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.source.size_hint();
        let kept = usize::from(self.newest.is_some());
        // However many items come, at least the last one is yielded.
        (
            least.saturating_add(kept).min(1),
            most.and_then(|most| most.checked_add(kept)),
        )
    }
}

impl<S: Stream, T: Sleep> FusedStream for Debounce<S, T> {
    fn is_terminated(&self) -> bool {
        self.source.is_terminated() && self.newest.is_none() && !self.caught.is_some()
    }
}

impl<S: Stream + fmt::Debug, T: Sleep> fmt::Debug for Debounce<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debounce")
            .field("source", &self.source)
            .field("holds_item", &self.newest.is_some())
            .field("d", &self.d)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests;
