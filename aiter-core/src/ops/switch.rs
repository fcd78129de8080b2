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
/// address changes. To get the items of all members, use [`join_aiters`](crate::join_aiters).
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/switch.svg"))]
///
/// Each poll first takes all members that `stream` has ready. A new member replaces the one before
/// it, which is dropped with its remaining items before `stream` is polled again. So at most one
/// member is alive while `stream` is polled, and a member that is replaced before its first poll is
/// never polled. When a member ends, the next one is awaited. When `stream` has ended, the last
/// member goes on until its own end, which ends the returned stream.
///
/// After 128 new members in one poll, the returned stream wakes its task and yields to the
/// executor, so that a `stream` that is always ready does not keep other tasks from running. While
/// it is always ready, no member is polled.
///
/// # Panics
/// A panic of `stream` or of a member reaches the caller of `poll_next`, and drops the one that
/// panicked. After a panic of `stream`, the current member is the last one. After a panic of a
/// member, the next one is awaited.
///
/// # Cancel safety
/// Cancel safe: an item is taken from its member in the poll that returns it.
///
/// # Progress
/// Waits only for `stream` and the current member. Each poll polls both.
///
/// # Examples
/// A search suggests words for the text typed so far, and drops the search for the text before:
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

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{iter_to_aiter, test_support::*};
    use alloc::{boxed::Box, rc::Rc, vec::Vec};
    use core::cell::{Cell, RefCell};
    use futures_lite::stream;

    #[test]
    fn only_the_newest_member_counts() {
        let (a, a_remote) = source([Item(1), Item(2)]);
        let (b, b_remote) = source([Item(3)]);
        let (c, c_remote) = source([Pending, Item(4), End]);
        let (members, remote) = source([Item(a)]);
        let mut newest = switch_aiter(members);
        let (wakes, waker) = Wakes::new();
        assert_eq!(poll(&mut newest, &waker), Poll::Ready(Some(1)));
        // What the source of members has comes before the items of a member.
        remote.add([Item(b), Item(c)]);
        assert_eq!(wakes.taken(), 1);
        assert_eq!(poll(&mut newest, &waker), Poll::Pending);
        assert!(a_remote.is_dropped() && b_remote.is_dropped());
        assert_eq!((a_remote.polls(), b_remote.polls()), (1, 0));
        assert_eq!(newest.size_hint(), (0, None));
        assert_eq!(poll(&mut newest, &waker), Poll::Ready(Some(4)));
        // A member that has ended is dropped, and the next one is waited for.
        assert_eq!(poll(&mut newest, &waker), Poll::Pending);
        assert!(c_remote.is_dropped() && !newest.is_terminated());
        assert_eq!(poll(&mut newest, &waker), Poll::Pending);
        let (d, d_remote) = source([Pending]);
        remote.push(d);
        assert_eq!(wakes.taken(), 1);
        assert_eq!(poll(&mut newest, &waker), Poll::Pending);
        d_remote.push(5);
        assert_eq!(wakes.taken(), 1);
        assert_eq!(poll(&mut newest, &waker), Poll::Ready(Some(5)));
    }

    #[test]
    fn the_last_member_outlives_the_source_of_members() {
        let (a, a_remote) = source([Pending, Item(1), Pending, Item(2), End]);
        let (members, remote) = source([Item(a), End]);
        let mut newest = switch_aiter(members);
        assert_eq!(poll_noop(&mut newest), Poll::Pending);
        assert!(remote.is_dropped() && !a_remote.is_dropped());
        assert_eq!(newest.size_hint(), (1, None));
        assert_eq!(poll_noop(&mut newest), Poll::Ready(Some(1)));
        assert_eq!(poll_noop(&mut newest), Poll::Pending);
        assert_eq!(newest.size_hint(), (1, Some(1)));
        assert_eq!(poll_noop(&mut newest), Poll::Ready(Some(2)));
        assert!(!newest.is_terminated());
        for _ in 0..2 {
            assert_eq!(poll_noop(&mut newest), Poll::Ready(None));
            assert!(newest.is_terminated() && a_remote.is_dropped());
            assert_eq!(newest.size_hint(), (0, Some(0)));
        }
    }

    #[test]
    fn no_member_is_an_end_and_so_is_an_empty_one_at_the_end() {
        let mut none = switch_aiter(stream::empty::<stream::Empty<u8>>());
        assert_eq!(poll_noop(&mut none), Poll::Ready(None));
        assert!(none.is_terminated());
        let mut empty = switch_aiter(iter_to_aiter([stream::empty::<u8>()]));
        assert_eq!(poll_noop(&mut empty), Poll::Ready(None));
        assert!(empty.is_terminated());
    }

    #[test]
    fn a_source_of_members_that_is_always_ready_lets_others_run() {
        let alive = Rc::new(Cell::new(0));
        let made = Rc::new(Cell::new(0));
        struct Member(Rc<Cell<usize>>);
        impl Stream for Member {
            type Item = ();
            fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
                Poll::Ready(Some(()))
            }
        }
        impl Drop for Member {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let endless = stream::poll_fn(|_| {
            // The one before the last is gone.
            assert!(alive.get() <= 1);
            made.set(made.get() + 1);
            if made.get() % (3 * EMPTY_RUN) == 0 {
                return Poll::Pending;
            }
            alive.set(alive.get() + 1);
            Poll::Ready(Some(Member(alive.clone())))
        });
        let mut newest = switch_aiter(endless);
        let (wakes, waker) = Wakes::new();
        for turn in 1..=2 {
            assert_eq!(poll(&mut newest, &waker), Poll::Pending);
            assert_eq!((wakes.count(), made.get()), (turn, turn * EMPTY_RUN));
        }
        assert_eq!(poll(&mut newest, &waker), Poll::Ready(Some(())));
        assert_eq!((wakes.count(), alive.get()), (2, 1));
        drop(newest);
        assert_eq!(alive.get(), 0);
    }

    #[test]
    fn a_panic_drops_what_panicked_and_the_rest_goes_on() {
        let (a, a_remote) = source([Item(1), Panic, Item(2)]);
        let (b, b_remote) = source([Item(3), Item(4), End]);
        let (members, remote) = source([Item(a), Pending, Pending, Item(b), Panic]);
        let mut newest = switch_aiter(members);
        assert_eq!(poll_noop(&mut newest), Poll::Ready(Some(1)));
        assert_eq!(panic_of(|| poll_noop(&mut newest)), "source");
        assert!(a_remote.is_dropped() && !newest.is_terminated());
        // The source of members panics behind the second one, which goes on alone.
        assert_eq!(panic_of(|| poll_noop(&mut newest)), "source");
        assert!(remote.is_dropped() && !b_remote.is_dropped());
        assert_eq!(poll_noop(&mut newest), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut newest), Poll::Ready(Some(4)));
        assert_eq!(poll_noop(&mut newest), Poll::Ready(None));
        assert!(newest.is_terminated());
    }

    #[test]
    fn a_member_whose_drop_panics_is_replaced_all_the_same() {
        struct Member(u8, Rc<RefCell<Vec<u8>>>);
        impl Stream for Member {
            type Item = u8;
            fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u8>> {
                Poll::Ready(Some(self.0))
            }
        }
        impl Drop for Member {
            fn drop(&mut self) {
                self.1.borrow_mut().push(self.0);
                assert!(self.0 != 1, "drop");
            }
        }
        let dropped = Rc::default();
        let member = |n| Member(n, Rc::clone(&dropped));
        let (members, _remote) = source([Item(member(1)), Pending, Item(member(2)), Pending]);
        let mut newest = switch_aiter(members);
        assert_eq!(poll_noop(&mut newest), Poll::Ready(Some(1)));
        assert_eq!(panic_of(|| poll_noop(&mut newest)), "drop");
        assert_eq!(*dropped.borrow(), [1]);
        assert_eq!(poll_noop(&mut newest), Poll::Ready(Some(2)));
        drop(newest);
        assert_eq!(*dropped.borrow(), [1, 2]);
    }

    #[test]
    fn a_next_that_is_dropped_at_any_point_loses_nothing() {
        use futures_lite::{StreamExt, future};
        let member = |from: u32| {
            Box::pin(stream::unfold(from, |n| async move {
                future::yield_now().await;
                (n % 3 != 0).then_some((n, n + 1))
            }))
        };
        let mut newest = core::pin::pin!(switch_aiter(iter_to_aiter([member(4)])));
        let mut seen = Vec::new();
        loop {
            // Each poll has a `next()` of its own.
            let next = core::pin::pin!(newest.next());
            match next.poll(&mut Context::from_waker(core::task::Waker::noop())) {
                Poll::Pending => {}
                Poll::Ready(Some(item)) => seen.push(item),
                Poll::Ready(None) => break,
            }
        }
        assert_eq!(seen, [4, 5]);
    }

    #[test]
    fn the_newest_task_is_woken_by_the_member_and_by_their_source() {
        let (a, a_remote) = source::<u8>([]);
        let (members, remote) = source([Item(a)]);
        let mut newest = switch_aiter(members);
        let (first, first_waker) = Wakes::new();
        let (second, second_waker) = Wakes::new();
        assert_eq!(poll(&mut newest, &first_waker), Poll::Pending);
        assert_eq!(poll(&mut newest, &second_waker), Poll::Pending);
        a_remote.push(1);
        remote.end();
        assert_eq!((first.count(), second.count()), (0, 2));
    }
}
