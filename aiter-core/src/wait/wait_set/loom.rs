//! A member that gets another's seat, in any order of a wake and its wait. All else is asked of those who make use of crowds.

use super::*;
use crate::test_support::loom::model;
use ::loom::thread;

#[test]
fn who_gets_the_seat_of_one_seen_behind_is_behind_nobody() {
    model(|| {
        let set = Arc::new(WaitSet::new());
        let (mut waiter, other) = (set.add(), set.add());
        assert!(!waiter.is_last_at(0), "the other is there");
        drop(other);
        waiter.wait(Waker::noop());
        let waking = thread::spawn({
            let set = set.clone();
            move || set.wake_all()
        });
        // At its own seat, or in the other's while that is at work. Here, as loom then lets it come between with one preemption.
        let waiting = thread::spawn(move || {
            waiter.wait(Waker::noop());
            assert!(waiter.is_last_at(0), "nobody else is");
        });
        waking.join().unwrap();
        waiting.join().unwrap();
    });
}
