//! Runs the line server example on tokio as a program.
#![cfg(unix)]

const PROGRAM: &str = "line_server";

#[path = "line_server/suite.rs"]
mod suite;
