"""Runs every query of every dashboard against a real Prometheus that scrapes a loaded node.

    python live.py NODE_BINARY [--hold]

Each query must return data, every rule must be evaluated, and the effects of a slow client and of a
bad request must be visible. With --hold everything keeps running until Enter is pressed.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import load
from names import MIXIN, dashboards

# A small node, so that a client lags within seconds.
SETTINGS = {
    "TAPECAST_STREAMS__RUN_BYTES_PER_STREAM": "4KiB",
    "TAPECAST_SESSION__SEND_BUFFER_BYTES": "4KiB",
}
START_WITHIN = 30.0
# From the first scrape: a rate over 15 s needs a few of them.
DATA_WITHIN = 45.0
SCRAPES = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{mixin}/recording.yaml, {mixin}/alerts.yaml]
scrape_configs:
  - job_name: tapecast
    static_configs: [{{targets: ["{target}"]}}]
"""
# Each of these must be above 0, which shows that the load causes the effects that panels are about.
SEEN = [
    "sum(rate(tapecast_messages_sent_total[15s]))",
    "sum(rate(tapecast_records_total[15s]))",
    "sum(tapecast_cursors_fallen_total)",
    'tapecast_catch_ups_total{kind="conflated"}',
    'tapecast_request_errors_total{code="unknown_op"}',
    'tapecast_resumes_total{outcome="epoch_changed"}',
    'tapecast_handshakes_refused_total{reason="upgrade"}',
    'tapecast_messages_sent_total{channel="trades",encoding="sbe"}',
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, limit: float, look: Callable[[], bool]) -> None:
    end = time.monotonic() + limit
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} within {limit:.0f} s")
        time.sleep(0.2)


class Prometheus:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def is_up(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=1).close()
        except OSError:
            return False
        return True

    def has_data(self, query: str) -> bool:
        """Returns whether a query over a range of time, as Grafana sends it, has any number."""
        if query.startswith("label_values("):
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            assert found, query
            return bool(self.get(f"label/{found[2]}/values", **{"match[]": found[1]}))
        now = time.time()
        series = self.get("query_range", query=query, start=f"{now - 10}", end=f"{now}", step="1")
        values = [value for one in series["result"] for _, value in one["values"]]
        return any(value != "NaN" for value in values)

    def is_above_zero(self, query: str) -> bool:
        return any(float(one["value"][1]) > 0 for one in self.get("query", query=query)["result"])


def filled_in(query: str) -> str:
    """A query as Grafana sends it for all nodes."""
    for name, value in {"$__rate_interval": "15s", "$job": ".*", "$instance": ".*"}.items():
        query = query.replace(name, value)
    return query


def start(stack: ExitStack, *command: str, **more: Any) -> subprocess.Popen[str]:
    """Starts a program that ends with the check, by SIGTERM."""
    program = subprocess.Popen(command, text=True, **more)

    def end() -> None:
        program.terminate()
        try:
            program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

    stack.callback(end)
    return program


def start_node(
    stack: ExitStack, binary: str, log: Path, settings: dict[str, str]
) -> tuple[tuple[str, int], str]:
    """Starts a demo on free ports. Returns the addresses for clients and for Prometheus."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPECAST_")}
    command = [binary, "demo", "--rate", "3", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    node = start(stack, *command, env=kept | settings, stderr=log.open("w"))

    def listens() -> bool:
        if node.poll() is not None:
            raise RuntimeError(f"the node has ended:\n{log.read_text()}")
        return "Ctrl-C" in log.read_text()

    wait_for("the node's start", START_WITHIN, listens)
    page = re.search(r"page +http://([\d.]+):(\d+)/", log.read_text())
    admin = re.search(r"metrics +http://([\d.:]+)/metrics", log.read_text())
    assert page and admin, log.read_text()
    return (page[1], int(page[2])), admin[1]


def check(binary: str, hold: bool) -> list[str]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        public, admin = start_node(stack, binary, directory / "node.log", SETTINGS)
        url = f"ws://{public[0]}:{public[1]}/ws"
        port = free_port()
        config = directory / "prometheus.yaml"
        config.write_text(SCRAPES.format(mixin=MIXIN, target=admin))
        server = Prometheus(port)
        start(
            stack,
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )
        wait_for("Prometheus' start", START_WITHIN, server.is_up)
        wait_for("a ready node", START_WITHIN, lambda: server.is_above_zero("tapecast_ready"))
        # In this order each rate observes an increase.
        tail = [binary, "tail", *load.SYMBOLS, "--url", url, "--json", "--channel", "book,bbo,trades"]
        start(stack, *tail, stdout=subprocess.DEVNULL)
        stop = threading.Event()
        slow = threading.Thread(target=load.read_slowly, args=(public, stop))
        slow.start()
        stack.callback(slow.join)
        stack.callback(stop.set)
        load.misbehave(public)
        wrong = look(server)
        if hold:
            input(f"Prometheus is at {server.url}; Enter ends it. ")
        return wrong


def look(server: Prometheus) -> list[str]:
    """Returns what has no data. Each query is repeated until it has, or time is up."""
    waiting = [(place, filled_in(query)) for place, query in dashboards()]
    count = len(waiting)
    seen = list(SEEN)
    end = time.monotonic() + DATA_WITHIN
    while (waiting or seen) and time.monotonic() < end:
        time.sleep(1)
        waiting = [(place, query) for place, query in waiting if not server.has_data(query)]
        seen = [query for query in seen if not server.is_above_zero(query)]
    rules = [rule for group in server.get("rules")["groups"] for rule in group["rules"]]
    wrong = [f"{place}: no data: {query}" for place, query in waiting]
    wrong += [f"never above 0: {query}" for query in seen]
    wrong += [
        f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"
    ]
    print(f"{count} queries, {len(rules)} rules, {len(SEEN)} effects, {len(wrong)} without data")
    return wrong


def main() -> int:
    arguments = sys.argv[1:]
    hold = "--hold" in arguments
    binaries = [argument for argument in arguments if argument != "--hold"]
    if len(binaries) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    wrong = check(binaries[0], hold)
    for mistake in wrong:
        print(mistake)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
