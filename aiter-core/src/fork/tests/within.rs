//! Forks that are polled, dropped or made within the source's own poll.

use super::*;

/// A source that calls a function with forks of itself in each of its polls.
struct Nested {
    inside: Forks,
    act: fn(&mut Vec<Reader<Nested>>),
    remote: Source<u32>,
}

type Forks = Arc<Mutex<Vec<Reader<Nested>>>>;

impl Stream for Nested {
    type Item = u32;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        let this = self.get_mut();
        (this.act)(&mut this.inside.lock().unwrap());
        Pin::new(&mut this.remote).poll_next(cx)
    }
}

fn nested(
    steps: impl IntoIterator<Item = Step<u32>>,
    act: fn(&mut Vec<Reader<Nested>>),
) -> (Reader<Nested>, Forks, Remote<u32>) {
    let (remote_source, remote) = source(steps);
    let inside = Forks::default();
    let mut outer = Reader::new(aiter_forker(Nested {
        inside: inside.clone(),
        act,
        remote: remote_source,
    }));
    let forks = [outer.fork(), outer.fork()];
    inside.lock().unwrap().extend(forks);
    (outer, inside, remote)
}

#[test]
fn forks_polled_inside_the_sources_poll_are_pending_and_woken() {
    let (mut outer, inside, remote) = nested([Item(1)], |forks| {
        for fork in forks {
            assert_eq!(fork.poll(), PENDING);
            assert_eq!(fork.fork.size_hint(), (0, None));
        }
    });
    assert_eq!(outer.poll(), item(1));
    for fork in &mut *inside.lock().unwrap() {
        assert_eq!((fork.wakes(), fork.poll()), (1, item(1)));
    }
    // If the source has nothing, they are woken by its wake.
    assert_eq!(outer.poll(), PENDING);
    assert!(inside.lock().unwrap().iter().all(|fork| fork.wakes() == 1));
    remote.add([End]);
    assert!(inside.lock().unwrap().iter().all(|fork| fork.wakes() == 2));
    assert_eq!((outer.wakes(), outer.poll()), (1, END));
    for mut fork in inside.lock().unwrap().drain(..) {
        assert_eq!((fork.wakes(), fork.poll()), (3, END));
    }
}

#[test]
fn forks_are_dropped_and_made_inside_the_sources_poll() {
    let (mut outer, inside, _remote) = nested([Item(1), Item(2)], |forks| {
        drop(forks.pop());
        if let Some(mut fork) = forks.pop() {
            let passive = fork.fork_passive();
            drop(fork);
            forks.push(passive);
        }
    });
    assert_eq!(outer.poll(), item(1));
    let mut passive = inside.lock().unwrap().pop().unwrap();
    assert_eq!((passive.poll(), passive.poll()), (item(1), PENDING));
    assert_eq!(outer.poll(), item(2));
    assert_eq!(passive.poll(), item(2));
    drop(outer);
    assert_eq!(passive.poll(), END);
}

#[test]
fn a_wake_during_the_poll_of_the_source_is_not_lost() {
    struct Eager(bool);
    impl Stream for Eager {
        type Item = u32;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
            cx.waker().wake_by_ref();
            self.0 = !self.0;
            if self.0 { PENDING } else { item(1) }
        }
    }
    let mut a = Reader::new(aiter_forker(Eager(false)));
    let mut b = a.fork();
    assert_eq!((a.poll(), a.wakes()), (PENDING, 1));
    assert_eq!((b.poll(), b.wakes()), (item(1), 0));
    assert_eq!((a.poll(), a.wakes()), (item(1), 1));
}
