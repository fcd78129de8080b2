//! Tests of the list on one thread, polled by hand: order, ends, memory, clones and drops, panics.

extern crate std;

mod leftovers;
mod random;
mod wakers;

use super::{Reader, Writer, block::SLOTS, list};
use crate::test_support::Wakes;
use alloc::{boxed::Box, sync::Arc, task::Wake, vec::Vec};
use core::panic::AssertUnwindSafe;
use core::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, Waker},
};
use std::panic::catch_unwind;

fn poll<T>(reader: &mut Reader<T>, waker: &Waker) -> Poll<Option<T>> {
    reader.poll_next(&mut Context::from_waker(waker))
}

/// Batches that are under way at the same time, as when the iterator of one pushes another, reserve
/// no more slots than positions can tell apart.
#[test]
fn nested_batches_reserve_a_limited_number_of_slots() {
    const MAX: usize = super::block::MAX_BATCH_SLOTS;
    struct Nested<'a>(&'a Writer<()>, bool);
    impl Iterator for Nested<'_> {
        type Item = ();
        fn next(&mut self) -> Option<()> {
            if core::mem::replace(&mut self.1, true) {
                return None;
            }
            let batch_slots = || self.0.batch_slots();
            assert_eq!(batch_slots(), 3);
            for (len, fits) in [
                (MAX, false),
                (MAX - 2, false),
                (usize::MAX, false),
                (2, true),
            ] {
                let pushed = catch_unwind(AssertUnwindSafe(|| {
                    self.0.push_batch(len, &mut core::iter::repeat_n((), 2))
                }));
                assert_eq!(pushed.is_ok(), fits, "{len}");
                assert_eq!(batch_slots(), 3);
            }
            Some(())
        }
    }
    let (writer, mut reader) = list::<()>();
    assert_eq!(writer.push_batch(3, &mut Nested(&writer, false)), Ok(false));
    assert_eq!(writer.batch_slots(), 0);
    assert_eq!(take_all(&mut reader).len(), 3);
    assert!(writer.close());
    assert_eq!(
        writer.push_batch(MAX, &mut core::iter::repeat_n((), 1)),
        Err(())
    );
    assert_eq!(writer.batch_slots(), 0);
}

/// Blocks of large items have fewer slots.
#[test]
fn items_of_any_size_come_in_order_and_are_dropped() {
    fn check<const N: usize>(len: usize) {
        assert_eq!(super::block::Block::<Large<N>>::LEN, len.min(SLOTS));
        let alive = Arc::new(());
        let item = |n| Large::<N>([n as u8; N], n, alive.clone());
        for (push, ahead) in [(1, 1), (1, 3 * len + 1), (len + 1, 2 * len), (3 * len, 1)] {
            let (writer, mut reader) = list();
            let mut fork = reader.fork();
            let mut next = 0;
            for round in 0..4 * len / push + 2 {
                for _ in 0..ahead.div_ceil(push) {
                    let start = next;
                    next += push;
                    let mut items = (start..next).map(item);
                    assert_eq!(writer.push_batch(push, &mut items), Ok(true));
                }
                let read = take_all(&mut reader);
                assert!(read.iter().all(|item| item.0 == [item.1 as u8; N]));
                assert_eq!(read.last().unwrap().1, next - 1);
                if round % 2 == 1 {
                    let count = take_all(&mut fork).len();
                    assert_eq!(count, 2 * read.len());
                }
            }
            writer.push(item(0)).ok().unwrap();
            assert!(Arc::ptr_eq(&take_all(&mut fork).pop().unwrap().2, &alive));
        }
        assert_eq!(Arc::strong_count(&alive), 1);
    }
    #[derive(Clone)]
    struct Large<const N: usize>([u8; N], usize, Arc<()>);
    check::<0>(SLOTS);
    check::<488>(SLOTS);
    check::<1008>(32);
    check::<4080>(8);
    check::<10_000>(3);
    check::<16_000>(2);
    check::<65_536>(2);
}

fn take_all<T>(reader: &mut Reader<T>) -> Vec<T> {
    core::iter::from_fn(|| match reader.next() {
        Poll::Ready(Some(item)) => Some(item),
        _ => None,
    })
    .collect()
}

/// An item that counts its live values and the clones made.
struct Counted<'a> {
    n: usize,
    live: &'a AtomicUsize,
    clones: &'a AtomicUsize,
}

impl Clone for Counted<'_> {
    fn clone(&self) -> Self {
        self.live.fetch_add(1, Relaxed);
        self.clones.fetch_add(1, Relaxed);
        Self { ..*self }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Relaxed);
    }
}

#[derive(Default)]
struct Counts {
    live: AtomicUsize,
    clones: AtomicUsize,
}

impl Counts {
    fn item(&self, n: usize) -> Counted<'_> {
        self.live.fetch_add(1, Relaxed);
        Counted {
            n,
            live: &self.live,
            clones: &self.clones,
        }
    }

    fn push<'a>(&'a self, writer: &Writer<Counted<'a>>, items: core::ops::Range<usize>) {
        items.for_each(|n| assert!(writer.push(self.item(n)).is_ok()));
    }

    fn live(&self) -> usize {
        self.live.load(Relaxed)
    }
}

fn numbers(items: &[Counted<'_>]) -> Vec<usize> {
    items.iter().map(|item| item.n).collect()
}

#[test]
fn items_come_in_order_over_many_blocks() {
    for len in [0, 1, SLOTS - 1, SLOTS, SLOTS + 1, 5 * SLOTS] {
        let (writer, mut reader) = list();
        for n in 0..len {
            writer.push(n).unwrap();
        }
        assert_eq!(reader.peek().count(), len);
        assert!(reader.peek().copied().eq(0..len));
        let mut peek = reader.peek();
        peek.next();
        assert_eq!(peek.count(), len.saturating_sub(1));
        assert!(take_all(&mut reader).into_iter().eq(0..len));
        assert!(matches!(reader.next(), Poll::Pending));
        drop(writer);
        assert!(matches!(reader.next(), Poll::Ready(None)));
    }
}

#[test]
fn the_end_comes_at_every_slot_of_a_block() {
    for len in 0..2 * SLOTS + 2 {
        let (writer, mut reader) = list();
        (0..len).for_each(|n| writer.push(n).unwrap());
        assert!(!writer.is_closed() && !reader.is_closed());
        assert!(writer.close());
        assert!(!writer.close());
        assert!(writer.is_closed() && reader.is_closed());
        assert_eq!(writer.push(0), Err(0));
        assert_eq!(reader.is_ended(), len == 0);
        assert_eq!(take_all(&mut reader).len(), len);
        assert!(matches!(reader.next(), Poll::Ready(None)));
        assert!(reader.is_ended());
    }
}

#[test]
fn an_unforked_list_clones_nothing_and_drops_everything() {
    let counts = Counts::default();
    let (writer, mut reader) = list();
    counts.push(&writer, 0..3 * SLOTS);
    for n in 0..SLOTS + 7 {
        let Poll::Ready(Some(item)) = reader.next() else {
            panic!()
        };
        assert_eq!((item.n, counts.live()), (n, 3 * SLOTS - n));
    }
    drop(reader);
    assert_eq!(counts.live(), 0);
    assert!(writer.push(counts.item(0)).is_err());
    assert_eq!((counts.live(), counts.clones.load(Relaxed)), (0, 0));
}

#[test]
fn the_last_reader_of_an_item_moves_it() {
    const LEN: usize = 2 * SLOTS + 5;
    for readers in [2, 3, 9] {
        // All readers take each item in turn; or each reader takes all items in turn.
        for by_item in [true, false] {
            let counts = Counts::default();
            let (writer, reader) = list();
            let mut all = alloc::vec![reader];
            while all.len() < readers {
                let fork = all[0].fork();
                all.push(fork);
            }
            counts.push(&writer, 0..LEN);
            if by_item {
                for n in 0..LEN {
                    for reader in &mut all {
                        assert!(matches!(reader.next(), Poll::Ready(Some(item)) if item.n == n));
                    }
                    assert_eq!(counts.live(), LEN - n - 1);
                }
            } else {
                for reader in &mut all {
                    assert!(numbers(&take_all(reader)).into_iter().eq(0..LEN));
                }
            }
            assert_eq!(counts.live(), 0);
            assert_eq!(counts.clones.load(Relaxed), LEN * (readers - 1));
        }
    }
}

#[test]
fn a_dropped_fork_drops_the_items_that_it_alone_kept() {
    let counts = Counts::default();
    let (writer, mut fast) = list();
    let slow = fast.fork();
    counts.push(&writer, 0..2 * SLOTS + 3);
    drop(
        (0..SLOTS + 9)
            .map(|_| matches!(fast.next(), Poll::Ready(Some(_))))
            .collect::<Vec<_>>(),
    );
    assert_eq!(counts.live(), 2 * SLOTS + 3);
    drop(slow);
    assert_eq!(counts.live(), SLOTS - 6);
    let rest = take_all(&mut fast);
    assert!(numbers(&rest).into_iter().eq(SLOTS + 9..2 * SLOTS + 3));
    assert_eq!(counts.clones.load(Relaxed), SLOTS + 9);
}

#[test]
fn forks_and_subscribers_start_where_they_were_made() {
    let (writer, mut reader) = list();
    for at in 0..2 * SLOTS + 2 {
        writer.push(2 * at).unwrap();
        let mut late = writer.subscribe();
        let mut fork = reader.fork();
        writer.push(2 * at + 1).unwrap();
        assert_eq!(take_all(&mut fork), [2 * at, 2 * at + 1]);
        assert_eq!(take_all(&mut late), [2 * at + 1]);
        assert_eq!(take_all(&mut reader), [2 * at, 2 * at + 1]);
    }
    let mut late = writer.subscribe();
    drop(reader);
    writer.push(7).unwrap();
    assert_eq!(take_all(&mut late), [7]);
    writer.push(8).unwrap();
    assert_eq!(writer.statistics().lag, 1);
    writer.close();
    assert!(matches!(writer.subscribe().next(), Poll::Ready(None)));
}

#[test]
fn a_batch_that_is_cut_short_leaves_no_gap() {
    for before in 0..SLOTS + 1 {
        for (said, yielded) in [(1, 0), (5, 3), (SLOTS, 1), (3 * SLOTS, SLOTS + 1)] {
            let (writer, mut reader) = list();
            let (wakes, waker) = Wakes::new();
            (0..before).for_each(|n| writer.push(n).unwrap());
            assert_eq!(take_all(&mut reader).len(), before);
            assert!(poll(&mut reader, &waker).is_pending());
            writer.push_batch(said, &mut (0..yielded)).unwrap();
            let panics = catch_unwind(AssertUnwindSafe(|| {
                writer.push_batch(
                    said,
                    &mut (0..said).map(|n| if n == yielded { panic!() } else { n }),
                )
            }));
            assert_eq!(panics.is_err(), yielded < said);
            writer.push(99).unwrap();
            assert_eq!(wakes.count(), 1);
            assert_eq!(reader.peek().count(), 2 * yielded + 1);
            assert!(
                take_all(&mut reader)
                    .into_iter()
                    .eq((0..yielded).chain(0..yielded).chain([99]))
            );
            let now = reader.statistics();
            assert_eq!(
                (now.pushed, now.taken, now.lag),
                (before + 2 * yielded + 1, before + 2 * yielded + 1, 0)
            );
        }
    }
}

#[test]
fn a_reader_dropped_ahead_of_another_leaves_it_the_items() {
    let counts = Counts::default();
    let (writer, mut reader) = list();
    let mut fork = reader.fork();
    counts.push(&writer, 0..3);
    drop(reader.next());
    drop(take_all(&mut fork));
    assert_eq!(counts.clones.load(Relaxed), 3);
    drop(fork);
    for left in [1, 0] {
        drop(reader.next());
        assert_eq!(counts.live(), left);
    }
    assert_eq!(counts.clones.load(Relaxed), 3);
}

#[test]
fn a_peek_that_found_nothing_can_be_continued() {
    for before in 0..SLOTS + 1 {
        let (writer, reader) = list();
        (0..before).for_each(|n| writer.push(n).unwrap());
        let mut peek = reader.peek();
        assert_eq!(peek.by_ref().take(before).count(), before);
        // It passes slots without an item, and goes on to the next block.
        writer.push_batch(2, &mut core::iter::empty()).unwrap();
        for _ in 0..2 {
            assert_eq!(peek.next(), None);
            assert_eq!(peek.clone().count(), 0);
        }
        writer.push(before).unwrap();
        assert!(peek.eq(&[before]));
    }
}

#[test]
fn a_vacant_slot_between_others_is_not_counted_as_a_reader() {
    let (writer, mut reader) = list();
    let [one, other, last] = core::array::from_fn(|_| reader.fork());
    writer.push_batch(3, &mut (0..3)).unwrap();
    drop(other);
    let now = writer.statistics();
    assert_eq!((now.taken, now.waiting, now.lag), (0, 3, 3));
    drop((one, last, reader));
}

#[test]
fn statistics_count_items() {
    let (writer, mut fast) = list();
    let mut slow = fast.fork();
    assert_eq!(writer.push_batch(10, &mut (0..8)), Ok(false));
    let late = writer.subscribe();
    assert_eq!(writer.push_batch(2, &mut (0..2)), Ok(true));
    assert!(matches!(slow.next(), Poll::Ready(Some(0))));
    assert_eq!(take_all(&mut fast).len(), 10);
    let now = writer.statistics();
    assert_eq!(
        (now.pushed, now.taken, now.waiting, now.lag),
        (10, 10, 0, 9)
    );
    drop(slow);
    assert_eq!(writer.statistics().lag, 2);
    drop((late, fast));
    writer.push(1).unwrap_err();
    assert_eq!(writer.statistics().pushed, 10);
    let (writer, mut reader) = list();
    writer.push_batch(3, &mut core::iter::empty()).unwrap();
    assert!(matches!(reader.next(), Poll::Pending));
    // The slots without an item that the reader has passed do not count for slots that it has not
    // passed.
    writer.push_batch(4, &mut (0..4)).unwrap();
    writer.close();
    writer.push(4).unwrap_err();
    let now = reader.statistics();
    assert_eq!((now.pushed, now.taken, now.waiting), (4, 0, 4));
}

#[test]
fn a_panicking_clone_costs_one_reader_one_item() {
    struct Bomb(usize);
    impl Clone for Bomb {
        fn clone(&self) -> Self {
            if self.0 == 1 { panic!() } else { Self(self.0) }
        }
    }
    let (writer, mut reader) = list();
    let mut fork = reader.fork();
    (0..3).for_each(|n| assert!(writer.push(Bomb(n)).is_ok()));
    assert!(matches!(fork.next(), Poll::Ready(Some(Bomb(0)))));
    assert!(catch_unwind(AssertUnwindSafe(|| fork.next())).is_err());
    // The reader has passed the item already, before it takes the next one.
    let now = reader.statistics();
    assert_eq!((now.taken, now.waiting, now.lag), (2, 1, 3));
    assert!(matches!(fork.next(), Poll::Ready(Some(Bomb(2)))));
    for n in 0..3 {
        assert!(matches!(reader.next(), Poll::Ready(Some(Bomb(m))) if m == n));
    }
}

#[test]
fn a_panicking_drop_leaks_no_other_item() {
    struct Bomb<'a>(usize, &'a AtomicUsize);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
            if self.0 == 1 && !std::thread::panicking() {
                panic!()
            }
        }
    }
    let dropped = AtomicUsize::new(0);
    let (writer, reader) = list();
    (0..2 * SLOTS).for_each(|n| assert!(writer.push(Bomb(n, &dropped)).is_ok()));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(reader))).is_err());
    drop(writer);
    assert_eq!(dropped.load(Relaxed), 2 * SLOTS);
}

/// Once the last reader is dropped, pushes are refused, so that dropping the items comes to an end.
#[test]
fn the_drop_of_the_last_reader_ends_while_items_push_others() {
    use core::cell::{Cell, OnceCell};
    /// An item that pushes another when it is dropped.
    struct Echo(&'static Cell<usize>, &'static OnceCell<Writer<Echo>>);
    // SAFETY: the test has only one thread.
    unsafe impl Send for Echo {}
    impl Drop for Echo {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(self.0.get() < 1000, "it never ends");
            if let Err(refused) = self.1.get().unwrap().push(Echo(self.0, self.1)) {
                core::mem::forget(refused);
            }
        }
    }
    let (drops, cell) = (
        Box::leak(Box::new(Cell::new(0))),
        Box::leak(Box::new(OnceCell::new())),
    );
    let (writer, reader) = list();
    assert!(writer.push(Echo(drops, cell)).is_ok());
    assert!(cell.set(writer).is_ok());
    drop(reader);
    assert_eq!(drops.get(), 1);
}

/// A slot that is reserved and not published stays after the last reader that would come to it is
/// dropped, while a subscriber, or a fork of one, is behind it: it is neither dropped as an item
/// nor freed with its block.
#[test]
fn a_reader_is_dropped_at_a_gap_with_a_subscriber_behind_it() {
    #[derive(Clone)]
    struct Whole(usize);
    impl Drop for Whole {
        fn drop(&mut self) {
            assert!(
                self.0 >= 1000,
                "an item that was never written is dropped: {}",
                self.0
            );
        }
    }
    for is_forked in [false, true] {
        let (writer, reader) = list::<Whole>();
        let mut reader = Some(reader);
        let mut late = None;
        let other = writer.clone();
        let mut items = core::iter::from_fn(|| {
            // The slot of this item is reserved, and the subscriber's is the next one.
            let late = late.insert(other.subscribe());
            drop(reader.take());
            if is_forked {
                *late = late.fork();
            }
            for n in 1000..1000 + 3 * SLOTS {
                assert!(other.push(Whole(n)).is_ok());
                assert!(matches!(late.next(), Poll::Ready(Some(item)) if item.0 == n));
            }
            Some(Whole(7777))
        });
        writer.push_batch(1, &mut items).unwrap();
    }
}
