//! Tests of when items that no reader takes are dropped.

use super::super::{block::tail_units, shared::List};
use super::*;
use crate::test_support::panic_of;
use std::sync::Mutex;

/// An item that counts the live ones. The drop of a bad one panics. While it is cloned, another
/// reader takes it too, if there is one: then each reader sees the other at the item, and neither
/// moves it out.
struct Item {
    n: usize,
    is_bad: bool,
    world: Arc<World>,
}

#[derive(Default)]
struct World {
    live: AtomicUsize,
    bad: Option<usize>,
    other: Mutex<Option<Reader<Item>>>,
}

impl World {
    fn new(bad: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            bad,
            ..Self::default()
        })
    }

    fn item(self: &Arc<Self>, n: usize) -> Item {
        self.live.fetch_add(1, Relaxed);
        Item {
            n,
            is_bad: self.bad == Some(n),
            world: self.clone(),
        }
    }

    fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    fn take_other(&self) -> Option<Reader<Item>> {
        self.other.lock().unwrap().take()
    }

    /// Takes some items with two readers at the same time.
    fn take_at_once(&self, one: &mut Reader<Item>, other: &mut Option<Reader<Item>>, len: usize) {
        for _ in 0..len {
            *self.other.lock().unwrap() = other.take();
            assert!(matches!(one.next(), Poll::Ready(Some(_))));
            *other = self.take_other();
        }
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        if let Some(mut other) = self.world.take_other() {
            assert!(matches!(other.next(), Poll::Ready(Some(item)) if item.n == self.n));
            *self.world.other.lock().unwrap() = Some(other);
        }
        let mut clone = self.world.item(self.n);
        clone.is_bad = false;
        clone
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.world.live.fetch_sub(1, Relaxed);
        if self.is_bad && !std::thread::panicking() {
            panic!("drop");
        }
    }
}

#[test]
fn items_cloned_by_two_readers_at_once_are_dropped_when_both_have_left_the_block() {
    for (bad, is_dropped) in [
        (None, false),
        (None, true),
        (Some(1), false),
        (Some(1), true),
    ] {
        let world = World::new(bad);
        let (writer, mut one) = list();
        let mut other: Option<Reader<Item>> = None;
        // Three whole blocks, and then one item in a fourth.
        for len in [SLOTS, SLOTS, SLOTS, 1] {
            // Once the batch has its slots, there is a block after the one that both have read.
            let mut pass = |mut other: Reader<Item>| {
                assert!(matches!(one.next(), Poll::Pending));
                assert_eq!(world.live(), 3);
                let pass = || {
                    if is_dropped {
                        drop(other);
                    } else {
                        assert!(matches!(other.next(), Poll::Pending));
                    }
                };
                match bad {
                    Some(_) => assert_eq!(panic_of(pass), "drop"),
                    None => pass(),
                }
                assert_eq!(world.live(), 0);
            };
            let mut pass = other.take().map(|other| || pass(other));
            let mut items = (0..len).map(|n| {
                pass.take().into_iter().for_each(|pass| pass());
                world.item(n)
            });
            assert_eq!(writer.push_batch(len, &mut items), Ok(true));
            if len == SLOTS {
                other = Some(one.fork());
                world.take_at_once(&mut one, &mut other, 3);
                for reader in [&mut one].into_iter().chain(&mut other) {
                    assert_eq!(take_all(reader).len(), SLOTS - 3);
                }
            }
        }
        drop((writer, one));
        assert_eq!(world.live(), 0);
    }
}

/// Pushes that have reserved slots before the list was closed are completed after that.
#[test]
fn items_published_after_the_last_reader_was_dropped_are_dropped_at_once() {
    for before in [0, 1, SLOTS] {
        for len in [1, SLOTS, 2 * SLOTS] {
            let world = World::new(None);
            let (writer, reader) = list();
            (0..before).for_each(|n| assert!(writer.push(world.item(n)).is_ok()));
            let mut reader = Some(reader);
            let mut items = (0..len).map(|n| {
                drop(reader.take());
                assert!(
                    world.live() < SLOTS,
                    "items that were published before are still there"
                );
                world.item(n)
            });
            // One slot is left without an item.
            assert_eq!(writer.push_batch(len + 1, &mut items), Ok(false));
            assert_eq!(world.live(), 0);
            assert!(writer.push(world.item(len)).is_err());
        }
    }
}

/// A writer looks for the drain position after a fence that the kernel may refuse. If it misses the
/// position, the item that it has published is dropped with the list.
#[test]
fn items_that_no_writer_drained_are_dropped_with_the_list() {
    for bad in [None, Some(1), Some(SLOTS)] {
        let world = World::new(bad);
        let list = List::new(None);
        let writer = Writer::new(list.clone());
        assert!(writer.push(world.item(SLOTS + 1)).is_ok());
        drop(Reader::first(list.clone()));
        let end = list.end_tail.load(Relaxed);
        for n in 0..SLOTS + 1 {
            // SAFETY: no other thread gets this slot, because the list is closed.
            let (block, slot) =
                unsafe { list.write(end.wrapping_add(tail_units(2 * n)), world.item(n)) };
            // SAFETY: the list keeps the block, and no reader is left.
            let block = unsafe { block.as_ref() };
            block.publish(slot, 1);
            // SAFETY: as above.
            let (block, slot) = unsafe { list.locate(end.wrapping_add(tail_units(2 * n + 1)), 1) };
            // SAFETY: as above.
            unsafe { block.as_ref() }.skip(slot, 1);
        }
        drop(writer);
        assert_eq!(world.live(), SLOTS + 1);
        match bad {
            Some(_) => assert_eq!(panic_of(|| drop(list)), "drop"),
            None => drop(list),
        }
        assert_eq!(world.live(), 0);
    }
}

/// If the drop of an item panics while a writer drains, the writer wakes the readers that wait for
/// its own slot all the same.
#[test]
fn a_drop_that_panics_in_a_drain_costs_no_wake() {
    let world = World::new(Some(0));
    let list = List::new(None);
    let writer = Writer::new(list.clone());
    let reader = Reader::first(list.clone());
    let gap = list.tail.fetch_add(tail_units(1), Relaxed);
    (1..SLOTS).for_each(|n| assert!(writer.push(world.item(n)).is_ok()));
    let mut late = writer.subscribe();
    drop(reader);
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut late, &waker).is_pending());
    // The slot is published by a writer that has yet to look for waiting readers.
    // SAFETY: the slot was reserved above.
    let (block, slot) = unsafe { list.write(gap, world.item(0)) };
    // SAFETY: the slot keeps the block.
    unsafe { block.as_ref() }.publish(slot, 1);
    assert_eq!(panic_of(|| drop(writer.push(world.item(SLOTS)))), "drop");
    assert_eq!(wakes.count(), 1);
    assert!(matches!(late.next(), Poll::Ready(Some(item)) if item.n == SLOTS));
    assert_eq!(world.live(), 0);
}

/// A reader passes a slot without an item and comes to the next block, and a drop panics on the
/// way. The reader is woken at the slot that it came to.
#[test]
fn a_drop_that_panics_on_the_way_to_the_next_block_costs_no_wake() {
    let world = World::new(Some(0));
    let (writer, mut one) = list();
    (0..SLOTS - 1).for_each(|n| assert!(writer.push(world.item(n)).is_ok()));
    let mut other = Some(one.fork());
    world.take_at_once(&mut one, &mut other, 1);
    assert_eq!(take_all(&mut one).len(), SLOTS - 2);
    drop(writer.subscribe());
    drop(other);
    let (wakes, waker) = Wakes::new();
    let mut items = core::iter::once_with(|| {
        assert_eq!(panic_of(|| drop(poll(&mut one, &waker))), "drop");
        assert!(poll(&mut one, &waker).is_pending());
        world.item(SLOTS)
    });
    assert_eq!(writer.push_batch(1, &mut items), Ok(true));
    assert_eq!(wakes.count(), 1);
    assert!(matches!(one.next(), Poll::Ready(Some(item)) if item.n == SLOTS));
}

/// A subscriber that is alone in its block frees no block before it while a slot before its own is
/// not published: the writer of that slot may be on its way there.
#[test]
fn a_subscriber_frees_no_block_that_a_writer_before_it_may_be_in() {
    let list = List::new(None);
    let (writer, mut reader) = (Writer::new(list.clone()), Some(Reader::first(list.clone())));
    (0..SLOTS).for_each(|n| writer.push(n).unwrap());
    assert_eq!(take_all(reader.as_mut().unwrap()).len(), SLOTS);
    let first = core::iter::once_with(|| {
        let mut late = writer.subscribe();
        writer.push(1).unwrap();
        drop(reader.take());
        assert_eq!(take_all(&mut late), [1]);
        assert!(list.free_list.take().is_none());
        0
    });
    assert_eq!(writer.push_batch(1, &mut { first }), Ok(true));
}
