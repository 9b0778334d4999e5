"""A chat on FastAPI goes through five releases and back, while people chat (fastapi issue 2522, uvicorn issue 675)."""

import contextlib
import json

import pytest

pytest.importorskip("websockets", reason="the members of the chat need websockets")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

VERSIONS = "abcdef"
CHANGES = {
    "b": [("models", "    text: str\n", '    text: str\n    room: str = "lobby"\n')],
    "c": [
        (
            "manager",
            "            await websocket.send_json(message.model_dump())\n",
            '            await websocket.send_json({**message.model_dump(), "members": len(self.active)})\n',
        )
    ],
    "d": [("api", '"ticks": ', '"members": len(manager.active), "ticks": ')],
    "e": [("sockets", "text=text", "text=text.upper()")],
    "f": [("sockets", "text.upper()", "text.upper() + '!'"), ("ticker", "STEP = 1", "STEP = 100")],
}
LOADED = {"b": ("models", "api"), "c": ("manager",), "d": ("api",), "e": ("sockets",), "f": ("sockets", "ticker")}


def project(folder, vsn):
    """Each version has the changes of those before it, and loads what it changes and what is made of its models."""
    number = VERSIONS.index(vsn)
    for one in VERSIONS[1 : number + 1]:
        for name, old, new in CHANGES[one]:
            file = folder / f"apps/k/src/k/{name}.py"
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
    if number:
        first, *others = LOADED[vsn]
        steps = [f'{{ load_module = "k.{first}" }}']
        steps += [f'{{ load_module = "k.{name}", deps = ["k.{first}"] }}' for name in others]
        both = f"instructions = [ {', '.join(steps)} ]"
        before = VERSIONS[number - 1]
        text = f'vsn = "{vsn}"\n[[up]]\nfrom = "{before}"\n{both}\n[[down]]\nto = "{before}"\n{both}\n'
        (folder / "apps/k/appup.toml").write_text(text)


class Member:
    """Somebody who chats."""

    def __init__(self, node, name, opened):
        self.name = name
        self.socket = opened.enter_context(connect(f"ws://127.0.0.1:{node.port}/ws/{name}"))

    def says(self, text):
        """What the chat sends to all members when this one says something."""
        self.socket.send(text)
        return json.loads(self.socket.recv(timeout=30))


def page(node, path):
    return json.loads(node.probe(path))


def go(node, vsn, *named):
    """Upgrade to a version whose plan has no blocker, and has to name what stays in old code."""
    plan = node.plan(vsn)
    assert not plan["blockers"], f"{vsn} is refused: {plan['blockers'][0]['reason']}"
    assert not plan.get("lost"), f"{vsn} would lose data: {plan['lost'][0]}"
    for pattern in named:
        assert node.says(plan, pattern), f"the plan of {vsn} does not name {pattern}"
    node.go(vsn)
    node.commit()


def back(node, vsn):
    """Downgrade to a version."""
    done = node.hotdash("downgrade", node.name, vsn, "--yes", "-o", "json")
    assert done.rc == 0, f"the downgrade to {vsn} fails: {done.last}"
    node.commit()


def check(node):
    assert node.until(lambda: node.probe("status").status == 200, within=30), "the chat of a does not answer"
    with contextlib.ExitStack() as opened:
        ann = Member(node, "ann", opened)
        assert ann.says("one") == {"user": "ann", "text": "one"}
        go(node, "b")
        said = ann.says("two")
        assert said == {"user": "ann", "text": "two", "room": "lobby"}, f"b: the model's new field is missing: {said}"
        rooms = [one.get("room") for one in page(node, "history")]
        assert rooms == ["lobby", "lobby"], f"b: the messages of a have no room: {rooms}"
        go(node, "c")
        assert ann.says("three")["members"] == 1, "c: the manager shows its old behaviour"
        go(node, "d")
        assert page(node, "status")["members"] == 1, "d: the page shows its old behaviour"
        go(node, "e", r"run_asgi.*k\.sockets", r"[Ll]ifespan.*k\.sockets")
        assert ann.says("four")["text"] == "four", "e: the open socket continues in its version"
        bob = Member(node, "bob", opened)
        bob.socket.send("five")
        assert [json.loads(one.socket.recv(timeout=30))["text"] for one in (ann, bob)] == ["FIVE", "FIVE"]
        refused_then_purged(node, ann)
        go(node, "f", r"task ticker.*k\.ticker")
        ticks = page(node, "status")
        assert ticks["step"] == 100
        assert node.until(lambda: page(node, "status")["ticks"] > ticks["ticks"], within=30), "the ticker has stopped"
    for vsn in "edcba":
        back(node, vsn)
    assert "members" not in page(node, "status")
    with contextlib.ExitStack() as opened:
        assert "members" not in Member(node, "zoe", opened).says("six")
    assert [one["text"] for one in page(node, "history")][:4] == ["one", "two", "three", "four"]


def refused_then_purged(node, ann):
    """The third version of the sockets' module is refused as long as a socket of the first one is open."""
    plan = node.plan("f")
    named = node.says(plan, r"k\.sockets", r"run_asgi|[Ll]ifespan")
    assert plan["blockers"], "f is possible, although a socket runs the first version of its module"
    assert named, f"f is refused without naming what holds the sockets' module: {plan['blockers'][0]['reason']}"
    assert node.says(plan, r"hotdash purge NODE k\.sockets"), "the blocker does not name the purge"
    done = node.hotdash("purge", node.name, "k.sockets", "--yes", "-o", "json")
    assert done.rc == 0, f"the purge fails: {done.last}"
    try:
        ann.socket.recv(timeout=30)
        raise AssertionError("the purge leaves the socket of the first version open")
    except ConnectionClosed:
        pass
