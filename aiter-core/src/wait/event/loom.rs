//! Loom models: no notification is lost, also where the condition changes back and forth, and the
//! last one leaves no waker behind.

use super::*;
use crate::{
    sync::{Arc, AtomicUsize},
    test_support::loom::{block_on, model},
};
use ::loom::thread;
use alloc::{task::Wake, vec::Vec};
use core::{
    future::poll_fn,
    task::{Context, Poll},
};

fn event() -> Event<AtomicUsize> {
    Event::new(AtomicUsize::new(0))
}

fn poll_until(
    listener: &mut Listener<AtomicUsize>,
    value: usize,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if listener.load(Ordering::Relaxed) == value {
        return Poll::Ready(());
    }
    listener.register(cx.waker());
    match listener.load(Ordering::Relaxed) == value {
        true => Poll::Ready(()),
        false => Poll::Pending,
    }
}

#[test]
fn a_notification_racing_a_registration_is_not_lost() {
    model(|| {
        let event = event();
        let mut listener = event.listener();
        let notify = thread::spawn(move || {
            event.store(1, Ordering::Relaxed);
            event.notify();
        });
        block_on(poll_fn(|cx| poll_until(&mut listener, 1, cx)));
        notify.join().unwrap();
    });
}

#[test]
fn of_several_notifications_none_is_lost() {
    model(|| {
        let event = event();
        let mut listener = event.listener();
        let notify = thread::spawn(move || {
            for value in [1, 2, 3] {
                event.store(value, Ordering::Relaxed);
                event.notify();
            }
        });
        block_on(poll_fn(|cx| poll_until(&mut listener, 3, cx)));
        notify.join().unwrap();
    });
}

/// Counts the references to it, which are wakers.
struct Counted;

impl Wake for Counted {
    fn wake(self: alloc::sync::Arc<Self>) {}
}

#[test]
fn the_last_notification_leaves_no_waker_of_a_listener_that_leaves() {
    let ways: [fn(Listener<AtomicUsize>) -> Option<Listener<AtomicUsize>>; 2] = [
        |listener| {
            drop(listener);
            None
        },
        |mut listener| {
            listener.clear();
            Some(listener)
        },
    ];
    for leave in ways {
        for others in [0, 1] {
            model(move || {
                let event = event();
                let others: Vec<_> = (0..others).map(|_| event.listener()).collect();
                let mut listener = event.listener();
                let counted = alloc::sync::Arc::new(Counted);
                listener.register(&Waker::from(counted.clone()));
                let (event, listeners) = (Arc::new(event), others);
                let notifier = event.clone();
                let notify = thread::spawn(move || notifier.notify_last());
                let left = leave(listener);
                notify.join().unwrap();
                assert_eq!(
                    alloc::sync::Arc::strong_count(&counted),
                    1,
                    "a waker is kept"
                );
                drop((left, listeners, event));
            });
        }
    }
}
