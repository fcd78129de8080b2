use super::*;
use crate::{iter_to_aiter, test_support::*};
use alloc::{format, rc::Rc, vec::Vec};
use core::cell::Cell;

/// The items that pass until the stream is pending or ends.
fn passing<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    core::iter::from_fn(|| match poll_noop(stream) {
        Poll::Ready(item) => item,
        Poll::Pending => None,
    })
    .collect()
}

fn permits<S: Stream>(stream: &Gated<S>) -> usize {
    stream.gate.load().permits()
}

/// A source that calls its own gate when it is polled.
struct CallsGate<F>(Gate, F);

impl<T, F: FnMut(&Gate) -> Poll<Option<T>> + Unpin> Stream for CallsGate<F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        let Self(gate, poll) = &mut *self;
        poll(gate)
    }
}

fn calls_gate<T, F>(poll: F) -> (Gated<CallsGate<F>>, Gate)
where
    F: FnMut(&Gate) -> Poll<Option<T>> + Unpin,
{
    let (stream_side, gate_side) = sides();
    let gate = Gate(Arc::new(gate_side));
    let stream = Gated {
        gate: stream_side,
        held: None,
        source: Fused::new(CallsGate(gate.clone(), poll)),
    };
    (stream, gate)
}

#[test]
fn permits_of_several_pushes_add_up() {
    let polls = Cell::new(0);
    let numbers = (0..3_000_000_000_u64).inspect(|_| polls.set(polls.get() + 1));
    let (mut stream, gate) = gated_aiter(iter_to_aiter(numbers));
    gate.push(9);
    assert!(passing(&mut stream).into_iter().eq(0..9));
    assert!(poll_noop(&mut stream).is_pending());
    gate.push(11);
    gate.stop();
    assert!(passing(&mut stream).into_iter().eq(9..20));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert_eq!(polls.get(), 20);
    assert!(stream.is_terminated());
}

#[test]
fn the_source_is_polled_only_with_a_permit_and_only_an_item_spends_it() {
    let (source, remote) = source([Pending, Item(1), Item(2)]);
    let (mut stream, gate) = gated_aiter(source);
    gate.push(0);
    for _ in 0..3 {
        assert_eq!(poll_noop(&mut stream), Poll::Pending);
    }
    assert_eq!(remote.polls(), 0);
    gate.push(1);
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    assert_eq!((remote.polls(), permits(&stream)), (1, 1));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert_eq!((remote.polls(), permits(&stream)), (2, 0));
    for _ in 0..3 {
        assert_eq!(poll_noop(&mut stream), Poll::Pending);
    }
    assert_eq!(remote.polls(), 2);
}

#[test]
fn permits_pushed_before_the_first_poll_count() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..9));
    gate.push(1);
    gate.clone().push(2);
    assert_eq!(passing(&mut stream), [0, 1, 2]);
}

#[test]
fn wakes_the_stream_once_with_its_last_waker() {
    let end: fn(&Gate) = |gate| gate.stop();
    let push: fn(&Gate) = |gate| {
        gate.push(1);
        gate.push(1);
    };
    let open: fn(&Gate) = |gate| assert!(gate.open());
    for (change, expected) in [(end, None), (push, Some(7)), (open, Some(7))] {
        let (mut stream, gate) = gated_aiter(iter_to_aiter([7]));
        let (first, waker) = Wakes::new();
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        let (second, waker) = Wakes::new();
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        gate.push(0);
        gate.close();
        assert_eq!((first.count(), second.count()), (0, 0));
        change(&gate);
        assert_eq!((first.count(), second.count()), (0, 1));
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(expected));
    }
}

#[test]
fn a_stream_that_waits_for_its_source_is_not_woken_by_the_gate() {
    let (source, _remote) = source::<()>([]);
    let (mut stream, gate) = gated_aiter(source);
    let (wakes, waker) = Wakes::new();
    gate.push(1);
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    gate.push(1);
    gate.open();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    gate.close();
    gate.stop();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!(wakes.count(), 0);
}

#[test]
fn an_open_valve_spends_no_permit() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    gate.push(2);
    assert!(gate.open() && !gate.open() && gate.is_open());
    for n in 0..5 {
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(n)));
    }
    assert!(gate.close() && !gate.close() && !gate.is_open());
    assert_eq!(passing(&mut stream), [5, 6]);
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
}

#[test]
fn an_item_that_comes_after_a_close_waits_in_the_source() {
    let (source, remote) = source([]);
    let (mut stream, gate) = gated_aiter(source);
    let (wakes, waker) = Wakes::new();
    gate.open();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    gate.close();
    remote.add([Item(1)]);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!(remote.polls(), 1);
    gate.push(1);
    assert_eq!(wakes.count(), 2);
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(1)));
    assert_eq!(permits(&stream), 0);
}

#[test]
fn an_item_under_way_at_a_close_is_held_back_until_there_is_a_permit() {
    let mut polls = 0;
    let (mut stream, gate) = calls_gate(move |gate| {
        polls += 1;
        gate.close();
        Poll::Ready(Some(polls))
    });
    let (wakes, waker) = Wakes::new();
    gate.open();
    for _ in 0..2 {
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    }
    assert_eq!(stream.size_hint(), (0, None));
    assert!(format!("{:?}", stream.held).contains('1') && wakes.count() == 0);
    gate.push(2);
    assert_eq!(wakes.count(), 1);
    assert_eq!(stream.size_hint(), (1, None));
    // The item that was held back and one of the source spend a permit each.
    assert_eq!(passing(&mut stream), [1, 2]);
    assert_eq!(permits(&stream), 0);
    // Another item is held back. It passes the open valve without a further poll of the source.
    gate.open();
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    gate.open();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
    assert!(gate.is_open());
}

#[test]
fn an_item_held_back_passes_before_the_end_with_a_permit_and_is_dropped_without() {
    let item = Rc::new(());
    for (permits, last) in [(1, Some(Rc::new(()))), (0, None)] {
        let given = item.clone();
        let (mut stream, gate) = calls_gate(move |gate| {
            gate.close();
            Poll::Ready(Some(given.clone()))
        });
        gate.open();
        assert_eq!(poll_noop(&mut stream), Poll::Pending);
        assert_eq!(Rc::strong_count(&item), 3);
        gate.push(permits);
        gate.stop();
        assert_eq!(stream.size_hint(), (permits, Some(permits)));
        if last.is_some() {
            assert_eq!(poll_noop(&mut stream), Poll::Ready(last));
        }
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert_eq!(Rc::strong_count(&item), 1);
    }
}

#[test]
fn closing_and_stopping_while_the_source_is_pending_ends_the_stream_and_wakes_it() {
    for stop_first in [false, true] {
        let (source, remote) = source::<()>([]);
        let (mut stream, gate) = gated_aiter(source);
        let (wakes, waker) = Wakes::new();
        gate.open();
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        if stop_first {
            gate.stop();
            assert_eq!(poll(&mut stream, &waker), Poll::Pending);
            assert_eq!(wakes.count(), 0);
            assert!(gate.close());
        } else {
            gate.close();
            assert_eq!(wakes.count(), 0);
            gate.stop();
        }
        assert_eq!(wakes.count(), 1);
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(None));
        assert!(remote.is_dropped() && stream.is_terminated());
    }
    // The same calls from within the source.
    let (mut stream, gate) = calls_gate(|gate| -> Poll<Option<()>> {
        gate.stop();
        gate.close();
        Poll::Pending
    });
    gate.open();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

#[test]
fn a_stop_ends_the_stream_after_what_was_authorized() {
    let (source, remote) = source([Item(1), Pending, Item(2), Item(3)]);
    let (mut stream, gate) = gated_aiter(source);
    gate.push(2);
    gate.stop();
    gate.push(5);
    assert!(!gate.open() && gate.is_stopped() && !gate.is_open());
    assert_eq!(stream.size_hint(), (1, Some(2)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(2)));
    assert!(!stream.is_terminated());
    for _ in 0..2 {
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(remote.is_dropped() && stream.is_terminated());
    }
    assert_eq!(remote.polls(), 3);
    assert_eq!(stream.size_hint(), (0, Some(0)));
}

#[test]
fn a_stop_leaves_the_valve_open() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..9));
    gate.open();
    gate.stop();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(0)));
    assert_eq!(stream.size_hint(), (0, Some(8)));
    assert!(gate.close() && !gate.open());
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

#[test]
fn the_last_gate_stops_when_it_is_dropped() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    let (wakes, waker) = Wakes::new();
    let other = gate.clone();
    gate.push(1);
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(0)));
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    drop(gate);
    assert_eq!((wakes.count(), other.is_stopped()), (0, false));
    drop(other);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(None));
}

#[test]
fn permits_of_a_source_that_ended_are_given_up() {
    let (source, remote) = source([Item(1), End]);
    let (mut stream, gate) = gated_aiter(source);
    gate.push(5);
    gate.open();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert!(!gate.is_stopped());
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert!(remote.is_dropped() && stream.is_terminated());
    assert!(gate.is_stopped() && !gate.is_open() && !gate.open());
    gate.push(1);
    assert_eq!(permits(&stream), 0);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert_eq!(remote.polls(), 2);

    // The end needs no permit, but it takes one to see it.
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..0));
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    gate.push(1);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

#[test]
fn a_gate_is_stopped_when_its_stream_is_dropped() {
    let (stream, gate) = gated_aiter(iter_to_aiter(0..));
    gate.push(3);
    gate.open();
    drop(stream);
    assert!(gate.is_stopped() && !gate.open() && !gate.close());
    gate.push(1);
    assert_eq!(gate.0.load().permits(), 0);
}

#[test]
fn no_waker_is_kept_after_the_end_or_the_drop() {
    for open in [false, true] {
        let (source, _remote) = source::<()>([]);
        let (mut stream, gate) = gated_aiter(source);
        let (wakes, waker) = Wakes::new();
        if open {
            gate.open();
        }
        for _ in 0..1000 {
            assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        }
        assert!(Arc::strong_count(&gate.0) == 1 && alloc::sync::Arc::strong_count(&wakes) <= 4);
        gate.close();
        gate.stop();
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(None));
        drop(waker);
        assert_eq!(alloc::sync::Arc::strong_count(&wakes), 1);
    }
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    drop((stream, waker));
    assert_eq!(alloc::sync::Arc::strong_count(&wakes), 1);
    gate.push(1);
    assert_eq!(wakes.count(), 0);
}

#[test]
fn permits_saturate_and_never_change_the_valve() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    gate.push(usize::MAX);
    assert_eq!(permits(&stream), Gate::MAX_PERMITS);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(0)));
    assert_eq!(permits(&stream), Gate::MAX_PERMITS - 1);
    gate.push(1);
    gate.push(1);
    gate.push(usize::MAX);
    assert_eq!(permits(&stream), Gate::MAX_PERMITS);
    assert!(!gate.is_open() && !gate.is_stopped());
    gate.stop();
    assert_eq!(
        stream.size_hint(),
        (Gate::MAX_PERMITS, Some(Gate::MAX_PERMITS))
    );
}

#[test]
fn a_push_with_a_limit_adds_up_to_it_and_lowers_nothing() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    for (n, max, added, permits) in [
        (0, 5, 0, 0),
        (2, 0, 0, 0),
        (2, 5, 2, 2),
        (2, 5, 2, 4),
        (2, 5, 1, 5),
        (2, 5, 0, 5),
        (0, 5, 0, 5),
        (1, 3, 0, 5),
        (usize::MAX, 7, 2, 7),
        (1, usize::MAX, 1, 8),
    ] {
        assert_eq!((gate.push_up_to(n, max), gate.permits()), (added, permits));
    }
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(0)));
    assert_eq!((gate.push_up_to(5, 8), gate.permits()), (1, 8));
    // A push without a limit goes beyond it.
    gate.push(2);
    assert_eq!((gate.push_up_to(1, 8), gate.permits()), (0, 10));
    let rest = Gate::MAX_PERMITS - 10;
    assert_eq!(gate.push_up_to(usize::MAX, usize::MAX), rest);
    assert_eq!(gate.push_up_to(usize::MAX, usize::MAX), 0);
    assert_eq!(gate.permits(), Gate::MAX_PERMITS);
    assert!(!gate.is_open() && !gate.is_stopped());
}

#[test]
fn a_push_with_a_limit_wakes_the_stream_only_with_a_permit() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!((gate.push_up_to(1, 0), wakes.count()), (0, 0));
    assert_eq!((gate.push_up_to(3, 2), wakes.count()), (2, 1));
    assert_eq!((gate.push_up_to(3, 2), wakes.count()), (0, 1));
    assert_eq!(passing(&mut stream), [0, 1]);
    assert_eq!(poll(&mut stream, &panicking_waker()), Poll::Pending);
    assert_eq!(panic_of(|| gate.push_up_to(1, 1)), "waker");
    assert_eq!(gate.permits(), 1);
}

#[test]
fn permits_are_those_unspent_whatever_the_valve_says() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    assert_eq!(gate.permits(), 0);
    gate.push(3);
    gate.open();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(0)));
    assert_eq!((gate.permits(), gate.push_up_to(3, 4)), (3, 1));
    gate.close();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    gate.stop();
    assert_eq!((gate.permits(), gate.push_up_to(3, 9)), (3, 0));
    drop(stream);
    assert_eq!((gate.permits(), gate.push_up_to(3, 9)), (0, 0));
}

#[test]
fn a_panic_of_the_source_spends_no_permit_and_the_next_poll_polls_it_again() {
    let (source, remote) = source([Panic, Item(1)]);
    let (mut stream, gate) = gated_aiter(source);
    gate.push(1);
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "source");
    assert_eq!((permits(&stream), remote.polls()), (1, 1));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
}

#[test]
fn a_panic_of_the_waker_does_not_undo_the_change() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    assert_eq!(poll(&mut stream, &panicking_waker()), Poll::Pending);
    assert_eq!(panic_of(|| gate.push(1)), "waker");
    assert_eq!(passing(&mut stream), [0]);
    assert_eq!(poll(&mut stream, &panicking_waker()), Poll::Pending);
    assert_eq!(panic_of(|| gate.open()), "waker");
    assert!(gate.is_open() && gate.close());
    assert_eq!(poll(&mut stream, &panicking_waker()), Poll::Pending);
    assert_eq!(panic_of(|| drop(gate)), "waker");
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

#[test]
fn a_panic_in_the_drop_of_the_source_or_of_an_item_leaves_the_end_in_place() {
    #[derive(Debug, PartialEq)]
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("drop");
        }
    }
    // The source panics in its drop at its end. Afterwards the gate is closed and without permits,
    // and the next poll sees the end all the same.
    let bad = Bad;
    let (mut stream, gate) = calls_gate(move |_| -> Poll<Option<()>> {
        let _ = &bad;
        Poll::Ready(None)
    });
    gate.open();
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "drop");
    gate.close();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert!(gate.is_stopped() && stream.is_terminated());

    // An item that was held back panics in its drop, at a stop.
    let (mut stream, gate) = calls_gate(|gate| {
        gate.close();
        gate.stop();
        Poll::Ready(Some(Bad))
    });
    gate.open();
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "drop");
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert!(stream.is_terminated());
}

#[test]
fn the_source_may_call_its_gate_while_it_is_polled() {
    let mut next = 0;
    let (mut stream, gate) = calls_gate(move |gate| {
        next += 1;
        match next {
            3 => gate.stop(),
            _ => gate.push(1),
        }
        Poll::Ready(Some(next))
    });
    gate.push(1);
    assert_eq!(passing(&mut stream), [1, 2, 3]);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

#[test]
fn size_hint_combines_the_source_and_the_permits() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..5));
    assert_eq!(stream.size_hint(), (0, Some(5)));
    gate.push(2);
    assert_eq!(stream.size_hint(), (2, Some(5)));
    gate.open();
    assert_eq!(stream.size_hint(), (2, Some(5)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(0)));
    assert_eq!(stream.size_hint(), (2, Some(4)));
    gate.stop();
    assert_eq!(stream.size_hint(), (2, Some(4)));
    gate.close();
    assert_eq!(stream.size_hint(), (2, Some(2)));
    assert_eq!(passing(&mut stream), [1, 2]);
    assert_eq!(stream.size_hint(), (0, Some(0)));

    let (stream, gate) = gated_aiter(iter_to_aiter(0..2));
    gate.push(7);
    gate.stop();
    assert_eq!(stream.size_hint(), (2, Some(2)));
    // A source without a size hint.
    let (stream, gate) = gated_aiter(source([Item(1), Pending]).0);
    gate.push(2);
    assert_eq!(stream.size_hint(), (1, None));
    gate.stop();
    assert_eq!(stream.size_hint(), (1, Some(2)));
}

#[test]
fn debug_output_does_not_contain_the_item() {
    let (stream, gate) = gated_aiter(iter_to_aiter([1]));
    gate.push(3);
    gate.open();
    let state = "GateState { open: true, stopped: false, permits: 3 }";
    assert_eq!(format!("{gate:?}"), format!("Gate({state})"));
    assert!(
        format!("{stream:?}").starts_with(&format!("Gated {{ gate: {state}, holds_item: false"))
    );
}

#[test]
fn a_second_stop_changes_nothing() {
    let (mut stream, gate) = gated_aiter(iter_to_aiter(0..));
    gate.push(1);
    for _ in 0..2 {
        gate.stop();
        assert!(gate.is_stopped());
    }
    drop(gate);
    assert_eq!(passing(&mut stream), [0]);
    assert!(stream.is_terminated());
}
