//! Pulling messages from a consumer, which forks and takers have in common.
//!
//! async-nats has a stream for this too. It takes longer to notice that a server is gone, may send
//! requests while it is being dropped, and asks for up to one and a half times as many messages as
//! it was told to.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::{Message, PublishError, Request, StatusCode, Subscriber};
use futures_core::Stream;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::Error;
use crate::api::{Failure, Task};

/// How often the server says that it is there while it has no message.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long a server may be silent: a little longer than two heartbeats.
const SILENCE: Duration = Duration::from_millis(1100);
/// How long a request stays at the server. It is renewed at its end.
const EXPIRES: Duration = Duration::from_secs(30);
/// If nothing has come for this long, a reader that is dropped takes it that no message is on its
/// way. It is several round trips within one site.
const QUIET: Duration = Duration::from_millis(10);
/// How long such a reader waits for this at most.
const MOST_WAIT: Duration = Duration::from_millis(200);
/// How long it waits for the last message of its subscription, which may be the next heartbeat.
const LATE: Duration = Duration::from_secs(2);
/// The most messages that wait in the client, which drops what its queue (65 536) cannot hold.
pub(crate) const MAX_PREFETCH: usize = 1 << 14;

/// How many messages are on their way or wait in the client, and how many may be.
#[derive(Debug)]
struct Demand {
    prefetch: usize,
    coming: usize,
}

impl Demand {
    /// Returns how many messages to ask for now, if any. It does not ask for single messages,
    /// because a request costs about as much as a message.
    fn ask(&mut self) -> Option<usize> {
        (self.coming <= self.prefetch / 2).then(|| {
            let ask = self.prefetch - self.coming;
            self.coming = self.prefetch;
            ask
        })
    }

    /// Notes that this many messages have come, or will not come.
    fn less(&mut self, count: usize) {
        self.coming = self.coming.saturating_sub(count);
    }
}

/// The reason why no more messages come.
#[derive(Debug)]
pub(crate) enum Loss {
    /// The server is silent, the consumer was deleted, or its leader changed.
    Passing,
    /// The server refuses such requests.
    Final(Error),
}

/// The meaning of a message from the server.
enum Meaning {
    Item,
    Heartbeat,
    /// A request has ended, with this many messages fewer than it asked for.
    Done(usize),
    Lost(Loss),
}

fn meaning(message: &Message, prefetch: usize) -> Meaning {
    match message.status {
        None | Some(StatusCode::OK) => Meaning::Item,
        Some(StatusCode::IDLE_HEARTBEAT) => Meaning::Heartbeat,
        Some(StatusCode::TIMEOUT | StatusCode::REQUEST_TERMINATED) => {
            let description = message.description.as_deref().unwrap_or_default();
            if description.starts_with("Exceeded MaxRequest")
                || description == "Consumer is push based"
            {
                let what =
                    format!("{description}: raise the limit of the consumer, or ask for less");
                return Meaning::Lost(Loss::Final(Error::Configuration(what)));
            }
            if matches!(
                description,
                "Consumer Deleted" | "Leadership Change" | "Server Shutdown"
            ) {
                return Meaning::Lost(Loss::Passing);
            }
            let pending = message
                .headers
                .as_ref()
                .and_then(|headers| headers.get("Nats-Pending-Messages"));
            Meaning::Done(
                pending
                    .and_then(|count| count.as_str().parse().ok())
                    .unwrap_or(prefetch),
            )
        }
        Some(_) => Meaning::Lost(Loss::Passing),
    }
}

/// Pulls messages from one consumer, until it is lost.
pub(crate) struct Puller {
    js: Context,
    /// The subject to which requests are sent.
    subject: String,
    inbox: String,
    subscriber: Subscriber,
    /// The number of messages that the subscription has received, of any meaning.
    received: u64,
    demand: Demand,
    asking: Option<Task<Result<(), PublishError>>>,
    silence: Pin<Box<Sleep>>,
    /// Whether `silence` runs. It starts when there is nothing to take, so that the time in which
    /// nobody polled does not count.
    is_silent: bool,
}

impl Puller {
    /// Subscribes to an inbox for the messages of a consumer. No request is sent before a poll.
    pub(crate) async fn new(
        js: &Context,
        stream: &str,
        consumer: &str,
        prefetch: usize,
    ) -> Result<Box<Self>, Failure> {
        let inbox = js.client().new_inbox();
        // Fails only if the client was closed.
        let subscribed = js.client().subscribe(inbox.clone()).await;
        let subscriber = subscribed.map_err(|error| Failure::Final(Error::unavailable(error)))?;
        Ok(Box::new(Self {
            js: js.clone(),
            subject: format!("CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            inbox,
            subscriber,
            received: 0,
            demand: Demand {
                prefetch: prefetch.min(MAX_PREFETCH),
                coming: 0,
            },
            asking: None,
            silence: Box::pin(sleep(SILENCE)),
            is_silent: false,
        }))
    }

    pub(crate) fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Message, Loss>> {
        loop {
            self.poll_ask(cx)?;
            let message = match Pin::new(&mut self.subscriber).poll_next(cx) {
                Poll::Ready(Some(message)) => message,
                // The client was closed.
                Poll::Ready(None) => return Poll::Ready(Err(Loss::Passing)),
                Poll::Pending => {
                    ready!(self.poll_silence(cx));
                    return Poll::Ready(Err(Loss::Passing));
                }
            };
            self.is_silent = false;
            self.received += 1;
            match meaning(&message, self.demand.prefetch) {
                Meaning::Item => {
                    self.demand.less(1);
                    return Poll::Ready(Ok(message));
                }
                Meaning::Heartbeat => {}
                Meaning::Done(count) => self.demand.less(count),
                Meaning::Lost(loss) => return Poll::Ready(Err(loss)),
            }
        }
    }

    /// Sends a request for messages if one is due, or goes on sending the last one.
    fn poll_ask(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Loss> {
        if self.asking.is_none()
            && let Some(batch) = self.demand.ask()
        {
            let (js, subject) = (self.js.clone(), self.subject.clone());
            let body = json!({
                "batch": batch,
                "expires": EXPIRES.as_nanos() as u64,
                "idle_heartbeat": HEARTBEAT.as_nanos() as u64,
            });
            let request = Request::new()
                .inbox(self.inbox.clone())
                .payload(body.to_string().into());
            self.asking = Some(Box::pin(
                async move { js.send_request(subject, request).await },
            ));
        }
        if let Some(asking) = &mut self.asking
            && let Poll::Ready(sent) = asking.as_mut().poll(cx)
        {
            self.asking = None;
            sent.map_err(|error| Loss::Final(Error::unavailable(error)))?;
        }
        Ok(())
    }

    fn poll_silence(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if !self.is_silent {
            self.is_silent = true;
            self.silence.as_mut().reset(Instant::now() + SILENCE);
        }
        self.silence.as_mut().poll(cx)
    }

    /// Ends the subscription, and passes to `give` each message that has come or comes until then,
    /// so that none stays with a reader that was dropped.
    ///
    /// Requests cannot be taken back, and async-nats forgets a subscription before the server does.
    /// So this first waits until no message has come for a moment, or all requests are used up.
    /// Then it lets the server end the subscription with its next message, which may be a
    /// heartbeat.
    pub(crate) async fn retire(mut self: Box<Self>, mut give: impl FnMut(Message)) {
        let mut held = Vec::new();
        let limit = Instant::now() + MOST_WAIT;
        while self.demand.coming > 0 && Instant::now() < limit {
            let next = poll_fn(|cx| Pin::new(&mut self.subscriber).poll_next(cx));
            let Ok(Some(message)) = timeout(QUIET, next).await else {
                break;
            };
            self.received += 1;
            held.extend(self.account(message));
        }
        let is_open = self.demand.coming > 0
            && self
                .subscriber
                .unsubscribe_after(self.received + 1)
                .await
                .is_ok();
        held.into_iter().for_each(&mut give);
        let rest = async {
            while let Some(message) =
                poll_fn(|cx| Pin::new(&mut self.subscriber).poll_next(cx)).await
            {
                if let Meaning::Item = meaning(&message, 0) {
                    give(message);
                }
            }
        };
        if is_open {
            let _ = timeout(LATE, rest).await;
        }
    }

    /// Passes the messages that are in the client to `give`, without waiting.
    pub(crate) fn sweep(mut self: Box<Self>, mut give: impl FnMut(Message)) {
        let mut cx = TaskContext::from_waker(Waker::noop());
        while let Poll::Ready(Some(message)) = Pin::new(&mut self.subscriber).poll_next(&mut cx) {
            self.account(message).into_iter().for_each(&mut give);
        }
    }

    /// Accounts for a message. Returns it if it is one of the stream.
    fn account(&mut self, message: Message) -> Option<Message> {
        match meaning(&message, self.demand.prefetch) {
            Meaning::Item => {
                self.demand.less(1);
                return Some(message);
            }
            Meaning::Done(count) => self.demand.less(count),
            Meaning::Heartbeat | Meaning::Lost(_) => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::HeaderMap;

    #[test]
    fn never_more_is_on_its_way_than_the_prefetch() {
        for prefetch in 1..50 {
            let mut demand = Demand {
                prefetch,
                coming: 0,
            };
            for step in 0..1000 {
                if let Some(ask) = demand.ask() {
                    assert!(ask > 0 && ask >= prefetch / 2);
                }
                // At least one comes, so a reader does not wait for ever.
                assert!((1..=prefetch).contains(&demand.coming));
                demand.less(step % 7);
            }
        }
    }

    fn status(code: u16, description: &str, pending: Option<&str>) -> Message {
        let headers = pending.map(|count| {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Pending-Messages", count);
            headers
        });
        Message {
            subject: "inbox".into(),
            reply: None,
            payload: Default::default(),
            headers,
            status: Some(StatusCode::try_from(code).unwrap()),
            description: Some(description.into()),
            length: 0,
        }
    }

    #[test]
    fn statuses_are_told_apart() {
        let of = |code, description, pending| meaning(&status(code, description, pending), 9);
        assert!(matches!(of(200, "", None), Meaning::Item));
        assert!(matches!(
            of(100, "Idle Heartbeat", None),
            Meaning::Heartbeat
        ));
        assert!(matches!(
            of(408, "Request Timeout", Some("4")),
            Meaning::Done(4)
        ));
        assert!(matches!(
            of(409, "Message Size Exceeds MaxBytes", None),
            Meaning::Done(9)
        ));
        assert!(matches!(
            of(409, "Consumer Deleted", None),
            Meaning::Lost(Loss::Passing)
        ));
        assert!(matches!(
            of(409, "Exceeded MaxRequestBatch of 3", None),
            Meaning::Lost(Loss::Final(_))
        ));
        assert!(matches!(
            of(503, "No Responders", None),
            Meaning::Lost(Loss::Passing)
        ));
    }
}
