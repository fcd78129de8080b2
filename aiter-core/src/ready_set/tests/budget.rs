//! Children whose task has a budget, as tasks of tokio have: when it is used up, each of them is
//! pending, and is woken at once or later.

use super::*;

/// When children are woken that the budget has refused.
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// In their poll.
    AtOnce,
    /// When the task sleeps, and after each so many polls of it; the last one first. As tokio does.
    Later(usize),
}

const REFUSED: [Refused; 4] = [
    Refused::AtOnce,
    Refused::Later(1),
    Refused::Later(3),
    Refused::Later(61),
];

/// What a child does.
#[derive(Clone, Copy)]
enum Kind {
    /// It always has an item, which costs so many units, taken all at once or one by one.
    Costs(u32, bool),
    /// It has seven items, then none until the next pass.
    Bursts,
    /// It takes all units that are left and never has an item.
    Works,
    /// It wakes itself and never has an item.
    Spins,
    /// It always has an item and takes no unit.
    Free,
}

struct Member {
    kind: Kind,
    number: usize,
    task: Rc<Task>,
    items: Cell<u32>,
}

struct Task {
    mode: Refused,
    units: Cell<u32>,
    refused: RefCell<Vec<Waker>>,
    bursts: RefCell<Vec<Waker>>,
    /// The items of each child, or the units that it has taken.
    got: RefCell<Vec<u32>>,
}

impl Task {
    fn take(&self, cost: u32, at_once: bool, cx: &mut Context<'_>) -> bool {
        let left = self.units.get();
        if left >= cost {
            self.units.set(left - cost);
            return true;
        }
        if !at_once {
            self.units.set(0);
        }
        match self.mode {
            Refused::AtOnce => cx.waker().wake_by_ref(),
            Refused::Later(_) => self.refused.borrow_mut().push(cx.waker().clone()),
        }
        false
    }
}

fn step(member: Pin<&mut Member>, cx: &mut Context<'_>) -> ChildPoll<()> {
    let task = &member.task;
    let has_item = match member.kind {
        Kind::Costs(cost, at_once) => task.take(cost, at_once, cx),
        Kind::Bursts if member.items.get() % 8 == 7 => {
            member.items.set(0);
            task.bursts.borrow_mut().push(cx.waker().clone());
            false
        }
        Kind::Bursts => task.take(1, true, cx),
        Kind::Works => {
            while task.take(1, true, cx) {
                task.got.borrow_mut()[member.number] += 1;
            }
            false
        }
        Kind::Spins => {
            cx.waker().wake_by_ref();
            false
        }
        Kind::Free => true,
    };
    if !has_item {
        return ChildPoll::Pending;
    }
    member.items.set(member.items.get() + 1);
    task.got.borrow_mut()[member.number] += 1;
    ChildPoll::Item(())
}

/// A set in a task that is run repeatedly.
struct Run {
    set: ReadySet<Member>,
    task: Rc<Task>,
    passes: usize,
    count: Arc<Wakes>,
    waker: Waker,
}

impl Run {
    fn new(mode: Refused, kinds: impl IntoIterator<Item = Kind>) -> Self {
        let task = Rc::new(Task {
            mode,
            units: Cell::new(0),
            refused: RefCell::default(),
            bursts: RefCell::default(),
            got: RefCell::default(),
        });
        let mut set = ReadySet::new();
        for (number, kind) in kinds.into_iter().enumerate() {
            task.got.borrow_mut().push(0);
            set.insert(Member {
                kind,
                number,
                task: task.clone(),
                items: Cell::new(0),
            });
        }
        let (count, waker) = Wakes::new();
        Self {
            set,
            task,
            passes: 0,
            count,
            waker,
        }
    }

    /// Polls the task, which has `units` and takes at most `most` items.
    fn pass(&mut self, units: u32, most: usize) {
        self.task.units.set(units);
        let mut budget = Budget::new();
        let mut items = 0;
        let mut waits = false;
        while items < most && !waits {
            match self.set.serve(&mut budget, step) {
                Served::Item(()) => {
                    items += 1;
                    budget = Budget::new();
                }
                Served::Idle => waits = self.set.park(&self.waker),
                Served::Spent => {
                    self.waker.wake_by_ref();
                    waits = true;
                }
            }
        }
        self.passes += 1;
        let bursts = self.task.bursts.take();
        bursts.iter().for_each(Waker::wake_by_ref);
        let woken = self.count.taken() > 0 || !waits;
        if matches!(self.task.mode, Refused::Later(every) if !woken || self.passes % every == 0) {
            for waker in self.task.refused.take().iter().rev() {
                waker.wake_by_ref();
            }
        }
        assert!(woken || self.count.taken() > 0, "the task was not woken");
    }

    /// What each child gets in `passes` passes, after as many to warm up.
    fn shares(&mut self, passes: usize, pass: impl Fn(&mut Self, usize)) -> Vec<u32> {
        (0..passes).for_each(|number| pass(self, number));
        self.task.got.borrow_mut().fill(0);
        (0..passes).for_each(|number| pass(self, number));
        self.task.got.take()
    }
}

/// The least and the most that a child has got.
fn range(got: &[u32]) -> (u32, u32) {
    (*got.iter().min().unwrap(), *got.iter().max().unwrap())
}

#[track_caller]
fn fair(got: &[u32], what: &dyn core::fmt::Debug) {
    let (least, most) = range(got);
    assert!(
        least > 0 && most <= 2 * least,
        "{least} to {most}, {what:?}"
    );
}

fn costs(n: usize, of: fn(usize) -> u32, at_once: bool) -> impl Iterator<Item = Kind> + Clone {
    (0..n).map(move |number| Kind::Costs(of(number), at_once))
}

const EACH_COSTS: [fn(usize) -> u32; 4] = [|_| 1, |_| 5, |k| [5, 1][k % 2], |k| [1, 2, 5][k % 3]];

/// Each child has as many items as any other, whatever they cost and whenever children are woken
/// that have to wait.
#[test]
fn each_child_has_its_share_of_a_budget() {
    let numbers: &[usize] = match cfg!(miri) {
        true => &[36],
        false => &[2, 17, 36, 64, 100, 144, 300],
    };
    for &n in numbers {
        for mode in REFUSED {
            for (each, of) in EACH_COSTS.into_iter().enumerate() {
                for at_once in [false, true] {
                    for units in [128, 61] {
                        let kinds = costs(n, of, at_once);
                        let turn: u32 = (0..n).map(|k| 8 * of(k)).sum();
                        let passes = 4 * turn / units + 10;
                        let mut run = Run::new(mode, kinds);
                        let got = run.shares(passes as usize, |run, _| {
                            run.pass(units, usize::MAX);
                        });
                        fair(&got, &(n, mode, each, at_once, units));
                    }
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes long")]
fn each_of_three_thousand_children_has_its_share() {
    for mode in REFUSED {
        let mut run = Run::new(mode, costs(3000, EACH_COSTS[0], false));
        let got = run.shares(4 * 3000 * 8 / 128, |run, _| run.pass(128, usize::MAX));
        fair(&got, &mode);
        let mut run = Run::new(mode, costs(3000, EACH_COSTS[0], false));
        let got = run.shares(4, |run, _| run.pass(u32::MAX, 3000 * 8));
        assert_eq!(range(&got), (32, 32));
    }
}

/// A child whose turn the budget cut short has the rest of it first.
#[test]
fn the_child_that_was_refused_first_comes_first() {
    for mode in REFUSED {
        let mut run = Run::new(mode, costs(36, EACH_COSTS[0], false));
        run.pass(20, usize::MAX);
        let eights = |of: [u32; 4]| {
            let mut expected = vec![0; 36];
            expected[..4].copy_from_slice(&of);
            expected
        };
        assert_eq!(*run.task.got.borrow(), eights([8, 8, 4, 0]), "{mode:?}");
        run.pass(6, usize::MAX);
        assert_eq!(*run.task.got.borrow(), eights([8, 8, 8, 2]), "{mode:?}");
    }
}

/// Passes in which the budget is used up before the task polls its set.
#[test]
fn passes_without_a_unit_change_no_order() {
    for mode in REFUSED {
        let mut run = Run::new(mode, costs(64, EACH_COSTS[0], false));
        let got = run.shares(200, |run, number| {
            let units = if number % 2 == 0 { 128 } else { 0 };
            run.pass(units, usize::MAX);
        });
        fair(&got, &mode);
    }
}

/// Children that are woken in each pass have no more items than those that are always ready.
#[test]
fn children_that_wake_often_do_not_come_first() {
    for mode in REFUSED {
        let kinds = (0..64).map(|k| [Kind::Bursts, Kind::Costs(1, false)][k / 40]);
        let mut run = Run::new(mode, kinds);
        let got = run.shares(1000, |run, _| run.pass(128, usize::MAX));
        let (bursts, others) = got.split_at(40);
        fair(bursts, &mode);
        fair(others, &mode);
        // Children that are woken late cannot have as many items.
        if matches!(mode, Refused::AtOnce | Refused::Later(1)) {
            fair(&got, &mode);
        }
    }
}

/// Children without items do not keep the others from theirs, also if they are more than one call
/// may poll in vain.
#[test]
fn children_without_items_do_not_block_the_others() {
    for mode in REFUSED {
        let kinds = (0..300).map(|k| match k % 10 {
            0 => Kind::Costs(1, false),
            _ => Kind::Spins,
        });
        let mut run = Run::new(mode, kinds);
        let got = run.shares(300, |run, _| run.pass(128, usize::MAX));
        let got: Vec<_> = got.into_iter().step_by(10).collect();
        fair(&got, &mode);
        assert!(range(&got).0 >= 100, "{got:?}");
    }
}

/// The set cannot see whether a child used the budget. The first one to be polled had all of it.
#[test]
fn children_that_use_the_budget_without_an_item_have_their_share() {
    for mode in REFUSED {
        for n in [2, 36, 64] {
            let mut run = Run::new(mode, vec![Kind::Works; n]);
            let got = run.shares(10 * n, |run, _| run.pass(128, usize::MAX));
            fair(&got, &(mode, n));
        }
    }
}

/// A child without a budget always has an item. The others are polled in vain all the time, and
/// keep their order.
#[test]
fn a_child_without_a_budget_does_not_change_the_order_of_the_others() {
    for mode in REFUSED {
        let kinds = (0..64).map(|k| [Kind::Costs(1, false), Kind::Free][usize::from(k == 20)]);
        let mut run = Run::new(mode, kinds);
        let mut got = run.shares(1000, |run, _| run.pass(128, 300));
        got.remove(20);
        fair(&got, &mode);
    }
}
