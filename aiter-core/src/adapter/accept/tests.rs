use super::*;
use crate::testing::Wakes;
use alloc::{collections::VecDeque, rc::Rc, sync::Arc, vec};
use core::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};
use io::ErrorKind::{ConnectionReset, Other, WouldBlock};

/// A listener that follows a script: `None` waits, and `sleep` ends when the test says so.
#[derive(Default)]
struct Script {
    accepts: RefCell<VecDeque<Option<io::Result<u32>>>>,
    backlog: RefCell<Vec<u32>>,
    pauses: RefCell<Vec<u64>>,
    polls: Cell<usize>,
    awake: Arc<AtomicUsize>,
    closed: Cell<bool>,
}

struct Scripted(Rc<Script>);
impl Listen for Scripted {
    type Connection = u32;
    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<u32>> {
        self.0.polls.set(self.0.polls.get() + 1);
        match self.0.accepts.borrow_mut().pop_front().flatten() {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
    fn close(self) -> Vec<u32> {
        self.0.closed.set(true);
        self.0.backlog.take()
    }
    fn sleep(&self, time: Duration) -> Sleep {
        self.0
            .pauses
            .borrow_mut()
            .push(u64::try_from(time.as_millis()).unwrap());
        let awake = self.0.awake.clone();
        Box::pin(core::future::poll_fn(move |_| {
            match awake.load(Ordering::Relaxed) {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        }))
    }
}

type Polled = Poll<Option<Result<u32, io::ErrorKind>>>;

fn poll(stream: &mut Connections<Scripted>, waker: &Waker) -> Polled {
    Pin::new(stream)
        .poll_next(&mut Context::from_waker(waker))
        .map(|item| item.map(|r| r.map_err(|e| e.kind())))
}

fn listening(
    accepts: impl IntoIterator<Item = Option<io::Result<u32>>>,
) -> (Rc<Script>, Server<u32>, Connections<Scripted>) {
    let script = Rc::new(Script {
        accepts: RefCell::new(accepts.into_iter().collect()),
        ..Script::default()
    });
    let (server, stream) = connections(Scripted(script.clone()), 80);
    (script, server, stream)
}

#[test]
fn connections_come_in_order_and_the_address_is_known() {
    let (_, server, mut stream) = listening([Some(Ok(1)), None, Some(Ok(2))]);
    assert_eq!(server.local_addr(), 80);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(1))));
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(2))));
}

#[test]
fn an_error_is_reported_and_nothing_is_accepted_during_the_pause() {
    let (script, _server, mut stream) = listening([Some(Err(Other.into())), Some(Ok(1))]);
    assert_eq!(
        poll(&mut stream, Waker::noop()),
        Poll::Ready(Some(Err(Other)))
    );
    for _ in 0..10 {
        assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
    }
    assert_eq!(script.polls.get(), 1);
    script.awake.store(1, Ordering::Relaxed);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(1))));
}

#[test]
fn pauses_grow_to_a_second_and_a_connection_makes_them_short_again() {
    let errors = || (0..10).map(|_| Some(Err(Other.into())));
    let (script, _server, mut stream) =
        listening(errors().chain([Some(Ok(1))]).chain(errors().take(2)));
    script.awake.store(1, Ordering::Relaxed);
    for _ in 0..13 {
        assert!(poll(&mut stream, Waker::noop()).is_ready());
    }
    assert_eq!(
        *script.pauses.borrow(),
        [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 5, 10]
    );
}

#[test]
fn a_connection_that_was_lost_is_reported_without_a_pause() {
    let (script, _server, mut stream) = listening([Some(Err(ConnectionReset.into())), Some(Ok(1))]);
    assert_eq!(
        poll(&mut stream, Waker::noop()),
        Poll::Ready(Some(Err(ConnectionReset)))
    );
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(1))));
    assert!(script.pauses.borrow().is_empty());
}

#[test]
fn stop_wakes_the_waiting_task_and_what_was_accepted_still_comes() {
    let (script, server, mut stream) = listening([None]);
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    script.backlog.borrow_mut().extend([7, 8]);
    server.clone().stop();
    assert!(server.is_stopped());
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(7))));
    assert!(script.closed.get());
    assert!(!stream.is_terminated());
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(8))));
    for _ in 0..2 {
        assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(None));
    }
    assert!(stream.is_terminated());
}

#[test]
fn stop_before_the_first_poll_and_during_a_pause() {
    let (script, server, mut stream) = listening([Some(Ok(1))]);
    server.stop();
    server.stop();
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(None));
    assert_eq!(script.polls.get(), 0);

    let (script, server, mut stream) = listening([Some(Err(Other.into()))]);
    assert_eq!(
        poll(&mut stream, Waker::noop()),
        Poll::Ready(Some(Err(Other)))
    );
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
    server.stop();
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(None));
    assert!(script.closed.get());
}

#[test]
fn dropping_the_handles_stops_nothing() {
    let (_, server, mut stream) = listening([None, Some(Ok(1))]);
    drop(server);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(1))));
}

#[test]
fn dropping_the_stream_stops() {
    let (_, server, stream) = listening([]);
    assert!(!server.is_stopped());
    drop(stream);
    assert!(server.is_stopped());
    server.stop();
}

#[test]
fn a_backlog_is_taken_until_nobody_waits_and_never_without_end() {
    let mut script = vec![
        Err(WouldBlock.into()),
        Ok(2),
        Err(ConnectionReset.into()),
        Ok(1),
    ];
    assert_eq!(waiting_connections(|| script.pop().unwrap()), [1, 2]);
    assert_eq!(waiting_connections(|| Ok(())).len(), LONGEST_BACKLOG);
}
