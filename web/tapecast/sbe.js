// Decodes tapecast.sbe.v1: FIX Simple Binary Encoding, little endian, schema 7411.
//
// The tables below are those of crates/wire/schema/tapecast.xml; a test compares them.
// Block and group lengths are taken from the bytes, so a later version's added fields are skipped. Level
// groups are not copied: a `Levels` reads the frame's own bytes. Nothing here trusts its input: invalid
// bytes are a `DecodeError`.

import { mantissaOf } from "./decimal.js";

export const SUBPROTOCOL = "tapecast.sbe.v1";
export const SCHEMA_ID = 7411;
const HEADER = 8;
const WORD = 4294967296;

const names = (pairs) => Object.freeze(Object.assign([], pairs));
export const ENUMS = {
  AggressorSide: names({ 0: "UNKNOWN", 1: "BUY", 2: "SELL" }),
  Channel: names({ 1: "BOOK", 2: "BBO", 3: "TRADES", 4: "TICKER", 5: "BARS", 6: "STATUS" }),
  State: names({ 1: "LIVE", 2: "RESYNCING", 3: "STALE", 4: "HALTED", 5: "UPSTREAM_GAP" }),
  Reason: names({
    0: "NONE", 1: "STARTING", 2: "GAP", 3: "CROSSED", 4: "BAD_RECORD", 5: "TOPIC_RESET", 6: "QUIET",
    7: "VENUE", 8: "RECOVERED", 9: "RETENTION",
  }),
  LagKind: names({ 1: "CONFLATED", 2: "SNAPSHOT", 3: "SKIPPED" }),
  GoAwayReason: names({ 1: "DRAIN", 2: "SHUTDOWN" }),
  BooleanType: names({ 0: false, 1: true }),
};

/** The block that every message begins with. The three times are read on demand. */
export const HEAD = [
  ["instrumentId", 0, "id"],
  ["prevSeq", 8, "seq"],
  ["seq", 16, "seq"],
  ["eventTime", 24, "time?"],
  ["logTime", 32, "time"],
  ["publishTime", 40, "time"],
  ["epoch", 48, "u32"],
  ["view", 52, "u32"],
];

const LEVEL = [["price", 0, "i64"], ["size", 8, "i64"]];
const BOOK_GROUPS = [["bids", LEVEL, 16], ["asks", LEVEL, 16]];
const TRADE = [["price", 0, "i64"], ["size", 8, "i64"], ["side", 16, "AggressorSide"]];

/** Messages by template id; `block` is the block length of schema version 0. */
export const MESSAGES = [];
MESSAGES[1] = {
  name: "Instrument", block: 76, data: ["venue", "symbol"],
  fields: [["priceExponent", 56, "i8"], ["sizeExponent", 57, "i8"], ["state", 58, "State"],
    ["tickSize", 60, "i64?"], ["lotSize", 68, "i64?"]],
};
MESSAGES[2] = {
  name: "BookSnapshot", block: 64, groups: BOOK_GROUPS,
  fields: [["checksum", 56, "u32"], ["chunk", 60, "u16"], ["chunks", 62, "u16"]],
};
MESSAGES[3] = { name: "BookDelta", block: 60, groups: BOOK_GROUPS, fields: [["checksum", 56, "u32"]] };
MESSAGES[4] = {
  name: "Bbo", block: 88,
  fields: [["bidPrice", 56, "i64?"], ["bidSize", 64, "i64?"], ["askPrice", 72, "i64?"], ["askSize", 80, "i64?"]],
};
MESSAGES[5] = { name: "Trades", block: 56, fields: [], groups: [["trades", TRADE, 17, ["tradeId"]]] };
MESSAGES[6] = {
  name: "Ticker", block: 116,
  fields: [["open", 56, "i64?"], ["high", 64, "i64?"], ["low", 72, "i64?"], ["last", 80, "i64?"],
    ["volume", 88, "i64?"], ["vwap", 96, "i64?"], ["change", 104, "i64?"], ["trades", 112, "u32"]],
};
MESSAGES[7] = {
  name: "Bar", block: 113,
  fields: [["interval", 56, "u32"], ["openTime", 60, "time"], ["open", 68, "i64"], ["high", 76, "i64"],
    ["low", 84, "i64"], ["close", 92, "i64"], ["volume", 100, "i64"], ["trades", 108, "u32"],
    ["closed", 112, "BooleanType"]],
};
MESSAGES[8] = {
  name: "Status", block: 59, fields: [["channel", 56, "Channel"], ["state", 57, "State"], ["reason", 58, "Reason"]],
};
MESSAGES[9] = { name: "Heartbeat", block: 57, fields: [["channel", 56, "Channel"]] };
MESSAGES[10] = {
  name: "Lag", block: 94,
  fields: [["channel", 56, "Channel"], ["kind", 57, "LagKind"], ["fromSeq", 58, "seq"], ["toSeq", 66, "seq"],
    ["messages", 74, "u32"], ["bytes", 78, "u64"], ["age", 86, "u64"]],
};
MESSAGES[11] = {
  name: "GoAway", block: 65, fields: [["reason", 56, "GoAwayReason"], ["delay", 57, "u32"], ["closeAfter", 61, "u32"]],
};
MESSAGES[12] = {
  name: "ReplayComplete", block: 65, fields: [["channel", 56, "Channel"], ["messages", 57, "u64"]],
};

/** Bytes that are not of this schema. The messages before them in the frame have been delivered. */
export class DecodeError extends Error {
  name = "DecodeError";
}

function wide(view, at) {
  const value = view.getInt32(at + 4, true) * WORD + view.getUint32(at, true);
  // Kafka offsets and instrument ids stay far below 2^53; larger ones could not be compared correctly.
  if (!Number.isSafeInteger(value)) throw new DecodeError("a sequence number or an id beyond 2^53");
  return value;
}

const readI64 = (view, at) => mantissaOf(view.getInt32(at + 4, true), view.getUint32(at, true));
const readers = {
  u8: (view, at) => view.getUint8(at),
  i8: (view, at) => view.getInt8(at),
  u16: (view, at) => view.getUint16(at, true),
  u32: (view, at) => view.getUint32(at, true),
  // A float: for counts and durations, which are only displayed.
  u64: (view, at) => view.getUint32(at + 4, true) * WORD + view.getUint32(at, true),
  i64: readI64,
  "i64?": (view, at) =>
    view.getInt32(at + 4, true) === -2147483648 && view.getUint32(at, true) === 0 ? null : readI64(view, at),
  id: wide,
  seq: wide,
  time: (view, at) => view.getBigUint64(at, true),
};
for (const [name, values] of Object.entries(ENUMS)) {
  // A value of a later schema version stays a number, so that it is not mistaken for a known one.
  readers[name] = (view, at) => values[view.getUint8(at)] ?? view.getUint8(at);
}

const isTime = (type) => type === "time?" || type === "time";
const compile = (fields) => fields.map(([name, offset, type]) => [name, offset, readers[type]]);
const head = compile(HEAD.filter(([, , type]) => !isTime(type)));
const plans = MESSAGES.map((message) => ({
  ...message,
  read: compile(message.fields),
  groups: (message.groups ?? []).map(([name, fields, block, data]) => ({ name, block, data, read: compile(fields) })),
}));

/** A decoded message. Its fields have the schema's names. */
class Message {
  #view;
  #at;

  constructor(type, view, at) {
    this.type = type;
    this.#view = view;
    this.#at = at;
  }

  /** The venue's time, ns since 1970, or null. */
  get eventTime() {
    const time = this.#view.getBigUint64(this.#at + 24, true);
    return time === 0xffffffffffffffffn ? null : time;
  }

  /** The Kafka record's timestamp, ns since 1970. */
  get logTime() {
    return this.#view.getBigUint64(this.#at + 32, true);
  }

  /** When the node published it, ns since 1970. */
  get publishTime() {
    return this.#view.getBigUint64(this.#at + 40, true);
  }

  /** `publishTime` in milliseconds: a float, accurate to a microsecond. */
  get publishTimeMs() {
    return readers.u64(this.#view, this.#at + 40) / 1e6;
  }

  /** `eventTime`, or `logTime` if the venue gave none, in milliseconds. */
  get timeMs() {
    return Number(this.eventTime ?? this.logTime) / 1e6;
  }
}

/** A group of levels, read in place. */
export class Levels {
  #view;
  #at;
  #stride;

  constructor(view, at, stride, length) {
    this.#view = view;
    this.#at = at;
    this.#stride = stride;
    this.length = length;
  }

  price(index) {
    return readI64(this.#view, this.#at + index * this.#stride);
  }

  size(index) {
    return readI64(this.#view, this.#at + index * this.#stride + 8);
  }
}

const utf8 = new TextDecoder();

function readText(view, at) {
  const length = view.getUint8(at);
  return utf8.decode(new Uint8Array(view.buffer, view.byteOffset + at + 1, length));
}

function readEntries(view, at, group, stride, count) {
  const entries = [];
  for (let index = 0; index < count; index += 1) {
    const entry = {};
    for (const [name, offset, read] of group.read) entry[name] = read(view, at + offset);
    at += stride;
    for (const name of group.data) {
      entry[name] = readText(view, at);
      at += 1 + view.getUint8(at);
    }
    entries.push(entry);
  }
  return [entries, at];
}

function decodeOne(view, at) {
  const block = view.getUint16(at, true);
  const template = view.getUint16(at + 2, true);
  const schema = view.getUint16(at + 4, true);
  if (schema !== SCHEMA_ID) throw new DecodeError(`schema ${schema} where ${SCHEMA_ID} was due`);
  const plan = plans[template];
  // An SBE message does not carry its length, so an unknown one hides all that follows in the frame.
  if (plan === undefined) throw new DecodeError(`unknown template ${template}`);
  if (block < plan.block) throw new DecodeError(`${plan.name} with a block of ${block} bytes, ${plan.block} are due`);
  at += HEADER;
  if (at + block > view.byteLength) throw new DecodeError(`${plan.name} is cut off`);
  const message = new Message(plan.name, view, at);
  for (const [name, offset, read] of head) message[name] = read(view, at + offset);
  for (const [name, offset, read] of plan.read) message[name] = read(view, at + offset);
  at += block;
  for (const group of plan.groups) {
    const stride = view.getUint16(at, true);
    const count = view.getUint16(at + 2, true);
    at += 4;
    if (stride < group.block) throw new DecodeError(`${plan.name}.${group.name} with entries of ${stride} bytes`);
    if (group.data === undefined) {
      message[group.name] = new Levels(view, at, stride, count);
      at += stride * count;
      if (at > view.byteLength) throw new DecodeError(`${plan.name}.${group.name} is cut off`);
    } else {
      [message[group.name], at] = readEntries(view, at, group, stride, count);
    }
  }
  for (const name of plan.data ?? []) {
    message[name] = readText(view, at);
    at += 1 + view.getUint8(at);
  }
  return [message, at];
}

/** Decodes all messages of one WebSocket frame (an ArrayBuffer), in order, each to `deliver`. */
export function decodeFrame(buffer, deliver) {
  const view = new DataView(buffer);
  let at = 0;
  while (at < view.byteLength) {
    let message;
    try {
      [message, at] = decodeOne(view, at);
    } catch (error) {
      // DataView answers a read beyond its end with a RangeError.
      throw error instanceof RangeError ? new DecodeError("the frame is cut off") : error;
    }
    deliver(message);
  }
}
