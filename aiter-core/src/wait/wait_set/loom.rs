//! A model of a waiter that takes the slot of another one. The models of the wait set's users cover
//! everything else.

use super::*;
use crate::test_support::loom::model;
use ::loom::thread;

#[test]
fn a_waiter_that_takes_the_slot_of_its_follower_does_not_follow_itself() {
    model(|| {
        let set = Arc::new(WaitSet::new());
        let (mut waiter, other) = (set.add(), set.add());
        assert!(!waiter.is_last_at(0), "the other waiter is there");
        drop(other);
        waiter.wait(Waker::noop());
        let waking = thread::spawn({
            let set = set.clone();
            move || set.wake_all()
        });
        // It waits in its own slot, or in the other one while the wake uses its own. It is spawned
        // here, because then loom lets it come between with one preemption.
        let waiting = thread::spawn(move || {
            waiter.wait(Waker::noop());
            assert!(waiter.is_last_at(0), "no other waiter is there");
        });
        waking.join().unwrap();
        waiting.join().unwrap();
    });
}
