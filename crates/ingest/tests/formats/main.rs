//! The content of records of each format, with real captures and with bad input.
#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

mod bad_records;
mod binance;
mod books;
mod bybit;
mod captures;
mod coinbase;
mod cryptofeed;
mod cuts;
mod instruments;
mod kraken;
mod mapped;
mod mapper;
mod mutations;
mod number_traps;
mod okx;
mod said;
mod tapecast;
mod venues;
