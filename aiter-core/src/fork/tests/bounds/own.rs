//! A bound of its own for each fork: `fork_with`, `fork_passive_with`.

use super::*;
use crate::bound::Unbounded;
use alloc::collections::VecDeque;

fn with<B: Bound, C: Bound>(
    reader: &mut Reader<Source<u32>, B>,
    bound: C,
) -> Reader<Source<u32>, C> {
    Reader::new(reader.fork.fork_with(bound))
}

fn passive_with<B: Bound, C: Bound>(
    reader: &mut Reader<Source<u32>, B>,
    bound: C,
) -> Reader<Source<u32>, C> {
    Reader::new(reader.fork.fork_passive_with(bound))
}

/// What a fork has to take until it finds nothing: how many were missed before each item, and the
/// item.
fn rest<B: Bound>(reader: &mut Reader<Source<u32>, B>) -> Vec<(usize, u32)>
where
    B::Item<u32>: Split,
{
    let mut all = Vec::new();
    while let Poll::Ready(Some(found)) = reader.poll() {
        all.push(found.split());
    }
    all
}

trait Split {
    fn split(self) -> (usize, u32);
}

impl Split for u32 {
    fn split(self) -> (usize, u32) {
        (0, self)
    }
}

impl Split for Seen<u32> {
    fn split(self) -> (usize, u32) {
        (self.missed, self.item)
    }
}

/// The items from one on, with the number of those missed before it.
fn from(missed: usize, first: u32, end: u32) -> Vec<(usize, u32)> {
    let missed = core::iter::once(missed).chain(core::iter::repeat(0));
    missed.zip(first..end).collect()
}

#[test]
fn a_main_reader_loses_nothing_and_three_others_may() {
    let ([mut main], remote) = forks(bound::unbounded(), (0..20).map(Item).chain([End]));
    let mut newest = passive_with(&mut main, bound::skip(1));
    let mut some = passive_with(&mut main, bound::skip(5));
    let mut never = with(&mut main, bound::skip(8));
    let mut items = Vec::new();
    for n in 0..20 {
        items.push(main.poll());
        if n % 3 == 2 {
            assert_eq!(rest(&mut newest), [(2, n)]);
        }
        if n == 9 {
            assert_eq!(rest(&mut some), from(5, 5, 10));
        }
    }
    assert!(items.into_iter().eq((0..20).map(item)));
    assert_eq!(remote.polls(), 20);
    assert_eq!(main.poll(), END);
    assert_eq!(rest(&mut some), from(5, 15, 20));
    assert_eq!(rest(&mut newest), [(1, 19)]);
    assert_eq!(rest(&mut never), from(12, 12, 20));
}

/// Each of the nine pairs, at each distance from the fork that is furthest ahead.
#[test]
fn a_fork_starts_where_its_parent_is_whatever_the_bounds() {
    fn check<B: Bound, C: Bound>(bound: B, own: C, n: Option<u32>, own_n: Option<u32>)
    where
        B::Item<u32>: Split,
        C::Item<u32>: Split,
    {
        for ahead in 0..7 {
            for taken in 0..=ahead {
                let (source, _remote) = source((0..30).map(Item));
                let mut fast = Reader::new(aiter_forker(source));
                let mut parent = passive_with(&mut fast, bound);
                for at in 0..ahead {
                    assert_eq!(fast.poll(), item(at));
                    if at < taken {
                        assert!(parent.poll().is_ready());
                    }
                }
                // What the parent has missed already.
                let lost = |n: Option<u32>, end: u32| n.map_or(0, |n| end.saturating_sub(n));
                let place = taken.max(lost(n, ahead));
                let mut child = passive_with(&mut parent, own);
                for at in ahead..ahead + 3 {
                    assert_eq!(fast.poll(), item(at));
                }
                let end = ahead + 3;
                let first = place.max(lost(own_n, end));
                let missed = match own_n {
                    Some(_) => (first - taken) as usize,
                    None => 0,
                };
                let expected = from(missed, first, end);
                assert_eq!(
                    rest(&mut child),
                    expected,
                    "{ahead} {taken} {n:?} {own_n:?}"
                );
                let first = taken.max(lost(n, end));
                assert_eq!(
                    rest(&mut parent),
                    from((first - taken) as usize, first, end)
                );
                assert_eq!((fast.poll(), child.fork.statistics().lag), (item(end), 1));
                assert_eq!(
                    (rest(&mut child), rest(&mut parent)),
                    (from(0, end, end + 1), from(0, end, end + 1))
                );
            }
        }
    }
    let (free, wait) = (bound::unbounded(), bound::wait(50));
    check(free, free, None, None);
    check(free, wait, None, None);
    check(wait, free, None, None);
    check(wait, wait, None, None);
    for n in 1..6 {
        let skip = bound::skip(n as usize);
        check(free, skip, None, Some(n));
        check(wait, skip, None, Some(n));
        check(skip, free, Some(n), None);
        check(skip, wait, Some(n), None);
        for own in 1..6 {
            check(skip, bound::skip(own as usize), Some(n), Some(own));
        }
    }
}

#[test]
fn each_fork_that_waits_has_a_bound_of_its_own() {
    let ([mut main], remote) = forks(bound::unbounded(), (0..99).map(Item));
    let mut narrow = passive_with(&mut main, bound::wait(1));
    let mut wide = passive_with(&mut main, bound::wait(4));
    let mut lossy = passive_with(&mut main, bound::skip(1));
    let never = passive_with(&mut main, bound::unbounded());
    assert_eq!((main.poll(), main.poll()), (item(0), PENDING));
    assert!(narrow.fork.is_stalled() && wide.fork.is_stalled());
    for at in 0..3 {
        assert_eq!(narrow.poll(), item(at));
        assert_eq!((main.wakes(), main.poll()), (at as usize + 1, item(at + 1)));
        assert_eq!(main.poll(), PENDING);
    }
    // Now the other one is four behind.
    assert_eq!((narrow.poll(), main.poll()), (item(3), PENDING));
    assert_eq!((main.wakes(), remote.polls()), (3, 4));
    assert_eq!((wide.poll(), main.wakes()), (item(0), 4));
    assert_eq!((main.poll(), main.poll()), (item(4), PENDING));
    assert_eq!(wide.poll(), item(1));
    assert_eq!(main.wakes(), 4, "the first one has no room");
    drop(narrow);
    assert_eq!((main.wakes(), main.poll()), (5, item(5)));
    assert_eq!(main.poll(), PENDING);
    // A fork has the bound of its parent.
    let mut child = wide.fork_passive();
    drop(wide);
    assert_eq!((main.poll(), main.fork.statistics().lag), (PENDING, 6));
    assert!(child.poll().is_ready() && main.poll().is_ready() && main.poll().is_pending());
    drop(child);
    assert!(
        (7..20).all(|at| main.poll() == item(at)),
        "none waits any more"
    );
    assert_eq!(rest(&mut lossy), [(19, 19)]);
    drop(never);
}

#[test]
fn the_bound_is_set_for_all_that_wait() {
    let ([mut main], _remote) = forks(bound::wait(7), (0..99).map(Item));
    let mut one = passive_with(&mut main, bound::wait(1));
    let mut two = passive_with(&mut main, bound::wait(2));
    let mut lossy = passive_with(&mut main, bound::skip(3));
    assert_eq!((main.poll(), main.poll()), (item(0), PENDING));
    two.fork.set_wait(4);
    assert_eq!(main.wakes(), 1);
    assert!((1..4).all(|at| main.poll() == item(at)));
    assert_eq!(
        (main.poll(), one.poll(), main.poll()),
        (PENDING, item(0), PENDING)
    );
    assert_eq!(
        (two.poll(), main.wakes(), main.poll()),
        (item(0), 2, item(4))
    );
    // A later one has its own again.
    let later = passive_with(&mut main, bound::wait(1));
    assert_eq!((one.poll(), two.poll()), (item(1), item(1)));
    assert_eq!((main.poll(), main.wakes()), (item(5), 2));
    assert_eq!(main.poll(), PENDING);
    drop(later);
    assert_eq!((main.wakes(), rest(&mut lossy)), (3, from(3, 3, 6)));
}

#[test]
fn a_lossy_fork_never_holds_anybody_up_and_keeps_no_more_than_its_bound() {
    let (live, items) = counted();
    let mut main = aiter_forker(crate::iter_to_aiter(items));
    let small = main.fork_with(bound::skip(2));
    let large = main.fork_passive_with(bound::skip(8));
    for n in 1..1000 {
        drop(poll_noop(&mut main));
        assert_eq!(Arc::strong_count(&live), 2 + 8.min(n));
    }
    drop(large);
    assert_eq!(Arc::strong_count(&live), 2 + 2);
    drop(small);
    assert_eq!(Arc::strong_count(&live), 2);
    // Without lossy forks, items pass through the only one.
    let before = main.statistics().waiting;
    drop(poll_noop(&mut main));
    assert_eq!((before, Arc::strong_count(&live)), (0, 2));
    let late = main.fork_with(bound::skip(3));
    for _ in 0..10 {
        drop(poll_noop(&mut main));
    }
    assert_eq!(Arc::strong_count(&live), 2 + 3);
    drop(late);
    assert_eq!(Arc::strong_count(&live), 2);
}

#[test]
fn lossy_forks_pull_for_the_others_too() {
    let ([mut main], remote) = forks(bound::unbounded(), (0..9).map(Item).chain([End]));
    let mut lossy = with(&mut main, bound::skip(2));
    let mut waits = passive_with(&mut lossy, bound::wait(3));
    assert_eq!(rest(&mut lossy), from(0, 0, 3));
    assert_eq!(
        (remote.polls(), waits.poll(), lossy.wakes()),
        (3, item(0), 1)
    );
    assert_eq!(rest(&mut lossy), from(0, 3, 4));
    drop(waits);
    assert_eq!(rest(&mut lossy), from(0, 4, 9));
    assert!(lossy.fork.is_terminated());
    assert_eq!(rest(&mut main), from(0, 0, 9));
    assert_eq!(main.poll(), END);
}

/// The fork is made while the clone of an item, or its drop, holds the buffer's lock. Its place is
/// kept until it is polled.
#[test]
fn a_lossless_fork_is_made_while_the_buffer_is_locked() {
    type Hook = Mutex<Option<Box<dyn FnOnce() + Send>>>;
    struct Hooked(u32, Arc<Hook>);
    impl Clone for Hooked {
        fn clone(&self) -> Self {
            let hook = self.1.lock().unwrap().take();
            if let Some(hook) = hook {
                hook();
            }
            Self(self.0, self.1.clone())
        }
    }
    let numbers = |fork: &mut Fork<_, Unbounded>| {
        let mut all = Vec::new();
        while let Poll::Ready(Some(Hooked(n, _))) = poll_noop(fork) {
            all.push(n);
        }
        all
    };
    let hook = Arc::new(Mutex::new(None));
    let (source, remote) = source::<Hooked>([]);
    let mut main = aiter_forker_with(bound::skip(2), source);
    let (mut polled, mut other) = (main.fork_passive(), main.fork_passive());
    let give = |n| remote.add([Item(Hooked(n, hook.clone()))]);
    for n in 0..3 {
        give(n);
        assert!(poll_noop(&mut main).is_ready());
    }
    let made = Arc::new(Mutex::new(VecDeque::new()));
    let to = made.clone();
    *hook.lock().unwrap() = Some(Box::new(move || {
        let mut pinned = other.fork_with(bound::unbounded());
        assert!(!pinned.is_terminated() && pinned.size_hint().0 == 2);
        let child = pinned.fork_passive();
        let dropped = pinned.fork();
        // The lock is held.
        assert!(poll_noop(&mut pinned).is_pending());
        drop(dropped);
        to.lock().unwrap().extend([pinned, child]);
    }));
    assert!(poll_noop(&mut polled).is_ready());
    for n in 3..9 {
        give(n);
        assert!(poll_noop(&mut main).is_ready());
    }
    let mut made = made.lock().unwrap();
    let mut lossy = made[1].fork_passive_with(bound::skip(3));
    for fork in made.iter_mut() {
        assert_eq!(fork.size_hint().0, 8);
        assert_eq!(numbers(fork), (1..9).collect::<Vec<_>>());
    }
    let seen: Vec<_> = core::iter::from_fn(|| match poll_noop(&mut lossy) {
        Poll::Ready(Some(seen)) => Some((seen.missed, seen.item.0)),
        _ => None,
    })
    .collect();
    assert_eq!(seen, [(5, 6), (0, 7), (0, 8)]);
    give(9);
    assert_eq!(numbers(&mut made[0]), [9], "it is active, and pulls");
    assert_eq!(numbers(&mut made[1]), [9]);
}

#[test]
fn a_clone_that_panics_affects_the_forks_that_may_miss_items_only() {
    let flag = Arc::new(AtomicBool::new(false));
    let (source, _remote) = source((0..6).map(|n| Item(Fragile(n, flag.clone()))));
    let mut main = aiter_forker(source);
    let mut lossy = main.fork_passive_with(bound::skip(4));
    assert!(poll_noop(&mut main).is_ready());
    flag.store(true, Relaxed);
    // The clone is for the buffer, in the poll that pulls.
    panic_of(|| poll_noop(&mut main));
    flag.store(false, Relaxed);
    let numbers: Vec<_> = core::iter::from_fn(|| match poll_noop(&mut main) {
        Poll::Ready(Some(item)) => Some(item.0),
        _ => None,
    })
    .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let seen: Vec<_> = core::iter::from_fn(|| match poll_noop(&mut lossy) {
        Poll::Ready(Some(seen)) => Some((seen.missed, seen.item.0)),
        _ => None,
    })
    .collect();
    assert_eq!(seen, [(2, 2), (0, 3), (0, 4), (0, 5)]);
}

#[test]
fn a_fork_without_a_limit_of_its_own_works_with_the_largest() {
    let ([mut main], _remote) = forks(bound::unbounded(), (0..9).map(Item).chain([End]));
    let mut wide = passive_with(&mut main, bound::skip(usize::MAX));
    let mut waits = passive_with(&mut wide, bound::wait(usize::MAX));
    assert_eq!(rest(&mut main), from(0, 0, 9));
    let mut late = passive_with(&mut wide, bound::unbounded());
    assert_eq!(late.fork.size_hint(), (9, Some(9)));
    assert_eq!(rest(&mut wide), from(0, 0, 9));
    assert_eq!(rest(&mut waits), from(0, 0, 9));
    assert_eq!(rest(&mut late), from(0, 0, 9));
    assert!(late.fork.is_terminated());
}

/// Ten thousand forks of each kind, of which none takes anything.
#[test]
fn ten_thousand_forks_of_each_kind_come_and_go() {
    let many = many(10_000) as usize;
    let ([mut main], _remote) = forks(bound::unbounded(), (0..9).map(Item));
    let lossy: Vec<_> = (0..many)
        .map(|_| passive_with(&mut main, bound::skip(2)))
        .collect();
    assert_eq!(rest(&mut main), from(0, 0, 9));
    let waits: Vec<_> = (0..many)
        .map(|_| passive_with(&mut main, bound::wait(2)))
        .collect();
    let mut last = lossy.into_iter().next_back().unwrap();
    drop(waits);
    assert_eq!(rest(&mut last), from(7, 7, 9));
}

/// The fork that found no room is gone, and so is every other but the one that makes room.
#[test]
fn room_is_announced_to_the_fork_that_makes_it() {
    let ([mut main], remote) = forks(bound::unbounded(), (0..9).map(Item));
    let mut waits = with(&mut main, bound::wait(1));
    assert_eq!(
        (main.poll(), main.poll(), remote.polls()),
        (item(0), PENDING, 1)
    );
    drop(main);
    assert_eq!((waits.poll(), waits.poll()), (item(0), item(1)));
}
