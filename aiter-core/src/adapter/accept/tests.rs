use super::*;
use crate::test_support::Wakes;
use alloc::{collections::VecDeque, rc::Rc, sync::Arc, vec};
use core::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};
use io::ErrorKind::{ConnectionReset, Other, OutOfMemory};

/// The state of a listener that follows a script. An entry `None` is a poll that is pending, and
/// the test decides when a `sleep` ends. Client `n` connects from port `1000 + n`.
#[derive(Default)]
struct Script {
    accepts: RefCell<VecDeque<Option<io::Result<u32>>>>,
    backlog: RefCell<Vec<io::Result<u32>>>,
    pauses: RefCell<Vec<u64>>,
    polls: Cell<usize>,
    pause: Arc<AtomicUsize>,
    closed: Cell<bool>,
    dropped: Cell<bool>,
    has_shut_down: Cell<bool>,
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
        if self.0.has_shut_down.get() {
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
    fn pause(&self, time: Duration) -> Pause {
        self.0
            .pauses
            .borrow_mut()
            .push(u64::try_from(time.as_millis()).unwrap());
        let pause = self.0.pause.clone();
        Box::pin(core::future::poll_fn(move |_| {
            match pause.load(Ordering::Relaxed) {
                OVER => Poll::Ready(Some(())),
                SHUT_DOWN => Poll::Ready(None),
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

/// How a pause ends: its time is over, or the runtime has shut down.
const OVER: usize = 1;
const SHUT_DOWN: usize = 2;

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
fn connections_are_yielded_in_order_and_the_address_is_known() {
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
    script.pause.store(OVER, Ordering::Relaxed);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(1))));
}

#[test]
fn pauses_double_up_to_a_second_and_a_connection_resets_them() {
    let errors = || (0..10).map(|_| Some(Err(Other.into())));
    let (script, _server, mut stream) =
        listening(errors().chain([Some(Ok(1))]).chain(errors().take(2)));
    script.pause.store(OVER, Ordering::Relaxed);
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
fn stop_wakes_the_waiting_task_and_the_backlog_is_still_yielded() {
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
fn dropping_the_handles_does_not_stop_the_server() {
    let (_, server, mut stream) = listening([None, Some(Ok(1))]);
    drop(server);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Ready(Some(Ok(1))));
}

#[test]
fn dropping_the_stream_stops_the_server() {
    let (_, server, stream) = listening([]);
    assert!(!server.is_stopped());
    drop(stream);
    assert!(server.is_stopped());
    server.stop();
}

/// Checks that the stream ends, that the listener is dropped without accepting its backlog, and
/// that the server counts as stopped.
fn assert_ends(script: &Script, server: &Server<u16>, stream: &mut Connections<Scripted>) {
    for _ in 0..2 {
        assert_eq!(poll(stream, Waker::noop()), Poll::Ready(None));
        assert!(stream.is_terminated());
    }
    assert!(script.dropped.get());
    assert!(server.is_stopped());
    server.stop();
    assert_eq!(poll(stream, Waker::noop()), Poll::Ready(None));
    assert!(!script.closed.get(), "the backlog cannot be served");
}

#[test]
fn when_the_runtime_shuts_down_the_stream_ends_in_every_state() {
    // Before the first poll.
    let (script, server, mut stream) = listening([]);
    script.has_shut_down.set(true);
    assert!(!server.is_stopped());
    assert_ends(&script, &server, &mut stream);

    // While the stream waits for a connection.
    let (script, server, mut stream) = listening([None]);
    assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
    script.has_shut_down.set(true);
    assert_ends(&script, &server, &mut stream);

    // At the start of a pause, and during one. The listener itself is not polled then.
    for pending in [0, 1] {
        let (script, server, mut stream) = listening([Some(Err(Other.into())), Some(Ok(1))]);
        assert_eq!(
            poll(&mut stream, Waker::noop()),
            Poll::Ready(Some(Err(Other)))
        );
        for _ in 0..pending {
            assert_eq!(poll(&mut stream, Waker::noop()), Poll::Pending);
        }
        script.pause.store(SHUT_DOWN, Ordering::Relaxed);
        assert_ends(&script, &server, &mut stream);
        assert_eq!(script.polls.get(), 1);
    }
}

/// An operating system with clients in the backlog of a listener, and a number of free descriptors.
struct System {
    waiting: RefCell<VecDeque<Result<u32, io::ErrorKind>>>,
    free: Cell<usize>,
    /// How many more times `accept` may be called.
    calls: Cell<usize>,
}

/// A descriptor, which is free again when it is dropped.
struct Descriptor<'a>(&'a System);

impl Drop for Descriptor<'_> {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
    }
}

impl System {
    fn with(free: usize, waiting: impl IntoIterator<Item = Result<u32, io::ErrorKind>>) -> Self {
        Self {
            waiting: RefCell::new(waiting.into_iter().collect()),
            free: Cell::new(free),
            calls: Cell::new(2 * LONGEST_BACKLOG + 2),
        }
    }

    /// Accepts a client in the way of Linux, which looks for one only if a descriptor is free.
    fn accept(&self) -> io::Result<(u32, Descriptor<'_>)> {
        let calls = self.calls.get().checked_sub(1);
        self.calls.set(calls.expect("closing comes to an end"));
        let Some(free) = self.free.get().checked_sub(1) else {
            return Err(OutOfMemory.into());
        };
        let client = self.waiting.borrow_mut().pop_front();
        let client = client.unwrap_or(Err(WouldBlock))?;
        self.free.set(free);
        Ok((client, Descriptor(self)))
    }

    /// Returns the outcome for each waiting client.
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
fn each_client_in_the_backlog_is_one_result_in_order() {
    for free in 0..=12 {
        for waiting in 0..=10 {
            let system = System::with(free, (0..waiting).map(Ok));
            let expected = (0..waiting).map(|n| match (n as usize) < free {
                true => Ok(n),
                false => NO_ROOM,
            });
            let results = system.close(Descriptor(&system));
            assert_eq!(results, expected.collect::<Vec<_>>(), "{free} descriptors");
            assert_eq!(
                system.free.get(),
                free + 1,
                "all descriptors are free again"
            );
        }
    }
}

#[test]
fn a_client_that_is_lost_in_the_backlog_is_one_error_and_does_not_affect_others() {
    let system = System::with(9, [LOST, Ok(1), LOST, LOST, Ok(2)]);
    assert_eq!(
        system.close(Descriptor(&system)),
        [LOST, Ok(1), LOST, LOST, Ok(2)]
    );
    // A client is lost right after the descriptors have run out. The error for lack of room is that
    // of the next client, if there is one.
    for next in [None, Some(Ok(2))] {
        let system = System::with(1, [Ok(1), LOST].into_iter().chain(next));
        let mut expected = vec![Ok(1), LOST];
        expected.extend(next.map(|_| NO_ROOM));
        assert_eq!(system.close(Descriptor(&system)), expected);
    }
}

#[test]
fn if_no_client_is_accepted_without_the_spare_one_error_stands_for_all() {
    let system = System::with(2, (0..5).map(Ok));
    assert_eq!(system.close(()), [Ok(0), Ok(1), NO_ROOM]);
    let system = System::with(0, (0..5).map(Ok));
    assert_eq!(system.close(()), [NO_ROOM]);
}

#[test]
fn a_connection_that_the_runtime_refuses_is_an_error_and_frees_its_descriptor() {
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
fn an_endless_backlog_is_accepted_up_to_a_limit_and_one_error_stands_for_the_rest() {
    let longest = u32::try_from(LONGEST_BACKLOG).unwrap();
    for beyond in [0, 1, longest] {
        // With room for every client, and with room for none.
        for (free, each) in [(usize::MAX / 2, Ok(7)), (0, NO_ROOM)] {
            let waiting = (0..longest + beyond).map(|_| Ok(7));
            let system = System::with(free, waiting);
            let mut results = system.close(Descriptor(&system));
            if beyond > 0 {
                assert_eq!(results.pop(), Some(Err(Other)));
            }
            assert_eq!(results.len(), LONGEST_BACKLOG);
            assert!(results.iter().all(|result| *result == each));
        }
    }
}
