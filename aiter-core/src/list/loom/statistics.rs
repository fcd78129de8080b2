//! Models of the statistics while other threads change the list.

use super::{
    super::{Observer, Writer},
    *,
};

#[test]
fn loom_statistics_while_others_stop_and_subscribe() {
    model(|| {
        let (writer, mut reader) = list();
        writer.push_batch(5, &mut (0..5)).unwrap();
        take(&mut reader, 5);
        let other = writer.clone();
        let subscribing = thread::spawn(move || {
            drop(other.subscribe());
            other.close();
        });
        for _ in 0..2 {
            let now = writer.statistics();
            // The subscriber's slot may count as an item until it is counted as skipped.
            assert!((5..=6).contains(&now.pushed), "{now:?}");
            assert!((4..=6).contains(&now.taken), "{now:?}");
            assert!(now.waiting <= 1 && now.lag <= 1, "{now:?}");
        }
        subscribing.join().unwrap();
        let now = reader.statistics();
        assert_eq!((now.pushed, now.taken, now.lag), (5, 5, 0));
    });
}

/// A reader that is being dropped does not count, because its slot in the registry no longer says
/// how far it has read.
#[test]
fn loom_statistics_while_a_reader_is_dropped() {
    model(|| {
        let (writer, mut reader) = list();
        let fork = reader.fork();
        (0..3).for_each(|n| writer.push(n).unwrap());
        let leaving = thread::spawn(move || drop(fork));
        // It is spawned here, because then loom lets it come between without a preemption.
        let looking = thread::spawn(move || (reader.statistics(), reader));
        leaving.join().unwrap();
        let (now, _reader) = looking.join().unwrap();
        assert_eq!((now.taken, now.waiting, now.lag), (0, 3, 3));
    });
}

/// A slot without an item is counted as skipped only if the tail is seen past it.
#[test]
fn loom_statistics_while_slots_are_skipped() {
    model(|| {
        let (writer, reader) = list::<usize>();
        let other = writer.clone();
        let skipping = thread::spawn(move || {
            drop(other.subscribe());
            // Two slots are left without an item.
            assert!(!other.push_batch(2, &mut core::iter::empty()).unwrap());
        });
        let now = writer.statistics();
        assert!(now.pushed <= 3, "{now:?}");
        skipping.join().unwrap();
        assert_eq!(reader.statistics().pushed, 0);
    });
}

/// What another thread finds as the tail, while `change` subscribes and pushes.
fn tail_beside(
    writer: Writer<usize>,
    observer: Observer<usize>,
    change: impl FnOnce(Writer<usize>) + Send + 'static,
) -> usize {
    let changing = thread::spawn(move || change(writer));
    // Spawned too, because then loom lets it come between without a preemption.
    let looking = thread::spawn(move || observer.item_tail().number());
    changing.join().unwrap();
    looking.join().unwrap()
}

/// A slot that a subscriber has reserved, and that is not counted as skipped yet, is no item.
#[test]
fn loom_the_tail_is_exact_while_readers_subscribe() {
    model(|| {
        let (writer, reader) = list();
        let observer = writer.observe();
        let tail = tail_beside(writer, observer.clone(), |writer| {
            writer.push(0).unwrap();
            for _ in 0..2 {
                drop(writer.subscribe_exact());
            }
        });
        assert!(tail <= 1, "{tail}");
        assert_eq!((observer.item_tail().number(), reader.number()), (1, 0));
    });
}

/// The same with pushes of the only writer, which no reservation orders.
#[test]
fn loom_the_tail_is_exact_while_the_only_writer_subscribes() {
    model(|| {
        let (writer, _reader) = list();
        let observer = writer.observe();
        let tail = tail_beside(writer, observer, |mut writer| {
            for n in 0..2 {
                drop(writer.subscribe_exact());
                writer.push_exclusive(n).unwrap();
            }
        });
        assert!(tail <= 2, "{tail}");
    });
}

/// A reader that has an item to take never seems to have none, whatever slots are skipped
/// meanwhile.
#[test]
fn loom_lag_while_a_slot_is_skipped() {
    model(|| {
        let (writer, reader) = list();
        writer.push(0).unwrap();
        let subscribing = thread::spawn(move || drop(writer.subscribe()));
        assert!(reader.lag() >= 1);
        subscribing.join().unwrap();
        assert_eq!(reader.lag(), 1);
    });
}

/// A reader that sees a second reader also sees the functions that clone items.
#[test]
fn loom_a_subscriber_comes_while_the_only_reader_takes() {
    model(|| {
        let (writer, mut reader) = list();
        writer.push(item(0)).unwrap();
        let subscribing = thread::spawn(move || (writer.subscribe(), writer));
        take(&mut reader, 1);
        let _late = subscribing.join().unwrap();
    });
}
