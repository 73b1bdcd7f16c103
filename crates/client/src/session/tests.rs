//! The core against a scripted node, on a clock of the test.

mod connection;
mod requests;
mod rig;
mod scripts;
mod streams;
mod updates;
