//! A member that gets another's seat, in any order of a wake and its wait. All else is asked of those who make use of crowds.

use super::*;
use crate::test_support::loom::model;
use ::loom::thread;

#[test]
fn who_gets_the_seat_of_one_seen_behind_is_behind_nobody() {
    model(|| {
        let crowd = Arc::new(Crowd::new());
        let (mut member, other) = (crowd.join(), crowd.join());
        assert!(!member.is_last_at(0), "the other is there");
        drop(other);
        member.wait(Waker::noop());
        let waking = thread::spawn({
            let crowd = crowd.clone();
            move || crowd.wake_all()
        });
        // At its own seat, or in the other's while that is at work. Here, as loom then lets it come between with one preemption.
        let waiting = thread::spawn(move || {
            member.wait(Waker::noop());
            assert!(member.is_last_at(0), "nobody else is");
        });
        waking.join().unwrap();
        waiting.join().unwrap();
    });
}
