//! Models of blocks that are freed while writers are on their way to their slots. The slot of a
//! writer that has found an old tail block keeps that block. Loom reports a use of a block that
//! does not happen before the block is freed.

use super::super::Writer;
use super::*;

/// A list whose reader is at the end of the first block, which is the tail block.
fn at_the_end_of_a_block() -> (Writer<usize>, Reader<usize>) {
    let (writer, mut reader) = list();
    (0..2).for_each(|n| writer.push(n).unwrap());
    take(&mut reader, 2);
    (writer, reader)
}

/// Fills and empties the next block, item by item, so that the reader frees the one before it.
fn free_the_first_block(writer: &Writer<usize>, reader: &mut Reader<usize>) {
    for n in 2..4 {
        writer.push(n).unwrap();
        while reader.next().is_ready() {}
    }
}

/// A writer that reserves a slot after the tail block has moved on finds the new tail block, and
/// not one that may be freed.
#[test]
fn loom_a_block_is_freed_while_another_writer_looks_for_its_own() {
    model(|| {
        let (writer, mut reader) = at_the_end_of_a_block();
        let other = writer.clone();
        let freeing = thread::spawn(move || {
            free_the_first_block(&writer, &mut reader);
            (writer, reader)
        });
        let pushing = thread::spawn(move || other.push(9).unwrap());
        let _list = freeing.join().unwrap();
        pushing.join().unwrap();
    });
}

/// The same for the closing thread, which has the slot at the end.
#[test]
fn loom_a_block_is_freed_while_the_list_is_closed() {
    model(|| {
        let (writer, mut reader) = at_the_end_of_a_block();
        let other = writer.clone();
        let freeing = thread::spawn(move || {
            for n in 2..4 {
                let _ = writer.push(n);
                while let Poll::Ready(Some(_)) = reader.next() {}
            }
            (writer, reader)
        });
        let closing = thread::spawn(move || assert!(other.close()));
        let (_writer, mut reader) = freeing.join().unwrap();
        closing.join().unwrap();
        while let Poll::Ready(Some(_)) = reader.next() {}
        assert!(reader.is_ended());
    });
}

/// `observed_tail` is stored from a read-modify-write of the tail, which is in one order with all
/// reservations. Three writers have a slot each. The first one makes a block. The second has
/// reserved before that, and publishes late. The third reserves after the second, from which it has
/// not acquired the new block.
#[test]
fn loom_a_writer_that_has_not_seen_a_new_block_keeps_the_old_one() {
    large_model(|| {
        let (writer, mut reader) = at_the_end_of_a_block();
        let (second, third) = (writer.clone(), writer.clone());
        let making = thread::spawn(move || writer.push(10).unwrap());
        let reading = thread::spawn(move || {
            let reserved = core::iter::once_with(|| {
                while reader.next().is_ready() {}
                20
            });
            second.push_batch(1, &mut { reserved }).unwrap();
            while reader.next().is_ready() {}
            reader
        });
        let unaware = thread::spawn(move || third.push(30).unwrap());
        making.join().unwrap();
        let mut reader = reading.join().unwrap();
        unaware.join().unwrap();
        while let Poll::Ready(Some(_)) = reader.next() {}
        assert!(reader.is_ended());
    });
}

/// Two readers clone the same items, because each sees the other behind. The last reader to leave
/// the block drops them, and comes after the other one.
#[test]
fn loom_the_last_reader_to_leave_a_block_drops_what_both_cloned() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        let clones = Arc::new(AtomicUsize::new(0));
        (0..3).for_each(|n| {
            let item = Cloned(::loom::cell::UnsafeCell::new(n), clones.clone());
            assert!(writer.push(item).is_ok());
        });
        let dropping = thread::spawn(move || {
            take(&mut fork, 1);
            drop(fork);
        });
        let staying = thread::spawn(move || {
            take(&mut reader, 3);
            reader
        });
        dropping.join().unwrap();
        let _reader = staying.join().unwrap();
    });
}

/// The same in the block in which the last reader is dropped.
#[test]
fn loom_the_last_reader_drops_what_both_cloned() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        let clones = Arc::new(AtomicUsize::new(0));
        let item = Cloned(::loom::cell::UnsafeCell::new(0), clones);
        assert!(writer.push(item).is_ok());
        let first = thread::spawn(move || {
            take(&mut fork, 1);
            drop(fork);
        });
        let second = thread::spawn(move || {
            take(&mut reader, 1);
            drop(reader);
        });
        first.join().unwrap();
        second.join().unwrap();
    });
}
