//! Models of writers that publish slots while the last reader is dropped, or after that. While the
//! iterator of a batch runs, a slot is reserved and not published yet: what is spawned there races
//! only the publication.

use super::super::{Writer, shared::List};
use super::*;

/// Whatever the order of a publication and the drop of the last reader, the item is dropped.
#[test]
fn loom_a_slot_is_published_while_the_last_reader_is_dropped() {
    model(|| {
        let (writer, reader) = list();
        let counted = Arc::new(0);
        let mut reader = Some(reader);
        let mut dropping = None;
        let item = core::iter::once_with(|| {
            let reader = reader.take();
            dropping = Some(thread::spawn(move || drop(reader)));
            counted.clone()
        });
        writer.push_batch(1, &mut { item }).unwrap();
        dropping.unwrap().join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
        drop(writer);
    });
}

/// Two writers have a slot each when the last reader is dropped. A writer that publishes while the
/// other one drains asks it to look again.
#[test]
fn loom_two_slots_are_published_while_the_last_reader_is_dropped() {
    model(|| {
        let (writer, reader) = list();
        let counted = Arc::new(0);
        let mut reader = Some(reader);
        let mut threads = Vec::new();
        let item = core::iter::once_with(|| {
            let (other, item, reader) = (writer.clone(), counted.clone(), reader.take());
            threads.push(thread::spawn(move || drop(other.push(item))));
            threads.push(thread::spawn(move || drop(reader)));
            counted.clone()
        });
        writer.push_batch(1, &mut { item }).unwrap();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&counted), 1);
        drop(writer);
    });
}

/// A thread publishes two slots while another one drains. The first publication asks that one to
/// look again. The second finds that it has been asked already, and is seen too.
#[test]
fn loom_a_second_slot_is_published_before_the_drain_looks_again() {
    model(|| {
        let (writer, reader) = list();
        let counted = Arc::new(0);
        let mut reader = Some(reader);
        let mut dropping = None;
        let outer = core::iter::once_with(|| {
            let inner = core::iter::once_with(|| {
                let reader = reader.take();
                dropping = Some(thread::spawn(move || drop(reader)));
                counted.clone()
            });
            writer.push_batch(1, &mut { inner }).unwrap();
            counted.clone()
        });
        writer.push_batch(1, &mut { outer }).unwrap();
        dropping.unwrap().join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
        drop(writer);
    });
}

/// A drain position that was announced to writers is given up to a subscriber further on. From then
/// on pushes do not look for it.
#[test]
fn loom_the_drain_position_is_given_up_to_a_subscriber_further_on() {
    model(|| {
        let list = List::new(None);
        let (writer, reader) = (Writer::new(list.clone()), Reader::first(list.clone()));
        let (mut reader, mut late, mut dropping) = (Some(reader), None, None);
        let first = core::iter::once_with(|| {
            writer.push(item(1)).unwrap();
            // In the next block.
            late = Some(writer.subscribe());
            let reader = reader.take();
            dropping = Some(thread::spawn(move || drop(reader)));
            item(0)
        });
        writer.push_batch(1, &mut { first }).unwrap();
        dropping.unwrap().join().unwrap();
        assert!(!list.drain.is_running() && !list.registry.has_gap_waiters());
        writer.push(item(3)).unwrap();
        assert_eq!(numbers(&take(&mut late.unwrap(), 1)), [3]);
    });
}
