//! The runtimes that servers run on, and waits that fail instead of hanging.

use std::{future::Future, time::Duration};

/// No wait takes this long unless it would take for ever.
const DEADLINE: Duration = Duration::from_secs(60);

async fn in_time<F: Future>(future: F) -> F::Output {
    // Polled first, so that what the timer needs is there before a test takes away the rest.
    let deadline = async {
        ::smol::Timer::after(DEADLINE).await;
        panic!("nothing happened in time")
    };
    futures_lite::future::or(deadline, future).await
}

macro_rules! runtimes {
    ($($name:ident: $adapter:ident, $write:path, $block_on:expr;)*) => {$(
        pub(crate) mod $name {
            pub(crate) use $adapter::net;
            pub(crate) use $write as Write;

            pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
                $block_on(in_time(future))
            }
            use super::{Future, in_time};
        }
    )*};
}

runtimes! {
    tokio_threads: aiter_tokio, tokio::io::AsyncWriteExt, |future| {
        tokio::runtime::Runtime::new().unwrap().block_on(future)
    };
    tokio_thread: aiter_tokio, tokio::io::AsyncWriteExt, |future| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    };
    smol: aiter_smol, futures_lite::AsyncWriteExt, ::smol::block_on;
    async_std: aiter_async_std, futures_lite::AsyncWriteExt, ::async_std::task::block_on;
}
