import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { DecodeError, ENUMS, HEAD, MESSAGES, decodeFrame } from "./sbe.js";
import { NULL_I64, begin, bbo, delta, frame, goAway, heartbeat, instrument, lag, snapshot, status, trades } from "./testing.js";

const SCHEMA = new URL("../../crates/wire/schema/tapecast.xml", import.meta.url);
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
const HEAD_VALUES = {
  instrumentId: 2 ** 53 - 1, prevSeq: 41, seq: 42, eventTime: 1723161256000000001n, logTime: 1723161256000000002n,
  publishTime: 1723161256000000003n, epoch: 4294967295, view: 3221225473,
};

function decode(buffer) {
  const messages = [];
  decodeFrame(buffer, (message) => messages.push(message));
  return messages;
}

function check(buffer, expected) {
  const [message, ...rest] = decode(buffer);
  assert.equal(rest.length, 0);
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(message[name], value, name);
  return message;
}

const pairs = (levels) => Array.from({ length: levels.length }, (_, index) => [levels.price(index), levels.size(index)]);

test("every message begins with the common block", () => {
  const message = check(heartbeat(HEAD_VALUES, 1), { type: "Heartbeat", ...HEAD_VALUES });
  assert.ok(Math.abs(message.publishTimeMs - 1723161256000) < 0.001);
  assert.equal(decode(heartbeat({ seq: -1, prevSeq: -1 }, 1))[0].eventTime, null);
});

test("Instrument is decoded", () => {
  check(instrument(HEAD_VALUES, { priceExponent: -128, sizeExponent: 127, state: 4, tickSize: 1, lotSize: NULL_I64, venue: "BÖRSE", symbol: "" }),
    { type: "Instrument", priceExponent: -128, sizeExponent: 127, state: "HALTED", tickSize: 1, lotSize: null, venue: "BÖRSE", symbol: "" });
});

test("BookSnapshot is decoded, chunk numbers and extreme mantissas included", () => {
  const bids = [[MAX, 1], [2n ** 53n, 2], [2n ** 53n - 1n, 3], [0, 4], [-1, 5], [MIN, MAX]];
  const message = check(snapshot(HEAD_VALUES, { checksum: 4294967295, chunk: 1, chunks: 65535, bids, asks: [[5, 6]] }),
    { type: "BookSnapshot", checksum: 4294967295, chunk: 1, chunks: 65535 });
  assert.deepEqual(pairs(message.bids), [[MAX, 1], [2n ** 53n, 2], [2 ** 53 - 1, 3], [0, 4], [-1, 5], [MIN, MAX]]);
  assert.deepEqual(pairs(message.asks), [[5, 6]]);
});

test("BookDelta is decoded, empty groups included", () => {
  const message = check(delta(HEAD_VALUES, { checksum: 9, asks: [[7, 0]] }), { type: "BookDelta", checksum: 9 });
  assert.deepEqual([pairs(message.bids), pairs(message.asks)], [[], [[7, 0]]]);
});

test("Bbo is decoded, an empty side is null", () => {
  check(bbo(HEAD_VALUES, { bidPrice: -5, bidSize: MAX }), { type: "Bbo", bidPrice: -5, bidSize: MAX, askPrice: null, askSize: null });
});

test("Trades are decoded, each with its own text", () => {
  const message = check(trades(HEAD_VALUES, [
    { price: MIN, size: 1, side: 1, tradeId: "ä" }, { price: 2, size: MAX, side: 2 }, { price: 3, size: 3, side: 0, tradeId: "x".repeat(255) },
  ]), { type: "Trades" });
  assert.deepEqual(message.trades, [
    { price: MIN, size: 1, side: "BUY", tradeId: "ä" }, { price: 2, size: MAX, side: "SELL", tradeId: "" },
    { price: 3, size: 3, side: "UNKNOWN", tradeId: "x".repeat(255) },
  ]);
});

test("Ticker is decoded", () => {
  const buffer = begin(6, 116, HEAD_VALUES).i64(1).i64(2).i64(3).i64(4).i64(MAX).i64(NULL_I64).i64(-7).u32(8).buffer();
  check(buffer, { type: "Ticker", open: 1, high: 2, low: 3, last: 4, volume: MAX, vwap: null, change: -7, trades: 8 });
});

test("Bar is decoded", () => {
  const buffer = begin(7, 113, HEAD_VALUES).u32(60).u64(1723161240000000000n).i64(1).i64(2).i64(3).i64(4).i64(5).u32(6).u8(1).buffer();
  check(buffer, { type: "Bar", interval: 60, openTime: 1723161240000000000n, open: 1, high: 2, low: 3, close: 4, volume: 5, trades: 6, closed: true });
});

test("Status, Lag and GoAway are decoded", () => {
  check(status(HEAD_VALUES, { channel: 3, state: 5, reason: 9 }), { type: "Status", channel: "TRADES", state: "UPSTREAM_GAP", reason: "RETENTION" });
  check(lag(HEAD_VALUES, { channel: 1, kind: 3, fromSeq: -1, toSeq: 9, messages: 4, bytes: 5, age: 6 }),
    { type: "Lag", channel: "BOOK", kind: "SKIPPED", fromSeq: -1, toSeq: 9, messages: 4, bytes: 5, age: 6 });
  check(goAway({ reason: 2, delay: 4294967295, closeAfter: 10000 }), { type: "GoAway", reason: "SHUTDOWN", delay: 4294967295, closeAfter: 10000 });
});

test("a frame of several messages is decoded in order", () => {
  const messages = decode(frame(instrument({}), trades({}, [{ price: 1, size: 1, tradeId: "1" }]), snapshot({}, { bids: [[1, 1]] }), heartbeat({}, 1)));
  assert.deepEqual(messages.map(({ type }) => type), ["Instrument", "Trades", "BookSnapshot", "Heartbeat"]);
});

test("fields that a later version adds are skipped", () => {
  const longerBlock = begin(3, 64, {}).u32(5).u32(0xdeadbeef).u16(24).u16(1).i64(1).i64(2).i64(99).levels([]).buffer();
  const messages = decode(frame(longerBlock, heartbeat({}, 2)));
  assert.deepEqual(pairs(messages[0].bids), [[1, 2]]);
  assert.equal(messages[1].channel, "BBO");
});

test("a value that an enum does not have keeps its number", () => {
  check(status({}, { channel: 6, state: 77 }), { state: 77 });
});

test("a cut frame is an error wherever it is cut, and never a message", () => {
  const whole = trades({}, [{ price: 1, size: 2, side: 1, tradeId: "abc" }]);
  const book = delta({}, { bids: [[1, 2]], asks: [[3, 4]] });
  for (const buffer of [whole, book, instrument({})]) {
    for (let length = 1; length < buffer.byteLength; length += 1) {
      assert.throws(() => decode(buffer.slice(0, length)), DecodeError, `${length} of ${buffer.byteLength}`);
    }
  }
});

test("bytes of another schema, an unknown template or too short a block are errors", () => {
  const patch = (at, value) => {
    const buffer = heartbeat({}, 1);
    new DataView(buffer).setUint16(at, value, true);
    return buffer;
  };
  assert.throws(() => decode(patch(4, 1)), /schema 1 /);
  assert.throws(() => decode(patch(2, 999)), /unknown template 999/);
  assert.throws(() => decode(patch(0, 56)), /block of 56 bytes/);
});

test("a sequence number that a float cannot hold is an error, not another number", () => {
  assert.throws(() => decode(heartbeat({ seq: 2n ** 53n }, 1)), DecodeError);
});

test("the tables are the schema", (context) => {
  if (!existsSync(SCHEMA)) {
    context.skip("schema absent: crates/wire/schema/tapecast.xml");
    return;
  }
  const xml = readFileSync(SCHEMA, "utf8").replace(/<!--[^]*?-->/g, "");
  const attributes = (text) => Object.fromEntries([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  const types = {
    int8: "i8", uint8: "u8", uint16: "u16", uint32: "u32", int64: "i64", uint64: "u64",
    mantissa: "i64", optionalMantissa: "i64?", time: "time", optionalTime: "time?",
  };
  const own = { seq: "i64", id: "u64" };
  const field = ([name, offset, type]) => `${name} @${offset} ${own[type] ?? type}`;
  const fieldsIn = (body) => [...body.matchAll(/<field ([^>]*)\/>/g)].map(([, text]) => attributes(text))
    .map(({ name, offset, type }) => field([name, offset, types[type] ?? type]));
  const dataIn = (body) => [...body.matchAll(/<data ([^>]*)\/>/g)].map(([, text]) => attributes(text).name);

  let seen = 0;
  for (const [, text, body] of xml.matchAll(/<sbe:message ([^>]*)>([^]*?)<\/sbe:message>/g)) {
    const { name, id, blockLength } = attributes(text);
    const message = MESSAGES[id];
    seen += 1;
    assert.equal(message?.name, name);
    assert.equal(message.block, Number(blockLength), name);
    const groups = [...body.matchAll(/<group ([^>]*)>([^]*?)<\/group>/g)];
    const plain = body.replace(/<group [^]*?<\/group>/g, "");
    assert.deepEqual([...HEAD, ...message.fields].map(field), fieldsIn(plain), name);
    assert.deepEqual(message.data ?? [], dataIn(plain), name);
    assert.deepEqual((message.groups ?? []).map(([group, fields, block, data]) => [group, block, fields.map(field), data ?? []]),
      groups.map(([, head, inner]) => [attributes(head).name, Number(attributes(head).blockLength), fieldsIn(inner), dataIn(inner)]), name);
  }
  assert.equal(seen, MESSAGES.filter(Boolean).length);
  for (const [, text, body] of xml.matchAll(/<enum ([^>]*)>([^]*?)<\/enum>/g)) {
    const { name } = attributes(text);
    const values = [...body.matchAll(/<validValue name="(\w+)">(\d+)</g)];
    if (name === "BooleanType") continue;
    for (const [, value, number] of values) assert.equal(ENUMS[name][number], value);
    assert.equal(Object.keys(ENUMS[name]).length, values.length, name);
  }
});
