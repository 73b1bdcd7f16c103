import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Book } from "./book.js";
import { ASK, BID, mix } from "./checksum.js";
import { parseMantissa } from "./decimal.js";
import { referenceMix, seeded } from "./testing.js";

const SEEDS = { bid: BID, ask: ASK };
const VECTORS = new URL("../../crates/market/testdata/checksum.json", import.meta.url);

test("the mix is that of the shared test vectors", (context) => {
  if (!existsSync(VECTORS)) {
    context.skip("vectors absent: crates/market/testdata/checksum.json");
    return;
  }
  const { levels, books } = JSON.parse(readFileSync(VECTORS, "utf8"));
  assert.ok(levels.length > 0 && books.length > 0);
  for (const { side, price, size, mix: expected } of levels) {
    assert.equal(mix(SEEDS[side], parseMantissa(price), parseMantissa(size)) >>> 0, expected, `${side} ${price} ${size}`);
  }
  for (const { bids, asks, checksum } of books) {
    const book = new Book();
    for (const [price, size] of bids) book.bids.set(parseMantissa(price), parseMantissa(size));
    for (const [price, size] of asks) book.asks.set(parseMantissa(price), parseMantissa(size));
    assert.equal(book.checksum, checksum);
  }
});

test("the mix equals the plain description over the whole range of i64", () => {
  const random = seeded(2);
  const word = () => BigInt(Math.floor(random() * 2 ** 32));
  for (let index = 0; index < 2000; index += 1) {
    const price = BigInt.asIntN(64, (word() << 32n) | word()) >> BigInt(Math.floor(random() * 63));
    const size = BigInt.asIntN(64, (word() << 32n) | word()) >> BigInt(Math.floor(random() * 63));
    const side = index % 2 === 0 ? BID : ASK;
    assert.equal(mix(side, parseMantissa(`${price}`), parseMantissa(`${size}`)) >>> 0, referenceMix(side, price, size));
  }
});

test("an empty book has checksum 0", () => {
  assert.equal(new Book().checksum, 0);
});
