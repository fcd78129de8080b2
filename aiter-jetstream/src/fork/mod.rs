//! Readers that each see every message.

mod plan;
mod track;

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::SystemTime;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::{self, Context};
use futures_core::{FusedStream, Stream};
use tokio::runtime::Handle;
use tokio::time::sleep;

use self::plan::Plan;
use self::track::{Step, Track};
use crate::Error;
use crate::api::{Backoff, Failure, Task, persist};
use crate::end::{covers, last_of};
use crate::pull::{Loss, Puller};

/// Where a fork starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// After the last message that is there now.
    New,
    /// At the oldest message that is there.
    All,
    /// At the last message, or the last one with one of the [subjects](RemoteFork::subjects).
    Last,
    /// With the last message of each subject, and then everything after it.
    LastPerSubject,
    /// At this sequence. `fork.position() + 1` goes on where another fork stopped.
    Sequence(u64),
    /// At the first message that was stored at this time or later.
    Time(SystemTime),
}

/// Forks a stream: the result sees every message from `start` on, once and in order.
///
/// The place to start at is fixed when this returns: everything that is published from then on comes,
/// also if the fork is polled late or the server restarts before.
///
/// The fork goes on by itself when the server restarts, another one becomes the leader, or its
/// consumer is deleted: it makes a new consumer at its position. Nothing comes twice or out of
/// order, and what is not in the stream any more by then is counted in [`Seen::missed`]. The stream
/// ends after everything before the marker of [`Publisher::stop`](crate::Publisher::stop), at once
/// if it starts behind it.
///
/// A slow reader holds nobody up. What the stream's limits remove before it gets there is missed.
///
/// ```no_run
/// use aiter_jetstream::{Start, fork};
/// use futures_lite::StreamExt;
///
/// # async fn example(js: async_nats::jetstream::Context) -> Result<(), aiter_jetstream::Error> {
/// let mut readings = fork(&js, "readings", Start::New).await?.subjects(&["readings.kitchen.*"]);
/// while let Some(reading) = readings.next().await {
///     println!("{:?}", reading?.payload);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::StreamNotFound`], or [`Error::Unavailable`] if there is no answer. Later, the fork gives
/// an error only if it cannot go on, and ends after it: [`Error::StreamNotFound`] three seconds after
/// the stream was deleted, [`Error::StreamRecreated`], or what the server refuses.
///
/// # Cancel safety
///
/// If the future is dropped, nothing is left on the server for longer than half a minute. The fork
/// itself loses nothing when a wait for its next message is dropped.
pub async fn fork(js: &Context, stream: &str, start: Start) -> Result<RemoteFork, Error> {
    anchor(js, stream, start).await.map_err(Failure::into_error)
}

async fn anchor(js: &Context, stream: &str, start: Start) -> Result<RemoteFork, Failure> {
    let (plan, next) = Plan::new(js, stream, start).await?;
    let mut state = State::Idle;
    for end in &plan.ends {
        if last_of(js, stream, end)
            .await?
            .is_some_and(|end| end < next)
        {
            state = State::Ended;
        }
    }
    let mut track = Track::starting_at(next);
    if start == Start::LastPerSubject {
        track.stop_counting();
    }
    Ok(RemoteFork {
        plan,
        track,
        serial: 0,
        fruitless: Backoff::default(),
        state,
    })
}

/// A message of a fork.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How many messages before this one the stream had removed when the fork came there, by its
    /// limits or because they were deleted. `None` if the fork has a filter or started with
    /// [`Start::LastPerSubject`], because messages that were filtered out look the same. In a stream that
    /// removes messages when they are acked, those count too.
    pub missed: Option<u64>,
    /// The sequence of the message in the stream.
    pub sequence: u64,
    /// The message.
    pub item: jetstream::Message,
}

impl Deref for Seen {
    type Target = jetstream::Message;

    fn deref(&self) -> &jetstream::Message {
        &self.item
    }
}

/// A reader of a stream on the server, which [`fork`] makes.
///
/// It is `Stream<Item = Result<Seen, Error>>`. Dropping it removes its consumer from the server.
#[must_use = "a fork does nothing unless polled"]
pub struct RemoteFork {
    plan: Plan,
    track: Track,
    /// The number of the newest consumer; each has a name of its own.
    serial: u64,
    /// Grows with each consumer that brought nothing.
    fruitless: Backoff,
    state: State,
}

/// See the table in `docs/design/jetstream.md`.
enum State {
    /// There is no consumer.
    Idle,
    /// A consumer is being made, as often as it takes.
    Making(Making),
    Reading(Box<Puller>),
    Ended,
}

/// Gives the consumer and, where only that was to tell, the place at which it starts.
type Making = Task<Result<(Box<Puller>, Option<u64>), Error>>;

impl RemoteFork {
    /// Only messages with one of these subjects, which may have wildcards. They must not overlap.
    ///
    /// The server filters, so nothing else is sent. [`Seen::missed`] is `None` then. With
    /// [`Start::Last`], a fork that was not polled yet starts at the last message with one of them.
    pub fn subjects(mut self, filters: &[&str]) -> Self {
        let missing = self
            .plan
            .ends
            .iter()
            .filter(|end| !covers(filters.iter().copied(), end));
        if !filters.is_empty() {
            self.track.stop_counting();
            self.plan.filters = filters
                .iter()
                .map(|&filter| filter.to_owned())
                .chain(missing.cloned())
                .collect();
            if !matches!(self.state, State::Ended) {
                self.state = State::Idle;
            }
        }
        self
    }

    /// At most `n` messages are on their way or wait in this process. 500 if not set; more than
    /// 16 384 count as that many. To be called before the first poll.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    #[track_caller]
    pub fn prefetch(mut self, n: usize) -> Self {
        assert!(n > 0, "prefetch: n must be at least 1");
        self.plan.prefetch = n;
        self
    }

    /// The sequence of the last message that this fork has given, or of the one before its start.
    ///
    /// A process that keeps this number can go on behind it with [`Start::Sequence`].
    pub fn position(&self) -> u64 {
        self.track.last()
    }

    fn consumer(&self) -> String {
        self.plan.consumer(self.serial)
    }

    /// Replaces the consumer with one that starts at the fork's position.
    fn make(&mut self) -> Making {
        let old = (self.serial > 0).then(|| self.consumer());
        self.serial += 1;
        let name = self.consumer();
        let plan = self.plan.clone();
        let next = self.track.last() + 1;
        let resolves_last = plan.start == Start::Last && !plan.filters.is_empty() && old.is_none();
        let mut fruitless = self.fruitless;
        let pause = fruitless.next();
        self.fruitless = fruitless;
        Box::pin(async move {
            if let Some(old) = old {
                plan.remove(&old).await;
                sleep(pause).await;
            }
            persist(&plan.js, Backoff::default(), || async {
                let anchor = if resolves_last {
                    Some(plan.last_matching().await?)
                } else {
                    None
                };
                let policy = match plan.start {
                    // Of the subjects that the fork has seen, only newer messages come after its
                    // position.
                    Start::LastPerSubject if next <= plan.newest => DeliverPolicy::LastPerSubject,
                    _ => DeliverPolicy::ByStartSequence {
                        start_sequence: anchor.unwrap_or(next),
                    },
                };
                let puller = Puller::new(&plan.js, &plan.stream, &name, plan.prefetch).await?;
                // The name is the same in each attempt, so that one whose answer was lost leaves no
                // second consumer.
                plan.create(&name, policy).await?;
                // After the consumer was made: a stream that was replaced before is noticed, and one
                // that is replaced later takes the consumer along.
                plan.check_stream().await?;
                Ok((puller, anchor))
            })
            .await
        })
    }

    fn end(&mut self) {
        self.remove_consumer();
        self.state = State::Ended;
    }

    /// Leaves nothing on the server. Without a runtime, the server removes it after half a minute.
    fn remove_consumer(&mut self) {
        if self.serial > 0
            && !matches!(self.state, State::Ended)
            && let Ok(runtime) = Handle::try_current()
        {
            let (plan, name) = (self.plan.clone(), self.consumer());
            runtime.spawn(async move { plan.remove(&name).await });
        }
    }
}

impl Stream for RemoteFork {
    type Item = Result<Seen, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let message = match &mut this.state {
                State::Idle => {
                    this.state = State::Making(this.make());
                    continue;
                }
                State::Making(making) => match ready!(making.as_mut().poll(cx)) {
                    Ok((puller, anchor)) => {
                        if let Some(next) = anchor {
                            this.track = Track::starting_at(next);
                            this.track.stop_counting();
                        }
                        this.track.restart();
                        this.state = State::Reading(puller);
                        continue;
                    }
                    Err(error) => {
                        this.end();
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Reading(puller) => match ready!(puller.poll_next(cx)) {
                    Ok(message) => message,
                    Err(Loss::Passing) => {
                        this.state = State::Idle;
                        continue;
                    }
                    Err(Loss::Final(error)) => {
                        this.end();
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Ended => return Poll::Ready(None),
            };
            let item = jetstream::Message {
                message,
                context: this.plan.js.clone(),
            };
            // What did not come from the consumer has no place in the stream.
            let Ok(info) = item.info() else { continue };
            let sequence = info.stream_sequence;
            match this.track.receive(info.consumer_sequence, sequence) {
                Step::Next { missed } => {
                    this.fruitless = Backoff::default();
                    if this.plan.ends.iter().any(|end| *end == *item.subject) {
                        this.end();
                        return Poll::Ready(None);
                    }
                    return Poll::Ready(Some(Ok(Seen {
                        missed,
                        sequence,
                        item,
                    })));
                }
                Step::Repeat => {}
                Step::Gap => this.state = State::Idle,
            }
        }
    }
}

impl FusedStream for RemoteFork {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl Drop for RemoteFork {
    fn drop(&mut self) {
        self.remove_consumer();
    }
}

impl fmt::Debug for RemoteFork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RemoteFork");
        debug
            .field("stream", &self.plan.stream)
            .field("position", &self.position());
        debug
            .field("filters", &self.plan.filters)
            .finish_non_exhaustive()
    }
}
