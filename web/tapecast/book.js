// An order book that verifies itself: two ladders, the assembly of chunked snapshots, the checksum.
//
// Invariants: a ladder is strictly sorted best first and holds no size of 0; `checksum` is that of the
// levels, updated at every change; a snapshot replaces the book in one step or not at all.

import { ASK, BID, mix } from "./checksum.js";

/** One side of a book: prices best first, with their sizes. */
export class Ladder {
  #descending;
  #seed;

  constructor(seed) {
    this.#seed = seed;
    this.#descending = seed === BID;
    this.prices = [];
    this.sizes = [];
    this.sum = 0;
  }

  get length() {
    return this.prices.length;
  }

  #better(a, b) {
    return this.#descending ? a > b : a < b;
  }

  /** The index of `price`, or where it would be inserted. */
  #find(price) {
    const prices = this.prices;
    let low = 0;
    let high = prices.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#better(prices[middle], price)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Sets the size at a price; 0 removes the level. A negative size is invalid: it is ignored, and the checksum shows it. */
  set(price, size) {
    if (size < 0) return;
    const at = this.#find(price);
    const present = this.prices[at] === price;
    if (present) this.sum -= mix(this.#seed, price, this.sizes[at]);
    if (size !== 0) this.sum += mix(this.#seed, price, size);
    this.sum |= 0;
    if (size === 0) {
      if (present) {
        this.prices.splice(at, 1);
        this.sizes.splice(at, 1);
      }
    } else if (present) {
      this.sizes[at] = size;
    } else {
      this.prices.splice(at, 0, price);
      this.sizes.splice(at, 0, size);
    }
  }

  /** Appends a level after the worst; returns false if it does not belong there. */
  append(price, size) {
    const { prices } = this;
    if (size <= 0 || (prices.length > 0 && !this.#better(prices[prices.length - 1], price))) return false;
    prices.push(price);
    this.sizes.push(size);
    this.sum = (this.sum + mix(this.#seed, price, size)) | 0;
    return true;
  }
}

/** Both ladders. */
export class Book {
  #staged = null;

  constructor() {
    this.bids = new Ladder(BID);
    this.asks = new Ladder(ASK);
    // The exponents of the levels: those of the instrument may change while the old book is still shown.
    this.priceExponent = 0;
    this.sizeExponent = 0;
  }

  get checksum() {
    return (this.bids.sum + this.asks.sum) >>> 0;
  }

  /** Applies a BookDelta; returns whether the checksum matches. */
  applyDelta({ bids, asks, checksum }) {
    for (let index = 0; index < bids.length; index += 1) this.bids.set(bids.price(index), bids.size(index));
    for (let index = 0; index < asks.length; index += 1) this.asks.set(asks.price(index), asks.size(index));
    return this.checksum === checksum;
  }

  /**
   * Takes a chunk of a BookSnapshot whose mantissas are in `scale`. Returns "partial" while more chunks are to come, "complete" once the new book
   * has replaced the old one, "mismatch" when it is not what the message says, and "broken" when the chunk
   * does not continue what is there; in the latter two the old book stays.
   */
  stage(chunk, scale) {
    if (chunk.chunk === 0) {
      this.#staged = { seq: chunk.seq, epoch: chunk.epoch, next: 0, chunks: chunk.chunks, bids: new Ladder(BID), asks: new Ladder(ASK) };
    }
    const staged = this.#staged;
    this.#staged = null;
    if (staged === null || chunk.chunk !== staged.next || chunk.chunks !== staged.chunks
      || chunk.seq !== staged.seq || chunk.epoch !== staged.epoch || staged.next >= staged.chunks) return "broken";
    const { bids, asks } = chunk;
    for (let index = 0; index < bids.length; index += 1) {
      if (!staged.bids.append(bids.price(index), bids.size(index))) return "broken";
    }
    for (let index = 0; index < asks.length; index += 1) {
      if (!staged.asks.append(asks.price(index), asks.size(index))) return "broken";
    }
    staged.next += 1;
    if (staged.next < staged.chunks) {
      this.#staged = staged;
      return "partial";
    }
    if ((staged.bids.sum + staged.asks.sum) >>> 0 !== chunk.checksum) return "mismatch";
    this.bids = staged.bids;
    this.asks = staged.asks;
    this.priceExponent = scale.priceExponent;
    this.sizeExponent = scale.sizeExponent;
    return "complete";
  }

  /** Discards an incomplete snapshot. */
  unstage() {
    this.#staged = null;
  }
}
