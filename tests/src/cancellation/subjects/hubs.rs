//! Hubs of push lists and of forks, with readers that come late.

use super::{ThenPause, accounted};
use crate::cancellation::{
    harness::{Item, Source, next},
    setup::{Expected, Items, OnDrop, Setup, Subject, driver_part, items},
};
use aiter_core::{
    HubBound, PushHub, Stopper, aiter_forker, aiter_forker_with,
    bound::{skip, unbounded, wait},
    gated_aiter, push_hub,
};
use futures_core::Stream;
use std::{
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// Pushes all items of a source, and stops the hub. The source is made here, and not by the task:
/// it is planned and counted on the thread that makes it.
fn pushing<B: HubBound>(hub: PushHub<Item, B>) -> impl Future<Output = ()> {
    let mut source = Source::new();
    async move {
        while let Some(item) = next(&mut source).await {
            if hub.push(item).is_err() {
                return;
            }
        }
    }
}

/// A stream that is made in its second poll. `gone` is called when it is dropped, whether it was
/// made or not.
struct Late<F, S> {
    come: Option<F>,
    stream: Option<S>,
    paused: bool,
    _gone: OnDrop<Box<dyn FnMut() + Send>>,
}

fn late<S: Stream<Item = Item> + Unpin + Send + 'static>(
    come: impl FnOnce() -> S + Unpin + Send + 'static,
    gone: impl FnMut() + Send + 'static,
) -> Items {
    items(Late {
        come: Some(come),
        stream: None,
        paused: false,
        _gone: OnDrop(Box::new(gone)),
    })
}

impl<F: FnOnce() -> S + Unpin, S: Stream<Item = Item> + Unpin> Stream for Late<F, S> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if !mem::replace(&mut self.paused, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(come) = self.come.take() {
            self.stream = Some(come());
        }
        let stream = self.stream.as_mut().expect("it has come");
        Pin::new(stream).poll_next(cx)
    }
}

/// Waits for one of two futures.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await;
}

pub(super) const SUBJECTS: &[Subject] = &[
    ("push_hub", || {
        let hub = push_hub(unbounded().retain(2));
        let mut first = hub.subscribe();
        let streams = [
            items(first.fork()),
            items(hub.replay()),
            items(accounted(hub.replay_with(skip(100)))),
            items(first),
        ];
        Setup::of(Expected::All, streams, [driver_part(pushing(hub))])
    }),
    ("push_hub, lossy", || {
        // What came before its first item is not missed, so there is room for all.
        let hub = push_hub(skip(100).retain(1));
        let mut first = hub.replay();
        let slow = accounted(first.fork()).then_pause();
        let streams = [
            items(accounted(hub.subscribe())),
            items(slow),
            items(accounted(first)),
        ];
        Setup::of(Expected::All, streams, [driver_part(pushing(hub))])
    }),
    ("idle and occupied, PushHubIdle, PushHubOccupied", || {
        let hub = push_hub(unbounded());
        let stop = || {
            let hub = hub.clone();
            move || hub.stop()
        };
        let reader = {
            let hub = hub.clone();
            late(move || hub.subscribe(), stop())
        };
        // The reader may go before it comes.
        let occupied = async |hub: &PushHub<Item>| either(hub.occupied(), hub.stopped()).await;
        let waiting = [(); 2].map(|()| {
            let hub = hub.clone();
            driver_part(async move {
                occupied(&hub).await;
                hub.idle().await;
            })
        });
        // It stops the hub even if it is dropped. The others have handles that keep the hub open.
        let (stop, pushing) = (OnDrop(stop()), pushing(hub.clone()));
        let pushing = async move {
            let stop = stop;
            occupied(&hub).await;
            pushing.await;
            drop(stop);
            hub.idle().await;
        };
        let drivers = waiting.into_iter().chain([driver_part(pushing)]);
        Setup::of(Expected::All, [reader], drivers)
    }),
    ("Hub, late forks", || {
        let first = aiter_forker_with(wait(2).retain(2), Source::new());
        let hub = first.hub();
        let streams = [
            items(hub.replay()),
            items(hub.subscribe_with(unbounded())),
            items(first),
        ];
        Setup::of(Expected::Together, streams, [])
    }),
    ("Hub, HubIdle, HubOccupied", || {
        let (gated, gate) = gated_aiter(Source::new());
        let hub = aiter_forker(gated).hub();
        let gone = Stopper::new();
        let fork = {
            let (hub, gone) = (hub.clone(), gone.clone());
            late(move || hub.subscribe(), move || gone.stop())
        };
        // The one that has the gate lets the items through.
        let waiting = [Some(gate), None].map(|gate| {
            let (hub, gone) = (hub.clone(), gone.clone());
            driver_part(async move {
                // The fork may go before it comes.
                either(hub.occupied(), gone.stopped()).await;
                if let Some(gate) = &gate {
                    gate.open();
                }
                hub.idle().await;
            })
        });
        Setup::of(Expected::All, [fork], waiting)
    }),
];
