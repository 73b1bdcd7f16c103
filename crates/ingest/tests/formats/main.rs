//! What records of each format say, on real captures and on bad input.

mod bad_records;
mod binance;
mod captures;
mod cryptofeed;
mod instruments;
mod mutations;
mod number_traps;
mod said;
mod tapecast;
