//! The push list as users see it: [`Pusher`]s append, [`PushAiter`]s yield.

mod aiter;
mod pusher;

pub use aiter::{AvailableIter, PushAiter};
pub use pusher::{Pusher, Stopped};

use crate::list;
use aiter::Preflight;

/// An unbounded list: what is pushed at one end is an aiter at the other.
///
/// Use it to turn execution around: something that is called now and then (an interrupt, a callback, another thread)
/// pushes, and a task reads what comes as a stream. Items come out in push order; each pusher's in the order it pushed
/// them. The aiter ends after [`Pusher::stop`], or when the last [`Pusher`] is dropped.
///
/// The list itself takes under 256 bytes and allocates nothing more before the first push; then
/// items stand in blocks of 64 (32 where words have 32 bits; fewer where they would take more than
/// 32 KiB, but at least two), which are used again or freed as the slowest consumer leaves them.
/// With `std` up to 16 KiB of empty blocks are kept while the list is longer than a block; then,
/// and else, one; and beside it the block that was left last, through which a writer may be on its
/// way, until the only consumer looks for an item after its next, or several ones leave their next
/// block.
///
/// Where words have 32 bits a list holds at most 671 088 640 items, which takes items of two bytes
/// or less; a push beyond that fails as an allocation does, by
/// [`handle_alloc_error`](alloc::alloc::handle_alloc_error).
///
/// # Progress
/// Lock-free: no operation waits or spins for another thread. See each one's docs.
///
/// # Example
/// ```
/// use aiter_core::push_aiter;
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (pusher, aiter) = push_aiter();
/// pusher.push(1).unwrap();
/// pusher.push_all([2, 3]).unwrap();
/// pusher.stop();
/// assert_eq!(block_on(aiter.collect::<Vec<_>>()), [1, 2, 3]);
/// ```
pub fn push_aiter<T>() -> (Pusher<T>, PushAiter<T>) {
    let (writer, reader) = list::list();
    (Pusher::new(writer), PushAiter::new(reader, None))
}

/// Like [`push_aiter`], with a say for the creator each time an active consumer asks for an item.
///
/// `preflight` runs once for each item that an active consumer asks for, before the list is looked at and so before
/// the consumer waits. It may push more, or stop the list; the consumer sees it at once. The aiter returned is
/// active, as are its [forks](PushAiter::fork); [passive forks](PushAiter::fork_passive) and
/// [subscribers](Pusher::subscribe) never run it. Polling again for the same item does not run it again.
///
/// The `Pusher` it is lent does not keep the list open: when the last one outside is dropped, the list stops. Active
/// consumers may run `preflight` on several threads at once.
///
/// # Panics
/// A panic of `preflight` reaches the consumer that asked. It is asked again at that consumer's next poll.
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

    /// Says `said`, then yields item after item, with an early `None` for each gap.
    struct Liar {
        said: usize,
        items: alloc::vec::IntoIter<Option<u8>>,
    }

    impl Iterator for Liar {
        type Item = u8;

        fn next(&mut self) -> Option<u8> {
            self.items.next()?
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.said, Some(self.said))
        }
    }

    #[test]
    fn a_batch_is_what_its_iterator_yields_whatever_it_says() {
        let check = |said, yields: &[Option<u8>], expected: &[u8]| {
            let liar = || Liar {
                said,
                items: Vec::from(yields).into_iter(),
            };
            let (pusher, aiter) = push_aiter();
            pusher.push_all(liar()).unwrap();
            assert!(aiter.available_iter().eq(expected));
            pusher.stop();
            let refused = pusher.push_all(liar()).err();
            assert_eq!(refused.map_or(Vec::new(), |stopped| stopped.0), expected);
        };
        check(0, &[], &[]);
        check(0, &[Some(1), Some(2)], &[1, 2]);
        check(2, &[Some(1), Some(2), Some(3)], &[1, 2, 3]);
        check(3, &[Some(1)], &[1]);
        // What ended early is not asked again.
        check(3, &[Some(1), None, Some(2)], &[1]);
        check(usize::MAX, &[Some(1), Some(2)], &[1, 2]);
    }
}
