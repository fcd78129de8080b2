//! Bugs planted for the sanitizers. `ci/tsan.sh` and `ci/asan.sh` run each of them and expect a
//! report, because a check that finds nothing may have stopped working. They are ignored by
//! default: without a sanitizer they prove nothing.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::push_aiter;
use std::{
    cell::UnsafeCell,
    hint::black_box,
    sync::{
        Barrier,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{self, Relaxed},
        },
    },
    thread,
};

/// Two threads that begin together and both live until the end, because the end of a thread may
/// order what it did before the beginning of another. Nothing orders what they do in between.
struct Pair {
    start: Barrier,
    done: AtomicUsize,
}

impl Pair {
    fn new() -> Self {
        Self {
            start: Barrier::new(2),
            done: AtomicUsize::new(0),
        }
    }

    fn side_by_side(&self, work: impl FnOnce()) {
        self.start.wait();
        work();
        self.done.fetch_add(1, Relaxed);
        while self.done.load(Relaxed) < 2 {
            thread::yield_now();
        }
    }
}

/// A value handed to another thread by a flag.
struct HandOver {
    value: UnsafeCell<u64>,
    is_there: AtomicBool,
}

// SAFETY: none with `Ordering::Relaxed`, which is the point; with Release and Acquire the flag
// orders the accesses.
unsafe impl Sync for HandOver {}

impl HandOver {
    fn give(&self, order: Ordering) {
        // SAFETY: the other thread waits for the flag.
        unsafe { *self.value.get() = 7 };
        self.is_there.store(true, order);
    }

    fn take(&self, order: Ordering) {
        while !self.is_there.load(order) {
            thread::yield_now();
        }
        // SAFETY: the flag was set after the write.
        assert_eq!(unsafe { *self.value.get() }, 7);
    }
}

fn hand_over(give: Ordering, take: Ordering) {
    let shared = HandOver {
        value: UnsafeCell::new(0),
        is_there: AtomicBool::new(false),
    };
    let pair = Pair::new();
    thread::scope(|scope| {
        scope.spawn(|| pair.side_by_side(|| shared.give(give)));
        scope.spawn(|| pair.side_by_side(|| shared.take(take)));
    });
}

#[test]
#[ignore = "planted for ThreadSanitizer"]
fn race() {
    hand_over(Relaxed, Relaxed);
}

#[test]
fn no_race() {
    hand_over(Ordering::Release, Ordering::Acquire);
}

/// Forks clone one item at once, for which `Send` alone is not enough. A false claim of `Sync` is
/// noticed.
#[test]
#[ignore = "planted for ThreadSanitizer"]
fn race_of_clones() {
    #[derive(Debug)]
    struct Counted(UnsafeCell<u64>);
    // SAFETY: none, which is the point.
    unsafe impl Sync for Counted {}
    impl Clone for Counted {
        fn clone(&self) -> Self {
            // SAFETY: none: another thread may clone it.
            unsafe { *self.0.get() += 1 };
            Self(UnsafeCell::new(0))
        }
    }
    let (pusher, mut aiter) = push_aiter();
    let forks = [aiter.fork(), aiter.fork()];
    pusher
        .push_all((0..1000).map(|n| Counted(UnsafeCell::new(n))))
        .unwrap();
    let pair = &Pair::new();
    thread::scope(|scope| {
        for mut fork in forks {
            scope.spawn(move || {
                // With the first item it learns which reader is behind it. From then on it looks at
                // no other reader.
                fork.try_next().unwrap();
                pair.side_by_side(|| while fork.try_next().is_ok() {});
            });
        }
    });
    // A third reader stays behind, so that no item is moved.
    assert!(aiter.is_len_at_least(1000));
}

#[test]
#[ignore = "planted for LeakSanitizer"]
fn leak() {
    std::mem::forget(black_box(Box::new([7_u8; 1000])));
}

#[test]
#[ignore = "planted for AddressSanitizer"]
fn use_after_free() {
    let item = Box::new(7_u64);
    let freed: *const u64 = &*item;
    drop(black_box(item));
    // SAFETY: none, which is the point.
    black_box(unsafe { *black_box(freed) });
}
