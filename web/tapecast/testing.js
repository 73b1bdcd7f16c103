// Writes SBE bytes for tests: by hand, field after field, and apart from the decoder's tables.

/** Bytes in the order in which they are written, little endian. */
export class Writer {
  #bytes = [];

  #put(size, write) {
    const view = new DataView(new ArrayBuffer(size));
    write(view);
    for (let at = 0; at < size; at += 1) this.#bytes.push(view.getUint8(at));
    return this;
  }

  u8(value) { return this.#put(1, (view) => view.setUint8(0, value)); }
  i8(value) { return this.#put(1, (view) => view.setInt8(0, value)); }
  u16(value) { return this.#put(2, (view) => view.setUint16(0, value, true)); }
  u32(value) { return this.#put(4, (view) => view.setUint32(0, value, true)); }
  i64(value) { return this.#put(8, (view) => view.setBigInt64(0, BigInt(value), true)); }
  u64(value) { return this.#put(8, (view) => view.setBigUint64(0, BigInt(value), true)); }

  text(value) {
    const bytes = new TextEncoder().encode(value);
    this.u8(bytes.length);
    this.#bytes.push(...bytes);
    return this;
  }

  levels(levels) {
    this.u16(16).u16(levels.length);
    for (const [price, size] of levels) this.i64(price).i64(size);
    return this;
  }

  buffer() {
    return Uint8Array.from(this.#bytes).buffer;
  }
}

export const NULL_I64 = -(2n ** 63n);
export const NULL_TIME = 2n ** 64n - 1n;
export const CHANNELS = { book: 1, bbo: 2, trades: 3, ticker: 4, bars: 5, status: 6 };
export const STATES = { LIVE: 1, RESYNCING: 2, STALE: 3, HALTED: 4, UPSTREAM_GAP: 5 };

/** The header and the common block. */
export function begin(template, block, head = {}) {
  const {
    instrumentId = 123, prevSeq = -1, seq = 0, eventTime = NULL_TIME, logTime = 0, publishTime = 0, epoch = 7, view = 0,
  } = head;
  return new Writer()
    .u16(block).u16(template).u16(7411).u16(0)
    .u64(instrumentId).i64(prevSeq).i64(seq).u64(eventTime).u64(logTime).u64(publishTime).u32(epoch).u32(view);
}

export const instrument = (head, { priceExponent = -2, sizeExponent = -5, state = 1, tickSize = NULL_I64, lotSize = NULL_I64, venue = "BINANCE", symbol = "BTC-USDT" } = {}) =>
  begin(1, 76, head).i8(priceExponent).i8(sizeExponent).u8(state).u8(0).i64(tickSize).i64(lotSize).text(venue).text(symbol).buffer();
export const snapshot = (head, { checksum = 0, chunk = 0, chunks = 1, bids = [], asks = [] } = {}) =>
  begin(2, 64, head).u32(checksum).u16(chunk).u16(chunks).levels(bids).levels(asks).buffer();
export const delta = (head, { checksum = 0, bids = [], asks = [] } = {}) =>
  begin(3, 60, head).u32(checksum).levels(bids).levels(asks).buffer();
export const bbo = (head, { bidPrice = NULL_I64, bidSize = NULL_I64, askPrice = NULL_I64, askSize = NULL_I64 } = {}) =>
  begin(4, 88, head).i64(bidPrice).i64(bidSize).i64(askPrice).i64(askSize).buffer();
export function trades(head, entries) {
  const writer = begin(5, 56, head).u16(17).u16(entries.length);
  for (const { price, size, side = 0, tradeId = "" } of entries) writer.i64(price).i64(size).u8(side).text(tradeId);
  return writer.buffer();
}
export const status = (head, { channel = 6, state = 1, reason = 0 } = {}) =>
  begin(8, 59, head).u8(channel).u8(state).u8(reason).buffer();
export const heartbeat = (head, channel) => begin(9, 57, head).u8(channel).buffer();
export const lag = (head, { channel = 1, kind = 1, fromSeq = 0, toSeq = 0, messages = 0, bytes = 0, age = 0 } = {}) =>
  begin(10, 94, head).u8(channel).u8(kind).i64(fromSeq).i64(toSeq).u32(messages).u64(bytes).u64(age).buffer();
export const goAway = ({ reason = 1, delay = 0, closeAfter = 0 } = {}) =>
  begin(11, 65, { instrumentId: 0 }).u8(reason).u32(delay).u32(closeAfter).buffer();

/** One frame of several messages. */
export function frame(...buffers) {
  const all = new Uint8Array(buffers.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const buffer of buffers) {
    all.set(new Uint8Array(buffer), at);
    at += buffer.byteLength;
  }
  return all.buffer;
}

/** The level mix again, in BigInt and straight from MurmurHash3's description. */
export function referenceMix(seed, price, size) {
  const mask = 0xffffffffn;
  const rotate = (value, by) => ((value << by) | (value >> (32n - by))) & mask;
  let hash = BigInt(seed);
  for (const wide of [BigInt.asUintN(64, BigInt(price)), BigInt.asUintN(64, BigInt(size))]) {
    for (const word of [wide & mask, wide >> 32n]) {
      const k = (rotate((word * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
      hash = (rotate(hash ^ k, 13n) * 5n + 0xe6546b64n) & mask;
    }
  }
  hash ^= 16n;
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask;
  return Number(hash ^ (hash >> 16n));
}

/** The checksum of whole ladders: `[[price, size], …]` a side. */
export function referenceChecksum(bids, asks) {
  let sum = 0;
  for (const [price, size] of bids) sum = (sum + referenceMix(1, price, size)) >>> 0;
  for (const [price, size] of asks) sum = (sum + referenceMix(2, price, size)) >>> 0;
  return sum;
}

/** A repeatable random source (mulberry32). */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
