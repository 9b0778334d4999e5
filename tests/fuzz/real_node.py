"""Sends changed requests to a real node, with a viewer's and with an operator's key."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import zmq

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.methods import METHODS
from node_runtime.protocol.wire import MalformedMessage, pack, unpack
from tests.support.attacks.attacked_node import AttackedNode
from tests.support.attacks.thief import Thief
from tests.support.nodes.tiny_node import install, tarball_of

from .campaign import Campaign, FilesLeft, WronglyAccepted
from .messages import changed, random_request, random_struct

HARMFUL: Final = frozenset({"stop"})
"""What an operator's request may not be, because the node obeys."""
ORDERS: Final = frozenset(method.name for method in METHODS if method.role == "operator")
PING_EVERY: Final = 250
"""After so many requests, the owner has to get an answer."""
FIRST_ORDER: Final = 1 << 40
LAST_ORDER: Final = 1 << 41
"""Ids between these are those of a viewer's requests for what only an operator may do."""
SEND_MS: Final = 300
"""The longest time for which sending a message waits; then the node has closed the connection."""


class WireInput(NamedTuple):
    """A message for the node: the role of its sender, and its frames."""

    role: m.Role
    frames: tuple[bytes, ...]


class NodeUnderFuzz:
    """A node, and a connection for each role, which is made again when the node has closed it."""

    def __init__(self, node: AttackedNode) -> None:
        self.node = node
        self.boot_id = node.record.boot_id
        self.thieves: dict[m.Role, Thief] = {}
        self.sent = 0

    def send(self, one: WireInput) -> None:
        """Send a message and read what there is to read."""
        self.sent += 1
        if self.sent % PING_EVERY == 0:
            self.check_node()
        thief = self.thieves.get(one.role)
        if thief is None:
            thief = self.thieves[one.role] = Thief(self.node.address(one.role))
            thief.socket.setsockopt(zmq.SNDTIMEO, SEND_MS)
        if not thief.send(*one.frames):
            self.disconnect(one.role)
            return
        while (data := thief.receive(0.0)) is not None:
            self.check_answer(one.role, data)

    def check_answer(self, role: m.Role, data: bytes) -> None:
        """A viewer gets no result of an operator's method; every answer can be decoded."""
        reply = unpack(data, m.Reply)
        if role == "viewer" and FIRST_ORDER <= reply.id < LAST_ORDER and reply.failure is None:
            raise WronglyAccepted(f"a viewer's order {reply.id} was carried out")

    def check_node(self) -> None:
        """The same node still answers its owner, who is patient."""
        for _ in range(20):
            try:
                self.node.ask(methods.PING)
                break
            except Refused as refused:
                last = refused
        else:
            raise last
        if self.node.record.boot_id != self.boot_id:
            self.boot_id = self.node.record.boot_id
            raise RuntimeError("the node has booted again")

    def disconnect(self, role: m.Role) -> None:
        """End the connection of a role."""
        if role in self.thieves:
            self.thieves.pop(role).close()

    def close(self) -> None:
        """End all connections."""
        for role in tuple(self.thieves):
            self.disconnect(role)


def wire_inputs(rng: random.Random, number: int) -> Iterator[WireInput]:
    """Valid and changed requests of both roles, in one frame or several, and of all sizes."""
    for count in range(number):
        role: m.Role = rng.choice(("viewer", "viewer", "operator"))
        body = random_request(rng, HARMFUL)
        if rng.random() < 0.8:
            body = changed(rng, body)
        if role == "operator" and is_harmful(body):
            continue
        if role == "viewer" and rng.random() < 0.1:
            body = order(rng, FIRST_ORDER + count)
        frames: tuple[bytes, ...] = (body,)
        if rng.random() < 0.05:
            frames = tuple(rng.choice((body, b"", rng.randbytes(30))) for _ in range(rng.choice((2, 3, 200))))
        elif rng.random() < 0.01:
            frames = (rng.randbytes(rng.choice((10_000, 300_000, 1_100_000))),)
        yield WireInput(role, frames)


def order(rng: random.Random, number: int) -> bytes:
    """A valid request of an operator's method; its id says that it is one."""
    method = rng.choice([one for one in METHODS if one.name in ORDERS])
    return pack(m.Request(id=number, method=method.name, params=pack(random_struct(rng, method.params))))


def is_harmful(body: bytes) -> bool:
    """Returns whether a node would stop for this request."""
    try:
        return unpack(body, m.Request).method in HARMFUL
    except MalformedMessage:
        return False


@contextmanager
def running_node() -> Iterator[AttackedNode]:
    """A node of its own, stopped at the end."""
    with TemporaryDirectory(prefix="fuzzed-node-") as folder:
        node = AttackedNode(install(tarball_of(Path(folder)), Path(folder) / "home"))
        node.ensure_up()
        try:
            yield node
        finally:
            node.stop()


def fuzz_node(number: int, seed: int) -> Campaign:
    """The result for `number` messages."""
    with running_node() as node:
        campaign = Campaign("messages to a real node", memory=node.memory)
        target = NodeUnderFuzz(node)
        campaign.feed(wire_inputs(random.Random(seed), number), number, target.send)
        target.close()
        campaign.feed([WireInput("viewer", ())], 1, lambda _: target.check_node())
        node.stop()
        left = [path.name for path in (node.directory / "var/staging").iterdir()]
        campaign.feed([left], 1, raise_if_left)
    return campaign


def raise_if_left(left: list[str]) -> None:
    """Raises FilesLeft if there are any."""
    if left:
        raise FilesLeft("uploads that have not ended")
