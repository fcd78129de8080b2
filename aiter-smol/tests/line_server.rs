//! Runs the line server example on smol as a program.
#![cfg(unix)]

const PROGRAM: &str = "line_server_smol";

#[path = "../../aiter-tokio/tests/line_server/suite.rs"]
mod suite;
