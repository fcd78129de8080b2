//! The global allocator: that of `embedded-alloc`, with measurements.

use core::{
    alloc::{GlobalAlloc, Layout},
    mem::MaybeUninit,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use embedded_alloc::LlffHeap;

pub(crate) const SIZE: usize = 8 * 1024;

static mut ARENA: MaybeUninit<[u64; SIZE / 8]> = MaybeUninit::uninit();

#[global_allocator]
static HEAP: Measured = Measured {
    heap: LlffHeap::empty(),
    peak: AtomicUsize::new(0),
    allocations: AtomicUsize::new(0),
};

/// Counts with plain loads and stores, in critical sections.
struct Measured {
    heap: LlffHeap,
    peak: AtomicUsize,
    allocations: AtomicUsize,
}

/// Must be called once, before anything is allocated.
pub(crate) fn init() {
    let arena = (&raw mut ARENA).addr();
    // SAFETY: this is called once, and no other code accesses the arena.
    unsafe { HEAP.heap.init(arena, SIZE) };
}

/// The bytes in use, their maximum, and the number of allocations so far.
pub(crate) fn statistics() -> (usize, usize, usize) {
    (
        heap_in_use(),
        HEAP.peak.load(Relaxed),
        HEAP.allocations.load(Relaxed),
    )
}

/// The bytes in use.
pub fn heap_in_use() -> usize {
    HEAP.heap.used()
}

// SAFETY: the memory comes unchanged from the wrapped heap.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        critical_section::with(|_| {
            // SAFETY: the caller's contract is the same.
            let memory = unsafe { self.heap.alloc(layout) };
            self.peak
                .store(self.peak.load(Relaxed).max(self.heap.used()), Relaxed);
            self.allocations
                .store(self.allocations.load(Relaxed) + 1, Relaxed);
            memory
        })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.heap.dealloc(memory, layout) }
    }
}
