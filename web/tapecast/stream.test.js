import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeFrame } from "./sbe.js";
import { Stream } from "./stream.js";
import { CHANNELS, STATES, bbo, delta, heartbeat, instrument, lag, referenceChecksum, snapshot, status, trades } from "./testing.js";

const RESULT = { ok: true, instrument: 123, view: 0, epoch: 7, price_exponent: -2, size_exponent: -5, start: "snapshot", reason: null };

function open(channel) {
  const stream = new Stream({ channel, symbol: "BINANCE:BTC-USDT" });
  stream.open(RESULT);
  return stream;
}

function take(stream, buffer) {
  let outcome;
  decodeFrame(buffer, (message) => {
    outcome = stream.receive(message);
  });
  return outcome;
}

const BIDS = [[100, 1]];
const first = (seq = 10, epoch = 7) => snapshot({ seq, prevSeq: -1, epoch }, { bids: BIDS, checksum: referenceChecksum(BIDS, []) });
const change = (prevSeq, seq, size, epoch = 7) =>
  delta({ prevSeq, seq, epoch }, { bids: [[100, size]], checksum: referenceChecksum([[100, size]], []) });
const tell = (channel, prevSeq, seq, state, epoch = 7) =>
  status({ prevSeq, seq, epoch }, { channel: CHANNELS[channel], state: STATES[state], reason: 2 });

function openBook() {
  const stream = open("book");
  assert.equal(take(stream, first()), "applied");
  return stream;
}

test("a book is trusted from its snapshot on, not before", () => {
  const stream = open("book");
  assert.equal(stream.trusted, false);
  assert.equal(take(stream, instrument({ seq: 10 })), "noted");
  assert.equal(stream.trusted, false);
  take(stream, first());
  assert.equal(stream.trusted, true);
  assert.deepEqual(stream.resume, { epoch: 7, seq: 10 });
});

test("a message that is had is skipped, one that follows is applied, an overlap is harmless", () => {
  const stream = openBook();
  assert.equal(take(stream, change(5, 10, 9)), "held");
  assert.deepEqual(stream.book.bids.sizes, [1]);
  assert.equal(take(stream, change(10, 15, 2)), "applied");
  assert.equal(take(stream, change(12, 20, 3)), "applied");
  assert.deepEqual([stream.seq, stream.book.bids.sizes], [20, [3]]);
});

test("a gap is never silent and never applied", () => {
  const stream = openBook();
  assert.equal(take(stream, change(11, 12, 5)), "gap");
  assert.deepEqual([stream.seq, stream.book.bids.sizes, stream.counts.gaps], [10, [1], 1]);
});

test("a heartbeat moves nothing and reveals a gap, in every channel", () => {
  for (const channel of ["book", "bbo", "trades", "status"]) {
    const stream = channel === "book" ? openBook() : open(channel);
    if (channel !== "book") take(stream, heartbeat({ seq: 10, prevSeq: 10 }, CHANNELS[channel]));
    assert.equal(take(stream, heartbeat({ seq: 10, prevSeq: 10 }, CHANNELS[channel])), "noted");
    assert.equal(take(stream, heartbeat({ seq: 9, prevSeq: 9 }, CHANNELS[channel])), "noted");
    assert.equal(stream.seq, 10);
    assert.equal(take(stream, heartbeat({ seq: 11, prevSeq: 11 }, CHANNELS[channel])), "gap");
    assert.deepEqual([stream.seq, stream.counts.gaps], [10, 1]);
  }
});

test("a book of another epoch begins with a snapshot only", () => {
  const stream = openBook();
  assert.equal(take(stream, change(2, 3, 5, 8)), "gap");
  assert.equal(take(stream, heartbeat({ seq: 3, prevSeq: 3, epoch: 8 }, 1)), "gap");
  assert.equal(take(stream, first(3, 8)), "applied");
  assert.deepEqual([stream.epoch, stream.seq, stream.counts.epochs], [8, 3, 1]);
});

test("a status of a new epoch makes the book untrusted until that epoch's snapshot", () => {
  const stream = openBook();
  assert.equal(take(stream, tell("book", -1, 0, "RESYNCING", 8)), "noted");
  assert.equal(stream.trusted, false);
  assert.equal(take(stream, heartbeat({ seq: 0, prevSeq: 0, epoch: 8 }, 1)), "noted");
  assert.equal(take(stream, first(1, 8)), "applied");
  assert.equal(stream.trusted, true);
});

test("other channels of another epoch begin with any message", () => {
  const stream = open("bbo");
  assert.equal(take(stream, bbo({ seq: 50, prevSeq: 40 })), "applied");
  assert.equal(take(stream, bbo({ seq: 2, prevSeq: 1, epoch: 8 })), "applied");
  assert.deepEqual([stream.epoch, stream.seq, stream.counts.epochs], [8, 2, 1]);
});

test("a checksum that does not fit is told, and the book not trusted with it", () => {
  const stream = openBook();
  const wrong = delta({ prevSeq: 10, seq: 11 }, { bids: [[100, 2]], checksum: 1 });
  assert.equal(take(stream, wrong), "mismatch");
  const { checked, verified, mismatches } = stream.counts;
  assert.deepEqual([checked, verified, mismatches, stream.seq], [2, 1, 1, 10]);
});

test("every book message is verified", () => {
  const stream = openBook();
  for (let seq = 11; seq <= 60; seq += 1) take(stream, change(seq - 1, seq, seq));
  assert.deepEqual([stream.counts.checked, stream.counts.verified], [51, 51]);
});

test("a status takes a seq, and the next book message makes the stream live again", () => {
  const stream = openBook();
  assert.equal(take(stream, tell("book", 10, 11, "UPSTREAM_GAP")), "applied");
  assert.deepEqual([stream.trusted, stream.state, stream.seq], [false, "UPSTREAM_GAP", 11]);
  assert.equal(take(stream, change(11, 12, 4)), "applied");
  assert.deepEqual([stream.trusted, stream.counts.resyncs], [true, 1]);
});

test("a restated status is applied without moving the stream, an older one is skipped, a later one shows a gap", () => {
  const stream = openBook();
  assert.equal(take(stream, tell("book", 9, 10, "RESYNCING")), "noted");
  assert.deepEqual([stream.state, stream.seq], ["RESYNCING", 10]);
  assert.equal(take(stream, tell("book", 8, 9, "LIVE")), "held");
  assert.equal(stream.state, "RESYNCING");
  assert.equal(take(stream, tell("book", 12, 13, "LIVE")), "gap");
  assert.equal(stream.state, "RESYNCING");
});

test("in the status channel the same seq replaces the state", () => {
  const stream = open("status");
  take(stream, tell("status", 4, 5, "LIVE"));
  assert.equal(take(stream, tell("status", 4, 5, "STALE")), "noted");
  assert.deepEqual([stream.state, stream.seq], ["STALE", 5]);
  assert.equal(take(stream, tell("status", 5, 9, "HALTED")), "applied");
  assert.deepEqual([stream.state, stream.seq], ["HALTED", 9]);
});

test("a status in trades is a possible gap and is counted", () => {
  const stream = open("trades");
  take(stream, trades({ seq: 5, prevSeq: 4 }, [{ price: 1, size: 1 }]));
  take(stream, tell("trades", 5, 9, "UPSTREAM_GAP"));
  assert.deepEqual([stream.counts.gaps, stream.seq], [1, 9]);
  take(stream, trades({ seq: 10, prevSeq: 9 }, [{ price: 1, size: 1 }]));
  assert.equal(stream.state, "LIVE");
});

test("a conflated catch-up is told and then applied over the range", () => {
  const stream = openBook();
  assert.equal(take(stream, lag({ seq: 10, prevSeq: 10 }, { channel: 1, kind: 1, fromSeq: 10, toSeq: 90, messages: 80 })), "noted");
  assert.deepEqual([stream.seq, stream.counts.conflated], [10, 1]);
  assert.equal(take(stream, change(10, 90, 7)), "applied");
  assert.equal(take(stream, lag({ seq: 95, prevSeq: 95 }, { channel: 1, kind: 1, fromSeq: 95, toSeq: 99 })), "gap");
});

test("skipped trades are a gap that is known and passed over", () => {
  const stream = open("trades");
  take(stream, trades({ seq: 5, prevSeq: 4 }, [{ price: 1, size: 1 }]));
  const skipped = lag({ seq: 5, prevSeq: 5 }, { channel: 3, kind: 3, fromSeq: 5, toSeq: 50, messages: 45 });
  assert.equal(take(stream, skipped), "lost");
  assert.deepEqual([stream.seq, stream.counts.gaps, stream.counts.lost], [50, 1, 45]);
  assert.equal(take(stream, trades({ seq: 51, prevSeq: 50 }, [{ price: 1, size: 1 }])), "applied");
});

test("a book never goes on behind a hole", () => {
  assert.equal(take(openBook(), lag({ seq: 10, prevSeq: 10 }, { channel: 1, kind: 3, fromSeq: 10, toSeq: 50 })), "gap");
});

test("a resumed stream goes on where it was, a fresh one begins anew", () => {
  const stream = openBook();
  stream.link = "offline";
  assert.equal(stream.trusted, false);
  stream.open({ ...RESULT, start: "resumed" });
  assert.deepEqual([stream.trusted, stream.seq], [true, 10]);
  stream.open({ ...RESULT, start: "snapshot", reason: "ahead_of_log" });
  assert.deepEqual([stream.trusted, stream.resume], [false, undefined]);
  assert.equal(take(stream, first(4)), "applied");
  assert.deepEqual([stream.trusted, stream.seq], [true, 4]);
});

test("trades that could not be resumed are a counted gap", () => {
  const stream = open("trades");
  take(stream, trades({ seq: 5, prevSeq: 4 }, [{ price: 1, size: 1 }]));
  stream.open({ ...RESULT, reason: "log_exceeded" });
  assert.equal(stream.counts.gaps, 1);
});

test("half a snapshot is not a book, and a delta in between is a gap", () => {
  const stream = openBook();
  assert.equal(take(stream, snapshot({ seq: 20, prevSeq: 10 }, { chunk: 0, chunks: 2, bids: [[5, 5]] })), "partial");
  assert.deepEqual([stream.seq, stream.book.bids.prices], [10, [100]]);
  assert.equal(take(stream, change(20, 21, 5)), "gap");
});

test("a book keeps the scale of its levels until the next snapshot", () => {
  const stream = openBook();
  take(stream, instrument({ seq: 10, epoch: 9 }, { priceExponent: -4, sizeExponent: 0 }));
  assert.deepEqual([stream.book.priceExponent, stream.book.sizeExponent], [-2, -5]);
  take(stream, first(1, 9));
  assert.deepEqual([stream.book.priceExponent, stream.book.sizeExponent], [-4, 0]);
});
