// The additive book checksum: the sum modulo 2^32, over all levels, of MurmurHash3_x86_32 over the 16
// bytes `price i64 LE, size i64 LE`, seeded by the side. Adding and removing a level commute, so updating it
// takes a few multiplications per changed level, and every message can be verified over the whole book.

import { highWord, lowWord } from "./decimal.js";

/** The seeds of the sides. */
export const BID = 1;
export const ASK = 2;

function block(hash, word) {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  hash ^= Math.imul(k, 0x1b873593);
  hash = (hash << 13) | (hash >>> 19);
  return (Math.imul(hash, 5) + 0xe6546b64) | 0;
}

/** The mix of one level, as a signed 32-bit word; `>>> 0` gives the number of the schema. */
export function mix(side, price, size) {
  let hash = block(side, lowWord(price));
  hash = block(hash, highWord(price));
  hash = block(hash, lowWord(size));
  hash = block(hash, highWord(size));
  hash ^= 16; // the length of the input
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
