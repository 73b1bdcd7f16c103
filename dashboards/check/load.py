"""Clients for the live check: a slow one, and one that breaks the rules."""

import base64
import json
import os
import socket
import ssl
import struct
import threading
import urllib.error
import urllib.request

# Two instruments of the demo, busy enough to fill the socket of a slow reader.
SYMBOLS = ["BINANCE:BTC-USDT", "BINANCE:ETH-USDT"]
# The kernel raises it to a few KiB.
RECEIVE_BUFFER = 2048


def connect(address: tuple[str, int], tls: ssl.SSLContext | None = None) -> socket.socket:
    """Opens a minimal WebSocket."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    stream.settimeout(10)
    stream.connect(address)
    if tls is not None:
        stream = tls.wrap_socket(stream, server_hostname="localhost")
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET /ws HTTP/1.1\r\nHost: {address[0]}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    stream.sendall(head.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        got = stream.recv(1)
        if not got:
            raise ConnectionError("the node closed the handshake")
        answer += got
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise ConnectionError(answer.decode(errors="replace"))
    return stream


def say(stream: socket.socket, request: dict[str, object]) -> None:
    """Sends one masked text frame, with the shortest encoding of its length."""
    text = json.dumps(request).encode()
    mask = os.urandom(4)
    if len(text) < 126:
        length = struct.pack("!BB", 0x81, 0x80 | len(text))
    else:
        length = struct.pack("!BBH", 0x81, 0x80 | 126, len(text))
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
    stream.sendall(length + mask + masked)


def hear(stream: socket.socket, answer: bytes) -> None:
    """Reads until the answer arrives."""
    heard = b""
    while answer not in heard:
        got = stream.recv(4096)
        if not got:
            raise ConnectionError(f"the node closed: {heard!r}")
        heard += got


def read_slowly(address: tuple[str, int], stop: threading.Event) -> None:
    """Reads 8 KiB every 200 ms, of much more."""
    stream = connect(address)
    with stream:
        streams = [{"channel": "book", "symbol": symbol} for symbol in SYMBOLS]
        say(stream, {"op": "subscribe", "id": 1, "streams": streams})
        while not stop.wait(0.2):
            if not stream.recv(8192):
                return


def misbehave(address: tuple[str, int]) -> None:
    """Sends an unknown request, an impossible resume, and a plain GET to /ws."""
    stream = connect(address)
    with stream:
        say(stream, {"op": "nonsense", "id": 1})
        resume = {"epoch": 1, "seq": 1}
        streams = [{"channel": "book", "symbol": SYMBOLS[0], "resume": resume}]
        say(stream, {"op": "subscribe", "id": 2, "streams": streams})
        hear(stream, b'"id":2')
    try:
        urllib.request.urlopen(f"http://{address[0]}:{address[1]}/ws", timeout=5).close()
    except urllib.error.HTTPError as error:
        if error.code != 426:
            raise
