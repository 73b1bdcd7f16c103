import assert from "node:assert/strict";
import { test } from "node:test";
import { add, decimalsOf, formatDecimal, highWord, lowWord, mantissaOf, middle, parseMantissa, subtract } from "./decimal.js";
import { seeded } from "./testing.js";

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
const EDGES = [0n, 1n, -1n, 2n ** 31n, -(2n ** 31n), 2n ** 32n, -(2n ** 32n), 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n,
  -(2n ** 53n) + 1n, -(2n ** 53n), -(2n ** 53n) - 1n, MAX, MIN];

function wordsOf(big) {
  return [Number(BigInt.asIntN(32, big >> 32n)), Number(BigInt.asUintN(32, big))];
}

test("every i64 survives its two words, as a number exactly while it is safe", () => {
  const random = seeded(1);
  const values = [...EDGES];
  for (let index = 0; index < 5000; index += 1) {
    const raw = (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
    values.push(BigInt.asIntN(64, raw) >> BigInt(Math.floor(random() * 63)));
  }
  for (const value of values) {
    const mantissa = mantissaOf(...wordsOf(value));
    assert.equal(BigInt(mantissa), value);
    assert.equal(typeof mantissa === "number", Number.isSafeInteger(Number(value)), `${value}`);
    assert.deepEqual([highWord(mantissa), lowWord(mantissa) >>> 0], wordsOf(value));
    assert.equal(parseMantissa(String(value)), mantissa);
  }
});

test("mantissas of both kinds are ordered by value", () => {
  const sorted = [...EDGES].sort((a, b) => (a < b ? -1 : 1));
  const mantissas = sorted.map((value) => mantissaOf(...wordsOf(value)));
  for (let index = 1; index < mantissas.length; index += 1) assert.ok(mantissas[index - 1] < mantissas[index]);
});

test("sums and differences are exact where floats are not", () => {
  assert.equal(add(2 ** 53 - 1, 2), 9007199254740993n);
  assert.equal(subtract(MAX, MAX - 1n), 1);
  assert.equal(subtract(MIN, MAX), MIN - MAX);
  assert.equal(subtract(61837.0, 61836.0), 1);
});

test("the middle of two prices is exact", () => {
  const show = (a, b, exponent) => {
    const { mantissa, exponent: scale } = middle(a, b, exponent);
    return formatDecimal(mantissa, scale);
  };
  assert.equal(show(100, 101, -2), "1.005");
  assert.equal(show(100, 102, -2), "1.01");
  assert.equal(show(-1, 2, 0), "0.5");
  assert.equal(show(MAX, MAX - 1n, 0), "9223372036854775806.5");
  assert.equal(show(1, 2, 3), "1500");
});

test("a printed number is the number", () => {
  const cases = [
    [0, -8, 0, "0"], [0, 5, 0, "0"], [0, -8, 2, "0.00"], [6183763, -2, 0, "61837.63"], [6183760, -2, 0, "61837.6"],
    [6183760, -2, 2, "61837.60"], [-5, -3, 0, "-0.005"], [-5, -3, 5, "-0.00500"], [12, 3, 0, "12000"], [1, -127, 0, `0.${"0".repeat(126)}1`],
    [MAX, -8, 0, "92233720368.54775807"], [MIN, -8, 0, "-92233720368.54775808"], [MIN, 0, 0, "-9223372036854775808"],
    [123456, -8, 2, "0.00123456"], [100000000, -8, 0, "1"],
  ];
  for (const [mantissa, exponent, decimals, text] of cases) {
    assert.equal(formatDecimal(mantissa, exponent, decimals), text);
    assert.ok(decimalsOf(mantissa, exponent) === (formatDecimal(mantissa, exponent).split(".")[1] ?? "").length);
  }
  assert.equal(formatDecimal(123456789, -2, 2, ","), "1,234,567.89");
  assert.equal(formatDecimal(-123456, 0, 0, ","), "-123,456");
  assert.equal(formatDecimal(123, 0, 0, ","), "123");
});
