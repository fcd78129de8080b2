//! Waiting and waking: how a task registers its waker, and how other threads find and call it.
//!
//! This is the lowest layer above [`sync`](crate::sync). Its unsafe code stands behind safe
//! interfaces.
//!
//! | module | what it is for | compare |
//! |---|---|---|
//! | `wake_cell` | the waker of one task, which any number of threads may wake | `AtomicWaker`; the algorithm of `diatomic-waker` |
//! | `notify` | the two ends of such a cell in an `Arc`, with data beside it | `WakeSink` and `WakeSource` of `diatomic-waker` |
//! | `wake_list` | wakers to call once a lock is released | `WakeList` in tokio's `util` |
//! | `wake_stack` | a lock-free stack of wake sources, which the lock holder takes as a whole | |
//! | `wait_set` | a set of tasks that wait for one event and are woken together | the waiters of tokio's `sync::Notify` |
//! | `join` | requests for a value that only the holder of a lock can make | a oneshot channel, without its lock |
//! | `registry` | the readers of a list: the position of each, and its waker | the participants of crossbeam-epoch; the waiters of tokio's `sync::broadcast` |
//! | `demand` | flow control between a driver and its consumer, with watermarks | tokio's `sync::Semaphore` in a bounded `mpsc` |
//! | `spin` | a few more checks before a task sleeps, if they have helped lately | `Backoff` of crossbeam-utils |
//! | `task` | whether another task polls than the one whose waker is stored | `Waker::will_wake`, without touching the stored waker |
//! | `waker_ref` | a `Waker` made of a borrowed `Arc` | `futures::task::waker_ref` |

pub(crate) mod demand;
pub(crate) mod join;
pub(crate) mod notify;
pub(crate) mod registry;
pub(crate) mod spin;
pub(crate) mod task;
pub(crate) mod wait_set;
pub(crate) mod wake_cell;
pub(crate) mod wake_list;
pub(crate) mod wake_stack;
pub(crate) mod waker_ref;
