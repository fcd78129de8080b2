//! The push list as users see it: [`Pusher`]s append items, and [`PushAiter`]s yield them.

mod aiter;
mod bounded;
mod next_many;
mod pusher;
#[cfg(feature = "sink")]
mod sink;
mod until_stopped;
mod weak;

pub use aiter::{AvailableIter, PushAiter};
#[cfg(feature = "sink")]
pub use bounded::BoundedSink;
pub use bounded::{
    BoundedAiter, BoundedNextMany, BoundedPush, BoundedPusher, OwnedPermit, Permit, Reserve,
    ReserveOwned, WeakBoundedPusher, push_aiter_bounded,
};
pub use next_many::NextMany;
pub use pusher::Pusher;
pub(crate) use pusher::push_collected;
pub use until_stopped::UntilStopped;
pub use weak::WeakPusher;

use crate::list;
use aiter::Preflight;

/// Creates an unbounded list: items pushed into the [`Pusher`] come out of the [`PushAiter`], a
/// stream.
///
/// Use it to turn callbacks into a stream: code that is called now and then (an interrupt handler,
/// a callback, another thread) pushes, and a task reads the items in push order. The items of each
/// pusher come in the order in which it pushed them. The stream ends after [`Pusher::stop`], or
/// when the last [`Pusher`] is dropped.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/push.svg"))]
///
/// # Memory
/// The list itself takes less than 256 bytes, and allocates nothing more before the first push.
/// Items are stored in blocks of 64 slots (32 where words have 32 bits; fewer if they would take
/// more than 32 KiB, but at least two). A block is reused or freed once the slowest consumer has
/// left it.
///
/// Up to 16 KiB of empty blocks are kept for reuse with the feature `std` while the list is longer
/// than a block, and one block otherwise. In addition, the block that was left last is kept for a
/// while, because a pusher may still be on its way through it: until the only consumer looks for
/// the item after its next one, or until several consumers leave their next block.
///
/// Where words have 32 bits, a list holds at most 335 544 320 items, which only items of a few
/// bytes can reach. A push beyond that fails like an allocation, by
/// [`handle_alloc_error`](alloc::alloc::handle_alloc_error).
///
/// # Progress
/// Lock-free: no operation waits for another thread. See each operation's docs.
///
/// # Example
/// ```
/// use aiter_core::push_aiter;
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (log, lines) = push_aiter();
/// log.push("started").unwrap();
/// log.push_all(["listening", "ready"]).unwrap();
/// log.stop();
/// assert_eq!(block_on(lines.collect::<Vec<_>>()), ["started", "listening", "ready"]);
/// ```
pub fn push_aiter<T>() -> (Pusher<T>, PushAiter<T>) {
    let (writer, reader) = list::list();
    (Pusher::new(writer), PushAiter::new(reader, None))
}

/// Like [`push_aiter`], and calls `preflight` before each item that an active consumer requests.
///
/// Use it to produce items on demand. `preflight` runs once for each item that an active consumer
/// requests, before that consumer looks at the list or waits. It may push items, or stop the list,
/// and the consumer sees that at once. Polling again for the same item does not run it again. The
/// returned aiter is active, and so are its [forks](PushAiter::fork). [Passive
/// forks](PushAiter::fork_passive) and [subscribers](Pusher::subscribe) never run `preflight`.
///
/// The `Pusher` that `preflight` receives does not keep the list open: the list stops when the last
/// other one is dropped. Active consumers may run `preflight` on several threads at once.
///
/// # Panics
/// A panic of `preflight` reaches the consumer that requested the item. Its next poll runs
/// `preflight` again.
///
/// # Example
/// ```
/// use aiter_core::push_aiter_with;
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let count = AtomicU32::new(0);
/// let (_pusher, mut aiter) = push_aiter_with(move |pusher| {
///     let n = count.fetch_add(1, Ordering::Relaxed);
///     pusher.push(n * n).ok();
/// });
/// assert_eq!(block_on(aiter.next()), Some(0));
/// assert_eq!(block_on(aiter.next()), Some(1));
/// assert_eq!(block_on(aiter.next()), Some(4));
/// ```
pub fn push_aiter_with<T>(
    preflight: impl Fn(&Pusher<T>) + Send + Sync + 'static,
) -> (Pusher<T>, PushAiter<T>) {
    let (writer, reader) = list::list();
    (
        Pusher::new(writer),
        PushAiter::new(reader, Some(Preflight::new(preflight))),
    )
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// An iterator that reports a length of `reported`, and yields items, with an early `None` for
    /// each gap.
    struct WrongLength {
        reported: usize,
        items: alloc::vec::IntoIter<Option<u8>>,
    }

    impl Iterator for WrongLength {
        type Item = u8;

        fn next(&mut self) -> Option<u8> {
            self.items.next()?
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.reported, Some(self.reported))
        }
    }

    #[test]
    fn a_batch_is_what_its_iterator_yields_whatever_length_it_reports() {
        let check = |reported, yields: &[Option<u8>], expected: &[u8]| {
            let iterator = || WrongLength {
                reported,
                items: Vec::from(yields).into_iter(),
            };
            let (pusher, aiter) = push_aiter();
            pusher.push_all(iterator()).unwrap();
            assert!(aiter.available_iter().eq(expected));
            pusher.stop();
            let refused = pusher.push_all(iterator()).err();
            assert_eq!(refused.map_or(Vec::new(), |stopped| stopped.0), expected);
        };
        check(0, &[], &[]);
        check(0, &[Some(1), Some(2)], &[1, 2]);
        check(2, &[Some(1), Some(2), Some(3)], &[1, 2, 3]);
        check(3, &[Some(1)], &[1]);
        // An iterator that ended early is not asked again.
        check(3, &[Some(1), None, Some(2)], &[1]);
        check(usize::MAX, &[Some(1), Some(2)], &[1, 2]);
    }
}
