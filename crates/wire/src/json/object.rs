use market::{Exponents, Level, Nanos, Price, Size, decimal};

use crate::codes::Code;
use crate::text::{integer, quote};

/// `,"name":`, concatenated at compile time.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(super) use key;

/// The fields of an object being written, and the exponents of its decimals.
pub(super) struct Object<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) exponents: Exponents,
}

impl Object<'_> {
    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.raw(key);
        quote(self.out, text);
    }

    /// The name of an enum's value, which needs no escapes.
    pub(super) fn name(&mut self, key: &str, value: impl Code) {
        self.raw(key);
        self.raw("\"");
        self.raw(value.name());
        self.raw("\"");
    }

    pub(super) fn number(&mut self, key: &str, number: impl itoa::Integer) {
        self.raw(key);
        integer(self.out, number);
    }

    /// Nanoseconds as a string: they exceed the integers that a double can hold.
    pub(super) fn nanos(&mut self, key: &str, nanos: u64) {
        self.raw(key);
        self.raw("\"");
        integer(self.out, nanos);
        self.raw("\"");
    }

    pub(super) fn time(&mut self, key: &str, time: Nanos) {
        self.nanos(key, time.0);
    }

    pub(super) fn price(&mut self, key: &str, price: Option<Price>) {
        self.raw(key);
        self.decimal(price.map(|price| price.0), self.exponents.price);
    }

    pub(super) fn size(&mut self, key: &str, size: Option<Size>) {
        self.raw(key);
        self.decimal(size.map(|size| size.0), self.exponents.size);
    }

    /// `[["price","size"],…]`.
    pub(super) fn levels(&mut self, key: &str, levels: impl Iterator<Item = Level>) {
        self.raw(key);
        self.raw("[");
        for (i, level) in levels.enumerate() {
            self.raw(if i == 0 { "[" } else { ",[" });
            self.decimal(Some(level.price.0), self.exponents.price);
            self.raw(",");
            self.decimal(Some(level.size.0), self.exponents.size);
            self.raw("]");
        }
        self.raw("]");
    }

    fn decimal(&mut self, mantissa: Option<i64>, exponent: i8) {
        let Some(mantissa) = mantissa else {
            self.raw("null");
            return;
        };
        self.raw("\"");
        decimal::write(self.out, mantissa, exponent);
        self.raw("\"");
    }
}
