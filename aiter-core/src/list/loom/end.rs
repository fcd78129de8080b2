//! What the end of a list tells: who sees it has seen what came before.

use super::*;
use ::loom::cell::UnsafeCell;

/// What is told without an order of its own: loom reports a reader that does not come after the writer.
#[derive(Clone)]
struct Told(Arc<UnsafeCell<usize>>);

// SAFETY: for the model; what it accesses, it checks.
unsafe impl Send for Told {}

impl Told {
    fn new() -> Self {
        Self(Arc::new(UnsafeCell::new(0)))
    }

    fn tell(&self) {
        // SAFETY: `with_mut` reports any other access.
        self.0.with_mut(|told| unsafe { *told = 1 });
    }

    fn is_told(&self) {
        // SAFETY: `with` reports a writer.
        assert_eq!(self.0.with(|told| unsafe { *told }), 1);
    }
}

/// A list with so many items that were taken, which another thread closes, after something that it tells.
fn close_after(taken: usize) {
    let (writer, mut reader) = list();
    (0..taken).for_each(|n| writer.push(n).unwrap());
    take(&mut reader, taken);
    let told = Told::new();
    let closing = thread::spawn({
        let told = told.clone();
        move || {
            told.tell();
            writer.close();
            writer
        }
    });
    if reader.next().is_ready() {
        told.is_told();
    }
    let _writer = closing.join().unwrap();
}

/// The end stands in a slot.
#[test]
fn loom_the_end_in_a_slot_tells_what_came_before() {
    model(|| close_after(1));
}

/// The end stands in place of a block.
#[test]
fn loom_the_end_in_place_of_a_block_tells_what_came_before() {
    model(|| close_after(2));
}

/// The end comes after what each writer did before it was dropped, not only the last.
#[test]
fn loom_the_end_tells_what_each_writer_did() {
    model(|| {
        let (writer, mut reader) = list::<usize>();
        let (told, other) = (Told::new(), writer.clone());
        let first = thread::spawn({
            let told = told.clone();
            move || {
                told.tell();
                drop(other);
            }
        });
        let second = thread::spawn(move || drop(writer));
        // Here, as loom then lets it come last without a preemption.
        let reading = thread::spawn(move || {
            if reader.next().is_ready() {
                told.is_told();
            }
        });
        first.join().unwrap();
        second.join().unwrap();
        reading.join().unwrap();
    });
}

/// A push that is refused comes after what the closer did before.
#[test]
fn loom_a_push_that_is_refused_comes_after_the_close() {
    model(|| {
        let (writer, _reader) = list::<usize>();
        let (told, other) = (Told::new(), writer.clone());
        let closing = thread::spawn({
            let told = told.clone();
            move || {
                told.tell();
                other.close();
            }
        });
        if writer.is_closed() || writer.push(1).is_err() {
            told.is_told();
        }
        closing.join().unwrap();
    });
}

/// A push that is refused as there is no reader comes after what each reader did before it went, not only the last.
#[test]
fn loom_a_push_that_is_refused_comes_after_the_readers() {
    large_model(|| {
        let (writer, mut reader) = list::<usize>();
        let (told, other) = (Told::new(), reader.fork());
        let first = thread::spawn({
            let told = told.clone();
            move || {
                told.tell();
                drop(other);
            }
        });
        let second = thread::spawn(move || drop(reader));
        // Here, as loom then lets it come last without a preemption.
        let pushing = thread::spawn(move || {
            if writer.push(1).is_err() {
                told.is_told();
            }
        });
        first.join().unwrap();
        second.join().unwrap();
        pushing.join().unwrap();
    });
}

/// Of two that close a list at one time one does it, and pushes that are refused move its end no further.
#[test]
fn loom_of_two_that_close_one_does_it() {
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

/// The closer has the slot after a batch, and may be in the block that the batch has moved the tail
/// block on from.
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
