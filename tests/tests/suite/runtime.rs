//! What a case needs from a runtime, and the runtimes that the cases run on.

use crate::sweeps::on_tasks;
use aiter_tests::cancellation::setup::Subject;
use futures_lite::FutureExt;
use std::{future::Future, panic::resume_unwind, pin::Pin, sync::LazyLock, time::Duration};
use tokio::runtime::{Builder, Runtime as Tokio};

/// A case that takes longer than this would never end.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) type Joined<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(crate) trait Runtime: 'static {
    /// The subjects that its adapter has on tasks.
    const ON_TASKS: &[Subject];
    fn block_on<F: Future>(future: F) -> F::Output;
    /// Runs a future as a task. The result resolves to its output; a panic of the task panics in
    /// the code that awaits the result, and a case awaits every result.
    fn spawn<F>(future: F) -> Joined<F::Output>
    where
        F: Future<Output: Send> + Send + 'static;
    fn sleep(time: Duration) -> impl Future<Output = ()> + Send;
}

/// Runs a case, and fails the test if the case does not complete before the deadline.
pub(crate) fn run<R: Runtime>(case: impl Future<Output = ()>) {
    R::block_on(case.or(async {
        R::sleep(DEADLINE).await;
        panic!("nothing happened in time")
    }));
}

static THREADS: LazyLock<Tokio> =
    LazyLock::new(|| Builder::new_multi_thread().enable_time().build().unwrap());

thread_local! {
    static ONE_THREAD: Tokio = Builder::new_current_thread().enable_time().build().unwrap();
}

macro_rules! tokio_runtime {
    ($name:ident: $block_on:expr) => {
        pub(crate) struct $name;

        impl Runtime for $name {
            const ON_TASKS: &[Subject] = on_tasks!(aiter_tokio);

            fn block_on<F: Future>(future: F) -> F::Output {
                $block_on(future)
            }

            fn spawn<F>(future: F) -> Joined<F::Output>
            where
                F: Future<Output: Send> + Send + 'static,
            {
                let task = tokio::spawn(future);
                Box::pin(async {
                    task.await
                        .unwrap_or_else(|error| resume_unwind(error.into_panic()))
                })
            }

            fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
                tokio::time::sleep(time)
            }
        }
    };
}

tokio_runtime! { TokioThreads: |future| THREADS.block_on(future) }
tokio_runtime! { TokioThread: |future| ONE_THREAD.with(|runtime| runtime.block_on(future)) }

pub(crate) struct Smol;

impl Runtime for Smol {
    const ON_TASKS: &[Subject] = on_tasks!(aiter_smol);

    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }

    fn spawn<F>(future: F) -> Joined<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Box::pin(smol::spawn(future))
    }

    async fn sleep(time: Duration) {
        smol::Timer::after(time).await;
    }
}

pub(crate) struct AsyncStd;

impl Runtime for AsyncStd {
    const ON_TASKS: &[Subject] = on_tasks!(aiter_async_std);

    fn block_on<F: Future>(future: F) -> F::Output {
        async_std::task::block_on(future)
    }

    fn spawn<F>(future: F) -> Joined<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Box::pin(async_std::task::spawn(future))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        async_std::task::sleep(time)
    }
}

/// No runtime: threads that park.
pub(crate) struct Threads;

impl Runtime for Threads {
    const ON_TASKS: &[Subject] = &[];

    fn block_on<F: Future>(future: F) -> F::Output {
        futures_lite::future::block_on(future)
    }

    fn spawn<F>(future: F) -> Joined<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (pusher, mut result) = aiter_core::push_aiter();
        let thread = std::thread::spawn(move || {
            let _ = pusher.push(Self::block_on(future));
        });
        Box::pin(async move {
            match futures_lite::StreamExt::next(&mut result).await {
                Some(output) => output,
                None => resume_unwind(thread.join().unwrap_err()),
            }
        })
    }

    async fn sleep(time: Duration) {
        // Without a runtime the only timer is a thread that sleeps for the deadline.
        let (pusher, mut aiter) = aiter_core::push_aiter::<()>();
        std::thread::spawn(move || {
            std::thread::sleep(time);
            drop(pusher);
        });
        futures_lite::StreamExt::next(&mut aiter).await;
    }
}
