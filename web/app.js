// The page: one connection, one row per instrument, one order book.
//
// Messages change the model and mark what they touched; one animation frame later the marked parts are
// rendered. Data of a stream that cannot be trusted is marked as such.

import { BannerView, BarView, LadderView, ProofView, QuoteView, TAPE_LENGTH, TableView, TapeView } from "./views.js";
import { Door } from "./door.js";
import { LedgerView } from "./ledger.js";
import { Client } from "./tapecast/client.js";
import { approximate, decimalsOf } from "./tapecast/decimal.js";

const DEPTH = 50;
const PREFERRED = "BINANCE:BTC-USDT";
/** Every stream sends something within a few seconds, so silence on all of them for this long is reported. */
const QUIET_MS = 6_000;
const SLOW_RENDER_MS = 250;
/** Rates are smoothed over about this many seconds. */
const RATE_SECONDS = 2;

/** An instrument of the table, with the latest data of its bbo, trades and status streams. */
class Row {
  constructor(symbol, client) {
    this.symbol = symbol;
    this.bbo = client.subscribe({ channel: "bbo", symbol });
    this.tape = client.subscribe({ channel: "trades", symbol });
    this.status = client.subscribe({ channel: "status", symbol });
    this.first = null;
    this.last = null;
    this.bid = null;
    this.ask = null;
    this.trades = [];
    this.tradeCount = 0;
    this.tick = "flat";
    this.updates = 0;
    this.rate = 0;
    this.decimals = 0;
    this.sizeDecimals = 0;
  }

  /** Decimals only grow, so that columns do not jump; no digit is ever cut. */
  widen(mantissa, exponent) {
    const decimals = decimalsOf(mantissa, exponent);
    if (decimals > this.decimals) this.decimals = decimals;
  }

  takeInstrument({ priceExponent, sizeExponent, tickSize, lotSize }) {
    if (tickSize !== null) this.widen(tickSize, priceExponent);
    if (lotSize !== null) this.sizeDecimals = Math.max(this.sizeDecimals, decimalsOf(lotSize, sizeExponent));
  }

  takeBbo({ bidPrice, askPrice }) {
    const exponent = this.bbo.priceExponent;
    const value = (mantissa) => {
      if (mantissa === null) return null;
      this.widen(mantissa, exponent);
      return { mantissa, exponent };
    };
    this.bid = value(bidPrice);
    this.ask = value(askPrice);
  }

  takeTrades({ trades, timeMs }) {
    const { priceExponent, sizeExponent } = this.tape;
    for (const { price, size, side } of trades) {
      const value = { mantissa: price, exponent: priceExponent };
      this.widen(price, priceExponent);
      this.sizeDecimals = Math.max(this.sizeDecimals, decimalsOf(size, sizeExponent));
      if (this.last !== null && this.last.exponent === priceExponent && this.last.mantissa !== price) {
        this.tick = price > this.last.mantissa ? "up" : "down";
      }
      this.first ??= value;
      this.last = value;
      this.#push({ time: timeMs, price: value, size: { mantissa: size, exponent: sizeExponent }, side });
    }
    this.tradeCount += trades.length;
  }

  /** Marks in the tape that trades may be missing here. */
  takeTradesGap(now) {
    if (this.trades[0]?.side !== "GAP") this.#push({ time: now, side: "GAP" });
  }

  #push(trade) {
    this.trades.unshift(trade);
    if (this.trades.length > TAPE_LENGTH) this.trades.pop();
  }

  /** The relative change since the page was opened; null if unknown. */
  change() {
    if (this.first === null) return null;
    const first = approximate(this.first.mantissa, this.first.exponent);
    return first === 0 ? null : (approximate(this.last.mantissa, this.last.exponent) - first) / Math.abs(first);
  }

  /** The worst state of the instrument's streams. */
  state() {
    const streams = [this.status, this.bbo, this.tape];
    if (streams.some(({ link }) => link === "refused")) return "REFUSED";
    if (streams.some(({ link }) => link === "offline")) return "OFFLINE";
    if (streams.some(({ link }) => link === "resyncing")) return "RESYNCING";
    if (this.status.state !== null && this.status.state !== "LIVE") return this.status.state;
    if (this.bbo.state !== null && this.bbo.state !== "LIVE") return this.bbo.state;
    return this.status.state ?? "STARTING";
  }

  trusted() {
    return this.state() === "LIVE";
  }
}

class App {
  #client;
  #door = new Door(() => this.#client.restart());
  #rows = new Map();
  #byStream = new Map();
  #symbol = null;
  #book = null;
  #lag = null;
  #problem = null;
  #listed = false;
  #frame = 0;
  #dirtyRows = new Set();
  #dirtyBook = true;
  #dirtyTape = true;
  #rateAt = 0;
  #before = { messages: 0, bytes: 0 };
  #totals = { messages: 0, bytes: 0 };
  #views = {
    table: new TableView((row) => this.select(row.symbol)),
    bar: new BarView(),
    quote: new QuoteView(),
    ladder: new LadderView(),
    banner: new BannerView(),
    proof: new ProofView(),
    tape: new TapeView(),
  };

  constructor() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.#client = new Client({
      urls: `${scheme}://${location.host}/ws`,
      token: () => this.#door.token,
      handlers: {
        message: (stream, message, outcome) => this.#message(stream, message, outcome),
        stream: (stream) => this.#streamChanged(stream),
        status: () => {
          if (this.#client.status.phase === "waiting") this.#door.look();
          this.#touchAll();
        },
        instruments: (list) => this.#list(list),
        problem: (words) => {
          this.#problem = words;
        },
      },
    });
    this.#rateAt = this.#client.now();
    const asked = symbolInHash();
    if (asked !== null) this.select(asked);
    window.addEventListener("hashchange", () => {
      const symbol = symbolInHash();
      if (symbol !== null) this.select(symbol);
    });
    setInterval(() => this.#slow(), SLOW_RENDER_MS);
    new LedgerView(() => this.#door.token);
    this.#client.start();
    this.#touch();
  }

  /** Shows another instrument's book. */
  select(symbol) {
    if (symbol === this.#symbol) return;
    this.#symbol = symbol;
    if (symbolInHash() !== symbol) history.replaceState(null, "", hashOf(symbol));
    this.#views.ladder.reset();
    this.#lag = null;
    this.#openBook();
    this.#dirtyTape = true;
    this.#touch();
  }

  #openBook() {
    if (this.#book !== null) this.#client.unsubscribe(this.#book);
    this.#book = null;
    const row = this.#rows.get(this.#symbol);
    if (row !== undefined) {
      this.#book = this.#client.subscribe({ channel: "book", symbol: this.#symbol, depth: DEPTH });
      this.#views.table.select(row);
    }
    this.#dirtyBook = true;
  }

  #list(list) {
    this.#listed = true;
    let added = false;
    for (const { symbol } of list) {
      if (this.#rows.has(symbol)) continue;
      const row = new Row(symbol, this.#client);
      this.#rows.set(symbol, row);
      for (const stream of [row.bbo, row.tape, row.status]) this.#byStream.set(stream, row);
      this.#dirtyRows.add(row);
      added = true;
    }
    if (!added) return;
    const rows = [...this.#rows.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
    this.#views.table.setRows(rows);
    if (this.#symbol === null) this.select(this.#rows.has(PREFERRED) ? PREFERRED : rows[0].symbol);
    else if (this.#book === null) this.#openBook();
    this.#touch();
  }

  #message(stream, message, outcome) {
    if (stream === this.#book) {
      this.#dirtyBook = true;
      if (outcome === "applied" || message.type === "Heartbeat") this.#lag = this.#client.now() - message.publishTimeMs;
    }
    const row = this.#byStream.get(stream);
    if (row !== undefined) this.#rowMessage(row, stream, message, outcome);
    this.#touch();
  }

  #rowMessage(row, stream, message, outcome) {
    this.#dirtyRows.add(row);
    if (message.type === "Instrument") row.takeInstrument(message);
    if (outcome === "applied") {
      row.updates += 1;
      if (message.type === "Bbo") row.takeBbo(message);
      if (message.type === "Trades") row.takeTrades(message);
    }
    if (stream !== row.tape) return;
    const lost = outcome === "lost" || outcome === "gap" || (message.type === "Status" && message.state !== "LIVE");
    if (lost) row.takeTradesGap(this.#client.now());
    if (row.symbol === this.#symbol) this.#dirtyTape = true;
  }

  #streamChanged(stream) {
    const row = this.#byStream.get(stream);
    if (row !== undefined) {
      this.#dirtyRows.add(row);
      // A resumed stream has all trades; one that restarts may have missed some.
      if (stream === row.tape && stream.link === "open" && stream.seq === null && row.trades.length > 0) {
        row.takeTradesGap(this.#client.now());
      }
    }
    if (stream === this.#book) this.#dirtyBook = true;
    this.#touch();
  }

  #touchAll() {
    for (const row of this.#rows.values()) this.#dirtyRows.add(row);
    this.#touch();
  }

  #touch() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
    });
  }

  #render() {
    const row = this.#rows.get(this.#symbol);
    for (const dirty of this.#dirtyRows) this.#views.table.render(dirty);
    if (this.#dirtyBook && row !== undefined) this.#views.ladder.render(this.#book?.book, row);
    if (this.#dirtyTape && row !== undefined) this.#views.tape.render(row);
    this.#views.banner.render(this.#trouble());
    this.#views.quote.render(this.#symbol ?? "No instrument selected", row);
    this.#dirtyRows.clear();
    this.#dirtyBook = this.#dirtyTape = false;
  }

  /** Renders the figures for which a few times a second is enough. */
  #slow() {
    const now = this.#client.now();
    const seconds = (now - this.#rateAt) / 1000;
    if (seconds >= 1) {
      this.#rateAt = now;
      this.#rates(seconds);
    }
    if (document.hidden) return;
    this.#views.proof.render({ stream: this.#book, lag: this.#lag, reconnects: this.#client.reconnects });
    const { counts } = this.#client;
    const streams = [...this.#byStream.keys(), this.#book].filter((stream) => stream?.link === "open").length;
    this.#views.bar.render({ ...this.#connection(now), ...this.#totals, streams, gaps: counts.gaps, reconnects: this.#client.reconnects });
    this.#touch();
  }

  #rates(seconds) {
    const weight = Math.min(1, seconds / RATE_SECONDS);
    for (const row of this.#rows.values()) {
      const rate = row.updates / seconds;
      row.rate = row.rate === 0 ? rate : row.rate + (rate - row.rate) * weight;
      if (row.rate < 0.05) row.rate = 0;
      row.updates = 0;
      this.#dirtyRows.add(row);
    }
    const { messages, bytes } = this.#client.counts;
    this.#totals = { messages: (messages - this.#before.messages) / seconds, bytes: (bytes - this.#before.bytes) / seconds };
    this.#before = { messages, bytes };
  }

  #connection(now) {
    const { phase, goAway, retryAt } = this.#client.status;
    const wait = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - now) / 1000));
    if (phase === "open" && goAway !== null) return { phase: "leaving", text: `Server is shutting down; reconnecting in ${wait} s` };
    if (phase === "open" && this.#problem !== null) return { phase: "leaving", text: this.#problem };
    if (phase === "open") return { phase, text: "Connected" };
    if (phase === "connecting") return { phase, text: "Connecting" };
    return { phase, text: `Disconnected; reconnecting in ${wait} s` };
  }

  /** What is wrong with the book on display, worst first; null if it is live and verified. */
  #trouble() {
    const { status, quietMs, counts } = this.#client;
    const book = this.#book;
    if (status.phase === "connecting" && counts.connections === 0) return trouble("note", "Connecting", "");
    if (status.phase !== "open") {
      return trouble("bad", "Disconnected", `${status.cause ?? "Reconnecting"}. ${book?.seq == null ? "" : "This book is no longer updated."}`);
    }
    if (book === null) {
      return this.#listed && this.#symbol !== null
        ? trouble("bad", "Unknown instrument", `${this.#symbol} is not available on this server.`)
        : trouble("note", "Loading instruments", "");
    }
    if (book.link === "refused") return trouble("bad", "Subscription rejected", `${book.error.message} (${book.error.code})`);
    if (book.link === "resyncing") return trouble("warn", "Resyncing", "Messages are missing, or a checksum did not match. Reloading the book.");
    if (book.error !== null && book.link === "subscribing") return trouble("warn", "Waiting for the server", `${book.error.message} (${book.error.code})`);
    if (quietMs > QUIET_MS) return trouble("bad", "No data from server", `Last message ${Math.floor(quietMs / 1000)} s ago.`);
    const state = book.state !== null && book.state !== "LIVE" ? book.state : this.#rows.get(this.#symbol)?.status.state;
    if (state in STATE_TROUBLES) return STATE_TROUBLES[state];
    return book.trusted ? null : trouble("note", "Waiting for a snapshot", "");
  }
}

const trouble = (level, title, text) => ({ level, title, text });
const STATE_TROUBLES = {
  RESYNCING: trouble("warn", "Resyncing", "Waiting for a snapshot from the venue."),
  UPSTREAM_GAP: trouble("warn", "Upstream gap", "Messages from the venue are missing. Waiting for a snapshot."),
  STALE: trouble("warn", "Stale", "No updates from the venue for too long. The book may be out of date."),
  HALTED: trouble("warn", "Halted", "The venue has halted trading in this instrument."),
};

function symbolInHash() {
  try {
    const symbol = decodeURIComponent(location.hash.slice(1));
    // "#symbol" is the skip link's target.
    return symbol.includes(":") ? symbol : null;
  } catch {
    return null;
  }
}

const hashOf = (symbol) => `#${encodeURIComponent(symbol).replaceAll("%3A", ":")}`;

new App();
