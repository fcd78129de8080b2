//! Pushes that overwrite, beside readers, other pushes, forks, subscribers and a stop. In each, a
//! reader sees a part of what was pushed, in order, and `missed` accounts for all the rest.

use super::*;
use crate::fixed::{position::Laps, slot::is_published};

type List<const N: usize, const R: usize> = PushList<Item, N, R, 0, true>;
type Aiter<const N: usize, const R: usize> = PushAiter<'static, Item, N, R, 0, true>;

/// A reader that keeps its list alive.
struct Owned<const N: usize, const R: usize> {
    aiter: Aiter<N, R>,
    list: Arc<List<N, R>>,
}

fn own<const N: usize, const R: usize>(
    list: &Arc<List<N, R>>,
    aiter: PushAiter<'_, Item, N, R, 0, true>,
) -> Owned<N, R> {
    Owned {
        // SAFETY: the list is kept beside the reader, and dropped after it.
        aiter: unsafe { mem::transmute::<PushAiter<'_, Item, N, R, 0, true>, Aiter<N, R>>(aiter) },
        list: list.clone(),
    }
}

impl<const N: usize, const R: usize> Owned<N, R> {
    fn fork(&mut self) -> Self {
        own(&self.list, self.aiter.fork().unwrap())
    }

    fn available(&mut self) -> Vec<usize> {
        core::iter::from_fn(|| self.aiter.try_next().ok())
            .map(|item| number(&item))
            .collect()
    }
}

impl<const N: usize, const R: usize> Stream for Owned<N, R> {
    type Item = Item;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(&mut self.get_mut().aiter).poll_next(cx)
    }
}

fn list<const N: usize, const R: usize>() -> (Arc<List<N, R>>, Owned<N, R>) {
    let list = Arc::new(List::new());
    let reader = own(&list, list.aiter().unwrap());
    (list, reader)
}

/// Pushes, and returns what was accepted.
fn push_all<const N: usize, const R: usize>(
    list: &List<N, R>,
    items: impl IntoIterator<Item = usize>,
) -> Vec<usize> {
    let pushed = |n: &usize| list.push_overwriting(item(*n)).is_ok();
    items.into_iter().filter(pushed).collect()
}

#[test]
fn loom_overwriting_push_races_a_single_reader() {
    fn check<const N: usize>() {
        model(|| {
            let (list, mut reader) = list::<N, 1>();
            assert_eq!(push_all(&list, 0..N), Vec::from_iter(0..N));
            let pushing = thread::spawn(move || push_all(&list, N..N + 2));
            let mut taken = reader.available();
            let mut pushed = Vec::from_iter(0..N);
            pushed.extend(pushing.join().unwrap());
            taken.extend(reader.available());
            assert!(taken.iter().all(|n| pushed.contains(n)));
            assert!(taken.is_sorted());
            assert_eq!(taken.len() + reader.aiter.missed(), pushed.len());
        });
    }
    check::<1>();
    check::<2>();
}

/// A reader that finds a newer item in the slot of its own goes on with that one at once. The list
/// is never empty for it, so `try_next` must not say so.
#[test]
fn loom_reader_of_an_overwritten_item_finds_the_next() {
    fn check<const R: usize>() {
        model(|| {
            let (list, mut reader) = list::<1, R>();
            push_all(&list, 0..1);
            let pushing = {
                let list = list.clone();
                thread::spawn(move || push_all(&list, 1..2))
            };
            // Spawned too, because then loom lets it come between without a preemption.
            let reading = thread::spawn(move || {
                let (slot, lap) = (list.slot(0), Laps::<1, R>::next(0));
                if is_published(slot.word(), lap) {
                    assert_eq!(reader.available(), [1]);
                }
            });
            pushing.join().unwrap();
            reading.join().unwrap();
        });
    }
    check::<1>();
    check::<2>();
}

/// A reader that comes while a push overwrites waits at a gap, and is woken.
#[test]
fn loom_overwriting_push_wakes_the_reader_of_the_oldest() {
    large_model(|| {
        let (list, reader) = list::<1, 1>();
        push_all(&list, 0..1);
        let pushing = thread::spawn(move || {
            let pushed = push_all(&list, 1..3);
            list.stop();
            pushed.len()
        });
        let mut reader = Task::new(reader);
        let taken = core::iter::from_fn(|| next(&mut reader)).count();
        let pushed = pushing.join().unwrap();
        assert_eq!(taken + reader.stream().aiter.missed(), 1 + pushed);
    });
}

#[test]
fn loom_two_overwriting_pushes() {
    model(|| {
        let (list, mut reader) = list::<1, 1>();
        push_all(&list, 0..1);
        let other = list.clone();
        let pushing = thread::spawn(move || push_all(&other, [10, 11]).len());
        let mut pushed = 1 + push_all(&list, [20]).len();
        pushed += pushing.join().unwrap();
        let taken = reader.available();
        assert_eq!(taken.len(), 1);
        assert_eq!(1 + reader.aiter.missed(), pushed);
        assert!(pushed >= 2, "they refuse only while the other one writes");
    });
}

/// A push is refused by the stop: the item that it was about to overwrite is still there.
#[test]
fn loom_overwriting_push_races_a_stop() {
    for readers in [1, 2] {
        large_model(move || {
            let (list, mut first) = list::<1, 2>();
            let second = (readers == 2).then(|| first.fork());
            push_all(&list, 0..1);
            let other = list.clone();
            let pushing = thread::spawn(move || push_all(&other, 1..2).len());
            let reading = second.map(|second| {
                thread::spawn(move || {
                    let mut second = Task::new(second);
                    let taken = core::iter::from_fn(|| next(&mut second)).count();
                    (taken, second.stream().aiter.missed())
                })
            });
            list.stop();
            let mut first = Task::new(first);
            let taken = core::iter::from_fn(|| next(&mut first)).count();
            let pushed = 1 + pushing.join().unwrap();
            assert_eq!(taken + first.stream().aiter.missed(), pushed);
            if let Some(reading) = reading {
                let (taken, missed) = reading.join().unwrap();
                assert_eq!(taken + missed, pushed);
            }
        });
    }
}

/// Two overwriting pushes and a stop: the item that one has kept readers from may be overwritten by
/// the other one, and must not be given back then.
#[test]
fn loom_two_overwriting_pushes_race_a_stop() {
    large_model(|| {
        let (list, mut reader) = list::<1, 1>();
        push_all(&list, 0..1);
        let pushing = [1, 2].map(|n| {
            let list = list.clone();
            thread::spawn(move || push_all(&list, [n]).len())
        });
        list.stop();
        let pushed: usize = pushing.map(|pushing| pushing.join().unwrap()).iter().sum();
        let taken = reader.available();
        assert_eq!(taken.len(), 1);
        assert_eq!(reader.aiter.missed(), pushed);
    });
}

#[test]
fn loom_overwriting_push_races_two_readers() {
    large_model(|| {
        let (list, mut first) = list::<1, 2>();
        let mut second = first.fork();
        push_all(&list, 0..1);
        let reading = thread::spawn(move || (second.available(), second));
        let pushing = {
            let list = list.clone();
            thread::spawn(move || push_all(&list, 1..2).len())
        };
        let mut taken = first.available();
        let pushed = 1 + pushing.join().unwrap();
        let (mut seen, mut second) = reading.join().unwrap();
        taken.extend(first.available());
        seen.extend(second.available());
        for (taken, reader) in [(&taken, &first), (&seen, &second)] {
            assert!(taken.is_sorted());
            assert_eq!(taken.len() + reader.aiter.missed(), pushed);
        }
        // Its slot is free, whichever of the two was last.
        assert!(list.push(item(9)).is_ok());
        assert_eq!(
            (first.available(), second.available()),
            ([9].into(), [9].into())
        );
    });
}

#[test]
fn loom_overwriting_push_races_a_plain_one() {
    model(|| {
        let (list, mut reader) = list::<2, 1>();
        push_all(&list, 0..2);
        let other = list.clone();
        let pushing = thread::spawn(move || usize::from(other.push(item(10)).is_ok()));
        let mut pushed = 2 + push_all(&list, [20]).len();
        let mut taken = reader.available();
        pushed += pushing.join().unwrap();
        taken.extend(reader.available());
        assert!(taken.contains(&20));
        assert_eq!(taken.len() + reader.aiter.missed(), pushed);
    });
}

#[test]
fn loom_overwriting_push_races_a_fork_and_a_subscriber() {
    for subscribes in [false, true] {
        large_model(move || {
            let (list, mut first) = list::<1, 3>();
            push_all(&list, 0..1);
            let other = list.clone();
            let pushing = thread::spawn(move || push_all(&other, 1..3).len());
            let mut second = if subscribes {
                own(&list, list.subscribe().unwrap())
            } else {
                first.fork()
            };
            let mut taken = first.available();
            let mut seen = second.available();
            let pushed = 1 + pushing.join().unwrap();
            taken.extend(first.available());
            seen.extend(second.available());
            assert_eq!(taken.len() + first.aiter.missed(), pushed);
            assert!(seen.is_sorted());
            assert!(seen.len() + second.aiter.missed() <= pushed);
            assert!(list.push(item(9)).is_ok());
            assert_eq!(
                (first.available(), second.available()),
                ([9].into(), [9].into())
            );
        });
    }
}

#[test]
fn loom_overwriting_push_races_a_dropped_reader() {
    large_model(|| {
        let (list, mut first) = list::<1, 2>();
        let second = first.fork();
        push_all(&list, 0..1);
        let other = list.clone();
        let pushing = thread::spawn(move || push_all(&other, 1..2).len());
        let leaving = thread::spawn(move || drop(second));
        let mut taken = first.available();
        let pushed = 1 + pushing.join().unwrap();
        leaving.join().unwrap();
        taken.extend(first.available());
        assert_eq!(taken.len() + first.aiter.missed(), pushed);
        assert!(list.push(item(9)).is_ok());
    });
}
