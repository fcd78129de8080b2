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
    large_model(|| {
        let (writer, mut reader) = list();
        writer.push(item(0)).unwrap();
        let pushing = thread::spawn(move || {
            (1..3).for_each(|n| writer.push(item(n)).unwrap());
            writer
        });
        let mut taken = numbers(&take_many(&mut reader, 3));
        drop(pushing.join().unwrap());
        taken.extend(numbers(&rest(&mut reader)));
        assert_eq!(taken, [0, 1, 2]);
    });
}

/// The one that comes last moves the items out, whichever that is.
#[test]
fn loom_two_readers_take_runs() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        (0..3).for_each(|n| writer.push(item(n)).unwrap());
        let taking = thread::spawn(move || (numbers(&take_many(&mut fork, 3)), fork));
        assert_eq!(numbers(&take_many(&mut reader, 3)), [0, 1, 2]);
        assert_eq!(taking.join().unwrap().0, [0, 1, 2]);
    });
}

/// A reader takes a run while the other one, which is behind it, is dropped.
#[test]
fn loom_a_run_is_taken_while_another_reader_is_dropped() {
    large_model(|| {
        let (writer, mut reader) = list();
        let fork = reader.fork();
        (0..3).for_each(|n| writer.push(item(n)).unwrap());
        let dropping = thread::spawn(move || drop(fork));
        assert_eq!(numbers(&take_many(&mut reader, 3)), [0, 1, 2]);
        dropping.join().unwrap();
    });
}
