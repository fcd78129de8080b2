use super::*;
use crate::test_support::Wakes;
use alloc::{collections::VecDeque, rc::Rc, sync::Arc, vec};
use core::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};
use io::ErrorKind::{ConnectionReset, Other, OutOfMemory};

/// A listener that follows a script: `None` waits, and `sleep` ends when the test says so. Client
/// `n` comes from port `1000 + n`.
#[derive(Default)]
struct Script {
    accepts: RefCell<VecDeque<Option<io::Result<u32>>>>,
    backlog: RefCell<Vec<io::Result<u32>>>,
    pauses: RefCell<Vec<u64>>,
    polls: Cell<usize>,
    awake: Arc<AtomicUsize>,
    closed: Cell<bool>,
    dropped: Cell<bool>,
    runtime_is_gone: Cell<bool>,
}

fn from(n: u32) -> (u32, u16) {
    (n, u16::try_from(1000 + n).unwrap())
}

struct Scripted(Rc<Script>);
impl Listen for Scripted {
    type Connection = u32;
    type Address = u16;
    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<Option<io::Result<(u32, u16)>>> {
        self.0.polls.set(self.0.polls.get() + 1);
        if self.0.runtime_is_gone.get() {
            return Poll::Ready(None);
        }
        match self.0.accepts.borrow_mut().pop_front().flatten() {
            Some(result) => Poll::Ready(Some(result.map(from))),
            None => Poll::Pending,
        }
    }
    fn close(self) -> Vec<io::Result<(u32, u16)>> {
        self.0.closed.set(true);
        let backlog = self.0.backlog.take();
        backlog.into_iter().map(|client| client.map(from)).collect()
    }
    fn sleep(&self, time: Duration) -> Sleep {
        self.0
            .pauses
            .borrow_mut()
            .push(u64::try_from(time.as_millis()).unwrap());
        let awake = self.0.awake.clone();
        Box::pin(core::future::poll_fn(move |_| {
            match awake.load(Ordering::Relaxed) {
                AWAKE => Poll::Ready(Some(())),
                GONE => Poll::Ready(None),
                _ => Poll::Pending,
            }
        }))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.0.dropped.set(true);
    }
}

/// How a pause ends: when it is over, or because the runtime has shut down.
const AWAKE: usize = 1;
const GONE: usize = 2;

type Polled = Poll<Option<Result<u32, io::ErrorKind>>>;

fn kind<T>(result: io::Result<T>) -> Result<T, io::ErrorKind> {
    result.map_err(|error| error.kind())
}

fn poll(stream: &mut Connections<Scripted>, waker: &Waker) -> Polled {
    Pin::new(stream)
        .poll_next(&mut Context::from_waker(waker))
        .map(|item| {
            item.map(|accepted| {
                let (client, address) = kind(accepted)?;
                assert_eq!(from(client).1, address);
                Ok(client)
            })
        })
}

fn listening(
    accepts: impl IntoIterator<Item = Option<io::Result<u32>>>,
) -> (Rc<Script>, Server<u16>, Connections<Scripted>) {
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
    script.awake.store(AWAKE, Ordering::Relaxed);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(1))));
}

#[test]
fn pauses_grow_to_a_second_and_a_connection_makes_them_short_again() {
    let errors = || (0..10).map(|_| Some(Err(Other.into())));
    let (script, _server, mut stream) =
        listening(errors().chain([Some(Ok(1))]).chain(errors().take(2)));
    script.awake.store(AWAKE, Ordering::Relaxed);
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
    let waiting = [Ok(7), Err(OutOfMemory.into()), Ok(8)];
    script.backlog.borrow_mut().extend(waiting);
    server.clone().stop();
    assert!(server.is_stopped());
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(7))));
    assert!(script.closed.get());
    assert_eq!(
        poll(&mut stream, Waker::noop()),
        Poll::Ready(Some(Err(OutOfMemory)))
    );
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

/// It ends, the listener is closed, and the server counts as stopped.
fn assert_ends(script: &Script, server: &Server<u16>, stream: &mut Connections<Scripted>) {
    for _ in 0..2 {
        assert_eq!(poll(stream, Waker::noop()), Poll::Ready(None));
        assert!(stream.is_terminated());
    }
    assert!(script.dropped.get());
    assert!(server.is_stopped());
    server.stop();
    assert_eq!(poll(stream, Waker::noop()), Poll::Ready(None));
    assert!(!script.closed.get(), "nobody could be served");
}

#[test]
fn without_its_runtime_it_ends_whatever_it_was_at() {
    // Before the first poll.
    let (script, server, mut stream) = listening([]);
    script.runtime_is_gone.set(true);
    assert!(!server.is_stopped());
    assert_ends(&script, &server, &mut stream);

    // While it waits.
    let (script, server, mut stream) = listening([None]);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
    script.runtime_is_gone.set(true);
    assert_ends(&script, &server, &mut stream);

    // When a pause begins, and in a pause: the listener itself is not asked.
    for pending in [0, 1] {
        let (script, server, mut stream) = listening([Some(Err(Other.into())), Some(Ok(1))]);
        assert_eq!(
            poll(&mut stream, Waker::noop()),
            Poll::Ready(Some(Err(Other)))
        );
        for _ in 0..pending {
            assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
        }
        script.awake.store(GONE, Ordering::Relaxed);
        assert_ends(&script, &server, &mut stream);
        assert_eq!(script.polls.get(), 1);
    }
}

/// A system with clients in a listener's backlog, and so many descriptors left.
struct System {
    waiting: RefCell<VecDeque<Result<u32, io::ErrorKind>>>,
    left: Cell<usize>,
    /// How often `accept` may be called.
    calls: Cell<usize>,
}

/// A descriptor, given back when it is dropped.
struct Descriptor<'a>(&'a System);

impl Drop for Descriptor<'_> {
    fn drop(&mut self) {
        self.0.left.set(self.0.left.get() + 1);
    }
}

impl System {
    fn with(left: usize, waiting: impl IntoIterator<Item = Result<u32, io::ErrorKind>>) -> Self {
        Self {
            waiting: RefCell::new(waiting.into_iter().collect()),
            left: Cell::new(left),
            calls: Cell::new(2 * LONGEST_BACKLOG + 2),
        }
    }

    /// As Linux does it: whether anybody waits shows only where there is a descriptor to spend.
    fn accept(&self) -> io::Result<(u32, Descriptor<'_>)> {
        let calls = self.calls.get().checked_sub(1);
        self.calls.set(calls.expect("it has an end"));
        let Some(left) = self.left.get().checked_sub(1) else {
            return Err(OutOfMemory.into());
        };
        let client = self.waiting.borrow_mut().pop_front();
        let client = client.unwrap_or(Err(WouldBlock))?;
        self.left.set(left);
        Ok((client, Descriptor(self)))
    }

    /// What comes of those who wait, given a spare.
    fn close(&self, spare: impl Sized) -> Vec<Result<u32, io::ErrorKind>> {
        let clients = waiting_clients(spare, || self.accept(), Ok);
        let outcomes = clients.iter().map(|client| match client {
            Ok((client, _)) => Ok(*client),
            Err(error) => Err(error.kind()),
        });
        outcomes.collect()
    }
}

const NO_ROOM: Result<u32, io::ErrorKind> = Err(OutOfMemory);
const LOST: Result<u32, io::ErrorKind> = Err(ConnectionReset);

#[test]
fn each_client_in_the_backlog_comes_out_as_one_result_in_its_order() {
    for left in 0..=12 {
        for waiting in 0..=10 {
            let system = System::with(left, (0..waiting).map(Ok));
            let expected = (0..waiting).map(|n| match (n as usize) < left {
                true => Ok(n),
                false => NO_ROOM,
            });
            let came = system.close(Descriptor(&system));
            assert_eq!(came, expected.collect::<Vec<_>>(), "{left} descriptors");
            assert_eq!(system.left.get(), left + 1, "all were given back");
        }
    }
}

#[test]
fn a_client_that_is_lost_in_the_backlog_is_an_error_and_takes_nobody_along() {
    let system = System::with(9, [LOST, Ok(1), LOST, LOST, Ok(2)]);
    assert_eq!(
        system.close(Descriptor(&system)),
        [LOST, Ok(1), LOST, LOST, Ok(2)]
    );
    // Just when there is no room any more: that shows nobody else's fate.
    for next in [None, Some(Ok(2))] {
        let system = System::with(1, [Ok(1), LOST].into_iter().chain(next));
        let mut expected = vec![Ok(1), LOST];
        expected.extend(next.map(|_| NO_ROOM));
        assert_eq!(system.close(Descriptor(&system)), expected);
    }
}

#[test]
fn if_nobody_is_accepted_with_the_spare_given_up_one_error_stands_for_all() {
    let system = System::with(2, (0..5).map(Ok));
    assert_eq!(system.close(()), [Ok(0), Ok(1), NO_ROOM]);
    let system = System::with(0, (0..5).map(Ok));
    assert_eq!(system.close(()), [NO_ROOM]);
}

#[test]
fn a_connection_that_the_runtime_does_not_take_is_an_error_and_gives_its_descriptor_to_the_next() {
    let system = System::with(1, (0..3).map(Ok));
    let clients = waiting_clients(
        Descriptor(&system),
        || system.accept(),
        |(client, descriptor)| match client {
            2 => Ok((client, descriptor)),
            _ => Err(io::Error::from(Other)),
        },
    );
    let [first, second, third] = <[_; 3]>::try_from(clients).unwrap_or_else(|_| panic!());
    assert_eq!(kind(first.map(drop)), Err(Other));
    assert_eq!(kind(second.map(drop)), Err(Other));
    assert_eq!(third.unwrap().0, 2);
}

#[test]
fn of_a_backlog_without_end_so_many_are_taken_and_one_error_stands_for_the_rest() {
    let longest = u32::try_from(LONGEST_BACKLOG).unwrap();
    for beyond in [0, 1, longest] {
        // With room for all, and for none.
        for (left, each) in [(usize::MAX / 2, Ok(7)), (0, NO_ROOM)] {
            let waiting = (0..longest + beyond).map(|_| Ok(7));
            let system = System::with(left, waiting);
            let mut came = system.close(Descriptor(&system));
            if beyond > 0 {
                assert_eq!(came.pop(), Some(Err(Other)));
            }
            assert_eq!(came.len(), LONGEST_BACKLOG);
            assert!(came.iter().all(|result| *result == each));
        }
    }
}
