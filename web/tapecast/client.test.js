import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, backoffDelay, batches } from "./client.js";
import { CHANNELS, begin, delta, frame, goAway, heartbeat, instrument, referenceChecksum, seeded, snapshot, trades } from "./testing.js";

/** A clock whose time passes only when it is told to. */
class Clock {
  time = 1_000_000;
  #timers = new Map();
  #next = 1;

  setTimeout(run, delay) {
    this.#timers.set(this.#next, { at: this.time + delay, run });
    return this.#next++;
  }

  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  pass(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].run();
    }
    this.time = end;
  }
}

class Socket {
  readyState = 0;
  protocol = "tapecast.sbe.v1";
  sent = [];

  constructor(url, clock) {
    this.url = url;
    this.clock = clock;
  }

  send(text) {
    this.sent.push({ at: this.clock.time, text, ...JSON.parse(text) });
  }

  close() {
    this.readyState = 3;
  }

  accept() {
    this.readyState = 1;
    this.onopen({});
  }

  say(data) {
    this.onmessage({ data: typeof data === "object" && !(data instanceof ArrayBuffer) ? JSON.stringify(data) : data });
  }

  die(code = 1006) {
    this.readyState = 3;
    this.onclose({ code, reason: "" });
  }

  asked(op) {
    return this.sent.filter((message) => message.op === op);
  }
}

/** A client on a fake network; `random` is what its dice show. */
function setUp({ random = () => 0.5, urls = ["ws://a", "ws://b"], token, handlers = {} } = {}) {
  const clock = new Clock();
  const sockets = [];
  const log = [];
  const client = new Client({
    urls: [...urls],
    token,
    environment: {
      now: () => clock.time,
      random,
      setTimeout: (run, delay) => clock.setTimeout(run, delay),
      clearTimeout: (timer) => clock.clearTimeout(timer),
      open: (url, protocols) => {
        sockets.push(new Socket(url, clock));
        sockets.at(-1).protocols = protocols;
        return sockets.at(-1);
      },
    },
    handlers: { message: (stream, message, outcome) => log.push(outcome), problem: (text) => log.push(text), ...handlers },
  });
  client.start();
  const result = (request, more = {}) =>
    ({ stream: request, ok: true, instrument: 123, view: 0, epoch: 7, price_exponent: -2, size_exponent: -5, start: "snapshot", reason: null, ...more });
  const answer = (socket, more = {}) => {
    const { id, streams } = socket.asked("subscribe").at(-1);
    socket.say({ op: "subscribed", id, results: streams.map((request) => result(request, more)) });
  };
  return { clock, sockets, client, log, answer, result, get socket() { return sockets.at(-1); } };
}

const BOOK = { channel: "book", symbol: "BINANCE:BTC-USDT", depth: 50 };
const first = (seq, head = {}) => snapshot({ seq, prevSeq: -1, ...head }, { bids: [[100, 1]], checksum: referenceChecksum([[100, 1]], []) });
const change = (prevSeq, seq, size) => delta({ prevSeq, seq }, { bids: [[100, size]], checksum: referenceChecksum([[100, size]], []) });

function openBook(options) {
  const world = setUp(options);
  const stream = world.client.subscribe(BOOK);
  world.socket.accept();
  world.clock.pass(1);
  world.answer(world.socket);
  world.socket.say(frame(instrument({ seq: 10 }), first(10)));
  assert.equal(stream.trusted, true);
  return { ...world, stream, get socket() { return world.sockets.at(-1); } };
}

test("the backoff doubles from its base to its cap and is at least half of the step", () => {
  const random = seeded(4);
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const ceiling = Math.min(15_000, 250 * 2 ** attempt);
    for (let turn = 0; turn < 50; turn += 1) {
      const delay = backoffDelay(attempt, random);
      assert.ok(delay >= ceiling / 2 && delay <= ceiling, `${attempt}: ${delay}`);
    }
    assert.equal(backoffDelay(attempt, () => 0), ceiling / 2);
  }
});

test("subscribe messages stay within the server's frame limit and lose nothing", () => {
  const entries = Array.from({ length: 500 }, (_, index) => JSON.stringify({ channel: "bbo", symbol: `BÖRSE:${index}` }));
  const wrap = (inner) => `{"op":"subscribe","id":12345,"streams":[${inner}]}`;
  const cut = batches(entries, wrap);
  assert.deepEqual(cut.flat(), entries);
  for (const batch of cut) assert.ok(new TextEncoder().encode(wrap(batch.join(","))).length <= 4096);
  assert.ok(cut.length < 8);
});

test("many streams are asked for within the server's inbound rate", () => {
  const { client, socket, clock } = setUp();
  for (let index = 0; index < 1500; index += 1) client.subscribe({ channel: "bbo", symbol: `V:${index}` });
  socket.accept();
  clock.pass(5000);
  assert.equal(socket.asked("subscribe").flatMap(({ streams }) => streams).length, 1500);
  for (const { at, text } of socket.sent) {
    assert.ok(text.length <= 4096);
    assert.ok(socket.sent.filter((other) => other.at >= at && other.at < at + 1000).length <= 10);
  }
});

test("a gap is never silent: the stream is untrusted at once and asks again with resume", () => {
  const { stream, socket, clock, log, answer, client } = openBook();
  socket.say(change(11, 12, 5));
  assert.deepEqual([stream.trusted, stream.link, log.at(-1)], [false, "resyncing", "gap"]);
  clock.pass(1);
  assert.deepEqual(socket.asked("unsubscribe").at(-1).streams, [BOOK]);
  assert.deepEqual(socket.asked("subscribe").at(-1).streams, [{ ...BOOK, resume: { epoch: 7, seq: 10 } }]);
  socket.say(change(10, 11, 9)); // of the old subscription
  assert.deepEqual(stream.book.bids.sizes, [1]);
  answer(socket, { start: "resumed" });
  socket.say(change(10, 12, 5));
  assert.deepEqual([stream.trusted, stream.seq, stream.book.bids.sizes], [true, 12, [5]]);
  assert.deepEqual([stream.counts.gaps, stream.counts.resyncs, client.counts.gaps], [1, 1, 1]);
});

test("a wrong checksum asks for a whole book, not for a resume", () => {
  const { stream, socket, clock } = openBook();
  socket.say(delta({ prevSeq: 10, seq: 11 }, { bids: [[100, 2]], checksum: 1 }));
  assert.equal(stream.trusted, false);
  clock.pass(1);
  assert.deepEqual(socket.asked("subscribe").at(-1).streams, [BOOK]);
});

test("a stream that cannot be put right asks more and more slowly", () => {
  const { socket, clock, answer } = openBook();
  for (let second = 0; second < 60; second += 1) {
    for (let turn = 0; turn < 10; turn += 1) {
      clock.pass(100);
      const { id } = socket.asked("subscribe").at(-1);
      if (socket.answered !== id) {
        socket.answered = id;
        answer(socket, { start: "resumed" });
        socket.say(change(50, 51, 1));
      } else {
        socket.say({ op: "pong" });
      }
    }
  }
  assert.ok(socket.asked("subscribe").length < 12, `${socket.asked("subscribe").length} in a minute`);
});

test("a lost connection comes back after the backoff and resumes every stream", () => {
  const world = openBook();
  const { stream, clock, client, sockets } = world;
  sockets[0].die();
  assert.deepEqual([stream.trusted, client.status.phase, sockets.length], [false, "waiting", 1]);
  clock.pass(187); // half of 250 ms and a half of the other half
  assert.equal(sockets.length, 1);
  clock.pass(1);
  assert.equal(sockets.length, 2);
  assert.equal(sockets[1].url, "ws://b");
  sockets[1].accept();
  clock.pass(1);
  assert.deepEqual(sockets[1].asked("subscribe")[0].streams, [{ ...BOOK, resume: { epoch: 7, seq: 10 } }]);
  world.answer(sockets[1], { start: "resumed" });
  assert.deepEqual([stream.trusted, client.reconnects], [true, 1]);
});

test("a connection that fails at once does not start the backoff anew", () => {
  const { sockets, clock, client } = openBook();
  const waits = [];
  for (let turn = 0; turn < 8; turn += 1) {
    sockets.at(-1).die();
    waits.push(client.status.retryAt - clock.time);
    clock.pass(waits.at(-1));
    sockets.at(-1).accept();
    clock.pass(10);
  }
  for (let index = 1; index < waits.length; index += 1) assert.ok(waits[index] >= waits[index - 1]);
  assert.ok(waits.at(-1) > 5000);
  clock.pass(7_000);
  sockets.at(-1).say({ op: "pong" });
  clock.pass(7_000);
  sockets.at(-1).die();
  assert.ok(client.status.retryAt - clock.time < 250);
});

test("a GoAway moves the client within the given time, with resume, and keeps the book until then", () => {
  const world = openBook({ random: () => 0.25 });
  const { stream, sockets, clock, client } = world;
  sockets[0].say(goAway({ reason: 1, delay: 8000, closeAfter: 10_000 }));
  assert.deepEqual([client.status.goAway, stream.trusted], ["DRAIN", true]);
  sockets[0].say(change(10, 11, 3));
  assert.equal(stream.seq, 11);
  clock.pass(1999);
  assert.equal(sockets.length, 1);
  clock.pass(1);
  assert.deepEqual([sockets.length, sockets[1].url, sockets[0].readyState], [2, "ws://b", 3]);
  sockets[1].accept();
  clock.pass(1);
  assert.deepEqual(sockets[1].asked("subscribe")[0].streams[0].resume, { epoch: 7, seq: 11 });
});

test("a node that closes before the jitter is over is not stormed", () => {
  const { sockets, clock } = openBook();
  sockets[0].say(goAway({ delay: 8000 }));
  sockets[0].die(1012);
  clock.pass(3999);
  assert.equal(sockets.length, 1);
  clock.pass(1);
  assert.equal(sockets.length, 2);
});

test("a peer that has fallen silent is asked, and left when it does not answer", () => {
  const { sockets, clock, client, stream } = openBook();
  clock.pass(9_000);
  assert.equal(sockets[0].asked("ping").length, 1);
  sockets[0].say({ op: "pong" });
  clock.pass(7_000);
  assert.equal(client.status.phase, "open");
  clock.pass(11_000);
  assert.deepEqual([client.status.phase === "open" && sockets.length === 1, stream.trusted], [false, false]);
});

test("a frame that cannot be read ends the connection, and the book is not trusted", () => {
  const { sockets, client, stream } = openBook();
  sockets[0].say(begin(99, 56).buffer());
  assert.deepEqual([stream.trusted, client.status.phase, client.counts.undecodable], [false, "waiting", 1]);
});

test("another stream's messages never touch a book", () => {
  const { socket, stream, client } = openBook();
  socket.say(delta({ prevSeq: 10, seq: 11, view: 5 }, { bids: [[100, 7]] }));
  socket.say(delta({ prevSeq: 10, seq: 11, instrumentId: 124 }, { bids: [[100, 7]] }));
  socket.say(heartbeat({ prevSeq: 99, seq: 99 }, CHANNELS.bbo));
  assert.deepEqual([stream.seq, stream.trusted, client.counts.unsolicited], [10, true, 3]);
});

test("a selection that changes quickly asks only for the last one", () => {
  const { client, socket, clock, stream } = openBook();
  client.unsubscribe(stream);
  let last;
  for (let index = 0; index < 50; index += 1) {
    last = client.subscribe({ ...BOOK, symbol: `V:${index}` });
    if (index < 49) client.unsubscribe(last);
  }
  clock.pass(1);
  assert.deepEqual(socket.asked("unsubscribe").map(({ streams }) => streams), [[BOOK]]);
  assert.deepEqual(socket.asked("subscribe").at(-1).streams, [{ ...BOOK, symbol: "V:49" }]);
});

test("an answer to a subscription that was given up opens nothing", () => {
  const { client, socket, clock, answer, result } = openBook();
  const given = client.subscribe({ ...BOOK, depth: 5 });
  clock.pass(1);
  const { id } = socket.asked("subscribe").at(-1);
  client.unsubscribe(given);
  const again = client.subscribe({ ...BOOK, depth: 5 });
  clock.pass(1);
  socket.say({ op: "subscribed", id, results: [result(BOOK)] });
  assert.deepEqual([given.link, again.link], ["offline", "subscribing"]);
  answer(socket);
  assert.equal(again.link, "open");
});

test("a refusal is told and others in the same message still succeed", () => {
  const { client, socket, clock, result } = setUp();
  const good = client.subscribe(BOOK);
  const bad = client.subscribe({ ...BOOK, symbol: "V:NO" });
  socket.accept();
  clock.pass(1);
  const { id } = socket.asked("subscribe").at(-1);
  const error = { code: "unknown_symbol", message: "no such symbol" };
  socket.say({ op: "subscribed", id, results: [result(BOOK), { stream: bad.request, ok: false, error }] });
  assert.deepEqual([good.link, bad.link, bad.error], ["open", "refused", error]);
  clock.pass(60);
  assert.equal(socket.asked("subscribe").length, 1);
});

test("a node that is not ready is asked again", () => {
  const { client, socket, clock, result } = setUp();
  const stream = client.subscribe(BOOK);
  socket.accept();
  clock.pass(1);
  const { id } = socket.asked("subscribe")[0];
  socket.say({ op: "subscribed", id, results: [{ stream: BOOK, ok: false, error: { code: "not_ready", message: "" } }] });
  clock.pass(2500);
  assert.equal(socket.asked("subscribe").length, 2);
  assert.equal(socket.asked("unsubscribe").length, 0);
  socket.say({ op: "subscribed", id: socket.asked("subscribe")[1].id, results: [result(BOOK)] });
  assert.equal(stream.link, "open");
});

test("a server without the binary subprotocol is not listened to", () => {
  const { client, socket } = setUp();
  socket.protocol = "";
  socket.accept();
  assert.deepEqual([client.status.phase, client.counts.connections], ["waiting", 0]);
});

test("a list of several pages is read to its end, and given whole", () => {
  const lists = [];
  const { socket, clock } = setUp({ handlers: { instruments: (list) => lists.push(list.map(({ symbol }) => symbol)) } });
  socket.accept();
  clock.pass(1);
  const page = (symbols, next) => socket.say({ op: "instruments", id: 1, instruments: symbols.map((symbol) => ({ symbol })), next });
  page(["A:A", "A:B"], "A:B");
  clock.pass(2000);
  assert.deepEqual(socket.asked("list").map(({ after }) => after), [undefined, "A:B"]);
  assert.deepEqual(lists, []);
  page(["A:C"]);
  assert.deepEqual(lists, [["A:A", "A:B", "A:C"]]);
});

test("two channels of an instrument are kept apart", () => {
  const { client, socket, clock, answer } = setUp();
  const book = client.subscribe(BOOK);
  const tape = client.subscribe({ channel: "trades", symbol: BOOK.symbol });
  socket.accept();
  clock.pass(1);
  answer(socket);
  socket.say(frame(first(10), trades({ prevSeq: 3, seq: 4 }, [{ price: 1, size: 1 }])));
  assert.deepEqual([book.seq, tape.seq], [10, 4]);
});

test("a stopped client says and opens nothing more", () => {
  const { client, sockets, clock } = openBook();
  client.stop();
  clock.pass(100_000);
  assert.deepEqual([sockets.length, sockets[0].readyState], [1, 3]);
});

test("a token goes beside the encoding, and another one is used at once", () => {
  let token = null;
  const { sockets, client, clock } = setUp({ token: () => token });
  assert.deepEqual(sockets[0].protocols, ["tapecast.sbe.v1"]);
  sockets[0].onclose({ code: 1006, reason: "" });
  token = "abc.def";
  client.restart();
  assert.equal(sockets.length, 2);
  assert.deepEqual(sockets[1].protocols, ["tapecast.sbe.v1", "tapecast.bearer.abc.def"]);
  sockets[1].accept();
  assert.equal(client.status.phase, "open");
  clock.pass(1000);
  assert.equal(sockets.length, 2, "the attempt that was planned before is not made");
});
