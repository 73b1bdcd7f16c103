import assert from "node:assert/strict";
import test from "node:test";

import { faultOf, headersOf, refusalOf, wordsOf } from "./door.js";

const answer = (status, body) => ({ status, json: async () => JSON.parse(body) });

test("only a response about tokens is a rejection", async () => {
  for (const status of [200, 304, 429, 500, 503]) {
    assert.equal(await refusalOf(answer(status, "{}")), null);
  }
  const body = '{"error":{"code":"no_token","message":"a token is wanted"}}';
  assert.deepEqual(await refusalOf(answer(401, body)), { code: "no_token", message: "a token is wanted" });
  assert.equal((await refusalOf(answer(403, body))).code, "no_token");
  assert.equal((await refusalOf(answer(401, "not JSON"))).code, "401");
});

test("a user without a token is asked for one, and one whose token was rejected is told why", () => {
  assert.match(wordsOf({ code: "missing_token", message: "no token; send one" }), /^Enter/);
  assert.equal(wordsOf({ code: "expired", message: "it has expired" }), "it has expired (expired)");
});

test("a token that cannot be a subprotocol is rejected before it is sent", () => {
  assert.equal(faultOf("eyJhbGciOiJFUzI1NiJ9.e30.c2ln-_"), null);
  for (const token of ["", "two words", "a,b", "a\"b", "ü", "a/b", "a=b"]) assert.notEqual(faultOf(token), null);
});

test("a token goes in the header, and none is no header", () => {
  assert.deepEqual(headersOf("t"), { Authorization: "Bearer t" });
  assert.deepEqual(headersOf(null), {});
});
