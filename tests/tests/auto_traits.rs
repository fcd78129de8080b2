//! `Send`, `Sync` and `Unpin` of every public type, one line each. A change here is a change of the
//! interface.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::{
    AvailableIter, Azip, Batch, BatchWithin, BoundedAiter, BoundedNextMany, BoundedPush,
    BoundedPusher, BoundedSink, Clock, Debounce, Driver, FlattenAiter, Fork, Gate, Gated, Hub,
    HubIdle, HubOccupied, IterToAiter, JoinAiters, JoinAitersKeyed, MapAiter, MapAsync, MapWorkers,
    MapWorkersBy, MapWorkersOrdered, NextMany, OwnedPermit, Part, Permit, Preloaded, Pump,
    PushAiter, PushHub, PushHubIdle, PushHubOccupied, Pusher, RateLimit, RateLimited, Reserve,
    ReserveOwned, Sharable, SkipAiter, Sleep, SplitBy, Statistics, Stoppable, Stopped, Stopper,
    StopperStopped, SwitchAiter, TryNextError, UntilStopped, Watermarks, WeakBoundedPusher,
    WeakPushHub, WeakPusher,
    bound::{Retain, Seen, Skip, Unbounded, Wait},
};
use futures_core::Stream;
use std::{
    cell::Cell, marker::PhantomData, marker::PhantomPinned, pin::Pin, rc::Rc, task, time::Duration,
};

/// Items of every kind: an item that may be shared, one that may only be sent, one that may not
/// leave its thread, and one that may not be moved.
type Shared = u8;
type Sent = Cell<u8>;
type Local = Rc<u8>;
type Pinned = PhantomPinned;

/// Asks the compiler: an associated constant of the type itself, which exists if the bound holds,
/// hides that of the trait.
struct Probe<T: ?Sized>(PhantomData<T>);

trait Fallback {
    const SEND: bool = false;
    const SYNC: bool = false;
    const UNPIN: bool = false;
}

impl<T: ?Sized> Fallback for Probe<T> {}

impl<T: ?Sized + Send> Probe<T> {
    const SEND: bool = true;
}

impl<T: ?Sized + Sync> Probe<T> {
    const SYNC: bool = true;
}

impl<T: ?Sized + Unpin> Probe<T> {
    const UNPIN: bool = true;
}

fn describe(send: bool, sync: bool, unpin: bool) -> String {
    let names = [(send, "Send"), (sync, "Sync"), (unpin, "Unpin")];
    let names: Vec<_> = names
        .into_iter()
        .filter_map(|(has, name)| has.then_some(name))
        .collect();
    if names.is_empty() {
        "nothing".into()
    } else {
        names.join(" + ")
    }
}

/// One line is `Type => "Send + Sync + Unpin";`. All wrong lines are reported at once.
macro_rules! table {
    ($($ty:ty => $expected:literal;)*) => {
        let wrong: Vec<String> = [$((stringify!($ty), $expected, describe(
            <Probe<$ty>>::SEND, <Probe<$ty>>::SYNC, <Probe<$ty>>::UNPIN,
        ))),*]
            .into_iter()
            .filter(|(_, expected, found)| expected != found)
            .map(|(ty, expected, found)| format!("{ty}: is {found}, not {expected}"))
            .collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    };
}

#[test]
fn the_probe_is_correct() {
    table! {
        Shared => "Send + Sync + Unpin";
        Sent => "Send + Unpin";
        Local => "Unpin";
        Pinned => "Send + Sync";
        (Local, Pinned) => "nothing";
    }
}

#[test]
fn push_list() {
    table! {
        Pusher<Shared> => "Send + Sync + Unpin";
        Pusher<Sent> => "Send + Sync + Unpin";
        Pusher<Local> => "Unpin";
        Pusher<Pinned> => "Send + Sync + Unpin";

        WeakPusher<Shared> => "Send + Sync + Unpin";
        WeakPusher<Sent> => "Send + Sync + Unpin";
        WeakPusher<Local> => "Unpin";
        WeakPusher<Pinned> => "Send + Sync + Unpin";

        UntilStopped<Shared> => "Send + Sync + Unpin";
        UntilStopped<Sent> => "Send + Sync + Unpin";
        UntilStopped<Local> => "Unpin";
        UntilStopped<Pinned> => "Send + Sync + Unpin";

        NextMany<'static, Shared> => "Send + Sync + Unpin";
        NextMany<'static, Sent> => "Send + Unpin";
        NextMany<'static, Local> => "Unpin";
        NextMany<'static, Pinned> => "Send + Sync + Unpin";

        PushAiter<Shared> => "Send + Sync + Unpin";
        PushAiter<Sent> => "Send + Unpin";
        PushAiter<Local> => "Unpin";
        PushAiter<Pinned> => "Send + Sync + Unpin";

        // A hub reaches no item.
        PushHub<Shared> => "Send + Sync + Unpin";
        PushHub<Sent> => "Send + Sync + Unpin";
        PushHub<Local, Skip> => "Unpin";
        PushHub<Pinned, Skip> => "Send + Sync + Unpin";
        WeakPushHub<Sent, Unbounded> => "Send + Sync + Unpin";
        WeakPushHub<Local, Unbounded> => "Unpin";
        PushHubIdle<'static, Sent, Unbounded> => "Send + Sync + Unpin";
        PushHubOccupied<'static, Sent, Unbounded> => "Send + Sync + Unpin";
        PushHubIdle<'static, Local, Unbounded> => "Unpin";
        // Items are reached by one reader at a time.
        SkipAiter<Shared> => "Send + Sync + Unpin";
        SkipAiter<Sent> => "Send + Sync + Unpin";
        SkipAiter<Local> => "Unpin";
        SkipAiter<Pinned> => "Send + Sync + Unpin";

        AvailableIter<'static, Shared> => "Send + Sync + Unpin";
        AvailableIter<'static, Sent> => "Unpin";
        AvailableIter<'static, Local> => "Unpin";
        AvailableIter<'static, Pinned> => "Send + Sync + Unpin";

        Stopped<Shared> => "Send + Sync + Unpin";
        Stopped<Sent> => "Send + Unpin";
        Stopped<Local> => "Unpin";
        Stopped<Pinned> => "Send + Sync";

        TryNextError => "Send + Sync + Unpin";
        Statistics => "Send + Sync + Unpin";
    }
}

#[test]
fn bounded_list() {
    table! {
        BoundedSink<Shared> => "Send + Sync + Unpin";
        BoundedSink<Sent> => "Send + Sync + Unpin";
        BoundedSink<Local> => "Unpin";
        BoundedSink<Pinned> => "Send + Sync + Unpin";

        WeakBoundedPusher<Shared> => "Send + Sync + Unpin";
        WeakBoundedPusher<Sent> => "Send + Sync + Unpin";
        WeakBoundedPusher<Local> => "Unpin";
        WeakBoundedPusher<Pinned> => "Send + Sync + Unpin";

        BoundedPusher<Shared> => "Send + Sync + Unpin";
        BoundedPusher<Sent> => "Send + Sync + Unpin";
        BoundedPusher<Local> => "Unpin";
        BoundedPusher<Pinned> => "Send + Sync + Unpin";

        BoundedAiter<Shared> => "Send + Sync + Unpin";
        BoundedAiter<Sent> => "Send + Unpin";
        BoundedAiter<Local> => "Unpin";
        BoundedAiter<Pinned> => "Send + Sync + Unpin";

        BoundedNextMany<'static, Shared> => "Send + Sync + Unpin";
        BoundedNextMany<'static, Sent> => "Send + Unpin";
        BoundedNextMany<'static, Local> => "Unpin";
        BoundedNextMany<'static, Pinned> => "Send + Sync + Unpin";

        BoundedPush<'static, Shared> => "Send + Sync + Unpin";
        BoundedPush<'static, Sent> => "Send + Unpin";
        BoundedPush<'static, Local> => "Unpin";
        BoundedPush<'static, Pinned> => "Send + Sync + Unpin";

        Reserve<'static, Sent> => "Send + Sync + Unpin";
        Reserve<'static, Local> => "Unpin";
        Reserve<'static, Pinned> => "Send + Sync + Unpin";
        ReserveOwned<Sent> => "Send + Sync + Unpin";
        ReserveOwned<Local> => "Unpin";
        ReserveOwned<Pinned> => "Send + Sync + Unpin";

        Permit<'static, Sent> => "Send + Sync + Unpin";
        Permit<'static, Local> => "Unpin";
        Permit<'static, Pinned> => "Send + Sync + Unpin";
        OwnedPermit<Sent> => "Send + Sync + Unpin";
        OwnedPermit<Local> => "Unpin";
        OwnedPermit<Pinned> => "Send + Sync + Unpin";
    }
}

#[test]
fn fixed_list() {
    use aiter_core::fixed::{AvailableIter, PushAiter, PushError, PushList, PushWhenFree};
    table! {
        PushList<Shared, 4> => "Send + Sync + Unpin";
        PushList<Sent, 4> => "Send + Sync + Unpin";
        PushList<Local, 4> => "Unpin";
        PushList<Pinned, 4> => "Send + Sync";

        PushAiter<'static, Shared, 4> => "Send + Sync + Unpin";
        PushAiter<'static, Sent, 4> => "Send + Unpin";
        PushAiter<'static, Local, 4> => "Unpin";
        PushAiter<'static, Pinned, 4> => "Send + Sync + Unpin";

        AvailableIter<'static, Shared, 4> => "Send + Sync + Unpin";
        AvailableIter<'static, Sent, 4> => "Unpin";
        AvailableIter<'static, Local, 4> => "Unpin";
        AvailableIter<'static, Pinned, 4> => "Send + Sync + Unpin";

        PushWhenFree<'static, Shared, 4, 1, 1> => "Send + Sync + Unpin";
        PushWhenFree<'static, Sent, 4, 1, 1> => "Send + Unpin";
        PushWhenFree<'static, Local, 4, 1, 1> => "Unpin";
        PushWhenFree<'static, Pinned, 4, 1, 1> => "Send + Sync + Unpin";

        PushError<Shared> => "Send + Sync + Unpin";
        PushError<Sent> => "Send + Unpin";
        PushError<Local> => "Unpin";
        PushError<Pinned> => "Send + Sync";
    }
}

/// A clock whose timers hold an `F`.
struct ClockOf<T, F>(PhantomData<(T, fn() -> F)>);

impl<T, F> Sleep for ClockOf<T, F> {
    type Sleep = Gives<F, ()>;
    fn sleep(&self, _: Duration) -> Gives<F, ()> {
        Gives(PhantomData)
    }
}

impl<T, F> Clock for ClockOf<T, F> {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// The traits follow those of the parts. An iterator or a collection that is being read is never
/// pinned; a stream or a future is.
#[test]
fn operators() {
    type Iter<T> = IterToAiter<std::vec::IntoIter<T>>;
    type Timer<T> = fn(Duration) -> Gives<T, ()>;
    table! {
        IterToAiter<Shared> => "Send + Sync + Unpin";
        IterToAiter<Local> => "Unpin";
        IterToAiter<Pinned> => "Send + Sync + Unpin";

        MapAiter<Shared, Pinned> => "Send + Sync + Unpin";
        MapAiter<Pinned, Shared> => "Send + Sync";
        MapAiter<Shared, Local> => "Unpin";

        MapAsync<Shared, Pinned, Shared> => "Send + Sync + Unpin";
        MapAsync<Pinned, Shared, Shared> => "Send + Sync";
        MapAsync<Shared, Shared, Pinned> => "Send + Sync";
        MapAsync<Shared, Shared, Sent> => "Send + Unpin";

        Pump<Shared, Pinned, Shared> => "Send + Sync + Unpin";
        Pump<Pinned, Shared, Shared> => "Send + Sync";
        Pump<Shared, Shared, Pinned> => "Send + Sync";
        Pump<Shared, Shared, Sent> => "Send + Unpin";
        Pump<Shared, Local, Shared> => "Unpin";

        Batch<Iter<Shared>> => "Send + Sync + Unpin";
        Batch<Iter<Sent>> => "Send + Unpin";
        Batch<Iter<Local>> => "Unpin";
        Batch<Iter<Pinned>> => "Send + Sync + Unpin";
        Batch<Gives<Pinned, Shared>> => "Send + Sync";
        BatchWithin<Iter<Shared>, Timer<Shared>> => "Send + Sync + Unpin";
        BatchWithin<Iter<Sent>, Timer<Shared>> => "Send + Unpin";
        BatchWithin<Iter<Shared>, Timer<Sent>> => "Send + Unpin";
        BatchWithin<Iter<Shared>, Timer<Local>> => "Unpin";
        BatchWithin<Iter<Shared>, Timer<Pinned>> => "Send + Sync";
        BatchWithin<Gives<Pinned, Shared>, Timer<Shared>> => "Send + Sync";

        SwitchAiter<Iter<Iter<Shared>>> => "Send + Sync + Unpin";
        SwitchAiter<Iter<Iter<Sent>>> => "Send + Unpin";
        SwitchAiter<Iter<Iter<Local>>> => "Unpin";
        SwitchAiter<Iter<Gives<Pinned, Shared>>> => "Send + Sync";

        FlattenAiter<Iter<Vec<Shared>>> => "Send + Sync + Unpin";
        FlattenAiter<Iter<Vec<Pinned>>> => "Send + Sync + Unpin";
        FlattenAiter<Iter<Vec<Local>>> => "Unpin";

        Debounce<Iter<Shared>, ClockOf<Pinned, Shared>> => "Send + Sync + Unpin";
        Debounce<Iter<Sent>, ClockOf<Shared, Shared>> => "Send + Unpin";
        Debounce<Iter<Pinned>, ClockOf<Shared, Shared>> => "Send + Sync + Unpin";
        Debounce<Iter<Shared>, ClockOf<Local, Shared>> => "Unpin";
        Debounce<Iter<Shared>, ClockOf<Shared, Sent>> => "Send + Unpin";
        Debounce<Iter<Shared>, ClockOf<Shared, Pinned>> => "Send + Sync";

        RateLimit => "Send + Sync + Unpin";
        RateLimited<Shared, ClockOf<Pinned, Shared>> => "Send + Sync + Unpin";
        RateLimited<Pinned, ClockOf<Shared, Shared>> => "Send + Sync";
        RateLimited<Local, ClockOf<Shared, Shared>> => "Unpin";
        RateLimited<Shared, ClockOf<Sent, Shared>> => "Send + Unpin";
        RateLimited<Shared, ClockOf<Shared, Sent>> => "Send + Unpin";
        RateLimited<Shared, ClockOf<Shared, Pinned>> => "Send + Sync";

        Azip<(Iter<Shared>, Iter<Pinned>)> => "Send + Sync + Unpin";
        Azip<(Iter<Shared>, Iter<Sent>)> => "Send + Unpin";
        Azip<(Iter<Local>, Iter<Shared>)> => "Unpin";
    }
}

#[test]
fn stoppable_and_sharable() {
    table! {
        Stoppable<Shared> => "Send + Sync + Unpin";
        Stoppable<Sent> => "Send + Unpin";
        Stoppable<Pinned> => "Send + Sync";
        Stoppable<Local> => "Unpin";
        Stopper => "Send + Sync + Unpin";
        StopperStopped => "Send + Sync + Unpin";

        Sharable<Shared> => "Send + Sync + Unpin";
        Sharable<Sent> => "Send + Sync + Unpin";
        Sharable<Pinned> => "Send + Sync + Unpin";
        Sharable<Local> => "Unpin";
    }
}

#[test]
fn split() {
    table! {
        SplitBy<Gives<Shared, Shared>, u8, Shared> => "Send + Sync + Unpin";
        SplitBy<Gives<Sent, Sent>, Cell<u8>, Sent> => "Send + Sync + Unpin";
        SplitBy<Gives<Pinned, Pinned>, u8, Pinned> => "Send + Sync + Unpin";
        SplitBy<Gives<Local, Shared>, u8, Shared> => "Unpin";
        SplitBy<Gives<Shared, Local>, u8, Shared> => "Unpin";
        SplitBy<Gives<Shared, Shared>, Rc<u8>, Shared> => "Unpin";
        SplitBy<Gives<Shared, Shared>, u8, Local> => "Unpin";

        Part<Gives<Shared, Shared>, u8, Shared> => "Send + Sync + Unpin";
        Part<Gives<Sent, Sent>, Cell<u8>, Sent> => "Send + Sync + Unpin";
        Part<Gives<Pinned, Pinned>, u8, Pinned> => "Send + Sync + Unpin";
        Part<Gives<Local, Shared>, u8, Shared> => "Unpin";
        Part<Gives<Shared, Local>, u8, Shared> => "Unpin";
        Part<Gives<Shared, Shared>, Rc<u8>, Shared> => "Unpin";
        Part<Gives<Shared, Shared>, u8, Local> => "Unpin";
    }
}

/// A stream or future that holds an `A` and yields a `B`.
struct Gives<A, B>(PhantomData<(A, fn() -> B)>);

impl<A, B> Stream for Gives<A, B> {
    type Item = B;
    fn poll_next(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> task::Poll<Option<B>> {
        task::Poll::Ready(None)
    }
}

impl<A, B> Future for Gives<A, B> {
    type Output = B;
    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> task::Poll<B> {
        task::Poll::Pending
    }
}

/// A fork moves the source and its items between threads, and reads items that other forks read.
/// The forked stream need not be `Unpin`.
#[test]
fn forks() {
    table! {
        Fork<Gives<Shared, Shared>> => "Send + Sync + Unpin";
        Fork<Gives<Shared, Sent>> => "Send + Unpin";
        Fork<Gives<Shared, Local>> => "Unpin";
        Fork<Gives<Shared, Pinned>> => "Send + Sync + Unpin";
        Fork<Gives<Sent, Shared>> => "Send + Sync + Unpin";
        Fork<Gives<Local, Shared>> => "Unpin";
        Fork<Gives<Pinned, Shared>> => "Send + Sync + Unpin";

        Fork<Gives<Shared, Shared>, Wait> => "Send + Sync + Unpin";
        Fork<Gives<Shared, Sent>, Wait> => "Send + Unpin";
        Fork<Gives<Shared, Local>, Wait> => "Unpin";
        Fork<Gives<Sent, Pinned>, Wait> => "Send + Sync + Unpin";
        Fork<Gives<Local, Shared>, Wait> => "Unpin";

        // Items are reached by one fork at a time.
        Fork<Gives<Shared, Shared>, Skip> => "Send + Sync + Unpin";
        Fork<Gives<Shared, Sent>, Skip> => "Send + Sync + Unpin";
        Fork<Gives<Shared, Local>, Skip> => "Unpin";
        Fork<Gives<Sent, Pinned>, Skip> => "Send + Sync + Unpin";
        Fork<Gives<Local, Shared>, Skip> => "Unpin";

        // A hub reaches no item.
        Hub<Gives<Shared, Shared>> => "Send + Sync + Unpin";
        Hub<Gives<Shared, Sent>, Wait> => "Send + Sync + Unpin";
        Hub<Gives<Sent, Pinned>, Skip> => "Send + Sync + Unpin";
        Hub<Gives<Shared, Local>> => "Unpin";
        Hub<Gives<Local, Shared>> => "Unpin";
        HubIdle<'static, Gives<Sent, Sent>> => "Send + Sync + Unpin";
        HubOccupied<'static, Gives<Sent, Sent>> => "Send + Sync + Unpin";
        HubIdle<'static, Gives<Local, Shared>> => "Unpin";

        Unbounded => "Send + Sync + Unpin";
        Wait => "Send + Sync + Unpin";
        Skip => "Send + Sync + Unpin";
        Retain<Unbounded> => "Send + Sync + Unpin";
        Retain<Wait> => "Send + Sync + Unpin";
        Retain<Skip> => "Send + Sync + Unpin";
        Seen<Shared> => "Send + Sync + Unpin";
        Seen<Sent> => "Send + Unpin";
        Seen<Local> => "Unpin";
        Seen<Pinned> => "Send + Sync";
    }
}

/// The joined streams and the futures of workers need not be `Unpin`: they stay in place while the
/// handle moves.
#[test]
fn joins_and_workers() {
    type Join<A, B> = JoinAiters<Gives<A, Gives<B, Local>>>;
    type Keyed<A, K, B> = JoinAitersKeyed<Gives<A, (K, Gives<B, Local>)>, K, Gives<B, Local>>;
    type Map<A, B, T> = MapWorkers<Gives<A, u8>, fn(u8) -> Gives<B, T>, Gives<B, T>>;
    type Key<T, K> = fn(&T) -> K;
    type Work<T, B> = fn(T) -> Gives<B, Local>;
    type By<A, T, K, B> = MapWorkersBy<Gives<A, T>, K, Key<T, K>, Work<T, B>, Gives<B, Local>>;
    type Ordered<A, B, T> = MapWorkersOrdered<Gives<A, u8>, fn(u8) -> Gives<B, T>, Gives<B, T>>;
    table! {
        Join<Shared, Shared> => "Send + Sync + Unpin";
        Join<Shared, Sent> => "Send + Unpin";
        Join<Shared, Local> => "Unpin";
        Join<Shared, Pinned> => "Send + Sync + Unpin";
        Join<Sent, Shared> => "Send + Unpin";
        Join<Local, Shared> => "Unpin";
        Join<Pinned, Shared> => "Send + Sync";

        Keyed<Shared, Shared, Shared> => "Send + Sync + Unpin";
        Keyed<Sent, Shared, Shared> => "Send + Unpin";
        Keyed<Shared, Sent, Shared> => "Send + Unpin";
        Keyed<Shared, Shared, Local> => "Unpin";
        Keyed<Shared, Local, Shared> => "Unpin";
        Keyed<Shared, Pinned, Pinned> => "Send + Sync + Unpin";
        Keyed<Pinned, Shared, Shared> => "Send + Sync";

        Map<Shared, Shared, Local> => "Send + Sync + Unpin";
        Map<Shared, Sent, Local> => "Send + Unpin";
        Map<Shared, Local, Local> => "Unpin";
        Map<Shared, Pinned, Pinned> => "Send + Sync + Unpin";
        Map<Local, Shared, Shared> => "Unpin";
        Map<Pinned, Shared, Shared> => "Send + Sync";

        Ordered<Shared, Shared, Shared> => "Send + Sync + Unpin";
        Ordered<Shared, Shared, Sent> => "Send + Unpin";
        Ordered<Shared, Shared, Local> => "Unpin";
        Ordered<Shared, Sent, Shared> => "Send + Unpin";
        Ordered<Shared, Pinned, Pinned> => "Send + Sync + Unpin";
        Ordered<Pinned, Shared, Shared> => "Send + Sync";

        // Items wait in it, with copies of their keys.
        By<Shared, Shared, Shared, Shared> => "Send + Sync + Unpin";
        By<Shared, Sent, Shared, Shared> => "Send + Unpin";
        By<Shared, Local, Shared, Shared> => "Unpin";
        By<Shared, Shared, Sent, Shared> => "Send + Unpin";
        By<Shared, Shared, Local, Shared> => "Unpin";
        By<Shared, Shared, Shared, Sent> => "Send + Unpin";
        By<Shared, Shared, Shared, Local> => "Unpin";
        By<Shared, Pinned, Pinned, Pinned> => "Send + Sync + Unpin";
        By<Pinned, Shared, Shared, Shared> => "Send + Sync";
    }
}

/// The stream may keep an item back.
#[test]
fn gated() {
    table! {
        Gated<Gives<Shared, Shared>> => "Send + Sync + Unpin";
        Gated<Gives<Shared, Sent>> => "Send + Unpin";
        Gated<Gives<Shared, Local>> => "Unpin";
        Gated<Gives<Shared, Pinned>> => "Send + Sync + Unpin";
        Gated<Gives<Sent, Shared>> => "Send + Unpin";
        Gated<Gives<Local, Shared>> => "Unpin";
        Gated<Gives<Pinned, Shared>> => "Send + Sync";
        Gate => "Send + Sync + Unpin";
    }
}

/// A driver moves items out of the source into a list, as a pusher does.
#[test]
fn drivers() {
    table! {
        Driver<Gives<Shared, Shared>> => "Send + Sync + Unpin";
        Driver<Gives<Shared, Sent>> => "Send + Sync + Unpin";
        Driver<Gives<Sent, Shared>> => "Send + Unpin";
        Driver<Gives<Shared, Local>> => "Unpin";
        Driver<Gives<Pinned, Shared>> => "Send + Sync";

        Preloaded<Shared> => "Send + Sync + Unpin";
        Preloaded<Sent> => "Send + Unpin";
        Preloaded<Local> => "Unpin";
        Preloaded<Pinned> => "Send + Sync + Unpin";

        Watermarks => "Send + Sync + Unpin";
    }
}

/// Types that may hold the payload of a panic among the items are not `Sync`, because that payload
/// is not.
#[test]
fn adapters() {
    use aiter_tokio::{
        ActiveAiter, BlockingIter, Budget, Cooperative, JoinTasks, MapTasks, On, PreloadAiter,
        ReadAhead, net::Connections, net::Server, net::Tcp,
    };
    type Join<A, B> = JoinTasks<Gives<A, Gives<Shared, B>>, On<tokio::runtime::Handle>>;
    table! {
        ActiveAiter<Shared> => "Send + Sync + Unpin";
        ActiveAiter<Sent> => "Send + Unpin";
        ActiveAiter<Pinned> => "Send + Sync + Unpin";

        PreloadAiter<Shared> => "Send + Unpin";
        PreloadAiter<Sent> => "Send + Unpin";
        PreloadAiter<Pinned> => "Send + Unpin";

        MapTasks<Shared> => "Send + Unpin";
        MapTasks<Sent> => "Send + Unpin";
        MapTasks<Pinned> => "Send + Unpin";

        Join<Shared, Shared> => "Send + Unpin";
        Join<Shared, Sent> => "Send + Unpin";
        Join<Local, Shared> => "Unpin";
        Join<Pinned, Shared> => "Send";

        Cooperative<Gives<Shared, Local>> => "Send + Sync + Unpin";
        Cooperative<Gives<Local, Shared>> => "Unpin";
        Cooperative<Gives<Pinned, Shared>> => "Send + Sync";
        Budget => "Send + Sync + Unpin";

        aiter_smol::PreloadAiter<Shared> => "Send + Unpin";

        BlockingIter<Gives<Shared, Local>> => "Send + Sync + Unpin";
        BlockingIter<Gives<Local, Shared>> => "Unpin";
        BlockingIter<Gives<Pinned, Shared>> => "Send + Sync + Unpin";

        ReadAhead<Gives<Shared, Shared>> => "Send + Unpin";
        ReadAhead<Gives<Shared, Local>> => "Unpin";
        ReadAhead<Gives<Local, Shared>> => "Unpin";
        ReadAhead<Gives<Pinned, Pinned>> => "Send + Unpin";

        aiter_smol::BlockingIter<Gives<Shared, Local>> => "Send + Sync + Unpin";
        aiter_smol::BlockingIter<Gives<Local, Shared>> => "Unpin";
        aiter_smol::BlockingIter<Gives<Pinned, Shared>> => "Send + Sync + Unpin";

        aiter_smol::Global => "Send + Sync + Unpin";
        aiter_tokio::Local => "Send + Sync + Unpin";
        aiter_tokio::OnRuntime<tokio::runtime::Handle> => "Send + Sync + Unpin";
        aiter_smol::OnThread => "Send + Sync + Unpin";
        aiter_tokio::Timer => "Send + Sync + Unpin";

        On<&'static tokio::task::LocalSet> => "Unpin";
        aiter_smol::On<&'static smol::Executor<'static>> => "Send + Sync + Unpin";
        aiter_smol::On<&'static smol::LocalExecutor<'static>> => "Unpin";

        aiter_tokio::net::Acceptor<tokio::net::TcpListener> => "Send + Sync + Unpin";
        aiter_smol::net::Watch<std::net::TcpListener> => "Send + Sync + Unpin";

        Server<std::net::SocketAddr> => "Send + Sync + Unpin";
        Connections<Tcp> => "Send + Sync + Unpin";
        Connections<aiter_smol::net::Tcp> => "Send + Sync + Unpin";
        Connections<aiter_async_std::net::Tcp> => "Send + Sync + Unpin";
    }
    #[cfg(unix)]
    table! {
        Connections<aiter_tokio::net::Unix> => "Send + Sync + Unpin";
        Connections<aiter_smol::net::Unix> => "Send + Sync + Unpin";
        Connections<aiter_async_std::net::Unix> => "Send + Sync + Unpin";
    }
}

/// Tasks and what they hand out stay on one thread; time may be shared by all.
#[test]
fn test_tools() {
    use aiter_test::{
        Collected, Executor, Line, Marbles, Played, Recorded, Task, VirtualSleep, VirtualTime,
    };
    table! {
        Marbles<'static> => "Send + Sync + Unpin";
        Played<'static> => "Send + Sync + Unpin";
        Recorded => "Unpin";
        Line => "Send + Sync + Unpin";
        VirtualTime => "Send + Sync + Unpin";
        VirtualSleep => "Send + Sync + Unpin";
        Executor<'static> => "Unpin";
        Task<Shared> => "Unpin";
        Task<Pinned> => "Unpin";
        Collected<Shared> => "Unpin";
        Collected<Pinned> => "Unpin";
    }
}

/// Each struct and enum in the list of public items has a line, or a short name here that has one.
#[test]
fn no_type_is_left_out() {
    const API: [&str; 5] = [
        include_str!("../../ci/api/aiter-core.txt"),
        include_str!("../../ci/api/aiter-tokio.txt"),
        include_str!("../../ci/api/aiter-smol.txt"),
        include_str!("../../ci/api/aiter-async-std.txt"),
        include_str!("../../ci/api/aiter-test.txt"),
    ];
    let lines = include_str!("auto_traits.rs").lines();
    let lines = lines.filter(|line| line.contains(" => \"") || line.trim().starts_with("type "));
    let words: Vec<_> = lines
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
        .collect();
    let has_line = |name: &&str| words.contains(name);
    let types = API.iter().flat_map(|api| api.lines()).filter_map(|line| {
        let line = line.split_once("pub ")?.1;
        let path = line
            .strip_prefix("struct ")
            .or(line.strip_prefix("enum "))?;
        path.split(['<', '(', ' ']).next()?.rsplit("::").next()
    });
    let types: Vec<_> = types.collect();
    assert!(types.len() > 40, "{types:?}");
    let left_out: Vec<_> = types.into_iter().filter(|name| !has_line(name)).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}
