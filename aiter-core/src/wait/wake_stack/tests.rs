use super::super::notify::WakeSink;
use super::{Node, WakeStack};
use alloc::{rc::Rc, vec::Vec};

#[test]
fn letters_that_nobody_takes_out_are_dropped() {
    let item = Rc::new(());
    let stack = WakeStack::new();
    let put = || {
        let sleepers: Vec<_> = (0..3)
            .map(|_| WakeSink::new(Node::new(item.clone())))
            .collect();
        sleepers
            .iter()
            .for_each(|sink| stack.push(sink.wake_source()));
    };
    put();
    assert_eq!(Rc::strong_count(&item), 4);
    // Of those taken out one is looked at.
    assert!(stack.take_all().next().is_some());
    assert_eq!(Rc::strong_count(&item), 1);
    put();
    drop(stack);
    assert_eq!(Rc::strong_count(&item), 1);
}
