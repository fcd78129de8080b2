//! `fork(2)`: whatever was made before it exists in the child too, as all memory does, and each
//! process uses its own copy from then on. The child has no other threads. Whatever one of them was
//! doing stays unfinished there, and no call waits for it.

use super::{Counts, child::child, everything::everything};
use aiter_core::{
    TryNextError, active, aiter_forker, aiter_forker_with, bound, fixed, gated_aiter,
    iter_to_aiter, join_aiters, map_workers, push_aiter, sharable_aiter,
};
use futures_core::Stream;
use std::{
    future::Future,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::Ordering::*,
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context, Poll, Waker},
    thread,
};

/// A call of the child that takes longer than this would never end.
const SECONDS: u32 = 30;

/// Runs `work` in a child that `fork(2)` makes of this thread. Returns whether it came to its end.
fn in_child(work: impl FnOnce()) -> bool {
    // SAFETY: the child has only this thread, and calls nothing that needs another one; the process
    // holds no lock that a test takes.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1, "{}", std::io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: no precondition.
        unsafe { libc::alarm(SECONDS) };
        let result = catch_unwind(AssertUnwindSafe(work));
        // SAFETY: no precondition. The child skips what the test harness would do at the end.
        unsafe { libc::_exit(result.is_err().into()) };
    }
    let mut status = 0;
    // SAFETY: a child of this process, which is waited for once, and a valid place for its status.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status == 0
}

fn poll<S: Stream + Unpin>(stream: &mut S, waker: &Waker) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

fn next<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    poll(stream, Waker::noop())
}

/// Returns the items of a stream that does not have to be woken.
fn rest<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    std::iter::from_fn(|| match next(stream) {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("it waits"),
    })
    .collect()
}

/// More items than a block of a list has.
const MANY: u32 = 300;

fn a_list() {
    let (pusher, mut aiter) = push_aiter();
    let mut waiting = aiter.fork();
    pusher.push_all(0..MANY).unwrap();
    (0..MANY).for_each(|n| assert_eq!(waiting.try_next(), Ok(n)));
    let counts = Arc::new(Counts::default());
    assert!(poll(&mut waiting, &counts.clone().into()).is_pending());

    let mut pusher = Some(pusher);
    let mut go_on = || {
        let pusher = pusher.take().unwrap();
        assert_eq!((aiter.len(), counts.0.load(Acquire)), (MANY as usize, 0));
        pusher.push(MANY).unwrap();
        assert_eq!(counts.0.load(Acquire), 1, "the reader was not woken");
        let mut late = pusher.subscribe();
        let mut fork = aiter.fork();
        // New threads work in place of those that no longer exist.
        thread::scope(|scope| {
            scope.spawn(|| pusher.push_all(MANY + 1..2 * MANY).unwrap());
        });
        drop(pusher);
        assert!(rest(&mut aiter).into_iter().eq(0..2 * MANY));
        assert!(rest(&mut fork).into_iter().eq(0..2 * MANY));
        assert!(rest(&mut waiting).into_iter().eq(MANY..2 * MANY));
        assert!(rest(&mut late).into_iter().eq(MANY + 1..2 * MANY));
    };
    assert!(in_child(&mut go_on));
    assert!(in_child(&mut go_on));
    go_on();
}

/// Both processes do this with the same values, each on its own copy.
fn others() {
    let numbers = || iter_to_aiter(0..100_u32);
    let mut fork = aiter_forker(numbers());
    let mut behind = fork.fork();
    let mut skips = aiter_forker_with(bound::skip(10), numbers());
    let mut lost = skips.fork();
    let mut taker = sharable_aiter(numbers());
    let mut other = taker.clone();
    let (mut gated, gate) = gated_aiter(numbers());
    let (mut pulled, driver) = active(numbers());
    let mut driver = pin!(driver);
    let mut joined = join_aiters(iter_to_aiter([numbers(), numbers()]));
    let mut mapped = map_workers(3, async |n| n, numbers());
    static FIXED: fixed::PushList<u32, 8, 2> = fixed::PushList::new();
    let mut fixed = FIXED.aiter().unwrap();
    // All of them are in progress.
    for n in 0..50 {
        assert_eq!(next(&mut fork), Poll::Ready(Some(n)));
        assert!(next(&mut skips).is_ready());
        assert!(next(&mut taker).is_ready() && next(&mut joined).is_ready());
        assert!(next(&mut mapped).is_ready());
    }
    assert!(next(&mut gated).is_pending() && next(&mut fixed).is_pending());
    let mut go_on = || {
        gate.push(7);
        gate.stop();
        FIXED.push(1).unwrap();
        FIXED.stop();
        while driver
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {}
        let lost = rest(&mut lost);
        [
            rest(&mut fork),
            rest(&mut behind),
            rest(&mut skips).into_iter().map(|seen| seen.item).collect(),
            lost.iter().map(|seen| seen.item).collect(),
            vec![lost[0].missed as u32],
            rest(&mut taker),
            rest(&mut other),
            rest(&mut gated),
            rest(&mut pulled),
            vec![rest(&mut joined).len() as u32],
            rest(&mut mapped),
            rest(&mut fixed),
        ]
        .map(|items| items.iter().sum::<u32>())
    };
    let sum = |items: Range<u32>| items.sum::<u32>();
    let expected = [
        sum(50..100), // the fork
        sum(0..100),  // the fork behind it
        sum(90..100), // a fork that falls behind as the next one pulls
        sum(40..100), // a fork that was behind
        40,           // and how many it missed
        sum(50..100), // the taker
        0,            // the other taker
        sum(0..7),    // what the gate lets through
        sum(0..100),  // what was pulled
        150,          // how many of those joined are left
        sum(50..100), // the mapped items
        1,            // the items in the fixed list
    ];
    assert!(in_child(|| assert_eq!(go_on(), expected)));
    assert_eq!(go_on(), expected);
}

/// An iterator or a stream that reports that it was asked, and answers when it is released.
struct Stuck {
    asked: Sender<()>,
    go_on: Receiver<()>,
    left: u32,
}

impl Iterator for Stuck {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.asked.send(()).unwrap();
        self.go_on.recv().unwrap();
        self.left = self.left.checked_sub(1)?;
        Some(self.left)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

fn stuck() -> (Stuck, Receiver<()>, Sender<()>) {
    let ((asked, is_asked), (goes_on, go_on)) = (channel(), channel());
    let left = 1;
    (Stuck { asked, go_on, left }, is_asked, goes_on)
}

/// Another thread is in the middle of a push: it has reserved its slot, and not published it yet.
fn a_push_under_way() {
    let (pusher, mut aiter) = push_aiter();
    let mut fork = aiter.fork();
    let (items, is_asked, go_on) = stuck();
    thread::scope(|scope| {
        scope.spawn(|| pusher.push_all(items).unwrap());
        is_asked.recv().unwrap();
        assert!(in_child(|| {
            pusher.push(7).unwrap();
            assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
            assert!(next(&mut fork).is_pending());
            let mut late = pusher.subscribe();
            assert_eq!((aiter.len(), late.len()), (0, 0));
            assert!(next(&mut late).is_pending());
            pusher.stop();
            assert!(next(&mut aiter).is_pending());
            drop((aiter.fork(), late));
            assert!(pusher.push(8).is_err());
        }));
        go_on.send(()).unwrap();
        assert_eq!(is_asked.recv(), Ok(()));
        go_on.send(()).unwrap();
    });
    assert_eq!((aiter.try_next(), fork.try_next()), (Ok(0), Ok(0)));
}

/// Another thread is polling the source of forks, and of takers.
fn a_poll_under_way() {
    let (items, is_asked, go_on) = stuck();
    let mut fork = aiter_forker(iter_to_aiter(items));
    let mut other = fork.fork();
    let (items, is_asked_too, go_on_too) = stuck();
    let mut taker = sharable_aiter(iter_to_aiter(items));
    let mut another = taker.clone();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(next(&mut fork), Poll::Ready(Some(0))));
        scope.spawn(|| assert_eq!(next(&mut taker), Poll::Ready(Some(0))));
        is_asked.recv().unwrap();
        is_asked_too.recv().unwrap();
        assert!(in_child(|| {
            assert!(next(&mut other).is_pending() && next(&mut another).is_pending());
            assert!(other.statistics().pushed == 0 && other.size_hint() == (0, None));
            let mut passive = other.fork_passive();
            assert!(next(&mut passive).is_pending());
            drop((other.fork(), passive, another.clone()));
        }));
        go_on.send(()).unwrap();
        go_on_too.send(()).unwrap();
    });
    assert_eq!(next(&mut other), Poll::Ready(Some(0)));
}

/// The other process, which forks.
#[test]
#[ignore = "run by the test below"]
fn in_a_process_of_its_own() {
    a_list();
    others();
    a_push_under_way();
    a_poll_under_way();
    assert!(in_child(everything));
    // A failure in a child is noticed.
    assert!(!in_child(|| assert_eq!(
        rest(&mut iter_to_aiter(0..3)),
        [0, 1]
    )));
}

#[test]
fn a_forked_child_has_its_own_copy_of_what_was_shared() {
    let child = child("fork::in_a_process_of_its_own").output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{}: {said} {}",
        child.status,
        String::from_utf8_lossy(&child.stderr)
    );
}
