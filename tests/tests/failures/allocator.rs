//! The n-th allocation fails, for every n. Either the process ends there with the message of the
//! standard library, or everything works as if nothing had failed. The process that ends is another
//! one, which runs this very program.

use super::{
    child::{child, is_emulated},
    everything::everything,
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    env, hint, ptr,
    sync::atomic::{AtomicBool, Ordering::*},
};

thread_local!(static LEFT: Cell<Option<usize>> = const { Cell::new(None) });

/// While it is set, one thread at a time is in the system's allocator and others spin. The
/// allocator itself would have them wait by a system call.
pub static ONE_AT_A_TIME: AtomicBool = AtomicBool::new(false);
static IS_IN: AtomicBool = AtomicBool::new(false);

/// A thread is in the system's allocator.
struct Turn(bool);

impl Turn {
    fn take() -> Self {
        let is_taken = ONE_AT_A_TIME.load(Acquire);
        while is_taken && IS_IN.swap(true, Acquire) {
            hint::spin_loop();
        }
        Self(is_taken)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.0 {
            IS_IN.store(false, Release);
        }
    }
}

struct Failing;

// SAFETY: calls are passed on to the system's allocator unchanged, or return null, which an
// allocator may.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match LEFT.get() {
            Some(0) => return ptr::null_mut(),
            Some(left) => LEFT.set(Some(left - 1)),
            None => {}
        }
        let _turn = Turn::take();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let _turn = Turn::take();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

const VARIABLE: &str = "AITER_ALLOCATIONS";

/// The other process. [`VARIABLE`] says how many allocations succeed.
#[test]
#[ignore = "run by the test below"]
fn everything_with_a_limited_number_of_allocations() {
    let left = env::var(VARIABLE).unwrap().parse().unwrap();
    LEFT.set(Some(left));
    everything();
    LEFT.set(None);
}

#[test]
fn an_allocation_that_fails_ends_the_process_and_corrupts_nothing() {
    // Under emulation it takes long to start a process.
    let mut step = if is_emulated() { 37 } else { 1 };
    let mut left = 0;
    let mut ended = 0;
    loop {
        let child = child("allocator::everything_with_a_limited_number_of_allocations")
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
        // Each of the first hundred, then every 37th, unless all are to be tried.
        if left == 100 && env::var_os("AITER_LONG").is_none() {
            step = 37;
        }
        left += step;
        assert!(left < 10_000, "there is no end of allocations");
    }
    println!("{ended} processes ended, the last without its allocation {left}");
    assert!(ended > 20, "{ended}");
}
