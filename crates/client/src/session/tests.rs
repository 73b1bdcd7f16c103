//! The core against a scripted node, with a clock of its own.

mod connection;
mod requests;
mod rig;
mod scripts;
mod streams;
mod updates;
