//! Models of lists that stay open without readers.

use super::super::{Writer, open_list};
use super::*;

/// As a hub pushes.
fn push(writer: &Writer<Item>, n: usize) {
    if writer.has_readers() {
        writer.push(item(n)).unwrap();
    }
}

/// The last reader leaves while an item is pushed, and another reader comes. Nothing is leaked, and
/// the newcomer sees what is pushed afterwards.
#[test]
fn loom_the_last_reader_leaves_while_others_push_and_subscribe() {
    large_model(|| {
        let writer = open_list();
        let reader = writer.subscribe_exact();
        let pusher = writer.clone();
        let pushing = thread::spawn(move || push(&pusher, 1));
        let subscriber = writer.clone();
        let subscribing = thread::spawn(move || subscriber.subscribe_exact());
        drop(reader);
        pushing.join().unwrap();
        let mut newcomer = subscribing.join().unwrap();
        push(&writer, 2);
        drop(writer);
        let seen = numbers(&rest(&mut newcomer));
        assert!(seen == [1, 2] || seen == [2], "{seen:?}");
    });
}

/// Once all handles have returned, no item is kept, although no reader comes again and the list
/// stays open.
#[test]
fn loom_nothing_is_kept_when_the_last_reader_has_left() {
    model(|| {
        let writer = open_list();
        let reader = writer.subscribe_exact();
        let counted = Arc::new(0);
        let items = [counted.clone(), counted.clone()];
        let pusher = writer.clone();
        let pushing = thread::spawn(move || {
            for item in items {
                if pusher.has_readers() {
                    pusher.push(item).unwrap();
                }
            }
        });
        drop(reader);
        pushing.join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
        assert!(!writer.is_closed() && !writer.has_readers());
    });
}

/// A subscriber comes between two pushes: if it sees the first item, it sees the second. The first
/// one looked for readers before the last one left.
#[test]
fn loom_a_subscriber_that_sees_an_item_sees_the_next() {
    model(|| {
        let writer = open_list();
        let reader = writer.subscribe_exact();
        assert!(writer.has_readers());
        drop(reader);
        let pusher = writer.clone();
        let pushing = thread::spawn(move || {
            pusher.push(item(1)).unwrap();
            push(&pusher, 2);
        });
        let mut newcomer = writer.subscribe_exact();
        pushing.join().unwrap();
        drop(writer);
        let seen = numbers(&rest(&mut newcomer));
        assert!([&[1, 2][..], &[2], &[]].contains(&&seen[..]), "{seen:?}");
    });
}

/// Two subscribers come to a list without readers, and one of them leaves.
#[test]
fn loom_subscribers_come_to_a_list_without_readers() {
    large_model(|| {
        let writer = open_list();
        let subscriber = writer.clone();
        let subscribing = thread::spawn(move || drop(subscriber.subscribe_exact()));
        let mut newcomer = writer.subscribe_exact();
        push(&writer, 1);
        subscribing.join().unwrap();
        push(&writer, 2);
        drop(writer);
        assert_eq!(numbers(&rest(&mut newcomer)), [1, 2]);
    });
}
