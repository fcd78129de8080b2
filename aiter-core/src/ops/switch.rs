//! [`switch_aiter`]: the newest of the streams that a stream yields.

use super::flatten::EMPTY_RUN;
use crate::util::fuse::Fused;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use scopeguard::ScopeGuard;

/// Yields the items of the newest of the streams that `stream` yields, its *members*.
///
/// Use it where each new stream makes the one before it obsolete: the results of a search while the
/// user types on, the prices of the share that is selected, a connection that is replaced when the
/// address changes. To have the items of all members, take [`join_aiters`](crate::join_aiters).
///
/// Each poll first takes what is ready of `stream`. A new member replaces the one before it, which
/// is dropped at once, with the items that it still had, and before `stream` is polled again. So
/// at most one member is alive while `stream` is polled, and a member that was replaced before its
/// first poll is never polled. When a member ends, the stream waits for the next one. When `stream`
/// has ended, the last member goes on until its own end, which is the end of the whole.
///
/// After 128 new members in one poll, the stream wakes its task and yields to the executor, so that
/// a source of members that is always ready does not keep other tasks from running. No member comes
/// to its items as long as that goes on.
///
/// # Panics
/// A panic of `stream` or of a member reaches the caller of `poll_next`, and drops what panicked:
/// after one of `stream` the current member is the last one, and after one of a member the stream
/// waits for the next.
///
/// # Cancel safety
/// Cancel safe: an item is taken from its member in the poll that returns it.
///
/// # Progress
/// Waits only for `stream` and the current member. Each poll polls both.
///
/// # Examples
/// Suggestions for what the user has typed so far. Those for an earlier text are not waited for:
/// ```
/// use aiter_core::{AiterExt, push_aiter, switch_aiter};
/// use futures_lite::{StreamExt, future::block_on, stream};
///
/// let search = |text: &'static str| {
///     stream::iter(["river", "road", "roadmap"]).filter(move |word| word.starts_with(text))
/// };
/// let (keyboard, typed) = push_aiter();
/// let mut found = switch_aiter(typed.map_aiter(search));
///
/// keyboard.push("r")?;
/// assert_eq!(block_on(found.next()), Some("river"));
/// keyboard.push_all(["ro", "roa", "road"]).ok();
/// drop(keyboard);
/// assert_eq!(block_on(found.collect::<Vec<_>>()), ["road", "roadmap"]);
/// # Ok::<(), aiter_core::Stopped<&str>>(())
/// ```
pub fn switch_aiter<S>(stream: S) -> SwitchAiter<S>
where
    S: Stream,
    S::Item: Stream,
{
    SwitchAiter {
        source: Fused::new(stream),
        member: Fused::ended(),
    }
}

/// The stream that [`switch_aiter`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct SwitchAiter<S: Stream> {
    #[pin]
    source: Fused<S>,
    /// The newest member, until it ends.
    #[pin]
    member: Fused<S::Item>,
}

impl<S> Stream for SwitchAiter<S>
where
    S: Stream,
    S::Item: Stream,
{
    type Item = <S::Item as Stream>::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        for _ in 0..EMPTY_RUN {
            match poll_or_end(this.source.as_mut(), cx) {
                Poll::Ready(Some(member)) => this.member.set(Fused::new(member)),
                Poll::Ready(None) => return poll_or_end(this.member, cx),
                Poll::Pending => {
                    return match poll_or_end(this.member, cx) {
                        Poll::Ready(None) => Poll::Pending,
                        polled => polled,
                    };
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.source.size_hint() {
            (_, Some(0)) => self.member.size_hint(),
            // The current member may be replaced at any time.
            _ => (0, None),
        }
    }
}

/// Polls a stream, and ends it if it panics.
fn poll_or_end<S: Stream>(
    stream: Pin<&mut Fused<S>>,
    cx: &mut Context<'_>,
) -> Poll<Option<S::Item>> {
    let mut stream = scopeguard::guard(stream, Fused::end);
    let polled = stream.as_mut().poll_next(cx);
    ScopeGuard::into_inner(stream);
    polled
}

impl<S> FusedStream for SwitchAiter<S>
where
    S: Stream,
    S::Item: Stream,
{
    fn is_terminated(&self) -> bool {
        self.source.is_terminated() && self.member.is_terminated()
    }
}

impl<S> fmt::Debug for SwitchAiter<S>
where
    S: Stream + fmt::Debug,
    S::Item: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwitchAiter")
            .field("source", &self.source)
            .field("member", &self.member)
            .finish()
    }
}
