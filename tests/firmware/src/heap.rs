//! The global allocator: that of `embedded-alloc`, measured.

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

/// Counts with loads and stores alone, in critical sections.
struct Measured {
    heap: LlffHeap,
    peak: AtomicUsize,
    allocations: AtomicUsize,
}

/// To be called once, before anything is allocated.
pub(crate) fn init() {
    let arena = (&raw mut ARENA).addr();
    // SAFETY: called once; nobody else knows the arena.
    unsafe { HEAP.heap.init(arena, SIZE) };
}

/// Bytes in use, the most there were in use, and how many allocations there have been.
pub(crate) fn statistics() -> (usize, usize, usize) {
    (
        heap_in_use(),
        HEAP.peak.load(Relaxed),
        HEAP.allocations.load(Relaxed),
    )
}

/// Bytes in use.
pub fn heap_in_use() -> usize {
    HEAP.heap.used()
}

// SAFETY: memory comes from the heap inside, as it is.
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
