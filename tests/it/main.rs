//! The one integration binary: each module shows one side of barkeep from the outside.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod cases;
mod data;
mod cli;
mod cli_support;
mod layers;
mod support;
