// One subscription's position in its stream: the sequence rules, and for `book` the book.
//
// Pure: messages go in, an outcome comes out, and the client acts on the outcome. One rule for
// every stream: `seq` ≤ mine, skip; `prevSeq` ≤ mine < `seq`, apply; `prevSeq` > mine, a gap.
// Invariant: `trusted` is true only while the data equals that of the log as of `seq`.

import { Book } from "./book.js";

/**
 * Outcomes of `Stream.receive`:
 * - "applied": the message moved the stream on.
 * - "noted": nothing to apply (a heartbeat, a lag notice, a restated status, the instrument).
 * - "held": it had been applied already.
 * - "partial": a chunk of an incomplete snapshot.
 * - "gap": something is missing; subscribe again with `resume`.
 * - "mismatch": the checksum does not match; subscribe again without `resume`.
 * - "lost": the server no longer holds what was skipped; the stream continues after it.
 */

export class Stream {
  /** @param request the stream as the subscribe message names it: channel, symbol, depth, speed, … */
  constructor(request) {
    this.request = request;
    this.channel = request.channel;
    this.symbol = request.symbol;
    /** "offline" | "subscribing" | "open" | "resyncing" | "refused" */
    this.link = "offline";
    this.error = null;
    /** The last state received in this stream; null if there was none. */
    this.state = null;
    this.reason = "NONE";
    this.instrument = null;
    this.view = 0;
    this.priceExponent = -8;
    this.sizeExponent = -8;
    this.epoch = null;
    this.seq = null;
    this.book = request.channel === "book" ? new Book() : null;
    this.counts = {
      messages: 0, checked: 0, verified: 0, gaps: 0, mismatches: 0, resyncs: 0, conflated: 0, lost: 0, epochs: 0,
    };
  }

  get trusted() {
    return this.link === "open" && this.epoch !== null && this.state === "LIVE";
  }

  /** The position to resume from; undefined if there is none. */
  get resume() {
    return this.epoch === null ? undefined : { epoch: this.epoch, seq: this.seq };
  }

  /** Takes the server's `ok` result. */
  open(result) {
    this.link = "open";
    this.error = null;
    this.instrument = result.instrument;
    this.view = result.view ?? 0;
    this.#scale(result.price_exponent, result.size_exponent);
    this.book?.unstage();
    if (result.start !== "resumed") {
      // A book or a best bid and offer is complete again after its first message. Trades in between are lost.
      if (this.epoch !== null && this.channel === "trades") this.counts.gaps += 1;
      this.forget();
    }
  }

  /** Drops the position, so that only a new start is accepted. */
  forget() {
    this.epoch = null;
    this.seq = null;
    this.state = null;
    this.book?.unstage();
  }

  /** Takes one message of this stream. */
  receive(message) {
    this.counts.messages += 1;
    const outcome = this.#take(message);
    if (outcome === "gap") this.counts.gaps += 1;
    return outcome;
  }

  #take(message) {
    switch (message.type) {
      case "Instrument":
        this.#scale(message.priceExponent, message.sizeExponent);
        return "noted";
      case "Heartbeat":
        return this.#heartbeat(message);
      case "Lag":
        return this.#lag(message);
      case "Status":
        return this.#status(message);
      case "BookSnapshot":
        return this.#snapshot(message);
      case "BookDelta":
        return this.#delta(message);
      default:
        return this.#plain(message);
    }
  }

  #scale(priceExponent, sizeExponent) {
    this.priceExponent = priceExponent;
    this.sizeExponent = sizeExponent;
  }

  /** The place of a message: "begin" (another epoch, or the first), "held", "next" or "gap". */
  #place(message) {
    if (message.epoch !== this.epoch) return "begin";
    if (message.seq <= this.seq) return "held";
    return message.prevSeq <= this.seq ? "next" : "gap";
  }

  #advance(message) {
    if (this.epoch !== null && this.epoch !== message.epoch) this.counts.epochs += 1;
    this.epoch = message.epoch;
    this.seq = message.seq;
  }

  /** Data was applied: whatever was wrong with the stream is over. */
  #live(message) {
    this.#advance(message);
    if (this.state !== null && this.state !== "LIVE") this.counts.resyncs += 1;
    this.state = "LIVE";
    this.reason = "NONE";
    return "applied";
  }

  #checked(matches) {
    this.counts.checked += 1;
    this.counts[matches ? "verified" : "mismatches"] += 1;
  }

  #snapshot(message) {
    const place = this.#place(message);
    if (place === "held" || place === "gap") return place;
    switch (this.book.stage(message, this)) {
      case "partial":
        return "partial";
      case "complete":
        this.#checked(true);
        return this.#live(message);
      case "mismatch":
        this.#checked(false);
        return "mismatch";
      default:
        return "gap";
    }
  }

  #delta(message) {
    const place = this.#place(message);
    if (place === "begin") return "gap"; // only a snapshot begins a book
    if (place !== "next") return place;
    const matches = this.book.applyDelta(message);
    this.#checked(matches);
    return matches ? this.#live(message) : "mismatch";
  }

  #plain(message) {
    const place = this.#place(message);
    return place === "held" || place === "gap" ? place : this.#live(message);
  }

  #status(message) {
    const place = this.#place(message);
    const restated = place === "held" && message.seq === this.seq;
    if (place === "gap" || (place === "held" && !restated)) return place;
    this.state = message.state;
    this.reason = message.reason;
    // A new epoch of a book begins with its snapshot: a status before that is believed, but begins nothing.
    if (restated || (place === "begin" && this.book !== null)) return "noted";
    // A book or a best bid and offer is complete again with the next message; trades in between may be lost.
    if (this.channel === "trades" && place === "next" && message.state !== "LIVE") this.counts.gaps += 1;
    this.#advance(message);
    return "applied";
  }

  #heartbeat(message) {
    if (message.epoch === this.epoch) return message.prevSeq > this.seq ? "gap" : "noted";
    if (this.book === null) {
      this.#advance(message);
      return "noted";
    }
    // The snapshot of that epoch is on its way, or it was missed.
    return this.state === "LIVE" ? "gap" : "noted";
  }

  #lag(message) {
    if (message.epoch !== this.epoch) return this.book === null ? "noted" : "gap";
    if (message.prevSeq > this.seq) return "gap";
    if (message.kind !== "SKIPPED") {
      this.counts.conflated += 1;
      return "noted";
    }
    if (this.book !== null) return "gap"; // a book cannot continue after a hole
    if (message.toSeq <= this.seq) return "held";
    this.seq = message.toSeq;
    this.counts.gaps += 1;
    this.counts.lost += message.messages;
    return "lost";
  }
}
