//! The memory that the program holds, as the allocator and as the system count it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt, fs,
    sync::atomic::{AtomicIsize, Ordering::Relaxed},
};

static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that were allocated and not freed.
pub(crate) fn held() -> usize {
    HELD.load(Relaxed).try_into().unwrap()
}

#[derive(Debug)]
pub(crate) struct Memory {
    held: usize,
    /// In kB. Unknown where there is no `/proc`.
    resident: Option<usize>,
}

impl Memory {
    pub(crate) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Self {
            held: held(),
            resident: line.and_then(|line| line.trim_end_matches("kB").trim().parse().ok()),
        }
    }

    /// Returns by how much the bytes held and the resident kB have grown.
    pub(crate) fn growth(&self, later: &Self) -> (isize, isize) {
        let resident = self.resident.zip(later.resident);
        (
            later.held as isize - self.held as isize,
            resident.map_or(0, |(then, now)| now as isize - then as isize),
        )
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "idle: {} bytes held, ", self.held)?;
        match self.resident {
            Some(kb) => write!(f, "{kb} kB resident"),
            None => f.write_str("resident unknown"),
        }
    }
}
