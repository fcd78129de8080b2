//! The shapes of work, the same for every channel. Each checks that nothing was lost.

use crate::Channel;
use std::{
    cell::Cell,
    hint::black_box,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// One thread sends `items`, then takes them all.
pub fn fill_and_drain<C: Channel>(items: u64) {
    let (mut sender, mut receiver) = C::new();
    for item in 0..items {
        C::send(&mut sender, black_box(item));
    }
    drain(items, || C::take(&mut receiver));
}

/// Takes until nothing is available, and checks that there were `items`.
pub fn drain(items: u64, mut take: impl FnMut() -> Option<u64>) {
    let mut taken = 0;
    while let Some(item) = take() {
        black_box(item);
        taken += 1;
    }
    assert_eq!(taken, items);
}

/// On one thread, `items` times: the receiver finds nothing and waits, one item is sent and wakes
/// it, and it takes the item.
pub fn send_wake_take<C: Channel>(items: u64) {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            // Ordering: Relaxed, read by the same thread.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let wakes = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let (mut sender, mut receiver) = C::new();
    for item in 0..items {
        let mut next = pin!(C::next(&mut receiver));
        assert!(next.as_mut().poll(&mut cx).is_pending());
        C::send(&mut sender, black_box(item));
        assert_eq!(next.as_mut().poll(&mut cx), Poll::Ready(item));
    }
    // Ordering: Relaxed, written by the same thread.
    assert_eq!(wakes.0.load(Ordering::Relaxed) as u64, items);
}

/// The same in a task. Its executor polls it whenever it was woken, and makes a waker for each
/// poll, as many executors do.
pub fn send_wake_take_in_task<C: Channel>(items: u64) {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            // Ordering: read by the same thread; an executor of several threads uses Release here.
            self.0.store(true, Ordering::Release);
        }
    }

    let taken = Rc::new(Cell::new(0));
    let (mut sender, mut receiver) = C::new();
    let mut task: Pin<Box<dyn Future<Output = ()>>> = Box::pin({
        let taken = taken.clone();
        async move {
            loop {
                assert_eq!(C::next(&mut receiver).await, taken.get());
                taken.set(taken.get() + 1);
            }
        }
    });
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let mut run = || {
        // Ordering: written by the same thread; the partner of the store above.
        while woken.0.swap(false, Ordering::AcqRel) {
            let waker = Waker::from(woken.clone());
            let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
    };
    run();
    for item in 0..items {
        C::send(&mut sender, black_box(item));
        run();
    }
    assert_eq!(taken.get(), items);
}

/// `senders` threads send `items` between them. This thread waits for each item and takes it.
#[cfg(feature = "peers")]
pub fn across_threads<C: Channel>(senders: u64, items: u64) {
    use futures_lite::future::block_on;
    use std::thread;

    let (sender, mut receiver) = C::new();
    thread::scope(|scope| {
        for _ in 0..senders {
            let mut sender = sender.clone();
            scope.spawn(move || {
                for item in 0..items / senders {
                    C::send(&mut sender, black_box(item));
                }
            });
        }
        block_on(async {
            for _ in 0..items / senders * senders {
                black_box(C::next(&mut receiver).await);
            }
        });
    });
}
