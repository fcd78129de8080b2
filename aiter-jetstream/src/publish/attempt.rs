//! What an answer of the server means for a push, and how long to try.

use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use tokio::time::Instant;

use crate::Error;
use crate::api::Backoff;

/// What an unsuccessful attempt means.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing was stored, because a limit is reached.
    Full,
    /// Nothing was stored, because the stream is sealed.
    Sealed,
    /// An earlier attempt has stored it. Only batches get this answer, which has no sequence.
    Stored,
    /// Nothing was stored, because no stream listened: none has this subject, or its leader is
    /// unreachable.
    Unheard(Error),
    /// It may have been stored.
    Unclear(Error),
    /// Nothing was stored, and never will be.
    Refused(Error),
}

/// "atomic publish batch contains duplicate message id"
const BATCH_STORED: ErrorCode = ErrorCode(10201);
/// "expected stream does not match"
const OTHER_STREAM: ErrorCode = ErrorCode(10060);

pub(super) fn judge(error: PublishError, stream: &str) -> Verdict {
    match error.kind() {
        PublishErrorKind::StreamNotFound => return Verdict::Unheard(Error::unavailable(error)),
        PublishErrorKind::MaxPayloadExceeded => {
            return Verdict::Refused(Error::Configuration(format!(
                "{error}: raise `max_payload` of the server, or push less"
            )));
        }
        _ => {}
    }
    let said = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<jetstream::Error>());
    let Some(said) = said.cloned() else {
        return Verdict::Unclear(Error::unavailable(error));
    };
    match said.error_code() {
        ErrorCode::STREAM_STORE_FAILED if said.to_string().starts_with("maximum ") => Verdict::Full,
        ErrorCode::STREAM_SEALED => Verdict::Sealed,
        BATCH_STORED => Verdict::Stored,
        OTHER_STREAM => Verdict::Refused(Error::Configuration(format!(
            "the subject belongs to another stream than `{stream}`: publish to that one"
        ))),
        ErrorCode::ATOMIC_PUBLISH_DISABLED => Verdict::Refused(Error::Configuration(format!(
            "the stream `{stream}` takes no batches: create it with `allow_atomic_publish`"
        ))),
        _ if said.code() == 408 || said.code() >= 500 => Verdict::Unclear(Error::Refused(said)),
        _ => Verdict::Refused(Error::Refused(said)),
    }
}

/// When to try again. The server knows the id of a message for the length of its dedup window, so
/// the last attempt has to arrive within it. Half of the window is left for its way.
#[derive(Debug)]
pub(super) struct Attempts {
    deadline: Instant,
    backoff: Backoff,
}

impl Attempts {
    /// The longest time for which attempts are made, however long the window is.
    pub(super) const LIMIT: Duration = Duration::from_secs(60);

    pub(super) fn new(window: Duration, now: Instant) -> Self {
        Self {
            deadline: now + (window / 2).min(Self::LIMIT),
            backoff: Backoff::default(),
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the pause before the next attempt, or `None` if it would be too late.
    pub(super) fn next(&mut self, now: Instant) -> Option<Duration> {
        let pause = self.backoff.next();
        (now + pause < self.deadline).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn of(code: u32, err_code: u32, description: &str) -> Verdict {
        let said: jetstream::Error =
            from_value(json!({ "code": code, "err_code": err_code, "description": description }))
                .unwrap();
        judge(
            PublishError::with_source(PublishErrorKind::Other, said),
            "orders",
        )
    }

    #[test]
    fn full_is_told_from_everything_else() {
        assert!(matches!(
            of(503, 10077, "maximum messages exceeded"),
            Verdict::Full
        ));
        assert!(matches!(
            of(503, 10077, "maximum bytes exceeded"),
            Verdict::Full
        ));
        assert!(matches!(
            of(503, 10077, "no space left on device"),
            Verdict::Unclear(_)
        ));
        assert!(matches!(of(503, 10008, "unavailable"), Verdict::Unclear(_)));
        assert!(matches!(of(400, 10109, "sealed"), Verdict::Sealed));
        assert!(matches!(of(400, 10201, "duplicate"), Verdict::Stored));
        assert!(matches!(
            of(400, 10060, "other stream"),
            Verdict::Refused(Error::Configuration(_))
        ));
        assert!(matches!(
            of(400, 10174, "no batches"),
            Verdict::Refused(Error::Configuration(_))
        ));
        assert!(matches!(
            of(400, 10054, "too large"),
            Verdict::Refused(Error::Refused(_))
        ));
        let kind = |kind| judge(PublishError::new(kind), "orders");
        assert!(matches!(
            kind(PublishErrorKind::StreamNotFound),
            Verdict::Unheard(_)
        ));
        assert!(matches!(
            kind(PublishErrorKind::TimedOut),
            Verdict::Unclear(_)
        ));
        assert!(matches!(
            kind(PublishErrorKind::BrokenPipe),
            Verdict::Unclear(_)
        ));
        assert!(matches!(
            kind(PublishErrorKind::MaxPayloadExceeded),
            Verdict::Refused(_)
        ));
    }

    #[test]
    fn attempts_end_inside_the_window() {
        let start = Instant::now();
        for window in [0, 1, 10, 120_000, u64::MAX / 2].map(Duration::from_millis) {
            let (mut attempts, mut now, mut count) = (Attempts::new(window, start), start, 0);
            while let Some(pause) = attempts.next(now) {
                now += pause;
                count += 1;
                assert!(now - start < window / 2 && now < attempts.deadline());
            }
            assert_eq!(count > 3, window > Duration::from_secs(1), "{window:?}");
            assert!(count < 200);
        }
    }
}
