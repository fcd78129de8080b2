//! A member that gets another's seat. All else is asked of those who make use of crowds.

extern crate std;

use super::*;
use alloc::task::Wake;
use std::sync::Mutex;

#[test]
fn who_gets_the_seat_of_one_seen_behind_is_behind_nobody() {
    /// While the first is woken the other goes, and the first waits again: in the other's seat, as its own is at work.
    struct Waits(Mutex<(Member, Option<Member>)>);
    impl Wake for Waits {
        fn wake(self: alloc::sync::Arc<Self>) {
            let (member, other) = &mut *self.0.lock().unwrap();
            drop(other.take());
            member.wait(Waker::noop());
        }
    }
    let crowd = Crowd::new();
    let (member, other) = (crowd.join(), crowd.join());
    let waits = alloc::sync::Arc::new(Waits(Mutex::new((member, Some(other)))));
    let waker = Waker::from(waits.clone());
    {
        let (member, _) = &mut *waits.0.lock().unwrap();
        member.wait(&waker);
        assert!(!member.is_last_at(0), "the other is there");
    }
    crowd.wake_all();
    assert!(waits.0.lock().unwrap().0.is_last_at(0), "nobody else is");
}
