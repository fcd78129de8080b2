//! Models of readers that sleep at different slots, and of the writers that wake them. If a reader
//! is not woken, loom reports a deadlock.

use super::super::Writer;
use super::*;
use alloc::task::Wake;

/// A list whose reader has slept and was woken, so that `ASLEEP` is still set in the tail.
fn woken_before() -> (Writer<usize>, Reader<usize>) {
    let (writer, mut reader) = list();
    let poll = reader.poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
    writer.push(0).unwrap();
    take(&mut reader, 1);
    (writer, reader)
}

/// A push finds no sleeping reader and clears the flag, while the reader takes its item and falls
/// asleep at the next slot. The push into that slot may find no flag: then the writer that cleared
/// it has woken the reader.
#[test]
fn loom_a_reader_falls_asleep_while_the_flag_is_cleared() {
    large_model(|| {
        let (writer, mut reader) = woken_before();
        let other = writer.clone();
        let clearing = thread::spawn(move || other.push(1).unwrap());
        // It is spawned here, because then loom lets the push come first without a preemption.
        let sleeping = thread::spawn(move || (first(&mut reader, 2).len(), reader));
        clearing.join().unwrap();
        writer.push(2).unwrap();
        let (taken, _reader) = sleeping.join().unwrap();
        assert_eq!(taken, 2);
    });
}

/// The same with two readers, of which one sleeps before the flag is cleared.
#[test]
fn loom_a_second_reader_falls_asleep_while_the_flag_is_cleared() {
    large_model(|| {
        let (writer, mut reader) = woken_before();
        let mut fork = reader.fork();
        let clearing = thread::spawn(move || {
            writer.push(1).unwrap();
            writer
        });
        let sleeping = thread::spawn(move || (next(&mut fork).is_some(), fork));
        assert!(next(&mut reader).is_some());
        assert!(sleeping.join().unwrap().0);
        drop(clearing.join().unwrap());
    });
}

/// One reader sleeps at a gap and the other one at the tail. The writer that has the reserved slot
/// publishes it, and then pushes an item for the other reader.
#[test]
fn loom_one_reader_sleeps_at_a_gap_and_one_at_the_tail() {
    large_model(|| {
        let (writer, reader) = list();
        let mut reader = Some(reader);
        let mut sleeping = Vec::new();
        let item = core::iter::once_with(|| {
            // The subscriber is behind the reserved slot.
            let late = writer.subscribe();
            for mut reader in [reader.take().unwrap(), late] {
                sleeping.push(thread::spawn(move || (next(&mut reader), reader)));
            }
            0
        });
        writer.push_batch(1, &mut { item }).unwrap();
        writer.push(1).unwrap();
        let woken = sleeping.into_iter().map(|thread| thread.join().unwrap());
        let (items, _readers): (Vec<_>, Vec<_>) = woken.unzip();
        assert_eq!(items, [Some(0), Some(1)]);
    });
}

/// The same with two writers, one for each slot, in either order.
#[test]
fn loom_a_gap_and_the_tail_are_published_in_either_order() {
    large_model(|| {
        let (writer, reader) = list();
        let mut reader = Some(reader);
        let mut threads = Vec::new();
        let mut pushing = None;
        let item = core::iter::once_with(|| {
            let late = writer.subscribe();
            for mut reader in [reader.take().unwrap(), late] {
                threads.push(thread::spawn(move || (next(&mut reader), reader)));
            }
            let other = writer.clone();
            pushing = Some(thread::spawn(move || other.push(1).unwrap()));
            0
        });
        writer.push_batch(1, &mut { item }).unwrap();
        pushing.unwrap().join().unwrap();
        let woken = threads.into_iter().map(|thread| thread.join().unwrap());
        let (items, _readers): (Vec<_>, Vec<_>) = woken.unzip();
        assert_eq!(items, [Some(0), Some(1)]);
    });
}

/// A reader that is woken takes its item and sleeps again, while the writer is still calling its
/// waker.
#[test]
fn loom_a_reader_sleeps_again_while_it_is_still_being_woken() {
    large_model(|| {
        let (writer, mut reader) = list();
        let other = writer.clone();
        let pushing = thread::spawn(move || other.push(0).unwrap());
        assert_eq!(next(&mut reader), Some(0));
        let again = thread::spawn(move || {
            writer.push(1).unwrap();
            writer
        });
        assert_eq!(next(&mut reader), Some(1));
        pushing.join().unwrap();
        let _writer = again.join().unwrap();
    });
}

/// Readers are dropped while they are woken, and one that stays is woken all the same.
#[test]
fn loom_readers_are_dropped_while_they_are_woken_beside_one_that_stays() {
    struct Flag(AtomicUsize);
    impl Wake for Flag {
        fn wake(self: alloc::sync::Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    model(|| {
        let (writer, mut reader) = list();
        let forks = [(); 2].map(|()| {
            let mut fork = reader.fork();
            let poll = fork.poll_next(&mut Context::from_waker(Waker::noop()));
            assert!(poll.is_pending());
            fork
        });
        let woken = alloc::sync::Arc::new(Flag(AtomicUsize::new(0)));
        let poll = reader.poll_next(&mut Context::from_waker(&woken.clone().into()));
        assert!(poll.is_pending());
        let dropping = thread::spawn(move || drop(forks));
        writer.push(0).unwrap();
        assert_eq!(woken.0.load(Relaxed), 1);
        dropping.join().unwrap();
        take(&mut reader, 1);
    });
}
