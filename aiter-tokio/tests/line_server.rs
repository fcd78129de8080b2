//! The line server on tokio as its users run it.
#![cfg(unix)]

const PROGRAM: &str = "line_server";

#[path = "line_server/suite.rs"]
mod suite;
