// The connection: subscribes, tracks the position of each stream, and reconnects whatever happens.
//
// Invariants: it sends at most OUTBOUND_PER_SECOND messages of at most OUTBOUND_BYTES; a message reaches a
// stream only between the answer that opened it and the request that closes it, so late messages of an old
// subscription never reach a new one; gaps, checksum mismatches and lost connections are counted and shown in
// `stream.link` before anything else happens.

import { DecodeError, SUBPROTOCOL, decodeFrame } from "./sbe.js";
import { Stream } from "./stream.js";

/** The server rejects messages over 4,096 bytes; the difference is room for the envelope of a batch. */
const OUTBOUND_BYTES = 4000;
/** The server accepts 10 messages a second; the difference is room for pongs and for network jitter. */
const OUTBOUND_PER_SECOND = 6;
const CONNECT_DEADLINE_MS = 10_000;
/** Every stream sends something every few seconds, if only a heartbeat; after this much silence, ping. */
const QUIET_BEFORE_PING_MS = 8_000;
const PONG_DEADLINE_MS = 8_000;
const LIST_EVERY_MS = 15_000;
// A page has 200 instruments; longer lists are not shown.
const LIST_PAGES = 50;
/** A connection that lasts this long resets the backoff. */
const SETTLED_MS = 10_000;
/** After this many messages in order, a stream's faults are forgotten. */
const SETTLED_MESSAGES = 64;
const BACKOFF_BASE_MS = 250;
const BACKOFF_CAP_MS = 15_000;

/** The wait before attempt `attempt` (from 0): doubles up to a cap; its upper half is random. */
export function backoffDelay(attempt, random) {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 16));
  return ceiling / 2 + random() * (ceiling / 2);
}

const browser = {
  now: () => performance.timeOrigin + performance.now(),
  random: () => Math.random(),
  setTimeout: (run, delay) => setTimeout(run, delay),
  clearTimeout: (timer) => clearTimeout(timer),
  open: (url, protocols) => new WebSocket(url, protocols),
};

const CHANNEL_OF = {
  BookSnapshot: "book", BookDelta: "book", Bbo: "bbo", Trades: "trades", Ticker: "ticker", Bar: "bars",
};

/** The channel of a message; null if it applies to all streams of an instrument. */
function channelOf(message) {
  if (message.type === "Instrument") return null;
  return CHANNEL_OF[message.type] ?? String(message.channel).toLowerCase();
}

const encoder = new TextEncoder();

/** Splits stream entries into JSON messages of at most OUTBOUND_BYTES; `wrap` adds the envelope of a batch. */
export function batches(entries, wrap, limit = OUTBOUND_BYTES) {
  const room = limit - encoder.encode(wrap("")).length;
  const result = [];
  let batch = [];
  let used = 0;
  for (const entry of entries) {
    const cost = encoder.encode(entry).length + 1;
    if (batch.length > 0 && used + cost > room) {
      result.push(batch);
      batch = [];
      used = 0;
    }
    batch.push(entry);
    used += cost;
  }
  if (batch.length > 0) result.push(batch);
  return result;
}

export class Client {
  #urls;
  #token;
  #handlers;
  #env;
  #socket = null;
  #openedAt = 0;
  #heardAt = 0;
  #pingedAt = null;
  #listedAt = 0;
  #pages = []; // of the list being fetched
  #timers = new Map(); // purpose → timer; a purpose has one at a time
  #sendTimes = [];
  #nextId = 1;
  #streams = new Map(); // stream → its request state, see #track
  #bound = new Map(); // instrument id → streams that may receive
  #asked = new Map(); // request id → streams, in the order of the request
  #leaving = false;

  /**
   * @param urls one WebSocket URL, or several that are tried in turn
   * @param token returns the token to connect with, or null if there is none
   * @param handlers status(), instruments(list), message(stream, message, outcome), stream(stream), problem(text)
   * @param environment clock, timers, randomness and sockets; a test brings its own
   */
  constructor({ urls, token = () => null, handlers = {}, environment = {} }) {
    this.#urls = [].concat(urls);
    this.#token = token;
    this.#handlers = handlers;
    this.#env = { ...browser, ...environment };
    /** What the connection is doing: "connecting", "open", "waiting" (for the next attempt) or "stopped". */
    this.status = { phase: "stopped", attempt: 0, retryAt: null, cause: null, goAway: null, since: this.#env.now() };
    this.counts = { connections: 0, frames: 0, bytes: 0, messages: 0, undecodable: 0, unsolicited: 0, gaps: 0, goAways: 0 };
  }

  get reconnects() {
    return Math.max(0, this.counts.connections - 1);
  }

  /** Milliseconds since anything was received, while connected. */
  get quietMs() {
    return this.status.phase === "open" ? this.#env.now() - this.#heardAt : 0;
  }

  now() {
    return this.#env.now();
  }

  start() {
    if (this.status.phase === "stopped") this.#connect();
  }

  /** Connects at once and resets the backoff, because there is a new token. */
  restart() {
    this.stop();
    this.status.attempt = 0;
    this.start();
  }

  stop() {
    this.#leaving = false;
    this.#drop("stopped");
    for (const purpose of [...this.#timers.keys()]) this.#cancel(purpose);
    this.#become({ phase: "stopped", retryAt: null });
  }

  /** Subscribes to a stream and keeps it through reconnects until `unsubscribe`. */
  subscribe(request) {
    const stream = new Stream(request);
    this.#streams.set(stream, { wanted: true, sent: false, restart: false, dirty: true, resyncs: 0, inOrder: 0 });
    if (this.status.phase === "open") stream.link = "subscribing";
    this.#flushSoon();
    return stream;
  }

  unsubscribe(stream) {
    const side = this.#streams.get(stream);
    if (side === undefined) return;
    this.#unbind(stream);
    this.#cancel(stream);
    stream.link = "offline";
    side.wanted = false;
    side.dirty = true;
    if (!side.sent) this.#streams.delete(stream);
    this.#flushSoon();
  }

  // ---- the connection

  /** A script cannot set headers, so the token is offered as a subprotocol; the node never selects it. */
  #protocols() {
    const token = this.#token();
    return token === null ? [SUBPROTOCOL] : [SUBPROTOCOL, `tapecast.bearer.${token}`];
  }

  #connect() {
    const url = this.#urls[0];
    this.#urls.push(this.#urls.shift());
    this.#cancel("retry");
    this.#become({ phase: "connecting", retryAt: null });
    let socket;
    try {
      socket = this.#env.open(url, this.#protocols());
    } catch (error) {
      this.#retry(error.message);
      return;
    }
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    // An abandoned socket may still deliver events; only the current one counts.
    const current = (run) => (event) => {
      if (this.#socket === socket) run(event);
    };
    socket.onopen = current(() => this.#opened(socket));
    socket.onmessage = current((event) => this.#heard(event.data));
    socket.onclose = current((event) => this.#closed(event));
    socket.onerror = null; // onclose follows, with details
    this.#after("deadline", CONNECT_DEADLINE_MS, () => this.#fail("the server did not respond"));
  }

  #opened(socket) {
    this.#cancel("deadline");
    if (socket.protocol !== SUBPROTOCOL) {
      this.#fail("the server does not support " + SUBPROTOCOL);
      return;
    }
    this.counts.connections += 1;
    this.#openedAt = this.#heardAt = this.#env.now();
    this.#pingedAt = null;
    this.#become({ phase: "open", cause: null, goAway: null });
    for (const [stream, side] of this.#streams) {
      side.dirty = true;
      this.#link(stream, "subscribing");
    }
    this.#list();
    this.#flushSoon();
    this.#watch();
  }

  #closed(event) {
    this.#fail(closeCause(event.code, event.reason));
  }

  /** Gives the connection up: every stream goes offline, and another attempt follows after a delay. */
  #fail(cause) {
    this.#drop("lost");
    if (this.#leaving) {
      // The node had announced it, and the time to reconnect is set already.
      this.#become({ phase: "waiting", cause });
      return;
    }
    this.#retry(cause);
  }

  #retry(cause) {
    const settled = this.#openedAt > 0 && this.#env.now() - this.#openedAt >= SETTLED_MS;
    this.#openedAt = 0;
    const attempt = settled ? 0 : this.status.attempt;
    const delay = backoffDelay(attempt, this.#env.random);
    this.#become({ phase: "waiting", cause, attempt: attempt + 1, retryAt: this.#env.now() + delay });
    this.#after("retry", delay, () => this.#connect());
  }

  /** Drops the socket and all state of the connection. */
  #drop(reason) {
    const socket = this.#socket;
    this.#socket = null;
    for (const purpose of ["deadline", "watch", "flush", "list"]) this.#cancel(purpose);
    if (socket !== null && socket.readyState <= 1) socket.close(1000, reason);
    this.#bound.clear();
    this.#asked.clear();
    this.#sendTimes.length = 0;
    for (const [stream, side] of this.#streams) {
      if (!side.wanted) {
        this.#streams.delete(stream);
        continue;
      }
      side.sent = false;
      side.restart = false;
      this.#cancel(stream);
      this.#link(stream, "offline");
    }
  }

  #goAway(message) {
    if (this.#leaving) return;
    this.counts.goAways += 1;
    this.#leaving = true;
    const delay = this.#env.random() * message.delay;
    this.#become({ goAway: message.reason, retryAt: this.#env.now() + delay });
    this.#after("leave", delay, () => {
      this.#leaving = false;
      this.#drop("the server is shutting down");
      this.#connect();
    });
  }

  /** Once a second: pings a silent server, leaves a dead one, refreshes the list. */
  #watch() {
    const now = this.#env.now();
    if (this.#pingedAt !== null && now - this.#pingedAt >= PONG_DEADLINE_MS) {
      this.#fail("no response from the server");
      return;
    }
    if (this.#pingedAt === null && now - this.#heardAt >= QUIET_BEFORE_PING_MS) {
      this.#pingedAt = now;
      this.#send({ op: "ping", id: this.#nextId++ });
    }
    if (now - this.#listedAt >= LIST_EVERY_MS) this.#list();
    this.#after("watch", 1000, () => this.#watch());
  }

  // ---- receiving

  #heard(data) {
    this.#heardAt = this.#env.now();
    this.#pingedAt = null;
    try {
      if (typeof data === "string") {
        this.#answer(JSON.parse(data));
        return;
      }
      this.counts.frames += 1;
      this.counts.bytes += data.byteLength;
      const socket = this.#socket;
      decodeFrame(data, (message) => {
        // A message before this one may have ended the connection.
        if (this.#socket === socket) this.#message(message);
      });
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof SyntaxError)) throw error;
      this.counts.undecodable += 1;
      this.#fail(`a message that cannot be read: ${error.message}`);
    }
  }

  #message(message) {
    this.counts.messages += 1;
    if (message.type === "GoAway") {
      this.#goAway(message);
      return;
    }
    const channel = channelOf(message);
    let taken = false;
    // A copy: a gap unbinds the stream that it is found in.
    for (const stream of this.#bound.get(message.instrumentId)?.slice() ?? []) {
      if (channel !== null && (stream.channel !== channel || stream.view !== message.view)) continue;
      taken = true;
      const outcome = stream.receive(message);
      this.#settle(stream, outcome);
      this.#handlers.message?.(stream, message, outcome);
    }
    if (!taken) this.counts.unsolicited += 1;
  }

  #settle(stream, outcome) {
    const side = this.#streams.get(stream);
    if (outcome === "applied" && side.resyncs > 0 && ++side.inOrder >= SETTLED_MESSAGES) side.resyncs = 0;
    if (outcome === "gap" || outcome === "lost") this.counts.gaps += 1;
    if (outcome === "mismatch") stream.forget();
    if (outcome === "gap" || outcome === "mismatch") this.#resync(stream, side);
  }

  /** Subscribes again: at once the first time, then with a growing delay, so that a persistent fault does not flood the server. */
  #resync(stream, side) {
    this.#unbind(stream);
    stream.counts.resyncs += 1;
    this.#link(stream, "resyncing");
    const delay = side.resyncs === 0 ? 0 : backoffDelay(side.resyncs, this.#env.random);
    side.resyncs += 1;
    side.inOrder = 0;
    this.#after(stream, delay, () => {
      side.restart = true;
      side.dirty = true;
      this.#flushSoon();
    });
  }

  #answer(answer) {
    switch (answer.op) {
      case "subscribed":
        this.#subscribed(answer);
        break;
      case "instruments":
        this.#listed(answer);
        break;
      case "error":
        this.#refusedWhole(answer);
        break;
      default: // "unsubscribed" and "pong" carry no news
    }
  }

  #subscribed({ id, results }) {
    const asked = this.#asked.get(id) ?? [];
    this.#asked.delete(id);
    for (const [index, result] of (results ?? []).entries()) {
      const stream = asked[index];
      const side = this.#streams.get(stream);
      // Given up or requested again in the meantime: this answer is about a subscription that is being closed.
      if (side === undefined || side.asked !== id || !side.wanted || side.restart) continue;
      if (result.ok) {
        stream.open(result);
        if (!this.#bound.has(result.instrument)) this.#bound.set(result.instrument, []);
        this.#bound.get(result.instrument).push(stream);
        this.#handlers.stream?.(stream);
      } else {
        this.#refused(stream, side, result.error ?? { code: "bad_request", message: "refused" });
      }
    }
  }

  #refused(stream, side, error) {
    side.sent = false;
    stream.error = error;
    if (error.code === "bad_resume") stream.forget();
    if (error.code === "not_ready" || error.code === "bad_resume" || error.code === "already_subscribed") {
      side.sent = error.code === "already_subscribed";
      this.#link(stream, "subscribing");
      this.#after(stream, backoffDelay(3, this.#env.random), () => {
        side.restart = side.sent;
        side.dirty = true;
        this.#flushSoon();
      });
      return;
    }
    this.#link(stream, "refused");
  }

  #refusedWhole(answer) {
    const error = answer.error ?? { code: answer.code ?? "error", message: answer.message ?? "" };
    this.#handlers.problem?.(`${error.code}: ${error.message}`);
    for (const stream of this.#asked.get(answer.id) ?? []) {
      const side = this.#streams.get(stream);
      if (side?.asked === answer.id) this.#refused(stream, side, error);
    }
    this.#asked.delete(answer.id);
  }

  #link(stream, link) {
    if (stream.link === link) return;
    stream.link = link;
    this.#handlers.stream?.(stream);
  }

  #unbind(stream) {
    const streams = this.#bound.get(stream.instrument);
    const at = streams?.indexOf(stream) ?? -1;
    if (at >= 0) streams.splice(at, 1);
  }

  // ---- sending

  #list() {
    this.#listedAt = this.#env.now();
    this.#pages = [];
    this.#send({ op: "list", id: this.#nextId++ });
  }

  /** Takes a page of the list; the handler gets the complete list after its last page. */
  #listed({ instruments, next }) {
    this.#pages.push(instruments ?? []);
    if (next !== undefined && this.#pages.length < LIST_PAGES) {
      this.#after("list", this.#allowedIn(), () => this.#send({ op: "list", id: this.#nextId++, after: next }));
      return;
    }
    this.#handlers.instruments?.(this.#pages.flat());
  }

  #flushSoon() {
    if (this.status.phase !== "open" || this.#timers.has("flush")) return;
    this.#after("flush", 0, () => this.#flush());
  }

  /** How long until the next message may be sent. */
  #allowedIn() {
    const now = this.#env.now();
    while (this.#sendTimes.length > 0 && now - this.#sendTimes[0] >= 1000) this.#sendTimes.shift();
    return this.#sendTimes.length < OUTBOUND_PER_SECOND ? 0 : 1000 - (now - this.#sendTimes[0]);
  }

  #send(message) {
    this.#sendTimes.push(this.#env.now());
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Sends what has changed: first what is no longer wanted, then what is. */
  #flush() {
    const ended = [];
    const wanted = [];
    for (const [stream, side] of this.#streams) {
      if (!side.dirty) continue;
      if (side.sent && (!side.wanted || side.restart)) ended.push(stream);
      else if (side.wanted && !side.sent) wanted.push(stream);
      else side.dirty = false;
    }
    const phase = ended.length > 0 ? ended : wanted;
    if (phase.length === 0) return;
    const wait = this.#allowedIn();
    if (wait > 0) {
      this.#after("flush", wait, () => this.#flush());
      return;
    }
    this.#sendBatch(ended.length > 0 ? "unsubscribe" : "subscribe", phase);
    this.#flush();
  }

  #sendBatch(op, streams) {
    const id = this.#nextId++;
    const entries = streams.map((stream) =>
      JSON.stringify(op === "subscribe" ? { ...stream.request, resume: stream.resume } : stream.request));
    const wrap = (inner) => `{"op":"${op}","id":${id},"streams":[${inner}]}`;
    const [batch] = batches(entries, wrap);
    const sent = streams.slice(0, batch.length);
    for (const stream of sent) {
      const side = this.#streams.get(stream);
      side.sent = op === "subscribe";
      side.restart = false;
      side.dirty = op === "unsubscribe" && side.wanted;
      side.asked = id;
      if (op === "unsubscribe" && !side.wanted) this.#streams.delete(stream);
    }
    if (op === "subscribe") this.#asked.set(id, sent);
    this.#send(wrap(batch.join(",")));
  }

  // ---- time

  #after(purpose, delay, run) {
    this.#cancel(purpose);
    this.#timers.set(purpose, this.#env.setTimeout(() => {
      this.#timers.delete(purpose);
      run();
    }, delay));
  }

  #cancel(purpose) {
    const timer = this.#timers.get(purpose);
    if (timer !== undefined) this.#env.clearTimeout(timer);
    this.#timers.delete(purpose);
  }

  #become(change) {
    if (change.phase !== undefined && change.phase !== this.status.phase) change.since = this.#env.now();
    this.status = { ...this.status, ...change };
    this.#handlers.status?.(this.status);
  }
}

function closeCause(code, reason) {
  const known = {
    1000: "closed by the server", 1001: "the server is shutting down", 1006: "the connection was lost or refused",
    1012: "the server is restarting", 4000: "this page fell too far behind", 4001: "this page did not answer a ping in time",
    4002: "this page sent too many messages", 4003: "the token has expired",
  };
  return known[code] ?? `closed with ${code}${reason ? ": " + reason : ""}`;
}
