//! Models of the end of a list: a thread that sees it comes after what the closing thread did
//! before.

use super::*;
use ::loom::cell::UnsafeCell;

/// A value without an ordering of its own: loom reports a thread that reads it and does not come
/// after the thread that wrote it.
#[derive(Clone)]
pub(super) struct Witness(Arc<UnsafeCell<usize>>);

// SAFETY: loom checks every access.
unsafe impl Send for Witness {}

impl Witness {
    pub(super) fn new() -> Self {
        Self(Arc::new(UnsafeCell::new(0)))
    }

    pub(super) fn write(&self) {
        // SAFETY: `with_mut` reports any other access.
        self.0.with_mut(|value| unsafe { *value = 1 });
    }

    pub(super) fn read(&self) {
        // SAFETY: `with` reports a writer.
        assert_eq!(self.0.with(|value| unsafe { *value }), 1);
    }
}

/// Another thread writes the witness and closes a list from which `taken` items were taken.
fn close_after(taken: usize) {
    let (writer, mut reader) = list();
    (0..taken).for_each(|n| writer.push(n).unwrap());
    take(&mut reader, taken);
    let witness = Witness::new();
    let closing = thread::spawn({
        let witness = witness.clone();
        move || {
            witness.write();
            writer.close();
            writer
        }
    });
    if reader.next().is_ready() {
        witness.read();
    }
    let _writer = closing.join().unwrap();
}

/// The end is in a slot.
#[test]
fn loom_the_end_in_a_slot_publishes_what_came_before() {
    model(|| close_after(1));
}

/// The end is in place of a block.
#[test]
fn loom_the_end_in_place_of_a_block_publishes_what_came_before() {
    model(|| close_after(2));
}

/// The end comes after what each writer did before it was dropped, not only the last one.
#[test]
fn loom_the_end_publishes_what_each_writer_did() {
    model(|| {
        let (writer, mut reader) = list::<usize>();
        let (witness, other) = (Witness::new(), writer.clone());
        let first = thread::spawn({
            let witness = witness.clone();
            move || {
                witness.write();
                drop(other);
            }
        });
        let second = thread::spawn(move || drop(writer));
        // It is spawned after the others, because then loom lets it come last without a preemption.
        let reading = thread::spawn(move || {
            if reader.next().is_ready() {
                witness.read();
            }
        });
        first.join().unwrap();
        second.join().unwrap();
        reading.join().unwrap();
    });
}

/// A push that is refused comes after what the closing thread did before.
#[test]
fn loom_a_push_that_is_refused_comes_after_the_close() {
    model(|| {
        let (writer, _reader) = list::<usize>();
        let (witness, other) = (Witness::new(), writer.clone());
        let closing = thread::spawn({
            let witness = witness.clone();
            move || {
                witness.write();
                other.close();
            }
        });
        if writer.is_closed() || writer.push(1).is_err() {
            witness.read();
        }
        closing.join().unwrap();
    });
}

/// A push that is refused because no reader is left comes after what each reader did before it was
/// dropped, not only the last one.
#[test]
fn loom_a_push_that_is_refused_comes_after_the_readers() {
    large_model(|| {
        let (writer, mut reader) = list::<usize>();
        let (witness, other) = (Witness::new(), reader.fork());
        let first = thread::spawn({
            let witness = witness.clone();
            move || {
                witness.write();
                drop(other);
            }
        });
        let second = thread::spawn(move || drop(reader));
        // It is spawned after the others, because then loom lets it come last without a preemption.
        let pushing = thread::spawn(move || {
            if writer.push(1).is_err() {
                witness.read();
            }
        });
        first.join().unwrap();
        second.join().unwrap();
        pushing.join().unwrap();
    });
}

/// Of two threads that close a list at the same time, one succeeds. Refused pushes do not move the
/// end.
#[test]
fn loom_one_of_two_closes_succeeds() {
    model(|| {
        let (writer, mut reader) = list();
        let other = writer.clone();
        let closing = thread::spawn(move || other.close());
        let is_pushed = writer.push(0).is_ok();
        let is_closed = writer.close();
        assert_ne!(is_closed, closing.join().unwrap());
        assert_eq!(rest(&mut reader).len(), usize::from(is_pushed));
        assert_eq!(writer.statistics().pushed, usize::from(is_pushed));
    });
}

/// The closing thread has the slot after a batch. It may be in the block from which the batch has
/// moved the tail block on.
#[test]
fn loom_a_block_is_freed_while_a_batch_before_the_end_is_read() {
    model(|| {
        let (writer, mut reader) = list::<usize>();
        (0..2).for_each(|n| writer.push(n).unwrap());
        take(&mut reader, 2);
        let other = writer.clone();
        let closing = thread::spawn(move || other.close());
        if writer.push_batch(4, &mut (10..14)).is_ok() {
            take(&mut reader, 4);
        }
        closing.join().unwrap();
        assert!(rest(&mut reader).is_empty());
    });
}
