//! Takers that divide the messages of a stream among them.

mod acked;
mod work;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{AckKind, Context, ErrorCode, Message};
use futures_core::{FusedStream, Stream};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

pub use self::acked::Acked;
pub use self::work::Work;
use self::work::send;
use crate::Error;
use crate::api::{ATTEMPT, Backoff, Failure, Patience, Task, call, persist};
use crate::end::{covers, end_subject, ends, strings};
use crate::pull::{Loss, Puller};

/// How long a request for the first message lasts. It has no heartbeat.
const FIRST: Duration = Duration::from_secs(2);

/// Makes a taker of a durable consumer. Each message goes to one of the consumer's takers, in this
/// process or in another one, and comes again if that taker does not [`ack`](Work::ack) it.
///
/// You make the consumer, with its limits. Two limits act as a gate: at most `max_ack_pending`
/// unacked messages are with all takers together, and at most `prefetch` are on their way to this
/// taker or wait in it. Use a small `prefetch` for slow work, because messages that wait in one
/// taker cannot go to another, and their `ack_wait` is running.
///
/// The taker goes on by itself when the server restarts or another server becomes the leader. When
/// it is dropped, it gives back the messages that it has not yielded, at once if there is a
/// runtime. [`close`](Taker::close) waits until it has. After
/// [`Publisher::stop`](crate::Publisher::stop) the taker ends when all messages have been acked, by
/// any taker. For that, a filtered consumer needs [`end_subject`](crate::end_subject) among its
/// filters. The taker adds it when its first message comes. In a stream with the work-queue policy,
/// only one consumer can have it.
///
/// ```no_run
/// use aiter_jetstream::share;
/// use async_nats::jetstream::consumer::{PullConsumer, pull::Config};
/// use futures_lite::StreamExt;
///
/// # async fn resize(_: &[u8]) -> Result<(), ()> { Ok(()) }
/// # async fn example(js: async_nats::jetstream::Context) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let config = Config { durable_name: Some("resize".into()), max_ack_pending: 100, ..Default::default() };
/// let consumer: PullConsumer = js.create_consumer_on_stream(config, "images").await?;
/// let mut images = share(consumer, 10)?;
/// while let Some(image) = images.next().await {
///     let image = image?;
///     match image.keep_while(resize(&image.payload)).await {
///         Ok(()) => image.ack().await?,
///         Err(()) => image.give_back(Some(std::time::Duration::from_secs(5))),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Configuration`] if the consumer has a finite `max_deliver`, because the server then
/// drops messages silently, the end marker among them; if its `ack_policy` is not explicit; or if
/// it has priority groups. The taker yields an error only if it cannot go on, and ends after it:
/// [`Error::ConsumerNotFound`] three seconds after the consumer was deleted, or an error of a
/// request that the server refuses.
///
/// # Panics
///
/// At the caller's line if `prefetch` is 0. The most is 16 384, and larger numbers count as that.
///
/// # Cancel safety
///
/// A wait for the next message loses nothing when it is dropped.
#[track_caller]
pub fn share(consumer: PullConsumer, prefetch: usize) -> Result<Taker, Error> {
    assert!(prefetch > 0, "share: prefetch must be at least 1");
    let info = consumer.cached_info();
    let (name, config) = (&info.name, &info.config);
    if config.max_deliver > 0 {
        return Err(Error::Configuration(format!(
            "share: the consumer `{name}` has max_deliver = {}, after which the server drops a message silently: \
             set it to -1, and count `info()?.delivered`",
            config.max_deliver
        )));
    }
    if config.ack_policy != AckPolicy::Explicit {
        return Err(Error::Configuration(format!(
            "share: the consumer `{name}` needs AckPolicy::Explicit"
        )));
    }
    if !config.priority_groups.is_empty() {
        return Err(Error::Configuration(format!(
            "share: the consumer `{name}` has priority groups, whose requests async-nats makes: use `consumer.stream()`"
        )));
    }
    let pace = if config.ack_wait.is_zero() {
        Duration::from_secs(30)
    } else {
        config.ack_wait
    } / 3;
    let (stream, name) = (info.stream_name.clone(), name.clone());
    Ok(Taker {
        ends: vec![end_subject(&stream)],
        stream,
        name,
        prefetch,
        pace,
        acked: None,
        js: None,
        first: None,
        state: State::Idle(Box::new(consumer)),
    })
}

/// A stream of the messages of one taker, which [`share`] makes.
///
/// It is `Stream<Item = Result<Work, Error>>`.
#[must_use = "a taker does nothing unless polled"]
pub struct Taker {
    stream: String,
    /// The name of the consumer.
    name: String,
    /// The subjects of the markers that end this taker.
    ends: Vec<String>,
    prefetch: usize,
    pace: Duration,
    acked: Option<Acked>,
    /// The context of the consumer, which only its messages give out.
    js: Option<Context>,
    first: Option<Message>,
    state: State,
}

/// See the table in `docs/design/jetstream.md`.
enum State {
    Idle(Box<PullConsumer>),
    Opening(Task<Result<Message, Error>>),
    Making(Task<Result<Made, Error>>),
    Reading(Box<Puller>),
    /// The end marker has come, and the server is asked whether all other messages are acked.
    Asking(Box<Puller>, Box<Message>, Task<bool>),
    Ended,
}

/// A subscription, and the subjects of the end markers.
type Made = (Box<Puller>, Vec<String>);

impl Taker {
    /// Makes this taker recognise messages that come again although they were acked. It acks them
    /// once more, and does not yield them. See [`Acked`].
    pub fn recognise(mut self, acked: &Acked) -> Self {
        self.acked = Some(acked.clone());
        self
    }

    /// Gives back the messages that were not yielded, and waits until the answers are sent. Call it
    /// before the process exits. Otherwise it is enough to drop the taker, which does the same in a
    /// task.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, messages that have not been given back come again after their
    /// `ack_wait`.
    pub async fn close(mut self) {
        if let Some(leaving) = self.leave() {
            leaving.await;
        }
        if let Some(js) = &self.js {
            let _ = js.client().flush().await;
        }
    }

    /// Ends this taker. The returned future gives back the messages that it holds.
    fn leave(&mut self) -> Option<Task<()>> {
        if let Some(message) = self.first.take() {
            send(&message, AckKind::Nak(None));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            // Its request may still bring a message.
            State::Opening(opening) => Some(Box::pin(async move {
                if let Ok(Ok(message)) = timeout(FIRST, opening).await {
                    send(&message, AckKind::Nak(None));
                }
            })),
            State::Reading(puller) => self.js.clone().map(|js| give_back(puller, js, None)),
            State::Asking(puller, marker, _) => self
                .js
                .clone()
                .map(|js| give_back(puller, js, Some(marker))),
            State::Idle(_) | State::Making(_) | State::Ended => None,
        }
    }

    fn make(&self, js: Context) -> State {
        let (stream, name, prefetch) = (self.stream.clone(), self.name.clone(), self.prefetch);
        State::Making(Box::pin(async move {
            persist(&js, Backoff::default(), || async {
                let info = call(&js, format!("CONSUMER.INFO.{stream}.{name}"), &json!({})).await?;
                let of_stream = call(&js, format!("STREAM.INFO.{stream}"), &json!({})).await?;
                let ends = ends(&of_stream, &stream);
                include_ends(&js, &info, &ends).await?;
                Ok((Puller::new(&js, &stream, &name, prefetch).await?, ends))
            })
            .await
        }))
    }
}

/// Gives back the messages that come for a taker that has ended. The marker is given back last, so
/// that it does not come to this taker again.
fn give_back(puller: Box<Puller>, js: Context, marker: Option<Box<Message>>) -> Task<()> {
    Box::pin(async move {
        puller
            .retire(|message| {
                send(
                    &Message {
                        message,
                        context: js.clone(),
                    },
                    AckKind::Nak(None),
                )
            })
            .await;
        if let Some(marker) = marker {
            send(&marker, AckKind::Nak(None));
        }
    })
}

/// Waits for the first message of a consumer.
async fn first_message(consumer: PullConsumer) -> Result<Message, Error> {
    let (mut patience, mut backoff) = (Patience::default(), Backoff::default());
    loop {
        if let Ok(mut batch) = consumer
            .batch()
            .max_messages(1)
            .expires(FIRST)
            .messages()
            .await
        {
            let next = poll_fn(|cx| Pin::new(&mut batch).poll_next(cx));
            // The server ends the request. If it cannot be reached, the time-out does.
            if let Ok(Some(Ok(message))) = timeout(FIRST + ATTEMPT / 2, next).await {
                return Ok(message);
            }
        }
        // Nothing has come. Ask whether the consumer still exists.
        let failure = match timeout(ATTEMPT, consumer.get_info()).await {
            Ok(Ok(_)) => {
                (patience, backoff) = Default::default();
                continue;
            }
            Ok(Err(error)) => match error.kind() {
                ConsumerInfoErrorKind::NotFound => {
                    Failure::Absent(Error::ConsumerNotFound(consumer.cached_info().name.clone()))
                }
                ConsumerInfoErrorKind::StreamNotFound => Failure::Absent(Error::StreamNotFound(
                    consumer.cached_info().stream_name.clone(),
                )),
                _ => Failure::Passing(Error::unavailable(error)),
            },
            Err(elapsed) => Failure::Passing(Error::unavailable(elapsed)),
        };
        patience.judge(failure, Instant::now())?;
        sleep(backoff.next()).await;
    }
}

/// Adds the subjects of the end markers to the filters of a consumer that has filters.
async fn include_ends(js: &Context, info: &Value, ends: &[String]) -> Result<(), Failure> {
    /// "filtered consumer not unique on workqueue stream"
    const NOT_UNIQUE: ErrorCode = ErrorCode(10100);
    let mut config = info["config"].clone();
    let one = config["filter_subject"]
        .as_str()
        .filter(|one| !one.is_empty());
    let mut filters: Vec<_> = one
        .into_iter()
        .chain(strings(&config["filter_subjects"]))
        .map(str::to_owned)
        .collect();
    let missing = ends
        .iter()
        .filter(|end| !covers(filters.iter().map(String::as_str), end))
        .cloned();
    let missing: Vec<_> = missing.collect();
    if filters.is_empty() || missing.is_empty() {
        return Ok(());
    }
    filters.extend(missing);
    config["filter_subject"] = "".into();
    config["filter_subjects"] = filters.into();
    let (stream, name) = (&info["stream_name"], &info["name"]);
    let body = json!({ "stream_name": stream, "config": config, "action": "update" });
    let names = [stream, name].map(|name| name.as_str().unwrap_or_default());
    match call(js, format!("CONSUMER.CREATE.{}", names.join(".")), &body).await {
        // Another consumer of the work queue has the subject of the marker.
        Err(Failure::Final(Error::Refused(error))) if error.error_code() == NOT_UNIQUE => Ok(()),
        result => result.map(drop),
    }
}

/// Returns whether all messages of a consumer have been acked, except for the end marker.
async fn is_done(js: Context, subject: String) -> bool {
    let Ok(Ok(info)) = timeout(ATTEMPT, call(&js, subject, &json!({}))).await else {
        return false;
    };
    info["num_pending"].as_u64() == Some(0)
        && info["num_ack_pending"]
            .as_u64()
            .is_some_and(|unacked| unacked <= 1)
}

impl Stream for Taker {
    type Item = Result<Work, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let message = match &mut this.state {
                State::Idle(consumer) => {
                    this.state = State::Opening(Box::pin(first_message((**consumer).clone())));
                    continue;
                }
                State::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(message) => {
                        this.js = Some(message.context.clone());
                        this.state = this.make(message.context.clone());
                        this.first = Some(message);
                        continue;
                    }
                    Err(error) => {
                        this.state = State::Ended;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Making(making) => match ready!(making.as_mut().poll(cx)) {
                    Ok((puller, ends)) => {
                        this.ends = ends;
                        this.state = State::Reading(puller);
                        continue;
                    }
                    Err(error) => {
                        this.leave();
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Reading(puller) => match this.first.take() {
                    Some(message) => message,
                    None => {
                        let Some(js) = &this.js else {
                            unreachable!("the first message brought a context")
                        };
                        match ready!(puller.poll_next(cx)) {
                            Ok(message) => Message {
                                message,
                                context: js.clone(),
                            },
                            Err(Loss::Passing) => {
                                let making = this.make(js.clone());
                                this.leave_in_background();
                                this.state = making;
                                continue;
                            }
                            Err(Loss::Final(error)) => {
                                this.leave_in_background();
                                return Poll::Ready(Some(Err(error)));
                            }
                        }
                    }
                },
                State::Asking(_, marker, asking) => {
                    let is_done = ready!(asking.as_mut().poll(cx));
                    if is_done {
                        this.leave_in_background();
                        return Poll::Ready(None);
                    }
                    // The marker comes again later each time, while the work of others goes on.
                    let rounds = marker.info().map_or(1, |info| info.delivered).clamp(1, 20);
                    send(
                        marker,
                        AckKind::Nak(Some(Duration::from_millis(50) * rounds as u32)),
                    );
                    if let State::Asking(puller, ..) =
                        std::mem::replace(&mut this.state, State::Ended)
                    {
                        this.state = State::Reading(puller);
                    }
                    continue;
                }
                State::Ended => return Poll::Ready(None),
            };
            if this.ends.iter().any(|end| *end == *message.subject) {
                let asking = Box::pin(is_done(
                    message.context.clone(),
                    format!("CONSUMER.INFO.{}.{}", this.stream, this.name),
                ));
                if let State::Reading(puller) = std::mem::replace(&mut this.state, State::Ended) {
                    this.state = State::Asking(puller, Box::new(message), asking);
                }
                continue;
            }
            if let Some(acked) = &this.acked
                && message
                    .info()
                    .is_ok_and(|info| acked.contains(info.stream_sequence))
            {
                send(&message, AckKind::Ack);
                continue;
            }
            return Poll::Ready(Some(Ok(Work::new(message, this.pace, this.acked.clone()))));
        }
    }
}

impl Taker {
    fn leave_in_background(&mut self) {
        match Handle::try_current() {
            Ok(runtime) => {
                if let Some(leaving) = self.leave() {
                    runtime.spawn(leaving);
                }
            }
            Err(_) => {
                // Without a runtime, messages that are on their way come again after `ack_wait`.
                if let (State::Reading(puller), Some(js)) =
                    (std::mem::replace(&mut self.state, State::Ended), &self.js)
                {
                    puller.sweep(|message| {
                        send(
                            &Message {
                                message,
                                context: js.clone(),
                            },
                            AckKind::Nak(None),
                        )
                    });
                }
                self.leave();
            }
        }
    }
}

impl FusedStream for Taker {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.leave_in_background();
    }
}

impl fmt::Debug for Taker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taker")
            .field("stream", &self.stream)
            .field("consumer", &self.name)
            .finish_non_exhaustive()
    }
}
