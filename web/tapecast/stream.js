// One subscription's place in its stream: the sequence rules, and for `book` the book.
//
// Pure: messages go in, an outcome comes out, and the client does what the outcome asks for. One rule for
// every stream: `seq` ≤ mine, I have it; `prevSeq` ≤ mine < `seq`, apply it; `prevSeq` > mine, a gap.
// Invariant: `trusted` is true only while what is held is what the log says as of `seq`.

import { Book } from "./book.js";

/**
 * Outcomes of `Stream.receive`:
 * - "applied": the message moved the stream on.
 * - "noted": nothing to apply (a heartbeat, a lag notice, a restated status, the instrument).
 * - "held": already had it.
 * - "partial": a chunk of a snapshot that is not whole yet.
 * - "gap": something is missing; subscribe again with `resume`.
 * - "mismatch": the checksum does not fit; subscribe again without `resume`.
 * - "lost": the server no longer holds what was skipped; the stream goes on behind it.
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
    /** The state last told in this stream; null before anything was. */
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

  /** Where to resume, or undefined when nothing is held. */
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
      // A book or a best bid and offer is whole again after its first message. Trades between are not.
      if (this.epoch !== null && this.channel === "trades") this.counts.gaps += 1;
      this.forget();
    }
  }

  /** Drops the place in the stream, so that only a new beginning is taken. */
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

  /** Where a message stands: "begin" (another epoch, or the first), "held", "next" or "gap". */
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
    // A book of a new epoch waits for its snapshot: the status is believed, but begins nothing.
    if (restated || (place === "begin" && this.book !== null)) return "noted";
    // Levels and best prices are whole again with the next message; trades in between may be missing for good.
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
    // The snapshot of the epoch that is spoken of is on its way, or it was missed.
    return this.state === "LIVE" ? "gap" : "noted";
  }

  #lag(message) {
    if (message.epoch !== this.epoch) return this.book === null ? "noted" : "gap";
    if (message.prevSeq > this.seq) return "gap";
    if (message.kind !== "SKIPPED") {
      this.counts.conflated += 1;
      return "noted";
    }
    if (this.book !== null) return "gap"; // a book cannot go on behind a hole
    if (message.toSeq <= this.seq) return "held";
    this.seq = message.toSeq;
    this.counts.gaps += 1;
    this.counts.lost += message.messages;
    return "lost";
  }
}
