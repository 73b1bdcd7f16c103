// Fixed-point numbers: an i64 mantissa and a power of ten, never a rounded float.
//
// A mantissa is a `number` while it is a safe integer (|m| < 2^53, which every real price is) and a
// `bigint` beyond. The choice is canonical, so `===` and Map keys compare by value, and `<` compares
// exactly even where the two kinds meet.

const WORD = 4294967296; // 2^32

/** The mantissa whose two's complement words are `high` (signed) and `low` (unsigned). */
export function mantissaOf(high, low) {
  // |high| < 2^21 keeps the sum within ±2^53; -2^53 itself is not a safe integer, so it goes the other way.
  if (high < 2097152 && high >= -2097152) {
    const value = high * WORD + low;
    if (value !== -9007199254740992) return value;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The low 32 bits of a mantissa, as a signed word. */
export function lowWord(mantissa) {
  return typeof mantissa === "number" ? mantissa | 0 : Number(BigInt.asIntN(32, mantissa));
}

/** The high 32 bits of a mantissa, as a signed word. */
export function highWord(mantissa) {
  // Dividing by a power of two is exact, so the floor is too.
  return typeof mantissa === "number"
    ? Math.floor(mantissa / WORD) | 0
    : Number(BigInt.asIntN(32, mantissa >> 32n));
}

function canonical(big) {
  const value = Number(big);
  return Number.isSafeInteger(value) ? value : big;
}

/** The canonical mantissa of a decimal integer text. */
export function parseMantissa(text) {
  return canonical(BigInt(text));
}

/** a + b, exact; the sum of two mantissas may leave i64 and stays right. */
export function add(a, b) {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return canonical(BigInt(a) + BigInt(b));
}

/** a - b, exact. */
export function subtract(a, b) {
  if (typeof a === "number" && typeof b === "number") {
    const difference = a - b;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return canonical(BigInt(a) - BigInt(b));
}

/** The middle of two prices, as `{ mantissa, exponent }`: one more decimal than they have, so it is exact. */
export function middle(a, b, exponent) {
  return { mantissa: canonical(BigInt(add(a, b)) * 5n), exponent: exponent - 1 };
}

/** A float near the value. For the width of a bar or a percentage, never for a printed price. */
export function approximate(mantissa, exponent) {
  return Number(mantissa) * 10 ** exponent;
}

/** How many decimals the value needs to be printed exactly. */
export function decimalsOf(mantissa, exponent) {
  if (exponent >= 0 || mantissa == 0) return 0; // eslint-disable-line eqeqeq -- 0n == 0
  const digits = String(mantissa);
  let zeros = 0;
  while (digits.charCodeAt(digits.length - 1 - zeros) === 48) zeros += 1;
  return Math.max(0, -exponent - zeros);
}

/**
 * Prints `mantissa × 10^exponent` exactly: every digit that is not a trailing zero is shown, padded with
 * zeros to `decimals`. With `group`, thousands are separated by it.
 */
export function formatDecimal(mantissa, exponent, decimals = 0, group = "") {
  const text = String(mantissa);
  const negative = text.charCodeAt(0) === 45;
  let digits = negative ? text.slice(1) : text;
  let fraction = "";
  if (exponent >= 0) {
    if (digits !== "0") digits += "0".repeat(exponent);
  } else {
    digits = digits.padStart(1 - exponent, "0");
    const point = digits.length + exponent;
    fraction = digits.slice(point);
    digits = digits.slice(0, point);
    let end = fraction.length;
    while (end > decimals && fraction.charCodeAt(end - 1) === 48) end -= 1;
    fraction = fraction.slice(0, end);
  }
  if (fraction.length < decimals) fraction = fraction.padEnd(decimals, "0");
  if (group !== "" && digits.length > 3) digits = digits.replace(/\B(?=(?:\d{3})+$)/g, group);
  return (negative ? "-" : "") + digits + (fraction === "" ? "" : "." + fraction);
}
