//! The place of the last reader after it is gone, while writers that have a slot publish it. A slot is reserved and not yet
//! published where the iterator of a batch runs: what is spawned there races the publication alone.

use super::super::{List, Writer};
use super::*;

/// Of all interleavings of a publication and the drop of the last reader, each drops the item.
#[test]
fn loom_a_slot_is_published_while_the_last_reader_goes() {
    model(|| {
        let (writer, reader) = list();
        let counted = Arc::new(0);
        let mut reader = Some(reader);
        let mut going = None;
        let item = core::iter::once_with(|| {
            let reader = reader.take();
            going = Some(thread::spawn(move || drop(reader)));
            counted.clone()
        });
        writer.push_batch(1, &mut { item }).unwrap();
        going.unwrap().join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
        drop(writer);
    });
}

/// Two writers have a slot each when the last reader goes. One that publishes while the other is at the place has that one
/// look again.
#[test]
fn loom_two_slots_are_published_while_the_last_reader_goes() {
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

/// A thread publishes two slots while another is about to look after the place once more. The second one is seen too, which finds
/// that the first has said so.
#[test]
fn loom_a_second_slot_is_published_before_the_place_is_looked_at_again() {
    model(|| {
        let (writer, reader) = list();
        let counted = Arc::new(0);
        let mut reader = Some(reader);
        let mut going = None;
        let outer = core::iter::once_with(|| {
            let inner = core::iter::once_with(|| {
                let reader = reader.take();
                going = Some(thread::spawn(move || drop(reader)));
                counted.clone()
            });
            writer.push_batch(1, &mut { inner }).unwrap();
            counted.clone()
        });
        writer.push_batch(1, &mut { outer }).unwrap();
        going.unwrap().join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
        drop(writer);
    });
}

/// A place that was announced to writers is given up to a subscriber further on. From there on pushes look for nobody.
#[test]
fn loom_the_place_is_given_up_to_a_subscriber_further_on() {
    model(|| {
        let list = List::new(None);
        let (writer, reader) = (Writer::new(list.clone()), Reader::first(list.clone()));
        let (mut reader, mut late, mut going) = (Some(reader), None, None);
        let first = core::iter::once_with(|| {
            writer.push(item(1)).unwrap();
            // In the next block.
            late = Some(writer.subscribe());
            let reader = reader.take();
            going = Some(thread::spawn(move || drop(reader)));
            item(0)
        });
        writer.push_batch(1, &mut { first }).unwrap();
        going.unwrap().join().unwrap();
        assert!(!list.drain.is_running() && !list.registry.any_at_gap());
        writer.push(item(3)).unwrap();
        assert_eq!(numbers(&take(&mut late.unwrap(), 1)), [3]);
    });
}
