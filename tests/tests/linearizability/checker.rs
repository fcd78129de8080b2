//! Decides whether the sequential model allows a concurrent history. This is the search of Wing and
//! Gong ("Testing and Verifying Concurrent Objects", 1993) with the memoization of Lowe ("Testing
//! for linearizability", 2017), which visits each pair of a set of steps and the resulting state
//! once.
//!
//! An operation may have several steps, one after the other. Each takes effect at some moment
//! between the call and its return. So a model can say precisely where an operation is not
//! linearizable as a whole.

use std::{collections::HashSet, fmt::Debug, hash::Hash};

/// The effect of a step on a state, or nothing if the step's result does not fit that state.
pub trait Model: Clone + Eq + Hash {
    type Step: Debug;
    fn apply(&mut self, step: &Self::Step) -> bool;
}

/// One step of a recorded call.
#[derive(Debug)]
pub struct Event<S> {
    pub step: S,
    /// The times of the call and of its return.
    pub during: (u64, u64),
    /// The step before it in the same call.
    pub after: Option<usize>,
}

/// The steps of a call, and the times of the call and of its return.
pub type Call<S> = (Vec<S>, u64, u64);

/// The steps of all these calls.
pub fn history<'a, S: Clone + 'a>(calls: impl IntoIterator<Item = &'a Call<S>>) -> Vec<Event<S>> {
    let mut events = Vec::new();
    for (steps, begin, end) in calls {
        for (i, step) in steps.iter().enumerate() {
            events.push(Event {
                step: step.clone(),
                during: (*begin, *end),
                after: (i > 0).then(|| events.len() - 1),
            });
        }
    }
    events
}

/// Returns all steps in an order that the model allows, in which no step stands before one that was
/// over when it began.
pub fn linearize<M: Model>(initial: M, events: &[Event<M::Step>]) -> Option<Vec<usize>> {
    assert!(events.len() <= 64, "a history of up to 64 steps");
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    search(&initial, 0, events, &mut seen, &mut order).then_some(order)
}

fn search<M: Model>(
    state: &M,
    taken: u64,
    events: &[Event<M::Step>],
    seen: &mut HashSet<(u64, M)>,
    order: &mut Vec<usize>,
) -> bool {
    let left = || (0..events.len()).filter(|i| taken >> i & 1 == 0);
    let Some(first_return) = left().map(|i| events[i].during.1).min() else {
        return true;
    };
    for i in left() {
        let event = &events[i];
        if event.during.0 > first_return || event.after.is_some_and(|i| taken >> i & 1 == 0) {
            continue;
        }
        let mut next = state.clone();
        if !next.apply(&event.step) || !seen.insert((taken | 1 << i, next.clone())) {
            continue;
        }
        order.push(i);
        if search(&next, taken | 1 << i, events, seen, order) {
            return true;
        }
        order.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register that is 0 at first.
    #[derive(Clone, Eq, Hash, PartialEq)]
    struct Register(u8);

    #[derive(Debug)]
    enum Access {
        Write(u8),
        Read(u8),
    }
    use Access::*;

    impl Model for Register {
        type Step = Access;
        fn apply(&mut self, step: &Access) -> bool {
            match *step {
                Write(value) => self.0 = value,
                Read(value) => return self.0 == value,
            }
            true
        }
    }

    fn allows(history: impl IntoIterator<Item = (Access, u64, u64)>) -> bool {
        let events: Vec<_> = history
            .into_iter()
            .map(|(step, begin, end)| Event {
                step,
                during: (begin, end),
                after: None,
            })
            .collect();
        linearize(Register(0), &events).is_some()
    }

    #[test]
    fn it_checks_a_register() {
        assert!(allows([]));
        assert!(allows([(Write(1), 0, 5), (Read(0), 1, 2), (Read(1), 3, 4)]));
        assert!(!allows([
            (Write(1), 0, 5),
            (Read(1), 1, 2),
            (Read(0), 3, 4)
        ]));
        assert!(!allows([(Write(1), 0, 1), (Read(0), 2, 3)]));
        assert!(allows([
            (Write(1), 0, 1),
            (Write(2), 0, 1),
            (Read(1), 2, 3)
        ]));
        assert!(!allows([
            (Write(1), 0, 1),
            (Write(2), 2, 3),
            (Read(1), 4, 5)
        ]));
    }

    #[test]
    fn steps_of_a_call_keep_their_order() {
        let event = |step, after| Event {
            step,
            during: (0, 9),
            after,
        };
        let history = [
            event(Read(2), None),
            event(Write(1), Some(0)),
            event(Write(2), None),
        ];
        assert_eq!(linearize(Register(0), &history), Some(vec![2, 0, 1]));
        let history = [
            event(Write(1), None),
            event(Write(2), Some(0)),
            event(Read(1), Some(1)),
        ];
        assert_eq!(linearize(Register(0), &history), None);
    }
}
