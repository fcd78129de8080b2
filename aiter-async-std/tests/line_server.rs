//! Runs the line server example on async-std as a program.
#![cfg(unix)]

const PROGRAM: &str = "line_server_async_std";

#[path = "../../aiter-tokio/tests/line_server/suite.rs"]
mod suite;
