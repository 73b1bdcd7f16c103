// When to publish what: the same for every server that is compared.
'use strict';
const fs = require('node:fs');
const readline = require('node:readline');

// How long one turn may publish before clients and the network have theirs.
const TURN_NS = 20_000_000n;
// Who is further behind than this leaves out what is older: a second.
const BEHIND_NS = 1_000_000_000n;
const MS = 1_000_000n;

// Standard input says "start NANOSECONDS", the time between two messages, and "stop"; its end is
// the end of the server. `publish` is given what is due: [{topic, message}].
exports.run = (schedule, size, publish) => {
  const topics = fs.readFileSync(schedule);
  const entries = topics.length / 2;
  let next = 0;
  let timer;
  // CLOCK_REALTIME in ns, which node tells in ms only, from the monotonic clock.
  const offset = realtimeOffset();

  // A message's time is when it is due: what a busy server makes late is late.
  const make = (due) => {
    const topic = topics.readUInt16LE(2 * next);
    next = (next + 1) % entries;
    const message = Buffer.alloc(size);
    message.writeBigUInt64LE(due + offset, 0);
    return { topic, message };
  };

  const start = (period) => {
    const begun = process.hrtime.bigint();
    let done = 0n;
    const most = Math.max(1, Number(100n * MS / period));
    const turn = () => {
      const now = process.hrtime.bigint();
      const all = (now - begun) / period;
      const behind = BEHIND_NS / period + 1n;
      if (all - done > behind) done = all - behind;
      // A batch is made and published before the next, so that no turn holds up the network.
      while (done < all && process.hrtime.bigint() - now < TURN_NS) {
        const due = [];
        while (done < all && due.length < Math.min(most, 256)) {
          done += 1n;
          due.push(make(begun + done * period));
        }
        publish(due);
      }
      rest();
    };
    // Until the next one is due, not a period longer: two at once are less work.
    const rest = () => {
      const next = begun + (done + 1n) * period - process.hrtime.bigint();
      timer = setTimeout(turn, Math.min(100, Math.max(1, Number((next + MS - 1n) / MS))));
    };
    rest();
  };

  const orders = readline.createInterface({ input: process.stdin });
  orders.on('line', (line) => {
    const [order, value] = line.split(' ');
    clearTimeout(timer);
    if (order === 'start') start(BigInt(value));
  });
  orders.on('close', () => process.exit(0));
};

function realtimeOffset() {
  // The clock in ms moves at its edges: there both clocks are known exactly.
  const before = Date.now();
  let edge = before;
  while (edge === before) edge = Date.now();
  return BigInt(edge) * MS - process.hrtime.bigint();
}
