//! [`List`]: the fields that all handles of a list share, with its tail word and its statistics.

use super::{
    block::{
        BlockHeader, FIRST, FIRST_TAIL, FLAGS, Tail, distance_to_tail, tail_distance,
        wrap_like_tail,
    },
    block_limit::BlockLimit,
    drain_state::DrainState,
    free_list::FreeList,
    open::OpenList,
};
use crate::{
    Statistics,
    sync::{Arc, AtomicPtr, AtomicUsize, Ordering::*, fence},
    wait::{
        demand::Demand,
        notify::WakeSource,
        registry::Registry,
        spin::{AdaptiveSpin, Pushing, Reading},
        wait_set::LazyWaitSet,
    },
};
use alloc::boxed::Box;
use core::{
    marker::PhantomPinned,
    ptr::{self, NonNull},
};

/// Flag in the tail word: no slot can be reserved any more.
pub(super) const CLOSED: usize = 1;
/// Flag in the tail word: readers that found no reserved slot may sleep.
pub(super) const ASLEEP: usize = 2;
/// Flag in the tail word: the number of slots that [`Writer::subscribe_exact`](super::Writer) has
/// reserved is odd.
pub(super) const ODD: usize = 4;

/// Whether one slot that [`Writer::subscribe_exact`](super::Writer) has reserved is not counted in
/// `skipped` yet. There is at most one.
pub(super) fn is_one_behind(skipped: usize, tail: Tail) -> bool {
    (tail & ODD != 0) != (skipped % 2 != 0)
}

/// The `end_tail` of a list that has not ended yet.
const UNKNOWN: Tail = 1;

/// The fields that all handles of a list share. Their order keeps writers and readers out of each
/// other's cache lines, whatever the address of the list: a field that changes with each push or
/// with each item taken is 64 bytes away from the fields that the other side reads as often.
#[repr(C)]
pub(crate) struct List<T> {
    /// The next slot to be reserved, with [`CLOSED`], [`ASLEEP`] and [`ODD`].
    pub(super) tail: AtomicUsize,
    /// A block near the tail, where writers start to look for the block of their slot.
    pub(super) tail_block: AtomicPtr<BlockHeader<T>>,
    /// The total number of slots that were published without an item.
    pub(super) skipped: AtomicUsize,
    /// The tail at which the list ended. It is set soon after `CLOSED`, and [`UNKNOWN`] before; see
    /// [`List::statistics`].
    pub(super) end_tail: AtomicUsize,
    /// The number of live writers. The last one closes the list.
    pub(super) writers: AtomicUsize,
    /// The number of slots that batches have reserved and may not have published yet.
    pub(super) batch_slots: AtomicUsize,

    pub(super) drain: DrainState<T>,
    /// The number of live readers. The last one closes the list.
    pub(super) readers: AtomicUsize,
    /// How a reader clones an item: a function of the table `ErasedOps` of `reader.rs`.
    pub(super) clone_next: AtomicPtr<()>,
    /// The other function of that table. It is beside the first, so that neither load waits for
    /// another.
    pub(super) next_slow: AtomicPtr<()>,
    root: BlockHeader<T>,
    /// For whom the list was made, if it is not a plain list. One word for all that few lists have.
    made_for: Option<Box<MadeFor>>,
    /// The tasks that wait until the list is closed.
    pub(super) close_waiters: LazyWaitSet,

    pub(super) registry: Registry,
    pub(super) block_limit: BlockLimit,
    pub(super) free_list: FreeList<T>,
    /// Whether a reader looks again before it sleeps.
    pub(super) reading: AdaptiveSpin<Reading>,
    /// Whether a writer pauses when it meets another one.
    pub(super) pushing: AdaptiveSpin<Pushing>,
    /// Blocks point to the root, also while the list is dropped: `&mut List` is not the only way to
    /// reach it.
    _pinned: PhantomPinned,
}

/// What a list is for, beside readers and writers.
enum MadeFor {
    /// A driver, which is woken when the last reader is dropped.
    Driver(WakeSource<Demand>),
    /// A hub. The list stays open without readers.
    Hub(OpenList),
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    use core::mem::offset_of;
    const LINE: usize = 64;
    let tail = offset_of!(List<u64>, tail);
    let registry = offset_of!(List<u64>, registry);
    // With the two counts of an `Arc` before it.
    assert!(cfg!(aiter_loom) || size_of::<List<u64>>() + 16 <= 256);
    assert!(tail + LINE <= offset_of!(List<u64>, readers));
    assert!(tail + LINE <= registry && Registry::SPAN >= LINE);
};

// SAFETY: items are moved between threads (`T: Send`). They are shared between threads only through
// readers, and making a second reader requires `T: Sync`. All other fields are atomics, or are
// guarded by them.
unsafe impl<T: Send> Send for List<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for List<T> {}

impl<T> List<T> {
    /// A list that counts its first writer and its first reader, which the caller makes.
    pub(super) fn new(driver: Option<WakeSource<Demand>>) -> Arc<Self> {
        Self::made_for(driver.map(MadeFor::Driver))
    }

    /// The same, for a list that stays open without readers.
    pub(super) fn for_hub(open: OpenList) -> Arc<Self> {
        Self::made_for(Some(MadeFor::Hub(open)))
    }

    fn made_for(made_for: Option<MadeFor>) -> Arc<Self> {
        fence::prepare();
        let list = Arc::new(Self {
            tail: AtomicUsize::new(FIRST_TAIL),
            tail_block: AtomicPtr::new(ptr::null_mut()),
            skipped: AtomicUsize::new(0),
            end_tail: AtomicUsize::new(UNKNOWN),
            writers: AtomicUsize::new(1),
            batch_slots: AtomicUsize::new(0),
            drain: DrainState::new(),
            readers: AtomicUsize::new(1),
            clone_next: AtomicPtr::new(ptr::null_mut()),
            next_slow: AtomicPtr::new(ptr::null_mut()),
            root: BlockHeader::root(),
            made_for: made_for.map(Box::new),
            close_waiters: LazyWaitSet::new(),
            registry: Registry::new(FIRST),
            block_limit: BlockLimit::new(),
            free_list: FreeList::new(),
            reading: AdaptiveSpin::new(),
            pushing: AdaptiveSpin::new(),
            _pinned: PhantomPinned,
        });
        list.tail_block.store(list.root().as_ptr(), Relaxed);
        list
    }

    /// What is woken when the last reader is dropped.
    pub(super) fn driver(&self) -> Option<&WakeSource<Demand>> {
        match self.made_for.as_deref() {
            Some(MadeFor::Driver(driver)) => Some(driver),
            _ => None,
        }
    }

    /// What the list knows of its hub, if it stays open without readers.
    pub(super) fn open(&self) -> Option<&OpenList> {
        match self.made_for.as_deref() {
            Some(MadeFor::Hub(open)) => Some(open),
            _ => None,
        }
    }

    pub(super) fn root(&self) -> NonNull<BlockHeader<T>> {
        NonNull::from(&self.root)
    }

    /// Refuses all later reservations. Returns the old tail word, with its flags, to the call that
    /// closed the list, and `None` to every other. The caller that closed the list has to wake its
    /// `close_waiters` in the end.
    pub(super) fn close_tail(&self) -> Option<Tail> {
        // Ordering: AcqRel, in one order with the reservations: the items of earlier ones are
        // delivered, and later ones are refused.
        let tail = self.tail.fetch_or(CLOSED, AcqRel);
        if tail & CLOSED != 0 {
            return None;
        }
        self.end_tail.store(tail & !FLAGS, Relaxed);
        Some(tail)
    }

    /// The tail at which the list ended, or `tail` if that is not known. It is not known if the
    /// list is open, or was closed just now; then pushes that were refused may count for a moment.
    pub(super) fn end_tail_or(&self, tail: Tail) -> Tail {
        self.end_tail().unwrap_or(tail)
    }

    /// The tail at which the list ended. `None` if it is open, or if the closing thread has yet to
    /// store it.
    pub(super) fn end_tail(&self) -> Option<Tail> {
        match self.end_tail.load(Relaxed) {
            UNKNOWN => None,
            end_tail => Some(end_tail),
        }
    }

    /// Whether pushes are refused: the list was closed, or its last writer or last reader was
    /// dropped.
    pub(crate) fn is_closed(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `close_tail`: the caller sees what the
        // closing thread did before.
        self.tail.load(Acquire) & CLOSED != 0
    }

    /// As [`is_closed`](Self::is_closed), for a task that waits in `close_waiters`: if it returns
    /// false, the close will wake that task. No writer of the list may
    /// [push exclusively](super::Writer::push_exclusive).
    pub(super) fn is_closed_or_wakes(&self) -> bool {
        // Ordering: a read-modify-write, in one order with that of `close_tail`. If this one comes
        // first, its Release hands the waiting task to the closing thread (Acquire), also if there
        // are reservations in between, which continue the release sequence. If it comes second, it
        // sees the flag; Acquire as in `is_closed`.
        self.tail.fetch_add(0, AcqRel) & CLOSED != 0
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.statistics_with(0, |_| {})
    }

    /// The statistics without the reader whose slot in the registry has this address, and with the
    /// lags that `others` passes on.
    pub(super) fn statistics_with(
        &self,
        registration: usize,
        others: impl FnOnce(&mut dyn FnMut(usize)),
    ) -> Statistics {
        // Ordering: Acquire pairs with the Release of the threads that count a skipped slot: the
        // tail that is loaded next is past that slot.
        let skipped = self.skipped.load(Acquire);
        // Ordering: Relaxed, because of the Acquire above.
        let tail = self.end_tail_or(self.tail.load(Relaxed));
        let mut lags = None;
        let mut include = |lag: usize| {
            let (least, most) = lags.unwrap_or((lag, lag));
            lags = Some((lag.min(least), lag.max(most)));
        };
        self.registry.each_except(registration, |position, passed| {
            // Negative only for a reader that has moved on since the tail was loaded.
            let lag = distance_to_tail(position, tail) - skipped.wrapping_sub(passed) as isize;
            include(lag.max(0) as usize);
        });
        others(&mut include);
        let (waiting, lag) = lags.unwrap_or_default();
        // Both counts wrap, the tail before the other.
        let pushed = wrap_like_tail(tail_distance(FIRST_TAIL, tail).wrapping_sub(skipped));
        Statistics {
            pushed,
            taken: pushed.saturating_sub(waiting),
            waiting,
            lag,
        }
    }
}
