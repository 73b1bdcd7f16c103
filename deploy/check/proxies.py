"""Runs two nodes behind a real HAProxy, then behind a real NGINX, with the configurations of deploy/.

    python proxies.py NODE_BINARY

Clients connect with TLS and are served by both nodes. One node allows few sessions: clients in excess
must be served by the other. Then one node is drained: from then on every client must be served, and
none may receive that a node is full or stopping.
"""

import socket
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import balancer_config

sys.path.insert(0, str(balancer_config.DEPLOY.parent / "dashboards" / "check"))

import live
import load

# Longer than a balancer needs to notice.
SETTINGS = {"TAPECAST_SESSION__DRAIN_DELAY": "4s"}
# Session limit of the first node, below half of the clients that stay.
FEW = {"TAPECAST_LIMITS__SESSIONS": "2"}
STAYING = 8
CLIENTS = 20
# Clients that connect while the node drains and after it has ended.
COMING = 50
PAUSE = 0.1
Address = tuple[str, int]


def serve(address: Address, tls: ssl.SSLContext) -> socket.socket:
    """Connects a client, subscribes, and reads the first message."""
    stream = load.connect(address, tls)
    streams = [{"channel": "book", "symbol": load.SYMBOLS[0], "depth": 1}]
    load.say(stream, {"op": "subscribe", "id": 1, "streams": streams})
    load.hear(stream, b"BookSnapshot")
    return stream


def is_ready(admin: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{admin}/readyz", timeout=5).close()
    except OSError:
        return False
    return True


def opened(admin: str) -> int:
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("tapecast_sessions_opened_total "):
                return int(float(line.split()[1]))
    raise ValueError("no metric of sessions")


Start = Callable[[ExitStack, Path, list[tuple[Address, str]]], int]


def start_haproxy(stack: ExitStack, directory: Path, nodes: list[tuple[Address, str]]) -> int:
    plain, tls, stats = balancer_config.free_port(), balancer_config.free_port(), balancer_config.free_port()
    servers = [
        f"node{number} {host}:{port} port {admin.split(':')[1]}"
        for number, ((host, port), admin) in enumerate(nodes)
    ]
    config = balancer_config.haproxy(directory, plain, tls, stats, servers)
    log = (directory / "haproxy.log").open("w")
    live.start(stack, "haproxy", "-db", "-f", str(config), stdout=log, stderr=log)
    return tls


def start_nginx(stack: ExitStack, directory: Path, nodes: list[tuple[Address, str]]) -> int:
    plain, tls = balancer_config.free_port(), balancer_config.free_port()
    addresses = [f"{host}:{port}" for (host, port), _ in nodes]
    config = balancer_config.nginx(directory, plain, tls, addresses)
    log = directory / "error.log"
    live.start(stack, "nginx", "-e", str(log), "-c", str(config), "-g", "daemon off;")
    return tls


def check(binary: str, start: Start) -> str:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nodes = [
            live.start_node(stack, binary, directory / f"node{number}.log", SETTINGS | more)
            for number, more in enumerate([FEW, {}])
        ]
        for _, admin in nodes:
            live.wait_for("a ready node", live.START_WITHIN, partial(is_ready, admin))
        address = ("127.0.0.1", start(stack, directory, nodes))
        tls = ssl.create_default_context(cafile=str(directory / "authority.pem"))

        def answers() -> bool:
            try:
                serve(address, tls).close()
            except OSError:
                return False
            return True

        live.wait_for("the first client", live.START_WITHIN, answers)
        for _ in range(CLIENTS):
            serve(address, tls).close()
        shares = [opened(admin) for _, admin in nodes]
        if min(shares) < CLIENTS // 4:
            raise ValueError(f"one node has nearly all sessions: {shares}")
        with ExitStack() as staying:
            for _ in range(STAYING):
                staying.enter_context(serve(address, tls))

        drain = urllib.request.Request(f"http://{nodes[0][1]}/drain", method="POST")
        urllib.request.urlopen(drain, timeout=5).close()
        longest = 0.0
        for _ in range(COMING):
            before = time.monotonic()
            serve(address, tls).close()
            longest = max(longest, time.monotonic() - before)
            time.sleep(PAUSE)
        return (
            f"{CLIENTS} clients over {shares}, {STAYING} at once with a limit of 2 on one node, "
            f"{COMING} during and after a drain, longest {longest:.2f} s"
        )


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    failed = 0
    for name, start in {"haproxy": start_haproxy, "nginx": start_nginx}.items():
        try:
            print(f"{name}: {check(sys.argv[1], start)}", flush=True)
        except (OSError, ValueError, RuntimeError) as error:
            failed += 1
            print(f"{name}: FAILED: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
