"""A fan-out server on uWebSockets, as loadtest peers starts it: server.py PORT SCHEDULE SIZE

Topics, framing and batches are uWebSockets' own (C++). The library's bindings are used below its
Python loop: that loop spins, and a user who cares for the CPU drives libuv's own, as here.
"""

import json
import os
import sys
import threading
import time

from socketify import App, OpCode
from socketify.native import lib

# How long one turn may publish before clients and the network have theirs.
TURN_NS = 20_000_000
# Who is further behind than this leaves out what is older.
BEHIND_NS = 1_000_000_000
MS = 1_000_000

port, schedule, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with open(schedule, "rb") as file:
    entries = memoryview(file.read()).cast("H").tolist()
names = [str(topic).encode() for topic in range(max(entries) + 1)]
filling = bytes(size - 8)


def on_message(ws, message, opcode):
    wanted = json.loads(message)["subscribe"]
    for topic in wanted:
        ws.subscribe(str(topic))
    ws.send(json.dumps({"subscribed": len(wanted)}), OpCode.TEXT)


app = App()
app.ws(
    "/*",
    {
        "compression": 0,
        "idle_timeout": 0,
        "max_backpressure": 1 << 20,
        "message": on_message,
    },
)
app.listen({"port": port, "host": "127.0.0.1"}, lambda config: None)

# What standard input asks for: the time between two messages in ns, or None; read in the turns.
order = None


def orders():
    global order
    for line in sys.stdin:
        words = line.split()
        order = Pace(int(words[1])) if words[0] == "start" else None
    os._exit(0)


class Pace:
    def __init__(self, period):
        self.period = period
        self.begun = time.monotonic_ns()
        self.begun_time = time.time_ns()
        self.done = 0
        self.at = 0

    def turn(self):
        now = time.monotonic_ns()
        due = (now - self.begun) // self.period
        self.done = max(self.done, due - BEHIND_NS // self.period - 1)
        publish, handle, opcode = lib.uws_publish, app.app, int(OpCode.BINARY)
        while self.done < due and time.monotonic_ns() - now < TURN_NS:
            name = names[entries[self.at]]
            self.at = (self.at + 1) % len(entries)
            self.done += 1
            # A message's time is when it is due: what a busy server makes late is late.
            at = self.begun_time + self.done * self.period
            message = at.to_bytes(8, "little") + filling
            publish(0, handle, name, len(name), message, size, opcode, False)

    def rest_ms(self):
        next = self.begun + (self.done + 1) * self.period - time.monotonic_ns()
        return min(100, max(1, -(-next // MS)))


class Clock:
    """Turns when messages are due, so that a server at rest rests.

    A timer for each turn: one that repeats counts from the end of a turn, and whoever rests too
    long sends two messages at once, which is less work than was asked for.
    """

    REST_MS = 10

    def __init__(self, loop):
        self.loop = loop
        self.timer = None
        self.wait(self.REST_MS)

    def wait(self, rest):
        # The one that rings now has to outlive its own call.
        self.rung, self.timer = self.timer, self.loop.create_timer(
            rest, 0, lambda _: self.turn(), None
        )

    def turn(self):
        now = order
        if now is not None:
            now.turn()
        self.wait(now.rest_ms() if now else self.REST_MS)


threading.Thread(target=orders, daemon=True).start()
clock = Clock(app.loop.uv_loop)
app.loop.uv_loop.run()
