//! Publishers: the pushing ends of streams on the server.

mod attempt;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_STREAM, NATS_MESSAGE_ID,
};
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError as ClientError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::attempt::{Attempts, Verdict, judge};
use crate::api::{ATTEMPT, Backoff, Failure, Patience, call, connected, persist};
use crate::end::{covers, end_subject, last_of, strings};
use crate::{Error, PublishError};

/// How long to wait for an ack before the next attempt. An election takes longer.
const ACK: Duration = Duration::from_secs(2);
/// The most messages that the server takes in one batch.
const MAX_BATCH: usize = 1000;

/// Makes a publisher for a stream on the server. It sends nothing before its first push.
///
/// Messages are stored once each, in the order of the calls of `push`. One message or one batch is
/// in flight at a time. If it is not acknowledged, it is sent again with the same id, by which the
/// server recognises it within the stream's `duplicate_window`. Attempts end after half of that
/// window, and after one minute at the latest. To push more messages a second, push batches, or use
/// several publishers if the order between them does not matter.
///
/// ```no_run
/// use aiter_jetstream::{PublishError, publisher};
///
/// # async fn example(js: async_nats::jetstream::Context) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let orders = publisher(&js, "orders");
/// let mut coffee = "one coffee".into();
/// let sequence = loop {
///     match orders.push("orders.new", coffee).await {
///         // The stream was made with `DiscardPolicy::New` and is full: wait for its readers.
///         Err(PublishError::Full(item)) => coffee = item,
///         result => break result?,
///     }
///     tokio::time::sleep(std::time::Duration::from_millis(100)).await;
/// };
/// println!("stored as number {sequence}");
/// # Ok(())
/// # }
/// ```
pub fn publisher(js: &Context, stream: &str) -> Publisher {
    let inner = Inner {
        js: js.clone(),
        stream: stream.to_owned(),
        // Each `RandomState` has other keys.
        id: format!("{:016x}", RandomState::new().hash_one(stream)),
        turn: Mutex::default(),
    };
    Publisher(Arc::new(inner))
}

/// The pushing end of a stream on the server, which [`publisher`] makes.
///
/// Clones are the same publisher: their pushes wait for each other, in the order of their calls.
#[derive(Clone)]
pub struct Publisher(Arc<Inner>);

struct Inner {
    js: Context,
    stream: String,
    /// The common prefix of the ids of this publisher's messages.
    id: String,
    turn: Mutex<Turn>,
}

/// The state of a publisher, guarded by the lock that puts its pushes in order.
#[derive(Default)]
struct Turn {
    /// The number of the last message.
    count: u64,
    /// The stream's dedup window, once it is known.
    window: Option<Duration>,
    /// The sequence of the end marker.
    end: Option<u64>,
}

/// The reason why something was not stored, without the item.
enum Refusal {
    Full,
    Stopped,
    Error(Error),
}

impl Refusal {
    fn with<T>(self, item: T) -> PublishError<T> {
        match self {
            Self::Full => PublishError::Full(item),
            Self::Stopped => PublishError::Stopped(item),
            Self::Error(error) => PublishError::Unknown(item, error),
        }
    }
}

impl Publisher {
    /// Publishes a message, and waits until the server has stored it. Returns its sequence in the
    /// stream.
    ///
    /// # Errors
    ///
    /// [`PublishError::Full`] at once if the stream is full, so that the caller decides how long to
    /// wait for readers. [`PublishError::Stopped`] if this publisher has [stopped](Self::stop) the
    /// stream, or another one did before the first push of this one. [`PublishError::Unknown`] if
    /// the server refuses the message, or acknowledges none of the attempts.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may be stored or not. Other messages are not affected.
    pub async fn push(
        &self,
        subject: impl ToSubject,
        item: Bytes,
    ) -> Result<u64, PublishError<Bytes>> {
        self.push_with_headers(subject, HeaderMap::new(), item)
            .await
    }

    /// Like [`push`](Self::push), with headers. If `Nats-Msg-Id` is among them, the server
    /// recognises the message by that id. So a producer that restarts can push the same message
    /// again, and it is stored once.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    ///
    /// # Cancel safety
    ///
    /// That of [`push`](Self::push).
    pub async fn push_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        item: Bytes,
    ) -> Result<u64, PublishError<Bytes>> {
        let subject = subject.to_subject();
        let mut turn = self.0.turn.lock().await;
        let window = match self.window(&mut turn).await {
            Ok(window) => window,
            Err(refusal) => return Err(refusal.with(item)),
        };
        let id = headers.get(NATS_MESSAGE_ID).is_none().then(|| {
            turn.count += 1;
            self.message_id(turn.count)
        });
        self.deliver(window, &subject, item.len(), || {
            self.send(&subject, id.as_deref(), headers.clone(), item.clone())
        })
        .await
        .map_err(|refusal| refusal.with(item))
    }

    /// Publishes up to 1 000 messages as a whole: either all of them are stored, directly after
    /// each other, or none is. Returns the sequence of the last one. The stream has to be made with
    /// `allow_atomic_publish`, which needs a server of at least 2.12.
    ///
    /// Without messages it returns 0, and does nothing.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push), with all messages. [`Error::Configuration`] if there are more
    /// than 1 000 messages, or the stream takes no batches.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the messages may be stored or not, but as a whole.
    pub async fn push_batch<S: ToSubject>(
        &self,
        items: impl IntoIterator<Item = (S, Bytes)>,
    ) -> Result<u64, PublishError<Vec<(Subject, Bytes)>>> {
        let items: Vec<_> = items
            .into_iter()
            .map(|(subject, item)| (subject.to_subject(), item))
            .collect();
        let Some((last_subject, last_item)) = items.last().cloned() else {
            return Ok(0);
        };
        if items.len() > MAX_BATCH {
            let what = format!(
                "push_batch: {} messages, and the server takes at most {MAX_BATCH} at once: push several batches",
                items.len()
            );
            return Err(PublishError::Unknown(items, Error::Configuration(what)));
        }
        let mut turn = self.0.turn.lock().await;
        let window = match self.window(&mut turn).await {
            Ok(window) => window,
            Err(refusal) => return Err(refusal.with(items)),
        };
        let first = turn.count + 1;
        let bytes = items.iter().map(|(_, item)| item.len()).sum();
        turn.count += items.len() as u64;
        let stored = self
            .deliver(window, &last_subject, bytes, || {
                self.send_batch(&items, first)
            })
            .await;
        // If an earlier attempt has stored the batch, the server refuses it as a whole and tells no
        // sequence. The last message alone is a duplicate, for which the server does tell it.
        let result = match stored {
            Ok(0) => {
                let id = self.message_id(turn.count);
                self.deliver(window, &last_subject, last_item.len(), || {
                    self.send(
                        &last_subject,
                        Some(&id),
                        HeaderMap::new(),
                        last_item.clone(),
                    )
                })
                .await
            }
            result => result,
        };
        result.map_err(|refusal| refusal.with(items))
    }

    /// Ends the stream: all forks and takers, also those that are made later, end after everything
    /// that was stored before. Returns the sequence of the end marker. Stopping a stopped stream
    /// changes nothing.
    ///
    /// The marker is a message with the subject [`end_subject`], which is added to the stream if
    /// necessary. Call this after the last push of the last publisher. From then on, pushes of this
    /// publisher and its clones are refused. Another publisher learns of the stop only if it has
    /// not pushed before. Forks end before messages that it pushes later, and takers end after
    /// them.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push); [`Error::Configuration`] if there is no room for the marker.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the stream may be stopped or not. Call it again to be sure.
    pub async fn stop(&self) -> Result<u64, Error> {
        let mut turn = self.0.turn.lock().await;
        match self.window(&mut turn).await {
            Ok(window) => {
                self.include_end().await?;
                let subject = Subject::from(end_subject(&self.0.stream));
                // The id is the same for all publishers, so that two that stop make one marker.
                let id = Some(subject.as_str());
                let end = self
                    .deliver(window, &subject, 0, || {
                        self.send(&subject, id, HeaderMap::new(), Bytes::new())
                    })
                    .await;
                let end = end.map_err(|refusal| match refusal {
                    Refusal::Full => Error::Configuration(
                        "stop: the stream is full: make room for the marker, and stop again".into(),
                    ),
                    Refusal::Stopped => Error::Stopped,
                    Refusal::Error(error) => error,
                })?;
                turn.end = Some(end);
                Ok(end)
            }
            Err(Refusal::Error(error)) => Err(error),
            Err(_) => turn.end.ok_or(Error::Stopped),
        }
    }

    fn message_id(&self, count: u64) -> String {
        format!("{}-{count}", self.0.id)
    }

    /// Returns the dedup window of the stream, unless the stream was stopped.
    async fn window(&self, turn: &mut Turn) -> Result<Duration, Refusal> {
        if turn.end.is_some() {
            return Err(Refusal::Stopped);
        }
        if let Some(window) = turn.window {
            return Ok(window);
        }
        let Inner { js, stream, .. } = &*self.0;
        let found = self.ask(|| async {
            let config = self.config().await?;
            Ok((config, last_of(js, stream, &end_subject(stream)).await?))
        });
        let (config, end) = found.await.map_err(Refusal::Error)?;
        if end.is_some() {
            turn.end = end;
            return Err(Refusal::Stopped);
        }
        let window = Duration::from_nanos(config["duplicate_window"].as_u64().unwrap_or(0));
        turn.window = Some(window);
        Ok(window)
    }

    /// Repeats a request until it succeeds, but for no longer than a push may take.
    async fn ask<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let asking = persist(&self.0.js, Backoff::default(), attempt);
        timeout(Attempts::LIMIT, asking)
            .await
            .unwrap_or_else(|elapsed| Err(Error::unavailable(elapsed)))
    }

    /// Returns the configuration of the stream, with the fields that this version of async-nats
    /// does not know.
    async fn config(&self) -> Result<Value, Failure> {
        let mut info = call(
            &self.0.js,
            format!("STREAM.INFO.{}", self.0.stream),
            &json!({}),
        )
        .await?;
        Ok(info["config"].take())
    }

    /// Adds the end marker to the subjects of the stream.
    async fn include_end(&self) -> Result<(), Error> {
        let Inner { js, stream, .. } = &*self.0;
        let end = end_subject(stream);
        let included = self.ask(|| async {
            let mut config = self.config().await?;
            if covers(strings(&config["subjects"]), &end) {
                return Ok(());
            }
            let subjects: Vec<_> = strings(&config["subjects"])
                .chain([&*end])
                .map(str::to_owned)
                .collect();
            config["subjects"] = subjects.into();
            call(js, format!("STREAM.UPDATE.{stream}"), &config)
                .await
                .map(drop)
        });
        included.await
    }

    async fn send(
        &self,
        subject: &Subject,
        id: Option<&str>,
        mut headers: HeaderMap,
        item: Bytes,
    ) -> Result<u64, ClientError> {
        if let Some(id) = id {
            headers.insert(NATS_MESSAGE_ID, id);
        }
        // Without this header, a message whose subject belongs to another stream would be stored
        // there.
        headers.insert(NATS_EXPECTED_STREAM, &*self.0.stream);
        let message = PublishMessage::build().headers(headers).payload(item);
        Ok(self
            .0
            .js
            .send_publish(subject.clone(), message)
            .await?
            .await?
            .sequence)
    }

    /// Sends a batch. The server acknowledges its last message for all of them.
    async fn send_batch(&self, items: &[(Subject, Bytes)], first: u64) -> Result<u64, ClientError> {
        let client = self.0.js.client();
        // Each attempt has an id of its own: the server forgets a batch that was not completed.
        let batch = client.new_inbox();
        let batch = batch.rsplit('.').next().unwrap_or_default();
        for (index, (subject, item)) in items.iter().enumerate() {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_MESSAGE_ID, self.message_id(first + index as u64));
            headers.insert(NATS_BATCH_ID, batch);
            headers.insert(NATS_BATCH_SEQUENCE, (index + 1).to_string());
            if index + 1 == items.len() {
                headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
                return self.send(subject, None, headers, item.clone()).await;
            }
            headers.insert(NATS_EXPECTED_STREAM, &*self.0.stream);
            let sent = client
                .publish_with_headers(subject.clone(), headers, item.clone())
                .await;
            sent.map_err(|error| {
                ClientError::with_source(
                    async_nats::jetstream::context::PublishErrorKind::Other,
                    error,
                )
            })?;
        }
        Ok(0)
    }

    /// Makes attempts until one is acknowledged, or another one would be useless or too late.
    /// Returns 0 for a batch that an earlier attempt has stored.
    async fn deliver<F: Future<Output = Result<u64, ClientError>>>(
        &self,
        window: Duration,
        subject: &Subject,
        bytes: usize,
        send: impl Fn() -> F,
    ) -> Result<u64, Refusal> {
        let Inner { js, stream, .. } = &*self.0;
        let mut attempts = Attempts::new(window, Instant::now());
        // Slow links get a second more for each megabyte.
        let ack = ACK + Duration::from_micros(bytes as u64);
        let mut patience = Patience::default();
        // Whether an attempt got no clear answer. Then the item may be stored although a later
        // attempt is refused.
        let mut is_unclear = false;
        loop {
            let verdict = match timeout(ack, send()).await {
                Ok(Ok(sequence)) => return Ok(sequence),
                Ok(Err(error)) => judge(error, stream),
                Err(elapsed) => Verdict::Unclear(Error::unavailable(elapsed)),
            };
            let error = match verdict {
                Verdict::Full => return Err(Refusal::Full),
                Verdict::Sealed if !is_unclear => return Err(Refusal::Stopped),
                Verdict::Sealed => return Err(Refusal::Error(Error::Stopped)),
                Verdict::Stored => return Ok(0),
                Verdict::Refused(error) if !is_unclear => return Err(Refusal::Error(error)),
                Verdict::Refused(error) => {
                    return Err(Refusal::Error(Error::unavailable(error)));
                }
                Verdict::Unclear(error) => {
                    is_unclear = true;
                    error
                }
                Verdict::Unheard(error) => {
                    match timeout(ATTEMPT, self.config()).await {
                        Ok(Ok(config)) if !covers(strings(&config["subjects"]), subject) => {
                            let what = format!(
                                "the stream `{stream}` does not have the subject `{subject}`: add it, or publish to another one"
                            );
                            return Err(Refusal::Error(Error::Configuration(what)));
                        }
                        Ok(Err(failure)) => patience
                            .judge(failure, Instant::now())
                            .map_err(Refusal::Error)?,
                        _ => {}
                    }
                    error
                }
            };
            let Some(pause) = attempts.next(Instant::now()) else {
                return Err(Refusal::Error(error));
            };
            sleep(pause).await;
            // Without a connection, a message would wait in the client, perhaps for longer than the
            // window.
            if timeout_at(attempts.deadline(), connected(js))
                .await
                .is_err()
            {
                return Err(Refusal::Error(error));
            }
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("stream", &self.0.stream)
            .finish_non_exhaustive()
    }
}
