//! [`Work`]: a message of a taker.

use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use tokio::runtime::Handle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Acked;
use crate::Error;

/// A message that only this taker has, until it is given back or `ack_wait` is over.
///
/// It derefs to the message. [`ack`](Self::ack) it when the work is done. Dropping it without an
/// ack gives it back, so that it comes again at once, to this taker or another one.
#[must_use = "work that is dropped comes again"]
pub struct Work {
    message: Message,
    /// The interval at which the server is told that the work goes on.
    pace: Duration,
    acked: Option<Acked>,
    is_settled: bool,
}

impl Work {
    pub(super) fn new(message: Message, pace: Duration, acked: Option<Acked>) -> Self {
        Self {
            message,
            pace,
            acked,
            is_settled: false,
        }
    }

    /// Returns the sequence of the message in its stream. It is the same each time the message
    /// comes, so finished work can be recognised by it. It is 0 if the message does not have it.
    pub fn sequence(&self) -> u64 {
        self.message.info().map_or(0, |info| info.stream_sequence)
    }

    /// Tells the server that the work is done. The message does not come again, unless the server
    /// is killed before the ack is on disk.
    ///
    /// This does not wait for the server, and is five times as fast as
    /// [`ack_confirmed`](Self::ack_confirmed).
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if the client was closed. Then the message comes again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message may come again.
    pub async fn ack(mut self) -> Result<(), Error> {
        self.message.ack().await.map_err(Error::unavailable)?;
        self.settle();
        Ok(())
    }

    /// Like [`ack`](Self::ack), but waits until the server confirms the ack.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if there is no answer. Then the message may come again.
    ///
    /// # Cancel safety
    ///
    /// That of [`ack`](Self::ack).
    pub async fn ack_confirmed(mut self) -> Result<(), Error> {
        self.message
            .double_ack()
            .await
            .map_err(Error::unavailable)?;
        self.settle();
        Ok(())
    }

    fn settle(&mut self) {
        self.is_settled = true;
        if let Some(acked) = &self.acked {
            acked.insert(self.sequence());
        }
    }

    /// Gives the message back. It comes again, at once or `after` some time, to this taker or
    /// another one.
    ///
    /// Use a delay for work that failed. Without one, a message that always fails comes again as
    /// fast as the server can send it.
    pub fn give_back(mut self, after: Option<Duration>) {
        self.is_settled = true;
        send(&self.message, AckKind::Nak(after));
    }

    /// Tells the server that the work goes on, which restarts `ack_wait`.
    /// [`keep_while`](Self::keep_while) does this at intervals.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if the client was closed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the server may have been told or not.
    pub async fn keep(&self) -> Result<(), Error> {
        self.message
            .ack_with(AckKind::Progress)
            .await
            .map_err(Error::unavailable)
    }

    /// Runs the future `work`, and [keeps](Self::keep) the message three times in each `ack_wait`
    /// while it runs. Use it for work that may take longer than `ack_wait`.
    ///
    /// ```no_run
    /// # async fn resize(_: &[u8]) {}
    /// # async fn example(work: aiter_jetstream::Work) -> Result<(), aiter_jetstream::Error> {
    /// work.keep_while(resize(&work.payload)).await;
    /// work.ack().await
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the returned future drops `work`, and the message is no longer kept.
    pub async fn keep_while<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut pace = interval_at(Instant::now() + self.pace, self.pace);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = poll_fn(|cx| match work.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => pace.poll_tick(cx).map(|_| None),
            });
            match done.await {
                Some(output) => return output,
                // An error is ignored: the work goes on, and the server may be back before it is
                // done.
                None => send(&self.message, AckKind::Progress),
            }
        }
    }
}

impl Deref for Work {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_settled {
            send(&self.message, AckKind::Nak(None));
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("subject", &self.message.subject)
            .field("sequence", &self.sequence())
            .finish_non_exhaustive()
    }
}

/// Answers a message without waiting, for `drop` and other functions that cannot wait. If the queue
/// of the client is full and there is no runtime, the message comes again after its `ack_wait`.
pub(super) fn send(message: &Message, kind: AckKind) {
    let Some(reply) = message.reply.clone() else {
        return;
    };
    let client = message.context.client();
    let mut sending = Box::pin(async move { client.publish(reply, kind.into()).await });
    if sending
        .as_mut()
        .poll(&mut TaskContext::from_waker(Waker::noop()))
        .is_pending()
        && let Ok(runtime) = Handle::try_current()
    {
        runtime.spawn(sending);
    }
}
