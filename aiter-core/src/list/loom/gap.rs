//! Models of readers that are dropped at a gap, a slot that is reserved and not published, while a
//! subscriber is behind it.

use super::*;

/// The slot stays until its writer has published it, and its item is dropped once. The subscriber
/// gets the items after its own slot.
#[test]
fn loom_a_reader_is_dropped_at_a_gap_with_a_subscriber_behind_it() {
    model(|| {
        let (writer, reader) = list();
        let other = writer.clone();
        let pushing = thread::spawn(move || other.push(item(0)).unwrap());
        let mut late = writer.subscribe();
        drop(reader);
        writer.push(item(1)).unwrap();
        writer.push(item(2)).unwrap();
        let seen = numbers(&available(&mut late));
        pushing.join().unwrap();
        drop(writer);
        let seen = [seen, numbers(&rest(&mut late))].concat();
        assert!(seen.iter().filter(|n| **n != 0).eq(&[1, 2]));
    });
}

/// The subscriber comes while the last reader before it hands its count to the list, or while a
/// writer drains.
#[test]
fn loom_a_subscriber_comes_while_the_slots_before_it_are_drained() {
    large_model(|| {
        let (writer, mut reader) = list();
        writer.push(item(0)).unwrap();
        take(&mut reader, 1);
        let other = writer.clone();
        let mut late = reader.fork();
        let dropping = thread::spawn(move || drop(reader));
        let pushing = thread::spawn(move || other.push(item(1)).unwrap());
        let mut last = writer.subscribe();
        drop(late.next());
        drop(late);
        writer.push(item(2)).unwrap();
        drop(writer);
        pushing.join().unwrap();
        dropping.join().unwrap();
        let seen = numbers(&rest(&mut last));
        assert!(seen == [2] || seen == [1, 2] || seen == [2, 1]);
    });
}

/// All readers are dropped at gaps, one after the other. When all pushes have returned, no item is
/// kept.
#[test]
fn loom_a_subscriber_behind_a_gap_is_dropped_as_well() {
    model(|| {
        let (writer, reader) = list();
        let counted = Arc::new(0);
        let (other, theirs) = (writer.clone(), counted.clone());
        let pushing = thread::spawn(move || drop(other.push(theirs)));
        let late = writer.subscribe();
        let dropping = thread::spawn(move || drop(reader));
        drop(writer.push(counted.clone()));
        drop(late);
        pushing.join().unwrap();
        dropping.join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
        drop(writer);
    });
}
