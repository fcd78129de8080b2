//! The errors, and what to do about them.

use std::fmt;
use std::sync::Arc;

use async_nats::jetstream;

/// The reason why a publisher, a fork or a taker cannot go on. The message says what to do.
///
/// Forks and takers report no lost connections, restarts or elections, because they go on by
/// themselves after those.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The stream of this name does not exist.
    StreamNotFound(String),
    /// The stream of this name was deleted and created again, so the reader's position does not
    /// belong to it.
    StreamRecreated(String),
    /// The consumer of this name does not exist, or was deleted.
    ConsumerNotFound(String),
    /// The call cannot work with the present configuration. The text says what to change.
    Configuration(String),
    /// The server refuses the request, and would refuse it again.
    Refused(jetstream::Error),
    /// The stream was stopped.
    Stopped,
    /// There was no answer. The server or the leader of the stream may be unreachable. Or the
    /// account may lack a permission, because a server does not answer then either.
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn unavailable(cause: impl Into<async_nats::Error>) -> Self {
        Self::Unavailable(cause.into().into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamNotFound(name) => write!(
                f,
                "there is no stream `{name}`: create it with `create_stream`"
            ),
            Self::StreamRecreated(name) => write!(
                f,
                "the stream `{name}` was deleted and created again: fork the new one"
            ),
            Self::ConsumerNotFound(name) => write!(
                f,
                "there is no consumer `{name}`: create it with `create_consumer`"
            ),
            Self::Configuration(what) => f.write_str(what),
            Self::Refused(error) => write!(f, "the server refuses the request: {error}"),
            Self::Stopped => {
                f.write_str("the stream was stopped: purge the subject of its end marker to go on")
            }
            Self::Unavailable(cause) => {
                write!(
                    f,
                    "no answer from JetStream ({cause}): look at the connection, the stream's leader and the account's permissions"
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Unavailable(cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}

/// The reason why a push failed. Each variant gives the item back.
#[derive(Clone, Debug)]
pub enum PublishError<T> {
    /// A limit of the stream is reached, and the stream refuses new messages
    /// (`DiscardPolicy::New`). The item was not stored. Push it again when readers have made room.
    Full(T),
    /// The stream was stopped or sealed. The item was not stored.
    Stopped(T),
    /// The push failed for another reason, or no attempt was acknowledged in time. The item may
    /// have been stored, unless the error is [`Error::Configuration`] or [`Error::Refused`].
    Unknown(T, Error),
}

impl<T> PublishError<T> {
    /// Returns the item that was to be pushed.
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::Stopped(item) | Self::Unknown(item, _) => item,
        }
    }
}

impl<T> fmt::Display for PublishError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the stream is full"),
            Self::Stopped(_) => Error::Stopped.fmt(f),
            Self::Unknown(_, error) => error.fmt(f),
        }
    }
}

impl<T: fmt::Debug> std::error::Error for PublishError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unknown(_, error) => Some(error),
            _ => None,
        }
    }
}
