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

/// The message at which a fork starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The next message that is published.
    New,
    /// The oldest message in the stream.
    All,
    /// The last message in the stream, or the last one with one of the
    /// [subjects](RemoteFork::subjects).
    Last,
    /// The last message of each subject, and then everything that is published from then on.
    LastPerSubject,
    /// The message with this sequence. `Sequence(fork.position() + 1)` continues where that fork
    /// stopped.
    Sequence(u64),
    /// The first message that was stored at this time or later.
    Time(SystemTime),
}

/// Forks a stream on the server: returns a stream of every message from `start` on, once each and
/// in order.
///
/// The starting point is fixed when this function returns. Every message that is published later is
/// yielded, even if the fork is first polled much later or the server restarts in between.
///
/// The fork goes on by itself when the server restarts, another server becomes the leader, or its
/// consumer is deleted: it makes a new consumer at its position. No message is repeated or out of
/// order. Messages that the stream has removed by then are counted in [`Seen::missed`]. The fork
/// ends when it comes to the marker of [`Publisher::stop`](crate::Publisher::stop), and at once if
/// it starts behind the marker.
///
/// A slow fork holds nobody up. It misses the messages that the stream's limits remove before it
/// gets to them.
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
/// This function fails with [`Error::StreamNotFound`], or with [`Error::Unavailable`] if there is
/// no answer. The fork yields an error only if it cannot go on, and ends after it:
/// [`Error::StreamNotFound`] three seconds after the stream was deleted,
/// [`Error::StreamRecreated`], or an error of a request that the server refuses.
///
/// # Cancel safety
///
/// If the future is dropped, nothing stays on the server for longer than half a minute. Dropping a
/// wait for the next message of the fork loses nothing.
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
    /// The number of messages directly before this one that the stream had removed before the fork
    /// got to them: by its limits, because they were deleted, or because they were acked in a
    /// stream that removes acked messages. `None` if the fork has a filter or started with
    /// [`Start::LastPerSubject`], because messages that were filtered out look the same.
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
    /// The pause before the next consumer, which grows with each one that has delivered nothing.
    fruitless: Backoff,
    state: State,
}

/// See the table in `docs/design/jetstream.md`.
enum State {
    /// There is no consumer.
    Idle,
    /// A consumer is being made, in as many attempts as it takes.
    Making(Making),
    Reading(Box<Puller>),
    Ended,
}

/// Returns the subscription and, for [`Start::Last`] with filters, the sequence at which it starts.
type Making = Task<Result<(Box<Puller>, Option<u64>), Error>>;

impl RemoteFork {
    /// Restricts the fork to messages with one of these subjects, which may have wildcards but must
    /// not overlap.
    ///
    /// The server filters, so no other message is sent. [`Seen::missed`] is `None` then. With
    /// [`Start::Last`], a fork that has not been polled yet starts at the last message with one of
    /// the subjects.
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

    /// Sets how many messages may be on their way or wait in this process. The default is 500, and
    /// the most is 16 384. Call it before the first poll.
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

    /// Returns the sequence of the last message that this fork has yielded, or of the one before
    /// its start.
    ///
    /// A process that saves this number can continue after it with [`Start::Sequence`].
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
                    // The fork has not reached the newest message of its start. The consumer sends
                    // the last message of each subject, and those up to the position are skipped.
                    Start::LastPerSubject if next <= plan.newest => DeliverPolicy::LastPerSubject,
                    _ => DeliverPolicy::ByStartSequence {
                        start_sequence: anchor.unwrap_or(next),
                    },
                };
                let puller = Puller::new(&plan.js, &plan.stream, &name, plan.prefetch).await?;
                // The name is the same in each attempt, so that one whose answer was lost leaves no
                // second consumer.
                plan.create(&name, policy).await?;
                // Checked after the consumer was made: a stream that was replaced before is noticed
                // here, and if it is replaced later, the consumer is deleted with it.
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

    /// Removes the consumer from the server. Without a runtime, the server removes it by itself
    /// after half a minute.
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
            // A message without this information did not come from the consumer.
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
