//! Tests against a real server, which `ci/jetstream.sh` installs and asks for. Each says which
//! guarantee it checks.
#![cfg(unix)]

mod end;
mod fork;
mod memory;
mod nats;
mod publish;
mod share;

use std::time::Duration;

use futures_lite::{Stream, StreamExt};

/// The next item, which has to come in time.
async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    tokio::time::timeout(Duration::from_secs(20), stream.next())
        .await
        .expect("nothing came for 20 s")
}

/// Whether the long form is asked for.
fn is_long() -> bool {
    std::env::var_os("AITER_LONG").is_some_and(|value| value != "0")
}
