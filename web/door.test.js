import assert from "node:assert/strict";
import test from "node:test";

import { faultOf, headersOf, refusalOf, wordsOf } from "./door.js";

const answer = (status, body) => ({ status, json: async () => JSON.parse(body) });

test("only an answer about tokens is one", async () => {
  for (const status of [200, 304, 429, 500, 503]) {
    assert.equal(await refusalOf(answer(status, "{}")), null);
  }
  const body = '{"error":{"code":"no_token","message":"a token is wanted"}}';
  assert.deepEqual(await refusalOf(answer(401, body)), { code: "no_token", message: "a token is wanted" });
  assert.equal((await refusalOf(answer(403, body))).code, "no_token");
  assert.equal((await refusalOf(answer(401, "not JSON"))).code, "401");
});

test("who has no token yet is asked for one, and who was refused is told why", () => {
  assert.match(wordsOf({ code: "missing_token", message: "no token; send one" }), /^Enter/);
  assert.equal(wordsOf({ code: "expired", message: "it has expired" }), "it has expired (expired)");
});

test("a token that no subprotocol could have is refused before it is sent", () => {
  assert.equal(faultOf("eyJhbGciOiJFUzI1NiJ9.e30.c2ln-_"), null);
  for (const token of ["", "two words", "a,b", "a\"b", "ü", "a/b", "a=b"]) assert.notEqual(faultOf(token), null);
});

test("a token goes in the header, and none is no header", () => {
  assert.deepEqual(headersOf("t"), { Authorization: "Bearer t" });
  assert.deepEqual(headersOf(null), {});
});
