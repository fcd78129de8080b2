//! Passive forks, and how they become active.

use super::*;

#[test]
fn a_passive_fork_pulls_nothing() {
    let (mut a, remote) = forker([Item(1), Item(2), End]);
    let mut passive = a.fork_passive();
    assert!(!passive.fork.is_active());
    assert_eq!(passive.poll(), PENDING);
    assert_eq!(remote.polls(), 0);
    for n in 1..3 {
        assert_eq!(a.poll(), item(n));
        assert_eq!(passive.wakes(), n as usize);
        assert_eq!(passive.poll(), item(n));
        assert_eq!(passive.poll(), PENDING);
    }
    assert!(!passive.fork.is_terminated());
    assert_eq!(a.poll(), END);
    assert_eq!((passive.wakes(), passive.poll()), (3, END));
}

#[test]
fn without_an_active_fork_a_passive_one_ends_until_one_is_made_active() {
    let (mut a, remote) = forker((0..9).map(Item));
    let mut one = a.fork_passive();
    let mut other = a.fork_passive();
    assert_eq!(a.poll(), item(0));
    assert_eq!((other.poll(), other.poll()), (item(0), PENDING));
    drop(a);
    assert_eq!(other.wakes(), 1, "it waited");
    assert!(!one.fork.is_terminated() && other.fork.is_terminated());
    assert_eq!((one.poll(), one.poll(), one.poll()), (item(0), END, END));
    assert!(one.fork.is_terminated());
    assert_eq!(other.poll(), END);
    assert_eq!(remote.polls(), 1);

    one.fork.activate();
    one.fork.activate();
    assert!(one.fork.is_active());
    assert!(!one.fork.is_terminated() && !other.fork.is_terminated());
    assert_eq!(other.poll(), PENDING);
    assert_eq!(one.poll(), item(1));
    assert_eq!(other.wakes(), 2);
    assert_eq!(other.poll(), item(1));
    drop(one);
    assert_eq!(other.poll(), END);
    other.fork.activate();
    assert_eq!(other.poll(), item(2));
}

#[test]
fn a_passive_fork_made_active_while_it_waits_goes_on() {
    let (mut a, remote) = forker([]);
    let mut passive = a.fork_passive();
    assert_eq!((a.poll(), passive.poll()), (PENDING, PENDING));
    passive.fork.activate();
    drop(a);
    assert_eq!(passive.wakes(), 0);
    assert_eq!(passive.poll(), PENDING);
    remote.add([Item(1)]);
    assert_eq!(passive.wakes(), 1);
    assert_eq!(passive.poll(), item(1));
}

#[test]
fn active_forks_of_passive_ones_are_active() {
    let (mut a, _remote) = forker([Item(1), Item(2)]);
    let mut passive = a.fork_passive();
    drop(a);
    assert_eq!(passive.poll(), END);
    let mut b = passive.fork();
    assert!(b.fork.is_active() && !passive.fork.is_active());
    assert_eq!(b.poll(), item(1));
    assert_eq!(passive.poll(), item(1));
    assert_eq!(passive.poll(), PENDING);
    drop(b);
    assert_eq!((passive.wakes(), passive.poll()), (1, END));
}
