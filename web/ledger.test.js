import assert from "node:assert/strict";
import test from "node:test";

import { cellOf, readLedger, sumLedger } from "./ledger.js";

const account = (symbol, more = {}) => ({
  symbol, records: 10, chained: 8, checked: 0, upstreamGaps: 0, ownGaps: 0, refused: 0, conflated: 3, lostToSlowClients: 0, ...more,
});

test("all pages are read, and instruments without an account are left out", async () => {
  const asked = [];
  const pages = [
    { ledger: [account("A:X"), { symbol: "A:Y" }], next: "A:Y" },
    { ledger: [account("A:Z")], next: null },
  ];
  const all = await readLedger(async (path) => {
    asked.push(path);
    return pages.shift();
  });
  assert.deepEqual(asked, ["/v1/ledger", "/v1/ledger?after=A%3AY"]);
  assert.deepEqual(all.map(({ symbol }) => symbol), ["A:X", "A:Z"]);
});

test("a record that the node lost is a failure, an upstream gap is reported", () => {
  const good = sumLedger([account("A:X"), account("A:Y", { upstreamGaps: 2 })]);
  assert.equal(good.verdict, "verified");
  assert.match(good.text, /20 records; none lost by this server; 2 upstream gaps/);
  assert.equal(good.sums.conflated, 6);
  const bad = sumLedger([account("A:X", { ownGaps: 1 })]);
  assert.equal(bad.verdict, "failed");
});

test("only columns that should be 0 are marked", () => {
  assert.deepEqual(cellOf(account("A:X", { records: 12345 }), "records"), { text: "12,345", some: false });
  assert.equal(cellOf(account("A:X", { refused: 1 }), "refused").some, true);
  assert.equal(cellOf(account("A:X"), "conflated").some, false);
});
