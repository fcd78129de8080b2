//! The line server on async-std as its users run it.
#![cfg(unix)]

const PROGRAM: &str = "line_server_async_std";

#[path = "../../aiter-tokio/tests/line_server/suite.rs"]
mod suite;
