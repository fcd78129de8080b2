//! Models of a reader that takes what is left of a run at once.

use super::*;

/// Takes up to `limit` items that are available.
fn take_many(reader: &mut Reader<Item>, limit: usize) -> Vec<Item> {
    let mut items = Vec::new();
    while items.len() < limit {
        let left = limit - items.len();
        if reader.move_run(&mut items, left) == 0 {
            match reader.next() {
                Poll::Ready(Some(item)) => items.push(item),
                _ => break,
            }
        }
    }
    items
}

#[test]
fn loom_a_run_is_taken_while_items_are_pushed() {
    model(|| {
        let (writer, mut reader) = list();
        let pushing = thread::spawn(move || {
            (0..4).for_each(|n| writer.push(item(n)).unwrap());
            writer
        });
        let taken = numbers(&take_many(&mut reader, 4));
        assert!([0, 1, 2, 3].starts_with(&taken));
        drop(pushing.join().unwrap());
        assert_eq!(numbers(&rest(&mut reader)).len(), 4 - taken.len());
    });
}

/// The one that comes last moves the items out, whichever that is.
#[test]
fn loom_two_readers_take_runs() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        (0..4).for_each(|n| writer.push(item(n)).unwrap());
        let taking = thread::spawn(move || (numbers(&take_many(&mut fork, 3)), fork));
        assert_eq!(numbers(&take_many(&mut reader, 4)), [0, 1, 2, 3]);
        let (taken, mut fork) = taking.join().unwrap();
        assert_eq!(taken, [0, 1, 2]);
        drop(reader);
        assert_eq!(numbers(&take_many(&mut fork, 4)), [3]);
    });
}

/// A reader takes runs while the other one, which is at or behind it, is dropped.
#[test]
fn loom_a_run_is_taken_while_another_reader_is_dropped() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        (0..4).for_each(|n| writer.push(item(n)).unwrap());
        take(&mut fork, 1);
        let dropping = thread::spawn(move || drop(fork));
        assert_eq!(numbers(&take_many(&mut reader, 4)), [0, 1, 2, 3]);
        dropping.join().unwrap();
    });
}
