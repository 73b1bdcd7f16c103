import assert from "node:assert/strict";
import { test } from "node:test";
import { Book } from "./book.js";
import { decodeFrame } from "./sbe.js";
import { delta, referenceChecksum, seeded, snapshot } from "./testing.js";

const SCALE = { priceExponent: -2, sizeExponent: -5 };

function decode(buffer) {
  let result;
  decodeFrame(buffer, (message) => {
    result = message;
  });
  return result;
}

const sides = ({ bids, asks }) => [bids, asks].map(({ prices, sizes }) => prices.map((price, index) => [price, sizes[index]]));
const stage = (book, body, head = { seq: 5 }) => book.stage(decode(snapshot(head, body)), SCALE);

function naiveSides(naive) {
  const compare = (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
  return [[...naive.bids].sort(compare).reverse(), [...naive.asks].sort(compare)];
}

test("a book after random deltas is what a plain map says, and its checksum the sum over all levels", () => {
  const random = seeded(3);
  const below = (limit) => Math.floor(random() * limit);
  // Beyond 2^53, across 0 and ordinary prices: every kind of mantissa meets every other.
  const bases = [0n, 6_000_000n, 2n ** 53n, -(2n ** 53n), 2n ** 62n];
  const book = new Book();
  const naive = { bids: new Map(), asks: new Map() };
  for (let round = 0; round < 1500; round += 1) {
    const change = { bids: [], asks: [] };
    for (let index = below(6); index > 0; index -= 1) {
      const side = below(2) === 0 ? "bids" : "asks";
      const price = bases[below(bases.length)] + BigInt(below(60) - 30);
      const size = below(3) === 0 ? 0n : BigInt(below(1000)) << BigInt(below(50));
      change[side].push([price, size]);
      const key = Number.isSafeInteger(Number(price)) ? Number(price) : price;
      if (size === 0n) naive[side].delete(key);
      else naive[side].set(key, Number.isSafeInteger(Number(size)) ? Number(size) : size);
    }
    const [bids, asks] = naiveSides(naive);
    const checksum = referenceChecksum(bids, asks);
    assert.ok(book.applyDelta(decode(delta({}, { ...change, checksum }))), `round ${round}`);
    assert.deepEqual(sides(book), [bids, asks]);
  }
  assert.ok(book.bids.length > 50 && book.asks.length > 50);
});

test("a wrong level anywhere in the book is told by the checksum", () => {
  const book = new Book();
  const bids = [[10, 1], [9, 1], [8, 1]];
  stage(book, { bids, checksum: referenceChecksum(bids, []) });
  const right = referenceChecksum([[10, 2], [9, 1], [8, 1]], []);
  assert.equal(book.applyDelta(decode(delta({}, { bids: [[10, 3]], checksum: right }))), false);
});

test("a delete of a level that is not there changes nothing", () => {
  const book = new Book();
  assert.ok(book.applyDelta(decode(delta({}, { bids: [[1, 0]], asks: [[2, 0]], checksum: 0 }))));
  assert.deepEqual(sides(book), [[], []]);
});

test("a negative size is not taken for a level", () => {
  const book = new Book();
  assert.equal(book.applyDelta(decode(delta({}, { bids: [[1, -1]], checksum: referenceChecksum([[1, -1]], []) }))), false);
});

test("a chunked snapshot replaces the book at once, when it is whole", () => {
  const book = new Book();
  stage(book, { bids: [[1, 1]], checksum: referenceChecksum([[1, 1]], []) });
  const bids = [[9, 1], [8, 2], [7, 3]];
  const asks = [[10, 4], [11, 5]];
  const checksum = referenceChecksum(bids, asks);
  const head = { seq: 6 };
  assert.equal(stage(book, { chunk: 0, chunks: 3, checksum, bids: bids.slice(0, 2), asks: asks.slice(0, 1) }, head), "partial");
  assert.equal(stage(book, { chunk: 1, chunks: 3, checksum, bids: bids.slice(2) }, head), "partial");
  assert.deepEqual(sides(book), [[[1, 1]], []]);
  assert.equal(stage(book, { chunk: 2, chunks: 3, checksum, asks: asks.slice(1) }, head), "complete");
  assert.deepEqual(sides(book), [bids, asks]);
  assert.equal(book.checksum, checksum);
});

test("chunks that do not continue each other are broken, and the old book stays", () => {
  const part = (chunk, chunks = 3, head = { seq: 6 }) => [{ chunk, chunks }, head];
  const orders = [
    [part(1)], [part(0), part(2)], [part(0), part(1), part(1)], [part(0), part(1, 4)], [part(0), part(1, 3, { seq: 7 })],
    [part(0), part(1, 3, { seq: 6, epoch: 8 })], [part(0, 0)],
  ];
  for (const order of orders) {
    const book = new Book();
    stage(book, { bids: [[1, 1]], checksum: referenceChecksum([[1, 1]], []) });
    const outcomes = order.map(([body, head]) => stage(book, body, head));
    assert.equal(outcomes.at(-1), "broken");
    assert.deepEqual(sides(book), [[[1, 1]], []]);
  }
});

test("a snapshot that is not sorted best first, holds a size of 0 or has a wrong checksum is not taken", () => {
  const bad = [
    { bids: [[1, 1], [2, 1]] }, { bids: [[2, 1], [2, 1]] }, { asks: [[2, 1], [1, 1]] }, { bids: [[1, 0]] }, { bids: [[1, -1]] },
  ];
  for (const body of bad) {
    assert.equal(stage(new Book(), { ...body, checksum: referenceChecksum(body.bids ?? [], body.asks ?? []) }), "broken");
  }
  assert.equal(stage(new Book(), { bids: [[1, 1]], checksum: 1 }), "mismatch");
});
