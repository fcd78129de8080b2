//! How much memory the parts of core hold when idle, full and drained, and how often they allocate
//! on the way.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::{
    Stopper, aiter_forker_with, bound, iter_to_aiter, join_aiters, map_workers_by,
    map_workers_ordered, push_aiter, push_hub, sharable_aiter,
};
use futures_core::Stream;
use futures_lite::{StreamExt, stream};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, RefCell},
    env, mem,
    ops::Range,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
};

const MILLION: usize = 1_000_000;

thread_local! {
    /// The counts of this thread only, so that tests on other threads do not matter: bytes held,
    /// their maximum, allocations made.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static MADE: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches only
// thread-locals that need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + layout.size() as isize);
        PEAK.set(PEAK.get().max(HELD.get()));
        MADE.set(MADE.get() + 1);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The change of the counters since it was made.
struct Meter {
    held: isize,
    made: usize,
}

impl Meter {
    fn start() -> Self {
        PEAK.set(HELD.get());
        Self {
            held: HELD.get(),
            made: MADE.get(),
        }
    }

    fn held(&self) -> isize {
        HELD.get() - self.held
    }

    fn peak(&self) -> isize {
        PEAK.get() - self.held
    }

    fn made(&self) -> usize {
        MADE.get() - self.made
    }
}

/// Fails if it is more than `limit` bytes, with a message that says how many.
#[track_caller]
fn at_most(what: &str, bytes: isize, limit: isize) {
    assert!(
        bytes <= limit,
        "{what}: {bytes} bytes, at most {limit} are allowed"
    );
}

fn poll<S: Stream + Unpin>(aiter: &mut S, waker: &Waker) -> Poll<Option<S::Item>> {
    Pin::new(aiter).poll_next(&mut Context::from_waker(waker))
}

/// However many streams a stopper had, what it keeps is what one needs that never had two.
#[test]
fn the_streams_of_a_stopper_give_their_memory_back() {
    let meter = Meter::start();
    let stopper = Stopper::new();
    let mut alone = stopper.stoppable(stream::pending::<()>());
    assert!(poll(&mut alone, Waker::noop()).is_pending());
    at_most("a stopper with a stream that waits", meter.held(), 220);
    assert_eq!(meter.made(), 2);
    for _ in 0..3 {
        let mut streams: Vec<_> = (0..10_000)
            .map(|_| stopper.stoppable(stream::pending::<()>()))
            .collect();
        let vec = (streams.capacity() * size_of_val(&streams[0])) as isize;
        for stream in &mut streams {
            assert!(poll(stream, Waker::noop()).is_pending());
        }
        at_most("10 000 streams", meter.held() - vec, 10_000 * 40);
        drop(streams);
        at_most("after a peak of 10 000 streams", meter.held(), 1600);
    }
    stopper.stop();
    drop((alone, stopper));
    assert_eq!(meter.held(), 0);
}

#[test]
fn the_meter_counts() {
    let meter = Meter::start();
    let first = vec![0_u8; 1000];
    drop(vec![0_u8; 500]);
    assert_eq!((meter.held(), meter.peak(), meter.made()), (1000, 1500, 2));
    drop(first);
    assert_eq!(meter.held(), 0);
}

/// The blocks of a batch are freed one by one as they are read, as those of single pushes are.
#[test]
fn a_batch_is_freed_as_it_is_read() {
    let meter = Meter::start();
    let (pusher, mut aiter) = push_aiter::<[u64; 8]>();
    let mut fork = aiter.fork();
    pusher.push([0; 8]).unwrap();
    pusher.push_all((1..100_000).map(|n| [n; 8])).unwrap();
    let full = meter.held();
    for n in 0..50_000 {
        assert_eq!(aiter.try_next(), Ok([n; 8]));
    }
    at_most("while a fork has read none", full - meter.held(), 0);
    for n in 0..90_000 {
        assert_eq!(fork.try_next(), Ok([n; 8]));
    }
    for n in 50_000..90_000 {
        assert_eq!(aiter.try_next(), Ok([n; 8]));
    }
    at_most(
        "when nine tenths are read",
        meter.held(),
        full / 10 + 64 * 1024,
    );
    while aiter.try_next().is_ok() {}
    while fork.try_next().is_ok() {}
    at_most("when all are read", meter.held(), 24 * 1024);
    pusher.stop();
    assert!(aiter.try_next().is_err() && fork.try_next().is_err());
    at_most("at the end", meter.held(), 24 * 1024);
}

/// Two writers push one batch after the other. At any time each has reserved one and is in the
/// middle of it, so no item that the reader reaches is the last one reserved.
#[test]
fn overlapping_batches_are_freed_as_they_are_read() {
    const LEN: usize = 1000;
    let (pusher, mut aiter) = push_aiter::<usize>();
    let meter = Meter::start();
    let writers = [(); 2].map(|()| {
        let (go, goes) = mpsc::channel::<()>();
        let (rests, rested) = mpsc::channel();
        let pusher = pusher.clone();
        let writer = thread::spawn(move || {
            let meter = Meter::start();
            let mut is_over = false;
            while !is_over {
                let items = (0..LEN).inspect(|n| {
                    if *n == LEN / 2 {
                        rests.send(meter.held()).unwrap();
                        is_over = goes.recv().is_err();
                    }
                });
                pusher.push_all(items).unwrap();
            }
        });
        (go, rested, writer)
    });
    let held_by = |(_, rested, _): &(_, mpsc::Receiver<isize>, _)| rested.recv().unwrap();
    let mut held: Vec<_> = writers.iter().map(held_by).collect();
    for turn in 0..400 {
        let writer = &writers[turn % 2];
        // To the end of its batch, which is the older one, and half of the next.
        writer.0.send(()).unwrap();
        held[turn % 2] = held_by(writer);
        while aiter.try_next().is_ok() {}
        let held = held.iter().sum::<isize>() + meter.held();
        let limit = 4 * (LEN * size_of::<usize>()) as isize;
        at_most("while batches overlap", held, limit);
    }
    for (go, _, writer) in writers {
        drop(go);
        writer.join().unwrap();
    }
}

/// As many items as fit into some 32 KiB, and at least two.
#[test]
fn large_items_take_little_more_than_themselves() {
    fn check<const N: usize>(at_first: isize) {
        let meter = Meter::start();
        let (pusher, mut aiter) = push_aiter::<[u8; N]>();
        pusher.push([1; N]).unwrap();
        at_most("after a push", meter.held(), at_first);
        for _ in 0..20 {
            pusher.push([2; N]).unwrap();
        }
        at_most("for 21 items", meter.held(), 21 * N as isize + 2 * at_first);
        while aiter.try_next().is_ok() {}
        at_most("when all are read", meter.held(), 3 * at_first);
        drop((pusher, aiter));
        assert_eq!(meter.held(), 0);
    }
    check::<65_536>(2 * 65_536 + 1024);
    check::<4096>(33 * 1024);
    check::<1024>(33 * 1024);
    check::<512>(33 * 1024);
}

#[test]
fn an_idle_list_is_small_and_holds_no_block() {
    let meter = Meter::start();
    let list = push_aiter::<u64>();
    at_most("an idle list", meter.held(), 256);
    // A single slot for such an item would show.
    let wide = push_aiter::<[u8; 4096]>();
    at_most("two idle lists", meter.held(), 512);
    drop((list, wide));
    assert_eq!(meter.held(), 0);
}

#[test]
fn a_list_waited_on_holds_no_block() {
    let meter = Meter::start();
    let (pusher, mut aiter) = push_aiter::<[u8; 4096]>();
    assert!(poll(&mut aiter, Waker::noop()).is_pending());
    at_most("a list with a waiter", meter.held(), 256);
    drop((pusher, aiter));
    assert_eq!(meter.held(), 0);
}

#[test]
fn tasks_that_wait_for_a_stop_leave_little_behind() {
    let meter = Meter::start();
    let (pusher, aiter) = push_aiter::<u64>();
    let mut cx = Context::from_waker(Waker::noop());
    // A future that was not polled has allocated nothing.
    let until = pusher.stopped();
    at_most("a future", meter.held(), 256);
    drop(until);
    let wait = |_| {
        let mut until = Box::pin(pusher.stopped());
        assert!(until.as_mut().poll(&mut cx).is_pending());
        until
    };
    let mut until: Vec<_> = (0..10_000).map(wait).collect();
    at_most("10 000 tasks that wait", meter.held(), 10_000 * 256);
    until.truncate(1);
    until.shrink_to_fit();
    at_most("one of 10 000", meter.held(), 4 * 1024);
    drop((aiter, until));
    at_most("none of them", meter.held(), 4 * 1024);
    drop(pusher);
    assert_eq!(meter.held(), 0);
}

#[test]
fn a_large_limit_reserves_nothing() {
    let meter = Meter::start();
    let (pusher, mut aiter) = push_aiter::<u64>();
    let mut buf = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        pin!(aiter.next_many(&mut buf, usize::MAX))
            .poll(&mut cx)
            .is_pending()
    );
    assert_eq!(buf.capacity(), 0);
    pusher.push_all(0..100).unwrap();
    assert!(
        pin!(aiter.next_many(&mut buf, usize::MAX))
            .poll(&mut cx)
            .is_ready()
    );
    at_most("a buffer with 100 items", meter.held(), 4 * 1024);
    drop((pusher, aiter, buf));
    assert_eq!(meter.held(), 0);
}

#[test]
fn a_queued_item_costs_little_more_than_itself() {
    let meter = Meter::start();
    let (pusher, mut aiter) = push_aiter();
    for item in 0..MILLION as u64 {
        pusher.push(item).unwrap();
    }
    at_most("a million queued u64", meter.peak(), 10 * MILLION as isize);
    let mut take = |items: Range<usize>| {
        for item in items {
            assert_eq!(aiter.try_next(), Ok(item as u64));
        }
    };
    take(0..MILLION / 2);
    let half = 10 * (MILLION / 2) as isize;
    at_most("half of them", meter.held(), half + (16 << 10));
    take(MILLION / 2..MILLION);
    at_most("the list after they were taken", meter.held(), 2176);
    drop((pusher, aiter));
    assert_eq!(meter.held(), 0);
}

#[test]
fn one_in_one_out_allocates_nothing() {
    let start = Meter::start();
    let (pusher, mut aiter) = push_aiter::<u32>();
    let mut pass = |count| {
        for item in 0..count {
            pusher.push(item).unwrap();
            assert_eq!(aiter.try_next(), Ok(item));
        }
    };
    pass(1_000);
    let meter = Meter::start();
    pass(100_000);
    assert_eq!(meter.made(), 0);
    // Two blocks, used in turn.
    at_most("one in, one out", start.peak(), 1024);
}

#[test]
fn a_list_that_stays_long_uses_its_blocks_again() {
    let (pusher, mut aiter) = push_aiter();
    let push = |count| (0..count).for_each(|item| pusher.push(item).unwrap());
    let mut take = |count| (0..count).for_each(|_| assert!(aiter.try_next().is_ok()));
    push(2_000);
    // On 32 bits fewer blocks are kept, each with half as many items.
    let some = if usize::BITS == 64 { 500 } else { 60 };
    let mut pass = || {
        take(some);
        push(some);
    };
    (0..10).for_each(|_| pass());
    let meter = Meter::start();
    (0..100).for_each(|_| pass());
    assert_eq!(meter.made(), 0);
}

#[test]
fn bursts_allocate_a_block_at_a_time() {
    let (pusher, mut aiter) = push_aiter();
    let meter = Meter::start();
    for _ in 0..100 {
        for item in 0..1_000 {
            pusher.push(item).unwrap();
        }
        for item in 0..1_000 {
            assert_eq!(aiter.try_next(), Ok(item));
        }
    }
    let made = meter.made();
    assert!(made <= 100_000 / 16, "{made} allocations for 100 000 items");
}

/// A waker that counts its clones and does nothing.
fn quiet_waker() -> (Arc<Quiet>, Waker) {
    let quiet = Arc::new(Quiet);
    (quiet.clone(), Waker::from(quiet))
}

struct Quiet;

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn pending_polls_keep_one_waker() {
    let (first, first_waker) = quiet_waker();
    let (second, second_waker) = quiet_waker();
    let (pusher, mut aiter) = push_aiter::<u64>();
    let meter = Meter::start();
    for turn in 0..MILLION {
        let waker = if turn / 10 % 2 == 0 {
            &first_waker
        } else {
            &second_waker
        };
        assert!(poll(&mut aiter, waker).is_pending());
    }
    at_most("a million pending polls", meter.held(), 256);
    assert_eq!(
        Arc::strong_count(&first) + Arc::strong_count(&second),
        4 + 1
    );
    drop((pusher, aiter));
    assert_eq!(Arc::strong_count(&first) + Arc::strong_count(&second), 4);
}

#[test]
fn cancelled_waiters_do_not_pile_up() {
    let (quiet, waker) = quiet_waker();
    let (pusher, mut aiter) = push_aiter::<u64>();
    assert!(poll(&mut aiter, &waker).is_pending());
    let meter = Meter::start();
    for _ in 0..100_000 {
        let mut fork = aiter.fork();
        assert!(poll(&mut fork, &waker).is_pending());
    }
    at_most(
        "100 000 forks dropped while they waited",
        meter.peak(),
        4096,
    );
    let kept = Arc::strong_count(&quiet) - 2;
    assert!(kept <= 16, "{kept} wakers for one waiter");
    drop((pusher, aiter));
    assert_eq!(Arc::strong_count(&quiet), 2);
}

#[test]
fn forks_share_the_items() {
    let (pusher, mut aiter) = push_aiter();
    let meter = Meter::start();
    let mut forks: Vec<_> = (0..100).map(|_| aiter.fork()).collect();
    for item in 0..100_000_u64 {
        pusher.push(item).unwrap();
    }
    at_most(
        "100 000 queued u64 and 100 forks",
        meter.peak(),
        10 * 100_000 + 100 * 256,
    );
    drop(aiter);
    for item in 0..100_000 {
        for fork in &mut forks {
            assert_eq!(fork.try_next(), Ok(item));
        }
    }
    at_most(
        "the list after all took all",
        meter.held(),
        2048 + 100 * 256,
    );
}

#[test]
fn items_that_a_slow_fork_has_not_taken_are_dropped_with_it() {
    let (pusher, mut aiter) = push_aiter();
    let slow = aiter.fork();
    let meter = Meter::start();
    for item in 0..100_000_u64 {
        pusher.push(item).unwrap();
        assert_eq!(aiter.try_next(), Ok(item));
    }
    assert!(meter.held() >= 8 * 100_000);
    drop(slow);
    at_most("the list without its slow fork", meter.held(), 2048);
    assert!(aiter.is_empty());
}

/// An item that nobody reads is not kept, with any bound, before the first reader and after the
/// last.
#[test]
fn a_hub_without_readers_keeps_what_it_retains() {
    fn check<B: aiter_core::HubBound>(bound: B, retained: usize) {
        let meter = Meter::start();
        let hub = push_hub::<[u64; 8], B>(bound);
        for round in 0..2 {
            let items = MILLION >> (4 * round);
            (0..items as u64).for_each(|n| hub.push([n; 8]).unwrap());
            at_most("at any time", meter.peak(), 64 << 10);
            let readers: Vec<_> = (0..100).map(|_| hub.replay()).collect();
            drop(readers);
            let kept = (retained * 64 + (20 << 10)) as isize;
            at_most("after its readers", meter.held(), kept);
            let pushed = MILLION + round * items;
            assert_eq!(hub.statistics().pushed, pushed);
        }
        drop(hub);
        assert_eq!(meter.held(), 0);
    }
    check(bound::unbounded(), 0);
    check(bound::skip(100), 0);
    check(bound::unbounded().retain(10), 10);
    check(bound::latest(), 1);
}

#[test]
fn a_large_ring_is_freed_and_a_small_one_is_kept() {
    let items = iter_to_aiter(0_u64..);
    let mut fast = aiter_forker_with(bound::skip(10_000), items);
    let mut slow = fast.fork();
    let mut take = |count| {
        for fork in [&mut fast, &mut slow] {
            for _ in 0..count {
                let polled =
                    Pin::new(&mut *fork).poll_next(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(Some(_))));
            }
        }
    };
    take(1);
    let meter = Meter::start();
    take(10_000);
    assert!(meter.peak() >= 8 * 10_000);
    // The ring keeps room for 64 items.
    at_most("an empty ring", meter.held() - 64 * 8, 1024);
    (0..100).for_each(|_| take(50));
    let meter = Meter::start();
    (0..100).for_each(|_| take(50));
    assert_eq!(meter.made(), 0);
}

#[test]
fn ordered_results_that_were_taken_leave_nothing_behind() {
    const PEAK: usize = 10_000;
    const RESULT: isize = 256;
    let (first, waits) = push_aiter::<()>();
    let mut waits = Some(waits);
    let meter = Meter::start();
    let work = move |number: usize| {
        let waits = (number == 0).then(|| waits.take()).flatten();
        async move {
            if let Some(mut waits) = waits {
                assert_eq!(waits.next().await, Some(()));
            }
            [0_u8; RESULT as usize]
        }
    };
    let mut results = Box::pin(map_workers_ordered(PEAK, work, iter_to_aiter(0..)));
    while meter.held() < RESULT * (PEAK as isize - 1) {
        assert!(poll(&mut results, Waker::noop()).is_pending());
    }
    first.push(()).unwrap();
    for taken in 1..=PEAK {
        assert!(poll(&mut results, Waker::noop()).is_ready());
        let held = RESULT * (PEAK - taken) as isize;
        at_most("while they are taken", meter.held(), 2 * held + 80 * 1024);
    }
    at_most("when all are taken", meter.held(), 80 * 1024);
    let meter = Meter::start();
    for _ in 0..PEAK {
        assert!(poll(&mut results, Waker::noop()).is_ready());
    }
    assert_eq!(meter.made(), 0);
}

/// A future that wakes at once and is ready in its second poll.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn ten_million_keys_in_turn_leave_nothing_behind() {
    const KEYS: usize = 10 * MILLION;
    let drain = |waits: bool, keys: Range<usize>| {
        let meter = Meter::start();
        let by = map_workers_by(10, |key| *key, |_| Once(!waits), iter_to_aiter(keys));
        let mut results = Box::pin(by);
        let (mut taken, mut held) = (0, 0);
        loop {
            match poll(&mut results, Waker::noop()) {
                Poll::Ready(Some(())) => taken += 1,
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
            held = held.max(meter.held());
        }
        (taken, held)
    };
    let (_, few) = drain(true, 0..1000);
    let (taken, many) = drain(true, 0..KEYS);
    assert_eq!(taken, KEYS);
    at_most("for ten million keys", many, few);
    let (taken, ready) = drain(false, 0..KEYS);
    assert_eq!(taken, KEYS);
    at_most("whose futures are ready", ready, few);
}

#[test]
fn items_that_waited_for_their_key_leave_nothing_behind() {
    const PEAK: usize = 10_000;
    const ITEM: isize = 256;
    let (first, waits) = push_aiter::<()>();
    let mut waits = Some(waits);
    let meter = Meter::start();
    let work = move |_: [u8; ITEM as usize]| {
        let waits = waits.take();
        async move {
            if let Some(mut waits) = waits {
                assert_eq!(waits.next().await, Some(()));
            }
        }
    };
    let pulled = Cell::new(0);
    let items = iter_to_aiter((0..2 * PEAK + 1).map(|_| {
        pulled.set(pulled.get() + 1);
        [0; ITEM as usize]
    }));
    let mut results = Box::pin(map_workers_by(PEAK, |_| 0, work, items));
    for _ in 0..PEAK {
        assert!(poll(&mut results, Waker::noop()).is_pending());
    }
    assert_eq!(pulled.get(), PEAK + 1, "one is in work");
    assert!(meter.held() >= ITEM * PEAK as isize);
    first.push(()).unwrap();
    let mut taken = 0;
    while let Poll::Ready(Some(())) = poll(&mut results, Waker::noop()) {
        taken += 1;
    }
    assert_eq!(taken, 2 * PEAK + 1);
    at_most("when all have come", meter.held(), 8 * 1024);
}

/// A stream of `SIZE` bytes that waits, and stores its wakers outside, until it is told to end.
struct Waits<const SIZE: usize>(Rc<(Cell<bool>, RefCell<Vec<Waker>>)>, [u8; SIZE]);

impl<const SIZE: usize> Stream for Waits<SIZE> {
    type Item = u8;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
        let (ends, wakers) = &*self.0;
        if ends.get() {
            return Poll::Ready(None);
        }
        wakers.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }
}

/// What a join of `count` streams of `SIZE` bytes holds, while a waker of each stream is kept:
/// while all of them wait, after `some` have ended, after all but the first have, and after the
/// join was dropped.
fn held_by_wakers_of_a_join<const SIZE: usize>(count: usize, some: usize) -> [isize; 4] {
    let shared: Vec<_> = (0..count)
        .map(|_| Rc::new((Cell::new(false), RefCell::new(Vec::with_capacity(4)))))
        .collect();
    let meter = Meter::start();
    let mut held = [0; 4];
    {
        let streams = shared
            .iter()
            .map(|own| Waits::<SIZE>(own.clone(), [0; SIZE]));
        let mut joined = join_aiters(iter_to_aiter(streams));
        let mut poll = || assert!(poll(&mut joined, Waker::noop()).is_pending());
        let end = |own: &Rc<(Cell<bool>, RefCell<Vec<Waker>>)>| {
            own.0.set(true);
            own.1.borrow()[0].wake_by_ref();
        };
        poll();
        held[0] = meter.held();
        shared[count - some..].iter().for_each(end);
        poll();
        held[1] = meter.held();
        shared[1..count - some].iter().for_each(end);
        poll();
        held[2] = meter.held();
    }
    held[3] = meter.held();
    assert!(shared.iter().all(|own| !own.1.borrow().is_empty()));
    shared.iter().for_each(|own| own.1.borrow_mut().clear());
    assert_eq!(meter.held(), 0);
    held
}

#[test]
fn wakers_keep_no_room_for_streams() {
    const LARGE: usize = 64 << 10;
    // A chunk's own words, for each of the large streams.
    const WORDS: isize = 512;
    let [all, some, one, after_join] = held_by_wakers_of_a_join::<LARGE>(32, 16);
    assert!(all >= 32 * LARGE as isize);
    at_most(
        "half of the large streams",
        some,
        16 * LARGE as isize + 32 * WORDS,
    );
    at_most("one large stream", one, LARGE as isize + 32 * WORDS);
    at_most("no large stream", after_join, 32 * WORDS);

    const SMALL: usize = 200;
    // One chunk is kept for streams that may come: 32 slots.
    let slots = |count| count * (SMALL as isize + 8) + 8 * WORDS;
    let [all, some, one, after_join] = held_by_wakers_of_a_join::<SMALL>(96, 64);
    assert!(all >= 96 * SMALL as isize);
    at_most("a third of the small streams", some, slots(32 + 32));
    at_most("one small stream", one, slots(4 + 32));
    at_most("no small stream", after_join, slots(0));
}

#[test]
fn a_join_that_is_empty_keeps_no_room_for_large_streams() {
    const LARGE: usize = 64 << 10;
    let shared = Rc::new((Cell::new(true), RefCell::new(Vec::new())));
    let streams = (0..10).map(|_| Waits(shared.clone(), [0; LARGE]));
    let source = iter_to_aiter(streams.collect::<Vec<_>>());
    let mut joined = join_aiters(source.chain(stream::pending()));
    let meter = Meter::start();
    assert!(poll(&mut joined, Waker::noop()).is_pending());
    assert!(meter.peak() >= LARGE as isize);
    // The source has freed its own memory.
    at_most("an empty join", meter.held(), 4096 - 10 * LARGE as isize);
}

#[test]
fn dropped_takers_leave_nothing_in_the_queue() {
    let (pusher, aiter) = push_aiter::<u64>();
    let taker = sharable_aiter(aiter);
    let mut stays = taker.clone();
    assert!(poll(&mut stays, Waker::noop()).is_pending());
    let meter = Meter::start();
    for called in [false, true] {
        let mut takers = vec![taker.clone(); 10_000];
        for taker in &mut takers {
            assert!(poll(taker, Waker::noop()).is_pending());
        }
        assert!(meter.held() > 10_000 * 24);
        if called {
            pusher.push(1).unwrap();
            assert_eq!(poll(&mut stays, Waker::noop()), Poll::Ready(Some(1)));
        }
        drop(takers);
        at_most("the queue of one", meter.held(), 4096);
    }
}

#[test]
fn cancelled_takers_leave_nothing_with_an_idle_source() {
    let (_pusher, aiter) = push_aiter::<u64>();
    let taker = sharable_aiter(aiter);
    let come_and_go = || {
        let mut other = taker.clone();
        assert!(poll(&mut other, Waker::noop()).is_pending());
    };
    come_and_go();
    let meter = Meter::start();
    (0..1000).for_each(|_| come_and_go());
    assert_eq!(meter.held(), 0);
}

/// Dropping a list block by block through nested calls would overflow this stack.
/// `AITER_DROP_ITEMS` sets how many items it has: 100 000 000 take some 900 MB.
#[test]
fn a_long_list_is_dropped_without_recursion() {
    let items: u64 = match env::var("AITER_DROP_ITEMS") {
        Ok(items) => items.parse().expect("AITER_DROP_ITEMS is a number"),
        Err(_) => 3_000_000,
    };
    let on_a_small_stack = thread::Builder::new().stack_size(64 << 10).spawn(move || {
        let meter = Meter::start();
        for consumer_last in [true, false] {
            let (pusher, aiter) = push_aiter();
            for item in 0..items {
                pusher.push(item).unwrap();
            }
            assert!(meter.held() >= 8 * items as isize);
            if consumer_last {
                drop(pusher);
                drop(aiter);
            } else {
                drop(aiter);
                drop(pusher);
            }
            assert_eq!(meter.held(), 0);
        }
    });
    on_a_small_stack.unwrap().join().unwrap();
}

/// Items without a size take two bytes each, so a reader can lag by half of all positions that a
/// 32-bit word counts in fours.
#[cfg(target_pointer_width = "32")]
#[test]
fn a_reader_may_lag_by_as_many_items_as_memory_holds() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    struct Token(());
    impl Token {
        fn new() -> Self {
            ALIVE.fetch_add(1, Relaxed);
            Self(())
        }
    }
    impl Clone for Token {
        fn clone(&self) -> Self {
            Self::new()
        }
    }
    impl Drop for Token {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Relaxed);
        }
    }
    const LAG: usize = (1 << 28) + 1000;
    let (pusher, mut fast) = push_aiter::<Token>();
    let mut slow = fast.fork();
    for start in (0..LAG).step_by(1 << 16) {
        let end = LAG.min(start + (1 << 16));
        pusher.push_all((start..end).map(|_| Token::new())).unwrap();
    }
    assert_eq!(slow.statistics().lag, LAG);
    let mut taken = 0;
    while fast.try_next().is_ok() {
        taken += 1;
    }
    assert_eq!((taken, ALIVE.load(Relaxed)), (LAG, LAG));
    assert_eq!(fast.statistics().lag, LAG);
    assert!(slow.try_next().is_ok());
    // The items that it has not taken are dropped with it, each once.
    drop(slow);
    assert_eq!(ALIVE.load(Relaxed), 0);
    pusher.push(Token::new()).unwrap();
    assert!(fast.try_next().is_ok() && ALIVE.load(Relaxed) == 0);
}
