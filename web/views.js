// What the page shows. A view is given the model and writes only what differs from its last output, so a
// frame costs as much as has changed. No view knows the connection; only the lengths of bars are computed here.

import { add, approximate, decimalsOf, formatDecimal, middle, subtract } from "./tapecast/decimal.js";

/** Levels shown per side. */
export const LADDER_LEVELS = 20;
/** Trades shown, and kept by app.js. */
export const TAPE_LENGTH = 50;

const byId = (id) => document.getElementById(id);
const NONE = "–";

/** A text on the page, written only when it changes. */
class Text {
  #node = document.createTextNode("");

  constructor(element) {
    element.replaceChildren(this.#node);
    this.element = element;
  }

  set(value) {
    if (this.#node.data !== value) this.#node.data = value;
  }
}

const text = (id) => new Text(byId(id));

function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

function child(parent, tag, className, role) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (role) element.setAttribute("role", role);
  parent.append(element);
  return element;
}

const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
export const count = (value) => number.format(value);
const rate = (value) => (value >= 100 || value === 0 ? count(value) : value.toFixed(1));

const print = (value, decimals) => (value === null ? NONE : formatDecimal(value.mantissa, value.exponent, decimals, ","));

/** "+0.42%"; a float is exact enough for a hundredth of a percent. */
function percent(ratio) {
  if (ratio === null || !Number.isFinite(ratio)) return NONE;
  const shown = (ratio * 100).toFixed(2);
  if (Number(shown) === 0) return "0.00%";
  return `${ratio > 0 ? "+" : "−"}${shown.replace("-", "")}%`;
}

const direction = (ratio) => (ratio === null || Math.abs(ratio) < 0.00005 ? "flat" : ratio > 0 ? "up" : "down");

export const STATE_LABELS = {
  LIVE: "Live", RESYNCING: "Resyncing", STALE: "Stale", HALTED: "Halted", UPSTREAM_GAP: "Gap", OFFLINE: "Offline",
  STARTING: "Starting", REFUSED: "Rejected", NONE: "",
};
const stateLabel = (state) => STATE_LABELS[state] ?? String(state);

/** One line of the table. */
class RowView {
  constructor(row, onSelect) {
    const { symbol } = row;
    const element = document.createElement("tr");
    element.tabIndex = -1;
    element.setAttribute("aria-selected", "false");
    element.addEventListener("click", () => onSelect(row));
    const name = child(element, "th", "symbol");
    name.scope = "row";
    const colon = symbol.indexOf(":");
    child(name, "b").textContent = symbol.slice(colon + 1);
    child(name, "small").textContent = symbol.slice(0, Math.max(colon, 0));
    const cell = (className) => new Text(child(element, "td", className));
    this.last = cell("last");
    this.change = cell("change");
    this.bid = cell("bid");
    this.ask = cell("ask");
    this.spread = cell("spread");
    this.rate = cell("rate");
    this.state = new Text(child(child(element, "td", "state"), "span", "state"));
    this.element = element;
    this.seenTrades = 0;
  }

  render(row) {
    const { bid, ask, decimals } = row;
    this.last.set(print(row.last, decimals));
    const ratio = row.change();
    this.change.set(percent(ratio));
    mark(this.change.element, "direction", direction(ratio));
    this.bid.set(print(bid, decimals));
    this.ask.set(print(ask, decimals));
    this.spread.set(bid && ask ? print({ mantissa: subtract(ask.mantissa, bid.mantissa), exponent: ask.exponent }, decimals) : NONE);
    this.rate.set(rate(row.rate));
    const state = row.state();
    this.state.set(stateLabel(state));
    mark(this.state.element, "state", state);
    mark(this.element, "trusted", String(row.trusted()));
    if (row.tradeCount !== this.seenTrades) {
      this.seenTrades = row.tradeCount;
      this.#flash(row.tick);
    }
  }

  /** Two names for one animation: changing the name restarts it without a forced layout. */
  #flash(tick) {
    this.beat = !this.beat;
    mark(this.last.element, "flash", `${tick}${this.beat ? "1" : "2"}`);
  }
}

/** The table of instruments: a grid with one row in the tab order. */
export class TableView {
  #body = byId("rows");
  #views = new Map();
  #selected = null;
  #onSelect;

  constructor(onSelect) {
    this.#onSelect = onSelect;
    this.#body.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Sets the rows, in display order. */
  setRows(rows) {
    byId("empty").hidden = rows.length > 0;
    for (const [index, row] of rows.entries()) {
      let view = this.#views.get(row);
      if (view === undefined) {
        view = new RowView(row, this.#onSelect);
        view.row = row;
        this.#views.set(row, view);
      }
      if (this.#body.children[index] !== view.element) this.#body.insertBefore(view.element, this.#body.children[index] ?? null);
    }
    if (this.#selected === null && rows.length > 0) this.#views.get(rows[0]).element.tabIndex = 0;
  }

  select(row) {
    for (const view of this.#views.values()) {
      const chosen = view.row === row;
      view.element.setAttribute("aria-selected", String(chosen));
      view.element.tabIndex = chosen ? 0 : -1;
    }
    this.#selected = row;
    const element = this.#views.get(row)?.element;
    // The table's own box scrolls, the page does not.
    if (element && this.#body.contains(document.activeElement)) element.focus({ preventScroll: true });
    if (element) this.#reveal(element);
  }

  render(row) {
    this.#views.get(row)?.render(row);
  }

  #reveal(element) {
    const box = this.#body.closest(".instruments");
    const head = box.querySelector("thead").offsetHeight;
    const top = element.offsetTop - head;
    const bottom = element.offsetTop + element.offsetHeight - box.clientHeight;
    if (box.scrollTop > top) box.scrollTop = top;
    else if (box.scrollTop < bottom) box.scrollTop = bottom;
  }

  #key(event) {
    const elements = [...this.#body.children];
    const at = elements.indexOf(event.target.closest("tr"));
    const to = {
      ArrowDown: Math.min(at + 1, elements.length - 1), ArrowUp: Math.max(at - 1, 0), Home: 0, End: elements.length - 1,
      Enter: at, " ": at,
    }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    elements[to].focus({ preventScroll: true });
    const chosen = [...this.#views.values()].find(({ element }) => element === elements[to]);
    this.#onSelect(chosen.row);
  }
}

/** One level of the ladder. */
class LevelView {
  constructor(parent) {
    this.element = child(parent, "div", "level", "row");
    this.bar = child(this.element, "i");
    const cell = (className) => new Text(child(this.element, "span", className, "cell"));
    this.price = cell("price");
    this.size = cell("size");
    this.total = cell("total");
    this.fill = "";
  }

  set(price, size, total, fill) {
    this.price.set(price);
    this.size.set(size);
    this.total.set(total);
    const scale = `scaleX(${fill.toFixed(3)})`;
    if (scale !== this.fill) {
      this.fill = scale;
      this.bar.style.transform = scale;
    }
  }
}

/** The order book: asks above, bids below, the best next to the middle. */
export class LadderView {
  #asks = [];
  #bids = [];
  #mid = text("mid");
  #spread = text("spread");
  #points = text("spread-points");
  // Decimals only grow while an instrument is shown, so that columns do not jump.
  #sizeDecimals = 0;

  constructor() {
    for (let index = 0; index < LADDER_LEVELS; index += 1) {
      this.#asks.unshift(new LevelView(byId("asks")));
      this.#bids.push(new LevelView(byId("bids")));
    }
  }

  reset() {
    this.#sizeDecimals = 0;
  }

  render(book, row) {
    const bids = totals(book?.bids);
    const asks = totals(book?.asks);
    const exponent = book?.priceExponent ?? 0;
    for (const { prices, sizes } of [bids, asks]) {
      for (const price of prices) row.widen(price, exponent);
      for (const size of sizes) this.#sizeDecimals = Math.max(this.#sizeDecimals, decimalsOf(size, book.sizeExponent));
    }
    const most = Math.max(Number(bids.totals.at(-1) ?? 0), Number(asks.totals.at(-1) ?? 0));
    this.#side(this.#bids, bids, book, row.decimals, most);
    this.#side(this.#asks, asks, book, row.decimals, most);
    this.#middle(bids.prices[0], asks.prices[0], exponent, row.decimals);
  }

  #side(views, { prices, sizes, totals: sums }, book, decimals, most) {
    for (const [index, view] of views.entries()) {
      if (index >= prices.length) {
        view.set("", "", "", 0);
        continue;
      }
      const size = (mantissa) => formatDecimal(mantissa, book.sizeExponent, this.#sizeDecimals, ",");
      view.set(formatDecimal(prices[index], book.priceExponent, decimals, ","), size(sizes[index]), size(sums[index]),
        most > 0 ? Number(sums[index]) / most : 0);
    }
  }

  #middle(bid, ask, exponent, decimals) {
    if (bid === undefined || ask === undefined) {
      for (const field of [this.#mid, this.#spread]) field.set(NONE);
      this.#points.set("");
      return;
    }
    const mid = middle(bid, ask, exponent);
    const spread = subtract(ask, bid);
    this.#mid.set(print(mid, decimals));
    this.#spread.set(formatDecimal(spread, exponent, decimals, ","));
    const points = (approximate(spread, exponent) / Math.abs(approximate(mid.mantissa, mid.exponent))) * 10_000;
    this.#points.set(Number.isFinite(points) ? `${points.toFixed(points < 10 ? 2 : 0)} bp` : "");
  }
}

/** The displayed part of a ladder, with cumulative sizes. */
function totals(ladder) {
  const prices = ladder?.prices.slice(0, LADDER_LEVELS) ?? [];
  const sizes = ladder?.sizes.slice(0, LADDER_LEVELS) ?? [];
  let sum = 0;
  return { prices, sizes, totals: sizes.map((size) => (sum = add(sum, size))) };
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

/** The recent trades, newest first. */
export class TapeView {
  #lines = [];

  constructor() {
    for (let index = 0; index < TAPE_LENGTH; index += 1) {
      const element = child(byId("trades"), "div", "trade", "row");
      const cell = (className) => new Text(child(element, "span", className, "cell"));
      this.#lines.push({ element, time: cell("time"), price: cell("price"), size: cell("size") });
    }
  }

  render(row) {
    for (const [index, { element, time, price, size }] of this.#lines.entries()) {
      const trade = row.trades[index];
      mark(element, "side", trade?.side ?? "NONE");
      // The texts of a trade do not change while it moves down the list.
      if (trade !== undefined && trade.shown === undefined) trade.shown = this.#shown(trade, row);
      time.set(trade?.shown.time ?? "");
      price.set(trade?.shown.price ?? "");
      size.set(trade?.shown.size ?? "");
    }
  }

  #shown(trade, row) {
    const time = clock.format(trade.time);
    if (trade.side === "GAP") return { time, price: "trades may be missing", size: "" };
    return { time, price: print(trade.price, row.decimals), size: print(trade.size, row.sizeDecimals) };
  }
}

/** The header of the selected instrument. */
export class QuoteView {
  #symbol = text("symbol");
  #state = text("quote-state");
  #last = text("quote-last");
  #change = text("quote-change");

  render(symbol, row) {
    this.#symbol.set(symbol);
    const state = row?.state() ?? "NONE";
    this.#state.set(stateLabel(state));
    mark(this.#state.element, "state", state);
    this.#last.set(row?.last ? print(row.last, row.decimals) : "");
    mark(this.#last.element, "direction", row?.tick ?? "flat");
    const ratio = row?.change() ?? null;
    this.#change.set(ratio === null ? "" : percent(ratio));
    mark(this.#change.element, "direction", direction(ratio));
    const title = row?.last ? `${print(row.last, row.decimals)} ${symbol} · Tapecast` : "Tapecast";
    if (document.title !== title) document.title = title;
  }
}

/** Says what is wrong with the book on display, and greys it out. */
export class BannerView {
  #pane = byId("ladder-pane");
  #banner = byId("banner");
  #title = text("banner-title");
  #text = text("banner-text");

  render(trouble) {
    mark(this.#pane, "trusted", String(trouble === null));
    if (this.#banner.hidden !== (trouble === null)) this.#banner.hidden = trouble === null;
    this.#title.set(trouble?.title ?? "");
    this.#text.set(trouble?.text ?? "");
    mark(this.#banner, "level", trouble?.level ?? "none");
  }
}

/** Whether the book on display is verified. */
export class ProofView {
  #panel = byId("proof");
  #title = text("proof-title");
  #text = text("proof-text");
  #seq = text("proof-seq");
  #checksum = text("proof-checksum");
  #lag = text("proof-lag");
  #levels = text("proof-levels");
  #gaps = text("proof-gaps");
  #resyncs = text("proof-resyncs");
  #conflated = text("proof-conflated");
  #reconnects = text("proof-reconnects");

  render({ stream, lag, reconnects }) {
    const { verdict, title, body } = judgement(stream);
    mark(this.#panel, "verdict", verdict);
    this.#title.set(title);
    this.#text.set(body);
    this.#seq.set(stream?.seq == null ? NONE : String(stream.seq));
    this.#lag.set(lag === null ? NONE : lag < -0.5 ? "clock skew" : `${Math.max(0, lag).toFixed(lag < 99.95 ? 1 : 0)} ms`);
    const { book, counts } = stream ?? {};
    this.#checksum.set(counts?.checked > 0 ? book.checksum.toString(16).padStart(8, "0") : NONE);
    this.#levels.set(book ? `${count(book.bids.length)} + ${count(book.asks.length)}` : NONE);
    this.#number(this.#gaps, counts?.gaps);
    this.#number(this.#resyncs, counts?.resyncs);
    this.#number(this.#conflated, counts?.conflated);
    this.#number(this.#reconnects, reconnects);
  }

  #number(field, value = 0) {
    field.set(count(value));
    mark(field.element, "some", String(value > 0));
  }
}

function judgement(stream) {
  const { checked = 0, verified = 0, mismatches = 0 } = stream?.counts ?? {};
  const body = `${count(verified)} of ${count(checked)} messages`;
  if (checked === 0) return { verdict: "waiting", title: "Nothing to verify yet", body: "Waiting for the first snapshot" };
  if (!stream.trusted) return { verdict: "waiting", title: "Not verified", body };
  // A new snapshot fixed the mismatch, but it stays on record.
  return mismatches > 0 ? { verdict: "failed", title: "Verified after a mismatch", body } : { verdict: "verified", title: "Verified", body };
}

/** The bar at the top. */
export class BarView {
  #connection = byId("connection");
  #text = text("connection-text");
  #messages = text("total-messages");
  #bytes = text("total-bytes");
  #streams = text("total-streams");
  #gaps = text("total-gaps");
  #reconnects = text("total-reconnects");

  render({ phase, text: words, messages, bytes, streams, gaps, reconnects }) {
    mark(this.#connection, "phase", phase);
    this.#text.set(words);
    this.#messages.set(count(messages));
    this.#bytes.set(count(bytes / 1024));
    this.#streams.set(count(streams));
    this.#gaps.set(count(gaps));
    this.#reconnects.set(count(reconnects));
  }
}
