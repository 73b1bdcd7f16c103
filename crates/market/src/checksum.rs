//! The additive checksum of a book.
//!
//! A book's checksum is the sum, modulo 2^32, of [`mix`] over all its levels. Adding or removing
//! a level adds or subtracts one term, so both ends update it in O(changed levels) and can verify
//! the whole depth at every message.
//!
//! `mix` is `MurmurHash3_x86_32` (Austin Appleby, public domain, smhasher) with seed 1 for bids
//! and 2 for asks over 16 bytes: the price mantissa and the size mantissa, each as little-endian
//! `i64`. It needs only 32-bit integer arithmetic. Test vectors: `testdata/checksum.json`.

use crate::{Level, Side};

/// The term that a level contributes to its book's checksum.
#[must_use]
#[inline]
pub fn mix(side: Side, level: Level) -> u32 {
    let seed = match side {
        Side::Bid => 1,
        Side::Ask => 2,
    };
    let [p0, p1, p2, p3, p4, p5, p6, p7] = level.price.0.to_le_bytes();
    let [s0, s1, s2, s3, s4, s5, s6, s7] = level.size.0.to_le_bytes();
    let mut hash: u32 = seed;
    hash = round(hash, u32::from_le_bytes([p0, p1, p2, p3]));
    hash = round(hash, u32::from_le_bytes([p4, p5, p6, p7]));
    hash = round(hash, u32::from_le_bytes([s0, s1, s2, s3]));
    hash = round(hash, u32::from_le_bytes([s4, s5, s6, s7]));
    finish(hash ^ 16)
}

/// Computes the checksum of one side from scratch.
#[must_use]
pub fn of_levels(side: Side, levels: impl IntoIterator<Item = Level>) -> u32 {
    levels
        .into_iter()
        .fold(0, |sum, level| sum.wrapping_add(mix(side, level)))
}

#[inline]
const fn round(hash: u32, word: u32) -> u32 {
    let word = word
        .wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593);
    (hash ^ word)
        .rotate_left(13)
        .wrapping_mul(5)
        .wrapping_add(0xe654_6b64)
}

#[inline]
const fn finish(mut hash: u32) -> u32 {
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// The 64-bit finalizer of MurmurHash3, for identifiers.
pub(crate) const fn fmix64(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
