//! The line server on smol as its users run it.
#![cfg(unix)]

const PROGRAM: &str = "line_server_smol";

#[path = "../../aiter-tokio/tests/line_server/suite.rs"]
mod suite;
