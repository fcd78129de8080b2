use super::super::notify::Sleeper;
use super::{Inbox, Letter};
use alloc::{rc::Rc, vec::Vec};

#[test]
fn letters_that_nobody_takes_out_are_dropped() {
    let item = Rc::new(());
    let inbox = Inbox::new();
    let put = || {
        let sleepers: Vec<_> = (0..3)
            .map(|_| Sleeper::new(Letter::new(item.clone())))
            .collect();
        sleepers
            .iter()
            .for_each(|sleeper| inbox.put(sleeper.alarm()));
    };
    put();
    assert_eq!(Rc::strong_count(&item), 4);
    // Of those taken out one is looked at.
    assert!(inbox.drain().next().is_some());
    assert_eq!(Rc::strong_count(&item), 1);
    put();
    drop(inbox);
    assert_eq!(Rc::strong_count(&item), 1);
}
