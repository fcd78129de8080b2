use super::super::notify::WakeSink;
use super::{Node, WakeStack};
use alloc::{rc::Rc, vec::Vec};

#[test]
fn nodes_left_on_the_stack_are_dropped() {
    let item = Rc::new(());
    let stack = WakeStack::new();
    let push = || {
        let sinks: Vec<_> = (0..3)
            .map(|_| WakeSink::new(Node::new(item.clone())))
            .collect();
        sinks.iter().for_each(|sink| stack.push(sink.wake_source()));
    };
    push();
    assert_eq!(Rc::strong_count(&item), 4);
    // Only one of the nodes that were taken is looked at.
    assert!(stack.take_all().next().is_some());
    assert_eq!(Rc::strong_count(&item), 1);
    push();
    drop(stack);
    assert_eq!(Rc::strong_count(&item), 1);
}
