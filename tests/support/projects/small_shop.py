"""The modules of the small node's releases."""

from __future__ import annotations

COUNTER = """
from node_runtime import GenServer

__vsn__ = "c1"

class Counter(GenServer[dict]):
    def init(self):
        return {"count": 0}

    def add(self):
        self.state["count"] += 1
        return self.state["count"]

    def version(self):
        return __vsn__

    async def wait(self, gate):
        await gate
        return __vsn__
"""

COUNTER_2 = COUNTER.replace('"c1"', '"c2"')

MIGRATING = (
    COUNTER_2
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        from node_runtime import Down
        if isinstance(old_vsn, Down):
            return {"count": state["count"], "gone": [old_vsn.vsn, extra]}
        return {"count": state["count"] * 10, "from": [old_vsn, extra]}
"""
)

# A rehearsal would find a failure in its copy of the node, so failures meant for the install happen in the node only.
ONLY_LIVE = "import os\nNODE = os.getpid()\ndef live():\n    return os.getpid() == NODE\n"
LIVE = ONLY_LIVE + COUNTER_2

FAILING = (
    LIVE
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if state["count"] == 7 and live():
            raise ValueError("seven is right out")
        return dict(state)
"""
)

LAMP = """
from node_runtime import GenStatem, Next

class Lamp(GenStatem[None]):
    def init(self, colour):
        return colour, None

    def green(self, event):
        return Next(event.message)

    def lime(self, event):
        return Next(event.message)
"""

LAMP_2 = LAMP.replace("lime", "red")

LOAD_COUNTER = """
    [[up]]
    from = "1"
    instructions = [ { load_module = "shop.counter" } ]
    [[down]]
    to = "1"
    instructions = [ { load_module = "shop.counter" } ]
"""

UPDATE_COUNTER = LOAD_COUNTER.replace(
    '{ load_module = "shop.counter" }', '{ update = "shop.counter", change = "advanced", extra = "x" }'
)

LOAD_LAMP = LOAD_COUNTER.replace("shop.counter", "shop.lamp")

LEAVING = FAILING.replace('ValueError("seven is right out")', "SystemExit(3)")

SPOILING = FAILING.replace('raise ValueError("seven', 'state["count"] = 70\n            raise ValueError("seven')

GROWING = (
    LIVE
    + """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        if live():
            state["count"] *= 10
        return state
"""
)

WAITING = (
    LIVE
    + """
async def later(state):
    return state

class Counter(Counter):
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return later(state) if live() else dict(state)
"""
)
