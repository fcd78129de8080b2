//! The n-th allocation fails, for every n: the process ends there with the message of the standard library, or all is as if
//! nothing had failed. It is another process, this very program, that ends.

use aiter_core::{
    AiterExt, active, aiter_forker, gated_aiter, iter_to_aiter, join_aiters, preload, push_aiter,
    sharable_aiter,
};
use futures_lite::{StreamExt, future, stream};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    env,
    process::Command,
    ptr,
};

thread_local!(static LEFT: Cell<Option<usize>> = const { Cell::new(None) });

struct Failing;

// SAFETY: calls go to the system's allocator as they came, or give null, which an allocator may.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match LEFT.get() {
            Some(0) => return ptr::null_mut(),
            Some(left) => LEFT.set(Some(left - 1)),
            None => {}
        }
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

const VARIABLE: &str = "AITER_ALLOCATIONS";

/// A little of everything that allocates.
fn everything() {
    let (pusher, mut aiter) = push_aiter();
    let mut forks: Vec<_> = (0..10).map(|_| aiter.fork()).collect();
    for n in 0..100 {
        pusher.push(Box::new(n)).unwrap();
    }
    let late = pusher.subscribe();
    pusher.push_all((100..200).map(Box::new)).unwrap();
    pusher
        .push_all((200..300).filter(|_| true).map(Box::new))
        .unwrap();
    pusher.stop();
    let count = |stream| future::block_on(StreamExt::count(stream));
    assert!(forks.drain(..).all(|fork| count(fork) == 300));
    assert_eq!(count(late), 200);
    assert_eq!(count(aiter), 300);

    let numbers = || iter_to_aiter(0..50);
    let mut fork = aiter_forker(numbers());
    let sum = future::block_on(async {
        let other = fork.fork();
        let (one, other) = future::zip(
            fork.fold(0, |sum, n| sum + n),
            other.fold(0, |sum, n| sum + n),
        )
        .await;
        let taker = sharable_aiter(numbers());
        let shared = taker.clone().fold(0, |sum, n| sum + n).await;
        let (gated, gate) = gated_aiter(numbers());
        gate.open();
        let gated = gated.fold(0, |sum, n| sum + n).await;
        let (ready, driver) = preload(5, numbers());
        let (preloaded, ()) = future::zip(ready.fold(0, |sum, n| sum + n), driver).await;
        let (pulled, driver) = active(numbers());
        let (pulled, ()) = future::zip(pulled.fold(0, |sum, n| sum + n), driver).await;
        let joined = join_aiters(stream::iter([numbers(), numbers()]));
        let joined = joined.fold(0, |sum, n| sum + n).await;
        let mapped = numbers().map_workers(7, |n| async move {
            future::yield_now().await;
            n
        });
        let mapped = mapped.fold(0, |sum, n| sum + n).await;
        let ordered = numbers().map_workers_ordered(7, |n| async move {
            future::yield_now().await;
            n
        });
        let ordered = ordered.fold(0, |sum, n| sum + n).await;
        one + other + shared + gated + preloaded + pulled + joined + mapped + ordered
    });
    assert_eq!(sum, 10 * (0..50).sum::<i32>());
}

/// The other process: [`VARIABLE`] says how many allocations succeed.
#[test]
#[ignore = "run by the test below"]
fn everything_with_so_many_allocations() {
    let left = env::var(VARIABLE).unwrap().parse().unwrap();
    LEFT.set(Some(left));
    everything();
    LEFT.set(None);
}

#[test]
fn an_allocation_that_fails_ends_the_process_and_corrupts_nothing() {
    let mut step = 1;
    let mut left = 0;
    let mut ended = 0;
    loop {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact"])
            .arg("allocator::everything_with_so_many_allocations")
            .env(VARIABLE, left.to_string())
            .output()
            .unwrap();
        if child.status.success() {
            break;
        }
        let said = String::from_utf8_lossy(&child.stderr);
        assert!(
            said.contains("memory allocation of"),
            "after {left} allocations: {} {said}",
            child.status
        );
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            assert_eq!(child.status.signal(), Some(6), "after {left}: {said}");
        }
        ended += 1;
        // Each of the first hundred, then every 37th, unless all are asked for.
        if left == 100 && env::var_os("AITER_LONG").is_none() {
            step = 37;
        }
        left += step;
        assert!(left < 10_000, "there is no end of allocations");
    }
    println!("{ended} processes ended, the last without its allocation {left}");
    assert!(ended > 20, "{ended}");
}
