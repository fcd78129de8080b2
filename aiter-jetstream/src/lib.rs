#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod api;
mod end;
mod error;
mod fork;
mod publish;
mod pull;
mod share;

pub use end::end_subject;
pub use error::{Error, PublishError};
pub use fork::{RemoteFork, Seen, Start, fork};
pub use publish::{Publisher, publisher};
pub use share::{Acked, Taker, Work, share};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_where_tasks_go() {
        fn send<T: Send + Unpin>() {}
        fn shared<T: Clone + Send + Sync>() {}
        send::<RemoteFork>();
        send::<Taker>();
        send::<Work>();
        shared::<Publisher>();
        shared::<Seen>();
        shared::<Error>();
        shared::<PublishError<bytes::Bytes>>();
        shared::<Acked>();
        shared::<Result<Seen, Error>>();
    }
}

#[doc = include_str!("../docs/MACHINES.md")]
pub mod guide {}

#[doc = include_str!("../docs/design/jetstream.md")]
pub mod design {}
