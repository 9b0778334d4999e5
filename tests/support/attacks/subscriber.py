"""A program that subscribes to events by large subscriptions: subscriber PORT COOKIE NUMBER.

It is a process of its own, because libzmq keeps each subscription on the client's side, too, and frees it slowly.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import zmq

from node_runtime.protocol.cookie import read_cookie

SUBSCRIPTION_BYTES: Final = 900_000


def main(port: int, cookie_file: Path, number: int) -> None:
    """Subscribe, say so on standard output, and stay connected until standard input is closed."""
    cookie = read_cookie(cookie_file)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    subscriber = context.socket(zmq.XSUB)
    subscriber.setsockopt(zmq.SNDHWM, 0)
    subscriber.setsockopt(zmq.SNDTIMEO, 1000)
    # Otherwise libzmq connects again and again, and each time walks through all subscriptions, for minutes.
    subscriber.setsockopt(zmq.RECONNECT_IVL, -1)
    subscriber.curve_secretkey, subscriber.curve_serverkey = cookie.secret, cookie.server
    subscriber.curve_publickey = zmq.curve_public(cookie.secret)
    subscriber.connect(f"tcp://127.0.0.1:{port}")
    subscriber.poll(1000)
    for _ in range(number):
        subscriber.send(b"\x01" + os.urandom(SUBSCRIPTION_BYTES))
    subscriber.poll(1000)
    print("subscribed", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
