//! Models of the tasks that wait until a list is closed, and of handles that do not keep it open.
//! If such a task is not woken, loom reports a deadlock.

use super::super::{WeakWriter, Writer};
use super::{end::Witness, *};
use alloc::task::Wake;

fn closed<T>(weak: &WeakWriter<T>) {
    let mut waiter = None;
    block_on(poll_fn(|cx| weak.poll_closed(&mut waiter, cx)));
}

/// A list whose reader has taken an item, so that its first block exists.
fn used() -> (Writer<usize>, Reader<usize>) {
    let (writer, mut reader) = list();
    writer.push(0).unwrap();
    take(&mut reader, 1);
    (writer, reader)
}

#[test]
fn loom_a_task_waits_while_the_list_is_closed() {
    model(|| {
        let (writer, _reader) = used();
        let weak = writer.downgrade();
        let closing = thread::spawn(move || {
            writer.close();
            writer
        });
        closed(&weak);
        assert!(closing.join().unwrap().push(1).is_err());
    });
}

/// The push comes between the look at the list and its close, in the order of the tail.
#[test]
fn loom_a_task_waits_while_an_item_is_pushed_and_the_list_is_closed() {
    model(|| {
        let (writer, mut reader) = used();
        let weak = writer.downgrade();
        let other = writer.clone();
        let pushing = thread::spawn(move || other.push(1).is_ok());
        let closing = thread::spawn(move || writer.close());
        closed(&weak);
        closing.join().unwrap();
        let pushed = pushing.join().unwrap();
        assert_eq!(rest(&mut reader).len(), usize::from(pushed));
    });
}

#[test]
fn loom_a_task_waits_while_the_last_writer_is_dropped() {
    model(|| {
        let (writer, _reader) = used();
        let weak = writer.downgrade();
        let dropping = thread::spawn(move || drop(writer));
        closed(&weak);
        dropping.join().unwrap();
        assert!(weak.upgrade().is_none());
    });
}

#[test]
fn loom_a_task_waits_while_the_last_reader_is_dropped() {
    model(|| {
        let (writer, reader) = used();
        let weak = writer.downgrade();
        let dropping = thread::spawn(move || drop(reader));
        closed(&weak);
        assert!(writer.push(1).is_err());
        dropping.join().unwrap();
    });
}

/// A subscriber that comes too late may close the list before the last reader does.
#[test]
fn loom_a_task_waits_while_a_subscriber_finds_no_reader() {
    struct Flag(AtomicUsize);
    impl Wake for Flag {
        fn wake(self: alloc::sync::Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    model(|| {
        let (writer, reader) = list::<usize>();
        let (weak, mut waiter) = (writer.downgrade(), None);
        let woken = alloc::sync::Arc::new(Flag(AtomicUsize::new(0)));
        let waker = woken.clone().into();
        let poll = weak.poll_closed(&mut waiter, &mut Context::from_waker(&waker));
        assert!(poll.is_pending());
        let subscribing = thread::spawn(move || {
            drop(writer.subscribe());
            writer
        });
        let dropping = thread::spawn(move || drop(reader));
        dropping.join().unwrap();
        let _writer = subscribing.join().unwrap();
        assert_eq!(woken.0.load(Relaxed), 1);
    });
}

/// A task that finds the list closed comes after what the closing thread did before.
#[test]
fn loom_a_task_that_waited_comes_after_the_close() {
    model(|| {
        let (writer, _reader) = list::<usize>();
        let (witness, weak) = (Witness::new(), writer.downgrade());
        let closing = thread::spawn({
            let witness = witness.clone();
            move || {
                witness.write();
                writer.close();
                writer
            }
        });
        let (mut waiter, mut cx) = (None, Context::from_waker(Waker::noop()));
        if weak.poll_closed(&mut waiter, &mut cx).is_ready() {
            witness.read();
        }
        let _writer = closing.join().unwrap();
    });
}

/// Two tasks make the set of those that wait at the same time.
#[test]
fn loom_two_tasks_are_the_first_to_wait() {
    large_model(|| {
        let (writer, _reader) = used();
        let waiting = [(); 2].map(|()| {
            let weak = writer.downgrade();
            thread::spawn(move || closed(&weak))
        });
        writer.close();
        for waiting in waiting {
            waiting.join().unwrap();
        }
    });
}

/// A task that gives up waiting while it is woken takes no wake from another one.
#[test]
fn loom_a_task_stops_waiting_while_the_list_is_closed() {
    large_model(|| {
        let (writer, _reader) = used();
        let (weak, other) = (writer.downgrade(), writer.downgrade());
        let mut waiter = None;
        let mut cx = Context::from_waker(Waker::noop());
        assert!(other.poll_closed(&mut waiter, &mut cx).is_pending());
        let closing = thread::spawn(move || writer.close());
        let waiting = thread::spawn(move || closed(&weak));
        drop(waiter);
        closing.join().unwrap();
        waiting.join().unwrap();
    });
}

/// Either the upgrade comes first, and the list stays open, or there is no writer left.
#[test]
fn loom_a_handle_is_upgraded_while_the_last_writer_is_dropped() {
    model(|| {
        let (writer, mut reader) = used();
        let weak = writer.downgrade();
        let dropping = thread::spawn(move || drop(writer));
        let upgraded = weak.upgrade();
        dropping.join().unwrap();
        match upgraded {
            Some(writer) => {
                writer.push(1).unwrap();
                drop(writer);
                assert_eq!(rest(&mut reader), [1]);
            }
            None => assert!(matches!(reader.next(), Poll::Ready(None))),
        }
        assert!(weak.is_closed() && weak.upgrade().is_none());
    });
}
