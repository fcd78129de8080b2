//! What the adapter crates share: everything but the calls of one runtime. For those crates only: no promise is made
//! about these names from one release to the next, and each adapter re-exports what its users name.

mod accept;
#[cfg(unix)]
mod unix;

pub use accept::{Connections, Listen, Server, connections, waiting_connections};
#[cfg(unix)]
pub use unix::{SocketFile, bind_unix};
