//! Requests to JetStream, and how often they are repeated.

use std::pin::Pin;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, Context, ErrorCode, context};
use serde_json::{Value, from_value};
use tokio::time::{Instant, sleep, timeout};

use crate::Error;

/// How long one attempt may take. An election takes longer, so a later attempt succeeds after it.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(1);

/// A future that is kept from one poll of a stream to the next.
pub(crate) type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A failed request, by whether another attempt may succeed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Another attempt would fail in the same way.
    Final(Error),
    /// The stream or the consumer does not exist. While servers start and elect leaders, a server
    /// may say so of a stream that is about to come back.
    Absent(Error),
    /// Another attempt may succeed.
    Passing(Error),
}

impl Failure {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Final(error) | Self::Absent(error) | Self::Passing(error) => error,
        }
    }

    /// Judges an error of the server about a stream or one of its consumers, which the subject of
    /// the request names.
    pub(crate) fn of(error: jetstream::Error, subject: &str) -> Self {
        let mut names = subject.rsplit('.');
        let name = names.next().unwrap_or_default().to_owned();
        match error.error_code() {
            ErrorCode::STREAM_NOT_FOUND => {
                // The subjects for consumers end with the names of the stream and the consumer.
                let of_consumer = subject.starts_with("CONSUMER.");
                Self::Absent(Error::StreamNotFound(if of_consumer {
                    names.next().unwrap_or_default().to_owned()
                } else {
                    name
                }))
            }
            ErrorCode::CONSUMER_NOT_FOUND => Self::Absent(Error::ConsumerNotFound(name)),
            _ if error.code() == 408 || error.code() >= 500 => Self::Passing(Error::Refused(error)),
            _ => Self::Final(Error::Refused(error)),
        }
    }
}

/// Sends one request to the API of JetStream. Answers keep the fields that this version of
/// async-nats does not know.
pub(crate) async fn call(js: &Context, subject: String, body: &Value) -> Result<Value, Failure> {
    match js.request::<_, _, Value>(subject.clone(), body).await {
        Ok(mut answer) => match answer.get_mut("error").map(Value::take) {
            None => Ok(answer),
            Some(error) => Err(match from_value(error) {
                Ok(error) => Failure::of(error, &subject),
                Err(error) => Failure::Passing(Error::unavailable(error)),
            }),
        },
        Err(error) if error.kind() == context::RequestErrorKind::InvalidSubject => {
            Err(Failure::Final(Error::Configuration(format!(
                "`{subject}` is no subject: look at the name of the stream"
            ))))
        }
        Err(error) => Err(Failure::Passing(Error::unavailable(error))),
    }
}

/// The pauses between attempts: 50 ms, and twice as long each time, up to half a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff(u32);

impl Backoff {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(50 << self.0.min(4)).min(Duration::from_millis(500));
        self.0 = self.0.saturating_add(1);
        pause
    }
}

/// For how long a stream or a consumer that does not exist is expected to come back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    absent_since: Option<Instant>,
}

impl Patience {
    const LIMIT: Duration = Duration::from_secs(3);

    /// Decides after a failed attempt whether to make another one.
    pub(crate) fn judge(&mut self, failure: Failure, now: Instant) -> Result<(), Error> {
        match failure {
            Failure::Final(error) => Err(error),
            Failure::Absent(error) => {
                let since = *self.absent_since.get_or_insert(now);
                if now.duration_since(since) >= Self::LIMIT {
                    Err(error)
                } else {
                    Ok(())
                }
            }
            Failure::Passing(_) => {
                self.absent_since = None;
                Ok(())
            }
        }
    }
}

/// Waits until the client is connected. Without a connection, requests would wait in its queue, and
/// might be out of date when they get to the server.
pub(crate) async fn connected(js: &Context) {
    while js.client().connection_state() != State::Connected {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Makes attempts until one succeeds or a failure is final.
pub(crate) async fn persist<T, F: Future<Output = Result<T, Failure>>>(
    js: &Context,
    mut backoff: Backoff,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error> {
    let mut patience = Patience::default();
    loop {
        connected(js).await;
        let failure = match timeout(ATTEMPT, attempt()).await {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(failure)) => failure,
            Err(elapsed) => Failure::Passing(Error::unavailable(elapsed)),
        };
        patience.judge(failure, Instant::now())?;
        sleep(backoff.next()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(code: u32, err_code: u32) -> jetstream::Error {
        from_value(json!({ "code": code, "err_code": err_code, "description": "x" })).unwrap()
    }

    #[test]
    fn failures_are_told_apart() {
        let of = |code, err_code, subject| Failure::of(refused(code, err_code), subject);
        assert!(
            matches!(of(404, 10059, "STREAM.INFO.orders"), Failure::Absent(Error::StreamNotFound(name)) if name == "orders")
        );
        assert!(
            matches!(of(404, 10059, "CONSUMER.INFO.orders.me"), Failure::Absent(Error::StreamNotFound(name)) if name == "orders")
        );
        assert!(
            matches!(of(404, 10014, "CONSUMER.INFO.orders.me"), Failure::Absent(Error::ConsumerNotFound(name)) if name == "me")
        );
        assert!(matches!(
            of(503, 10008, "STREAM.INFO.orders"),
            Failure::Passing(_)
        ));
        assert!(matches!(
            of(408, 0, "STREAM.INFO.orders"),
            Failure::Passing(_)
        ));
        assert!(matches!(
            of(400, 10100, "STREAM.INFO.orders"),
            Failure::Final(_)
        ));
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..6).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 500, 500]);
        assert_eq!(Backoff(u32::MAX).next(), Duration::from_millis(500));
    }

    #[test]
    fn what_is_absent_has_time_to_come_back() {
        let absent = || Failure::Absent(Error::StreamNotFound("orders".into()));
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut patience = Patience::default();
        assert!(patience.judge(absent(), at(0)).is_ok());
        assert!(patience.judge(absent(), at(2999)).is_ok());
        // Another failure says nothing about the stream, so the time starts anew.
        assert!(
            patience
                .judge(Failure::Passing(Error::Stopped), at(3000))
                .is_ok()
        );
        assert!(patience.judge(absent(), at(3001)).is_ok());
        assert!(matches!(
            patience.judge(absent(), at(6001)),
            Err(Error::StreamNotFound(_))
        ));
        assert!(matches!(
            patience.judge(Failure::Final(Error::Stopped), at(0)),
            Err(Error::Stopped)
        ));
    }
}
